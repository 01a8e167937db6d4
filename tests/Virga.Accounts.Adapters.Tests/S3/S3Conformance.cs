using Virga.Testing.Conformance;

namespace Virga.Accounts.Adapters.Tests.S3;

[Trait("Needs", "server")]
[Against("Ceph's S3 gateway 16.2", IsReal = true, Untried = "Amazon S3")]
public sealed class S3Conformance : AccountConformance
{
    private S3Scratch? scratch;

    protected override async ValueTask<IAccount> OpenAsync() =>
        await (scratch ??= await S3Scratch.CreateAsync()).OpenAsync();

    protected override ValueTask CleanUpAsync() => scratch?.DisposeAsync() ?? default;
}
