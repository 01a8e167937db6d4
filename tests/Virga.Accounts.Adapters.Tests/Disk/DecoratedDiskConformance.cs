using Virga.Accounts.Decorators;
using Virga.Testing;
using Virga.Testing.Accounts;
using Virga.Testing.Conformance;

namespace Virga.Accounts.Adapters.Tests.Disk;

/// <summary>A disk that fails in a third of its calls, seen through the decorators that every account gets.</summary>
[Against("Linux", IsReal = true, Variant = "a third of all calls fails, retried")]
public sealed class DecoratedDiskConformance : AccountConformance
{
    private readonly ScratchFolder scratch = new();

    protected override async ValueTask<IAccount> OpenAsync()
    {
        var time = new SkippingTime();
        var faulty = new FaultyAccount(
            await scratch.OpenAsync("none"), new FaultPlan(Seed: 42) { Truncate = 0.05 }, time);
        return faulty.WithCare(time, new Seeded(7).RandomBytes);
    }

    protected override ValueTask CleanUpAsync()
    {
        scratch.Dispose();
        return ValueTask.CompletedTask;
    }
}
