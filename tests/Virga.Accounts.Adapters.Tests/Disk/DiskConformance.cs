using Virga.Accounts.Adapters.Disk;
using Virga.Testing.Conformance;

namespace Virga.Accounts.Adapters.Tests.Disk;

[Against("Linux", IsReal = true)]
public sealed class DiskConformance : AccountConformance
{
    private readonly ScratchFolder scratch = new();

    protected override ValueTask<IAccount> OpenAsync() => scratch.OpenAsync();

    protected override ValueTask CleanUpAsync()
    {
        scratch.Dispose();
        return ValueTask.CompletedTask;
    }
}
