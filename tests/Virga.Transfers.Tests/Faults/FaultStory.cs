using System.Globalization;
using Virga.Accounts;
using Virga.Accounts.Decorators;
using Virga.Content;
using Virga.Core;
using Virga.Testing;
using Virga.Testing.Accounts;
using Virga.Transfers.Engine;
using Virga.Transfers.Sources;
using Virga.Transfers.Swarm;

namespace Virga.Transfers.Tests.Faults;

/// <summary>
/// All that one seed brings: the share, the target's ways, who serves it how badly, and who dies when.
/// </summary>
internal sealed class FaultStory
{
    // Small, so that a share of some MiB has many ranges and parts, as one of many GiB has with the real ones.
    private static readonly EngineLimits Limits = new(
        RangesInFlight: 3, RangeBytes: 64 << 10, FarRangeBytes: 64 << 10, PartMemoryBytes: 192 << 10,
        SmallFileBytes: 24 << 10,
        BatchBytes: 64 << 10, BatchFiles: 8);

    private const int RunsMax = 40;

    private readonly Seeded random;
    private readonly SkippingTime time = new();
    private readonly Rig rig;
    private readonly InMemoryStore store = new();
    private readonly AccountTraits traits;
    private readonly FaultPlan targetFaults;
    private readonly BanList bans;
    private readonly List<UnreliableSource> sources = [];
    private readonly List<string> told = [];
    private readonly List<long> deaths = [];
    private readonly bool isPrivate;
    private readonly bool fillsUp;
    private int runs;

    public FaultStory(ulong seed)
    {
        random = new Seeded(Seeded.Hash(seed, "faults"));
        rig = new Rig((int)seed) { Time = time };
        bans = new BanList(time);
        isPrivate = random.Next(4) != 0;
        fillsUp = random.Next(6) == 0;
        var order = random.Next(2) == 0 ? PartOrder.Any : PartOrder.Sequence;
        traits = new AccountTraits
        {
            Adapter = "memory", PartOrder = order, SingleWriteBytesMax = 32 << 10, KeepsModified = true,
            KeepsEmptyFolders = true, PartBytesMin = 32 << 10, PartBytesMax = (32 << 10) << (int)random.Next(2),
            UploadResume = random.Next(5) == 0 ? UploadResume.None : UploadResume.Parts,
        };
        var rate = random.Next(3) switch { 0 => 0, 1 => 0.01, _ => 0.05 };
        // Where no part may be sent again and nothing can be taken up, one fault costs the file: hundreds of parts
        // would never get through.
        if (traits is { PartOrder: PartOrder.Sequence, UploadResume: UploadResume.None }) rate = 0;
        targetFaults = new FaultPlan(seed)
        {
            Before = rate, Middle = rate, After = rate, Delay = rate, NeverAfter = new HashSet<AccountOperation>(),
        };
        for (var i = random.Next(3); i > 0; i--) deaths.Add(1 + random.Next(120));
    }

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{rig.Files.Count} files, {(isPrivate ? "private" : "public")}, {traits.PartOrder} parts of "
        + $"{traits.PartBytesMax >> 10} KiB, resume {traits.UploadResume}, target fails {targetFaults.Before}, "
        + $"deaths [{string.Join(", ", deaths)}]{(fillsUp ? ", full for a while" : "")}, "
        + $"sources [{string.Join("; ", told)}], {runs} runs");

    /// <summary>Runs it to its end; the percentage of bytes that came more than once.</summary>
    public async Task<double> RunAsync()
    {
        await FillAsync();
        var content = await rig.ShareAsync(isPrivate);
        AddSources();
        var total = rig.Files.Values.Sum(f => (long)f.Length);
        if (fillsUp) store.CapacityBytes = (long)(total * random.NextDouble());
        var after = new Queue<long>(deaths);
        while (!await RunOnceAsync(content, after))
            Assert.True(++runs < RunsMax, $"not through after {runs} runs");

        var target = new InMemoryAccount(store, traits);
        await rig.AssertArrivedAsync(target);
        Assert.Equal(rig.Files.Count, rig.Journal.Completed);
        Assert.Equal(0, await PendingAsync());
        Assert.Equal(total, store.UsedBytes);
        await foreach (var entry in target.WalkAsync(EntryPath.Root))
            Assert.True(entry.Kind == EntryKind.Folder || IsOurs(entry.Path), $"'{entry.Path}' was left behind");
        var blobs = content.Files.Sum(f => f.Blob?.Length ?? 0);
        return 100.0 * (sources.Sum(s => s.Sent) - blobs) / blobs;
    }

    /// <summary>One process: true when it brought all over; false when it died or had to stop.</summary>
    private async Task<bool> RunOnceAsync(ShareContent content, Queue<long> after)
    {
        var life = new Life();
        var records = 0;
        var dies = after.TryDequeue(out var at) ? at : long.MaxValue;
        rig.Journal.Before = _ =>
        {
            if (Interlocked.Increment(ref records) == dies) life.Kill();
            life.Require();
        };
        var faults = targetFaults with { Seed = targetFaults.Seed + (ulong)runs * 1000 };
        var faulty = new FaultyAccount(new InMemoryAccount(store, traits), faults, time);
        var target = new MortalAccount(faulty.WithCare(time, random.RandomBytes), life);
        var set = new SourceSet(new ComingAndGoing(sources, random), time, bans: bans);
        var job = new TransferJob(
            content, set, target, EntryPath.Parse("in"), CollisionPolicy.Fail, rig.Journal, new TransferStatus());
        try
        {
            var result = await new TransferEngine(Limits).RunAsync(job, life.Ended);
            AssertLiarsAreOut(set);
            return result.Failed.Count == 0;
        }
        catch (OperationCanceledException) when (life.Ended.IsCancellationRequested)
        {
            return false;
        }
        catch (VirgaException e) when (e.Kind == FailureKind.Full && fillsUp)
        {
            store.CapacityBytes = long.MaxValue;
            return false;
        }
        catch (VirgaException e) when (targetFaults.Kinds.Contains(e.Kind) || e.Kind == FailureKind.Denied)
        {
            // More faults in a row than anybody bears, or only who may not give it was found: the user resumes it.
            return false;
        }
    }

    private async Task FillAsync()
    {
        var large = 1 + random.Next(3);
        for (var i = 0; i < large; i++)
            await rig.AddAsync($"large/{i}", (int)((2 << 20) + random.Next(6 << 20)));
        var small = random.Next(40);
        for (var i = 0; i < small; i++) await rig.AddAsync($"small/{i}", (int)random.Next(40_000));
        if (random.Next(3) == 0) await rig.AddAsync("empty", 0);
    }

    private void AddSources()
    {
        var count = 1 + (int)random.Next(4);
        for (var i = 0; i < count; i++)
        {
            // The first one is slow to answer at times, but stays: without it nothing could arrive.
            var kind = i == 0 ? random.Next(3) : random.Next(6);
            var faults = kind switch
            {
                0 => new SourceFaults(),
                1 => new SourceFaults { Fails = 0.1, Stalls = 0.01 },
                2 => new SourceFaults { Fails = 0.03, Breaks = 0.01, Stalls = 0.01 },
                3 => new SourceFaults { LiesInOneLeafOf = random.Next(3) == 0 ? 10_000 : 100 },
                4 => new SourceFaults { DeniesAfter = 1 + (int)random.Next(60) },
                _ => new SourceFaults { GoneAfter = 1 + (int)random.Next(60), Fails = 0.05 },
            };
            told.Add(faults.ToString());
            sources.Add(new UnreliableSource(
                rig.Source($"source {i}"), new AgentId(new Hash256(rig.RandomArray(Hash256.ByteCount))), faults,
                new Seeded(random.Next()), time));
        }
    }

    /// <summary>Who lied once is known, and asked no more but for what was under way.</summary>
    private void AssertLiarsAreOut(SourceSet set)
    {
        var dropped = set.Report().Where(s => s.Dropped is not null).Select(s => s.Name).ToHashSet();
        foreach (var source in sources)
        {
            var isOut = dropped.Contains(source.Name) || bans.WhyBanned(source.Agent!.Value) is not null;
            Assert.True(source.Lies == 0 || isOut, $"{source.Name} lied {source.Lies} times and was believed");
            Assert.True(source.Lies <= 2 * Limits.RangesInFlight * 8, $"{source.Name} was asked again and again");
        }
    }

    private bool IsOurs(EntryPath path) =>
        rig.Files.Keys.Any(f => path == EntryPath.Parse("in").Append(EntryPath.Parse(f)));

    private async Task<int> PendingAsync() =>
        await new InMemoryAccount(store, traits with { UploadResume = UploadResume.Parts }).PendingAsync();

    /// <summary>Each look finds some of them; the first source at the latest when it is looked for in vain.</summary>
    private sealed class ComingAndGoing(IReadOnlyList<UnreliableSource> sources, Seeded random) : ISourceFinder
    {
        private int looks;

        public Task<IReadOnlyList<ISource>> FindAsync(CancellationToken cancellationToken)
        {
            var look = Interlocked.Increment(ref looks);
            return Task.FromResult<IReadOnlyList<ISource>>(
                [.. sources.Where((_, i) => random.Next(3) > 0 || (i == 0 && look > 2))]);
        }
    }
}
