using Virga.Testing.Conformance;

namespace Virga.Accounts.Adapters.Tests.Sftp;

[Trait("Needs", "server")]
public sealed class SftpConformance : AccountConformance
{
    private SftpScratch? scratch;

    protected override async ValueTask<IAccount> OpenAsync() =>
        await (scratch ??= await SftpScratch.CreateAsync()).OpenAsync();

    protected override ValueTask CleanUpAsync() => scratch?.DisposeAsync() ?? default;
}
