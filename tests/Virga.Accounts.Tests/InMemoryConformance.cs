using Virga.Accounts.Decorators;
using Virga.Testing;
using Virga.Testing.Accounts;
using Virga.Testing.Conformance;

namespace Virga.Accounts.Tests;

public sealed class InMemoryConformance : AccountConformance
{
    private readonly InMemoryStore store = new();

    protected override ValueTask<IAccount> OpenAsync() => new(new InMemoryAccount(store));
}

/// <summary>
/// The poorest of clouds: parts in sequence, nothing resumed, names folded and restricted, no empty folders.
/// </summary>
public sealed class PoorInMemoryConformance : AccountConformance
{
    private static readonly AccountTraits Poor = InMemoryAccount.DefaultTraits with
    {
        PartOrder = PartOrder.Sequence,
        UploadResume = UploadResume.None,
        PartBytesMin = 320 << 10,
        PartMultipleBytes = 320 << 10,
        PartsMax = 100,
        SingleWriteBytesMax = 400_000,
        Pin = PinStrength.Weak,
        KeepsModified = false,
        KeepsEmptyFolders = false,
        KeepsExecutable = false,
        Names = new NameRules(
            100, 400, "\\:*?\"<>|", IsCaseSensitive: false, AllowsTrailingDotOrSpace: false, AllowsControl: false),
    };

    private readonly InMemoryStore store = new();

    protected override ValueTask<IAccount> OpenAsync() => new(new InMemoryAccount(store, Poor) { HasSymlinks = false });
}

/// <summary>
/// All decorators, and a third of the calls struck by a fault: whoever stands outside notices nothing.
/// </summary>
public sealed class FaultyInMemoryConformance : AccountConformance
{
    private readonly InMemoryStore store = new();

    protected override ValueTask<IAccount> OpenAsync()
    {
        var time = new SkippingTime();
        var plan = new FaultPlan(Seed: 20260102) { Truncate = 0.05, Delay = 0.1 };
        var faulty = new FaultyAccount(new InMemoryAccount(store), plan, time);
        return new(faulty.WithCare(time, new Seeded(7).RandomBytes));
    }

    protected override int ManyEntries => 300;
}
