using Virga.Accounts.Adapters.Dropbox;
using Virga.Accounts.Adapters.OAuth;
using Virga.Accounts.Adapters.Tests.Fakes;
using Virga.Testing.Fakes.Dropbox;

namespace Virga.Accounts.Adapters.Tests.Dropbox;

/// <summary>Somebody's empty Dropbox at a fake of its own, and accounts on it.</summary>
internal sealed class DropboxScratch : IAsyncDisposable
{
    private DropboxScratch(FakeDropbox fake)
    {
        Fake = fake;
        (User, Token) = fake.AddUser();
    }

    public FakeDropbox Fake { get; }

    public DropboxUser User { get; }

    public string Token { get; }

    public AdapterServices Services => TestServices.Real with
    {
        Route = new ServiceRoute(Fake.EndPoint, Fake.Authority.Certificate),
    };

    /// <param name="folder">Made in upper case.</param>
    public static async Task<DropboxScratch> CreateAsync(string folder = "", TimeProvider? clock = null)
    {
        var fake = new FakeDropbox(clock ?? TimeProvider.System);
        await fake.StartAsync();
        var scratch = new DropboxScratch(fake);
        await using var whole = scratch.Open();
        await whole.CreateFolderAsync(EntryPath.Parse(folder.ToUpperInvariant()), default);
        return scratch;
    }

    public IAccount Open(string folder = "", IAccessTokens? tokens = null) => new DropboxAccount(
        new DropboxSettings(EntryPath.Parse(folder)), tokens ?? new TestTokens(Token), Services);

    public ValueTask DisposeAsync() => Fake.DisposeAsync();
}
