using System.Security.Cryptography;
using Virga.Accounts.Adapters.Disk;
using Virga.Testing.Conformance;

namespace Virga.Accounts.Adapters.Tests.Disk;

/// <summary>As on a kernel without openat2 and a system that doesn't tell its boot: everything is synced.</summary>
[Against("Linux", IsReal = true, Variant = "as on an old kernel, all synced")]
public sealed class OldKernelDiskConformance : AccountConformance
{
    private readonly ScratchFolder scratch = new();

    protected override int ManyEntries => 200;

    protected override ValueTask<IAccount> OpenAsync() => new(
        new DiskAccount(
            scratch.Path, RandomNumberGenerator.Fill, DiskDurability.Uploads, bootId: null, walksByHand: true));

    protected override ValueTask CleanUpAsync()
    {
        scratch.Dispose();
        return ValueTask.CompletedTask;
    }
}
