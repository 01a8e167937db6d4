using Virga.Accounts.Adapters.B2;
using Virga.Testing.Fakes.B2;

namespace Virga.Accounts.Adapters.Tests.B2;

/// <summary>An empty bucket at a fake of its own, and accounts on it.</summary>
internal sealed class B2Scratch : IAsyncDisposable
{
    public const string Bucket = "virga-bucket";

    private B2Scratch()
    {
        Fake.AddBucket(Bucket);
        Key = Fake.AddKey();
    }

    public FakeB2 Fake { get; } = new(TimeProvider.System);

    public (string Id, string Secret) Key { get; }

    public AdapterServices Services => TestServices.Real with
    {
        Route = new ServiceRoute(Fake.EndPoint, Fake.Authority.Certificate),
    };

    public static async Task<B2Scratch> CreateAsync()
    {
        var scratch = new B2Scratch();
        await scratch.Fake.StartAsync();
        return scratch;
    }

    public ValueTask<IAccount> OpenAsync(
        string prefix = "", string bucket = Bucket, (string Id, string Secret)? key = null)
    {
        var adapter = new B2Adapter(Services);
        var (id, secret) = key ?? Key;
        return adapter.OpenAsync(
            adapter.ParseAddress(
                $"b2:{bucket}/{prefix}", TestServices.None,
                TestServices.Map(("keyId", id), ("applicationKey", secret))),
            default);
    }

    public ValueTask DisposeAsync() => Fake.DisposeAsync();
}
