using Virga.Accounts;
using Virga.Content;
using Virga.Core;
using Virga.Protocol;
using Virga.Testing.Accounts;
using Virga.Transfers.Engine;
using Virga.Transfers.Sources;
using Virga.Transfers.Swarm;

namespace Virga.Transfers.Tests;

/// <summary>
/// Files from several holders at once: who is asked for what, late ones, liars, and that all arrives.
/// </summary>
public sealed class SwarmFetchTests
{
    private const int FileBytes = 9_000_000;
    private const int SmallPart = 512 << 10;

    private static readonly EngineLimits limits = EngineLimits.Default;

    /// <summary>A share of one file, and the numbers of its pieces.</summary>
    private static async Task<(Rig Rig, ShareContent Content, PieceNumbers Numbers)> ShareAsync(
        bool isPrivate = true, int bytes = FileBytes)
    {
        var rig = new Rig();
        await rig.AddAsync("large.bin", bytes);
        var content = await rig.ShareAsync(isPrivate);
        return (rig, content, PieceNumbers.Of(content.Info)!);
    }

    private static Holder Of(Rig rig, string name, PieceSet? have, bool isOrigin = false) =>
        new(rig.Source(name), have, isOrigin);

    private static PieceSet All(PieceNumbers numbers)
    {
        var all = new PieceSet(numbers.Total);
        all.Add(0, numbers.Total);
        return all;
    }

    private static InMemoryAccount Target(PartOrder order = PartOrder.Any) => new(
        traits: InMemoryAccount.DefaultTraits with { PartOrder = order, PartBytesMin = 1, PartMultipleBytes = 1 });

    private static (TransferJob Job, SourceSet Sources) Job(
        Rig rig, ShareContent content, PieceNumbers numbers, IAccount target, ISource[] sources, BanList? bans = null)
    {
        var set = new SourceSet(new FixedFinder(sources), rig.Time, null, numbers, bans, seed: 7);
        return (new TransferJob(
            content, set, target, EntryPath.Parse("in"), CollisionPolicy.Fail, rig.Journal, new TransferStatus()), set);
    }

    private static async Task RunAsync(TransferJob job)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var result = await new TransferEngine(limits).RunAsync(job, patience.Token);
        Assert.Empty(result.Failed);
    }

    [Theory]
    [InlineData(true, PartOrder.Any, FileBytes)]
    [InlineData(false, PartOrder.Any, FileBytes)]
    [InlineData(true, PartOrder.Sequence, FileBytes)]
    [InlineData(true, PartOrder.Any, SmallPart + 1)]
    [InlineData(true, PartOrder.Any, (17 * SmallPart) + 1)]
    [InlineData(true, PartOrder.Any, 122 * SmallPart)]
    [InlineData(false, PartOrder.Any, (3 * SmallPart) + 65_537)]
    public async Task A_file_arrives_whole_from_holders_that_each_have_a_part_and_an_owner_that_has_the_rest(
        bool isPrivate, PartOrder order, int bytes)
    {
        var (rig, content, numbers) = await ShareAsync(isPrivate, bytes);
        var (a, b) = (new PieceSet(numbers.Total), new PieceSet(numbers.Total));
        for (var piece = 0; piece < numbers.Total; piece++)
        {
            if (piece / 20 % 3 == 0) a.Add(piece);
            if (piece / 20 % 3 == 1) b.Add(piece);
        }
        var target = Target(order);
        var (job, _) = Job(
            rig, content, numbers, target, [Of(rig, "owner", null, true), Of(rig, "a", a), Of(rig, "b", b)]);
        await RunAsync(job);
        await rig.AssertArrivedAsync(target);
    }

    [Theory]
    [InlineData(true, PartOrder.Any, 1 << 20)]
    [InlineData(true, PartOrder.Any, 700_001)]
    [InlineData(false, PartOrder.Any, 1 << 20)]
    [InlineData(true, PartOrder.Sequence, 1 << 20)]
    public async Task A_file_that_began_with_its_owner_alone_goes_on_with_all_who_join(
        bool isPrivate, PartOrder order, int partBytes)
    {
        var (rig, content, numbers) = await ShareAsync(isPrivate, 24 << 20);
        var owner = Of(rig, "owner", null, true);
        var joined = new TaskCompletionSource();
        owner.Before = token => joined.Task.WaitAsync(token);
        Holder[] late = [.. new[] { "a", "b", "c" }.Select(name => Of(rig, name, All(numbers)))];
        var target = new InMemoryAccount(traits: InMemoryAccount.DefaultTraits with
        {
            PartOrder = order, PartBytesMin = 1, PartMultipleBytes = 1, PartBytesMax = partBytes,
        });
        var set = new SourceSet(
            new LateFinder(owner, late), rig.Time, null, numbers, null, seed: 7);
        var job = new TransferJob(
            content, set, target, EntryPath.Parse("in"), CollisionPolicy.Fail, rig.Journal, new TransferStatus());
        var running = RunAsync(job);
        while (!set.IsSwarm && !running.IsCompleted) await Task.Delay(10);
        joined.SetResult();
        await running;
        await rig.AssertArrivedAsync(target);
        if (partBytes % (64 << 10) == 0) Assert.All(late, holder => Assert.NotEmpty(holder.Asked));
        // Each border between what came before and after costs a piece or two.
        Assert.InRange(job.Status.BytesFetched, 24 << 20, (24 << 20) * 1.1);
    }

    [Fact]
    public async Task What_others_have_is_not_asked_of_the_owner_while_it_has_something_that_nobody_else_has()
    {
        var (rig, content, numbers) = await ShareAsync();
        var half = new PieceSet(numbers.Total);
        half.Add(0, numbers.Total / 2);
        var (owner, holder) = (Of(rig, "owner", null, true), Of(rig, "holder", half));
        var target = Target();
        var (job, _) = Job(rig, content, numbers, target, [owner, holder]);
        await RunAsync(job);
        await rig.AssertArrivedAsync(target);
        // What nobody else had, one part at each edge, and what the owner helped with once the rest was there.
        var fromOwner = owner.Asked.Count(piece => !half.Contains(piece));
        Assert.True(fromOwner >= numbers.Total / 2 - 2, $"{fromOwner}");
        var firsts = owner.Asked.Take(numbers.Total / 3).Count(half.Contains);
        Assert.True(firsts <= 10, $"the owner was asked for {firsts} pieces that another had");
    }

    [Fact]
    public async Task The_owner_is_asked_first_for_what_it_has_sent_to_nobody()
    {
        var (rig, content, numbers) = await ShareAsync();
        var sent = new PieceSet(numbers.Total);
        for (var piece = 0; piece < numbers.Total * 3 / 4; piece++) sent.Add(piece);
        var owner = Of(rig, "owner", null, true);
        owner.Sent = sent;
        var target = Target();
        var (job, _) = Job(rig, content, numbers, target, [owner, Of(rig, "holder", new PieceSet(numbers.Total))]);
        await RunAsync(job);
        await rig.AssertArrivedAsync(target);
        Assert.True(owner.Asked.Take(10).Count(sent.Contains) <= 2, string.Join(' ', owner.Asked.Take(10)));
    }

    [Fact]
    public async Task The_rarest_parts_come_first_and_receivers_begin_with_different_ones()
    {
        var (rig, content, numbers) = await ShareAsync();
        var most = new PieceSet(numbers.Total);
        most.Add(0, numbers.Total * 3 / 4);
        ISource[] sources = [Of(rig, "a", All(numbers)), Of(rig, "b", most), Of(rig, "c", most)];
        var target = Target();
        var (job, _) = Job(rig, content, numbers, target, sources);
        await RunAsync(job);
        await rig.AssertArrivedAsync(target);
        var first = ((Holder)sources[0]).Asked.Take(10);
        Assert.All(first, piece => Assert.False(most.Contains(piece), $"{piece}"));

        var set = new SourceSet(new FixedFinder([]), TimeProvider.System, null, numbers, null, seed: 1);
        var other = new SourceSet(new FixedFinder([]), TimeProvider.System, null, numbers, null, seed: 2);
        Assert.NotEqual(
            Enumerable.Range(0, 50).OrderBy(i => set.Mix((ulong)i)),
            Enumerable.Range(0, 50).OrderBy(i => other.Mix((ulong)i)));
    }

    [Fact]
    public async Task A_range_that_is_late_at_the_end_is_raced_and_the_loser_is_stopped()
    {
        var (rig, content, numbers) = await ShareAsync();
        var (fast, slow) = (Of(rig, "fast", All(numbers)), Of(rig, "slow", All(numbers)));
        var stopped = new TaskCompletionSource();
        slow.Before = async token =>
        {
            try
            {
                await Task.Delay(Timeout.Infinite, token);
            }
            catch (OperationCanceledException)
            {
                stopped.TrySetResult();
                throw;
            }
        };
        var target = Target();
        var (job, sources) = Job(rig, content, numbers, target, [fast, slow]);
        await RunAsync(job);
        await rig.AssertArrivedAsync(target);
        await stopped.Task.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Null(sources.Report().Single(s => s.Name == "slow").Dropped);
        Assert.InRange(job.Status.BytesFetched, FileBytes, FileBytes * 1.02);
    }

    [Fact]
    public async Task A_liar_is_dropped_with_proof_and_not_asked_by_later_transfers()
    {
        var (rig, content, numbers) = await ShareAsync();
        var liar = Of(rig, "liar", All(numbers));
        liar.Identity = new AgentId(new Hash256(rig.RandomArray(32)));
        liar.Tamper = data => data.Span[^1] ^= 1;
        var bans = new BanList(rig.Time);
        var target = Target();
        var (job, sources) = Job(rig, content, numbers, target, [liar, Of(rig, "honest", All(numbers))], bans);
        await RunAsync(job);
        await rig.AssertArrivedAsync(target);
        var why = sources.Report().Single(s => s.Name == "liar").Dropped!;
        Assert.StartsWith(liar.Identity.ToString(), why, StringComparison.Ordinal);
        Assert.Contains("wrong piece", why, StringComparison.Ordinal);
        Assert.Contains(content.Files[0].Blob!.Value.Root.ToString(), why, StringComparison.Ordinal);
        Assert.Equal(why, bans.WhyBanned(liar.Identity.Value));

        var asked = liar.Asked.Count;
        var again = new Rig(seed: 1);
        var (second, _) = Job(again, content, numbers, Target(), [liar, Of(rig, "honest", All(numbers))], bans);
        await RunAsync(second);
        Assert.Equal(asked, liar.Asked.Count);
    }

    [Fact]
    public async Task A_holder_that_has_lost_a_piece_is_asked_for_others_and_not_dropped()
    {
        var (rig, content, numbers) = await ShareAsync();
        var holder = Of(rig, "holder", All(numbers));
        var refusals = 0;
        holder.Before = _ => Interlocked.Increment(ref refusals) <= 2
            ? Task.FromException(new VirgaException(FailureKind.NotFound, "not here")) : Task.CompletedTask;
        var target = Target();
        var (job, sources) = Job(rig, content, numbers, target, [Of(rig, "owner", null, true), holder]);
        await RunAsync(job);
        await rig.AssertArrivedAsync(target);
        Assert.Null(sources.Report().Single(s => s.Name == "holder").Dropped);
    }

    [Fact]
    public async Task When_the_owner_refuses_for_good_and_nobody_else_has_the_rest_the_file_fails_with_its_reason()
    {
        var (rig, content, numbers) = await ShareAsync();
        var owner = Of(rig, "owner", null, true);
        owner.Before = _ => Task.FromException(new VirgaException(FailureKind.Changed, "it was changed"));
        var (job, _) = Job(
            rig, content, numbers, Target(), [owner, Of(rig, "holder", new PieceSet(numbers.Total))]);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var result = await new TransferEngine(limits).RunAsync(job, patience.Token);
        Assert.Equal(FailureKind.Changed, Assert.Single(result.Failed).Kind);
    }

    /// <summary>Finds the owner at first, and others from the second look on.</summary>
    private sealed class LateFinder(ISource owner, ISource[] late) : ISourceFinder
    {
        private int looks;

        public Task<IReadOnlyList<ISource>> FindAsync(CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<ISource>>(
                Interlocked.Increment(ref looks) == 1 ? [owner] : [owner, .. late]);
    }

    /// <summary>Serves through a share's reader, says what it has, and keeps which pieces it was asked for.</summary>
    private sealed class Holder(ReaderSource inner, PieceSet? have, bool isOrigin) : ISource
    {
        private readonly List<int> asked = [];
        private PieceNumbers? numbers;

        public AgentId? Identity { get; set; }

        public Func<CancellationToken, Task>? Before { get; set; }

        public Action<Memory<byte>>? Tamper { get; set; }

        public PieceSet? Sent { get; set; }

        public string Name => inner.Name;

        public AgentId? Agent => Identity;

        public bool IsOrigin => isOrigin;

        public PieceSet? Have => have;

        public List<int> Asked
        {
            get
            {
                lock (asked) return [.. asked];
            }
        }

        public Task RefreshAsync(PieceNumbers pieces, CancellationToken cancellationToken)
        {
            numbers = pieces;
            return Task.CompletedTask;
        }

        public async Task ReadAsync(
            Hash256 root, long offset, Memory<byte> destination, CancellationToken cancellationToken)
        {
            Note(root, offset, destination.Length);
            await Task.Yield();
            if (Before is not null) await Before(cancellationToken);
            await inner.ReadAsync(root, offset, destination, cancellationToken);
            Tamper?.Invoke(destination);
        }

        public Task ReadManyAsync(
            IReadOnlyList<BlobRange> ranges, Memory<byte> destination, CancellationToken cancellationToken) =>
            inner.ReadManyAsync(ranges, destination, cancellationToken);

        private void Note(Hash256 root, long offset, int length)
        {
            if (numbers is null) return;
            var (first, count) = numbers.Of(root, offset, length);
            lock (asked) asked.AddRange(Enumerable.Range(first, count));
        }
    }
}
