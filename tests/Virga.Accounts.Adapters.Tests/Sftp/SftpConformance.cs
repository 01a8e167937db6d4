using Virga.Testing.Conformance;

namespace Virga.Accounts.Adapters.Tests.Sftp;

[Trait("Needs", "server")]
[Against("OpenSSH 9.2", IsReal = true)]
public sealed class SftpConformance : AccountConformance
{
    private SftpScratch? scratch;

    protected override async ValueTask<IAccount> OpenAsync() =>
        await (scratch ??= await SftpScratch.CreateAsync()).OpenAsync();

    protected override ValueTask CleanUpAsync() => scratch?.DisposeAsync() ?? default;
}
