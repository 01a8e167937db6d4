using Virga.Accounts.Adapters.Gcs;
using Virga.Testing.Fakes.Gcs;

namespace Virga.Accounts.Adapters.Tests.Gcs;

/// <summary>An empty bucket at a fake of its own, and accounts on it.</summary>
internal sealed class GcsScratch : IAsyncDisposable
{
    public const string Bucket = "virga-bucket";

    private readonly TimeProvider clock;

    private GcsScratch(TimeProvider clock)
    {
        this.clock = clock;
        Fake = new FakeGcs(clock);
        Fake.AddBucket(Bucket);
        Key = Fake.AddServiceAccount();
    }

    public FakeGcs Fake { get; }

    /// <summary>A service account's key file.</summary>
    public string Key { get; }

    public AdapterServices Services => TestServices.Real with
    {
        Clock = clock, Route = new ServiceRoute(Fake.EndPoint, Fake.Authority.Certificate),
    };

    public static async Task<GcsScratch> CreateAsync(TimeProvider? clock = null)
    {
        var scratch = new GcsScratch(clock ?? TimeProvider.System);
        await scratch.Fake.StartAsync();
        return scratch;
    }

    public ValueTask<IAccount> OpenAsync(
        string prefix = "", string bucket = Bucket, string? key = null, AdapterServices? services = null)
    {
        var adapter = new GcsAdapter(services ?? Services);
        return adapter.OpenAsync(
            adapter.ParseAddress(
                $"gcs:{bucket}/{prefix}", TestServices.None,
                TestServices.Map(("serviceAccountKey", key ?? Key))),
            default);
    }

    public ValueTask DisposeAsync() => Fake.DisposeAsync();
}
