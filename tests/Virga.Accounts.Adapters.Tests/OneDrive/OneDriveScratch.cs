using Virga.Accounts.Adapters.OAuth;
using Virga.Accounts.Adapters.OneDrive;
using Virga.Accounts.Adapters.Tests.Fakes;
using Virga.Testing.Fakes.OneDrive;

namespace Virga.Accounts.Adapters.Tests.OneDrive;

/// <summary>Somebody's empty OneDrive at a fake of its own, and accounts on it.</summary>
internal sealed class OneDriveScratch : IAsyncDisposable
{
    private OneDriveScratch(FakeOneDrive fake, string scope, bool isBusiness)
    {
        Fake = fake;
        (User, Token) = fake.AddUser(scope, isBusiness);
    }

    public FakeOneDrive Fake { get; }

    public OneDriveUser User { get; }

    public string Token { get; }

    public static async Task<OneDriveScratch> CreateAsync(
        string scope = "Files.ReadWrite", TimeProvider? clock = null, bool isBusiness = false)
    {
        var fake = new FakeOneDrive(clock ?? TimeProvider.System);
        await fake.StartAsync();
        return new OneDriveScratch(fake, scope, isBusiness);
    }

    public IAccount Open(
        string folder = "", IAccessTokens? tokens = null, bool isAppFolder = false, string? driveId = null,
        bool? isBusiness = null) =>
        new OneDriveAccount(
            new OneDriveSettings(
                EntryPath.Parse(folder), driveId, isAppFolder, IsBusiness: isBusiness ?? User.IsBusiness),
            tokens ?? new TestTokens(Token),
            TestServices.Real with { Route = new ServiceRoute(Fake.EndPoint, Fake.Authority.Certificate) });

    public ValueTask DisposeAsync() => Fake.DisposeAsync();
}
