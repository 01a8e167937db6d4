using Virga.Testing.Conformance;

namespace Virga.Accounts.Adapters.Tests.Gcs;

[Against("Google Cloud Storage", Untried = "Google Cloud Storage")]
public sealed class GcsConformance : AccountConformance
{
    private GcsScratch? scratch;

    protected override async ValueTask<IAccount> OpenAsync() =>
        await (scratch ??= await GcsScratch.CreateAsync()).OpenAsync("some folder/ü");

    protected override ValueTask CleanUpAsync() => scratch?.DisposeAsync() ?? default;
}
