using Virga.Accounts.Adapters.Drive;
using Virga.Accounts.Adapters.OAuth;
using Virga.Accounts.Adapters.Tests.Fakes;
using Virga.Testing.Fakes.Drive;

namespace Virga.Accounts.Adapters.Tests.Drive;

/// <summary>Somebody's empty Drive at a fake of its own, and accounts on it.</summary>
internal sealed class DriveScratch : IAsyncDisposable
{
    private readonly string token;

    private DriveScratch(FakeDrive fake, string access)
    {
        Fake = fake;
        (User, token) = fake.AddUser(access);
    }

    public FakeDrive Fake { get; }

    public DriveUser User { get; }

    public string Token => token;

    public static async Task<DriveScratch> CreateAsync(string access = "drive", TimeProvider? clock = null)
    {
        var fake = new FakeDrive(clock ?? TimeProvider.System);
        await fake.StartAsync();
        return new DriveScratch(fake, access);
    }

    public IAccount Open(string folder = "", IAccessTokens? tokens = null, TimeProvider? clock = null) =>
        new DriveAccount(
            new DriveSettings(EntryPath.Parse(folder)), tokens ?? new TestTokens(token), TestServices.Real with
            {
                Route = new ServiceRoute(Fake.EndPoint, Fake.Authority.Certificate),
                Clock = clock ?? TimeProvider.System,
            });

    public ValueTask DisposeAsync() => Fake.DisposeAsync();
}
