using System.Collections.Concurrent;
using Virga.BitTorrent.Downloads;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Downloads;

public sealed class BlockSchedulerTests : IDisposable
{
    private const int PieceBytes = 64 << 10;

    private readonly FakeTimeProvider time = new();
    private readonly ConcurrentQueue<string> banned = new();
    private readonly List<BlockScheduler> made = [];

    public static TheoryData<bool> Kinds => [true, false];

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Reads_that_cut_pieces_anywhere_get_what_lies_there(bool isV1)
    {
        int[] lengths = [1, 100_000, 0, 16 << 10, PieceBytes * 3, 777_777];
        var torrent = isV1 ? MadeTorrent.V1(PieceBytes, lengths) : MadeTorrent.V2(PieceBytes, lengths);
        var scheduler = Make(torrent);
        new FakePeer(scheduler, torrent, 1).Join();
        var random = new Seeded(7);

        for (var file = 0; file < lengths.Length; file++)
        {
            var start = torrent.Layout.StartOf(file);
            var content = new byte[lengths[file]];
            var reads = new List<Task>();
            for (var at = 0; at < content.Length;)
            {
                var take = (int)Math.Min(content.Length - at, 1 + random.Next(150_000));
                reads.Add(scheduler.ReadAsync(start + at, content.AsMemory(at, take), CancellationToken.None));
                at += take;
            }
            await Task.WhenAll(reads);

            Assert.Equal(torrent.Files[file], content);
        }
        Assert.Empty(banned);
    }

    [Fact]
    public async Task One_liar_of_ten_is_banned_and_the_rest_unharmed()
    {
        var torrent = MadeTorrent.V1(PieceBytes, 4 << 20);
        var scheduler = Make(torrent);
        var peers = Enumerable.Range(0, 10).Select(n => new FakePeer(scheduler, torrent, n)
        {
            Lies = n == 3 ? static (_, _) => true : null, IsSlow = true,
        }).ToList();
        foreach (var peer in peers) peer.Join();
        var content = new byte[torrent.Row.Length];

        var read = scheduler.ReadAsync(0, content, CancellationToken.None);
        // All in turn, so that the liar has its share.
        await Pump.UntilAsync(read, () => peers.ForEach(p => p.Answer()));

        Assert.Equal(torrent.Row, content);
        var proof = Assert.Single(banned);
        Assert.StartsWith("peer 3 sent", proof);
        Assert.NotNull(peers[3].Closed);
        Assert.All(peers.Where(p => p != peers[3]), p => Assert.Null(p.Closed));
    }

    [Fact]
    public async Task Who_sent_a_wrong_block_of_a_piece_that_several_sent_is_found_out()
    {
        var torrent = MadeTorrent.V1(PieceBytes, PieceBytes);
        var scheduler = Make(torrent);
        var honest = new FakePeer(scheduler, torrent, 1) { IsSlow = true };
        var liar = new FakePeer(scheduler, torrent, 2) { IsSlow = true, Lies = static (_, block) => block == 3 };
        honest.Join();
        var content = new byte[PieceBytes];
        var read = scheduler.ReadAsync(0, content, CancellationToken.None);
        // The honest one sends two blocks and is late with the others, which the liar is asked for, too.
        honest.Answer(2);
        liar.Join();
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(2, liar.Waiting);
        liar.Answer(2);

        await Pump.UntilAsync(read, () =>
        {
            honest.Answer();
            liar.Answer();
        });

        Assert.Equal(torrent.Row, content);
        Assert.StartsWith("peer 2 sent a wrong block 3 of piece 0", Assert.Single(banned));
        Assert.Null(honest.Closed);
    }

    [Fact]
    public async Task A_peer_that_gives_nothing_holds_up_nobody()
    {
        var torrent = MadeTorrent.V2(PieceBytes, 1 << 20);
        var scheduler = Make(torrent);
        var slow = new FakePeer(scheduler, torrent, 1) { IsSlow = true }.Join();
        var content = new byte[1 << 20];
        var read = scheduler.ReadAsync(0, content, CancellationToken.None);
        Assert.NotEqual(0, slow.Waiting);
        var fast = new FakePeer(scheduler, torrent, 2) { IsSlow = true }.Join();

        // Time passes only while the other one has nothing to answer.
        await Pump.UntilAsync(read, () =>
        {
            if (fast.Answer(100) == 0) time.Advance(TimeSpan.FromSeconds(1));
        });

        Assert.Equal(torrent.Row, content);
        Assert.Empty(banned);
        Assert.Equal(0, slow.Sent);
    }

    [Fact]
    public async Task What_an_unresponsive_peer_was_asked_for_goes_to_others_and_it_is_closed()
    {
        var torrent = MadeTorrent.V2(PieceBytes, 1 << 20);
        var scheduler = Make(torrent);
        var slow = new FakePeer(scheduler, torrent, 1) { IsSlow = true }.Join();
        using var stop = new CancellationTokenSource();
        var read = scheduler.ReadAsync(0, new byte[1 << 20], stop.Token);

        for (var i = 0; i < 75; i++) time.Advance(TimeSpan.FromSeconds(1));

        Assert.Contains("sends nothing", slow.Closed);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read);
    }

    [Fact]
    public async Task A_read_that_is_given_up_takes_nothing_from_another_of_the_same_piece()
    {
        var torrent = MadeTorrent.V2(PieceBytes, PieceBytes * 4);
        var scheduler = Make(torrent);
        var peer = new FakePeer(scheduler, torrent, 1) { IsSlow = true }.Join();
        using var stop = new CancellationTokenSource();
        var given = new byte[PieceBytes * 2];
        var first = scheduler.ReadAsync(0, given, stop.Token);
        var second = new byte[1000];
        var other = scheduler.ReadAsync(500, second, CancellationToken.None);
        peer.Answer(2);

        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        Array.Clear(given);
        await Pump.UntilAsync(other, () => peer.Answer());

        Assert.Equal(torrent.Row[500..1500], second);
        Assert.Equal(given, new byte[given.Length]);
    }

    [Fact]
    public async Task A_peer_that_chokes_or_leaves_gives_its_requests_to_others()
    {
        var torrent = MadeTorrent.V1(PieceBytes, PieceBytes * 8);
        var scheduler = Make(torrent);
        var leaving = new FakePeer(scheduler, torrent, 1) { IsSlow = true }.Join();
        var content = new byte[torrent.Row.Length];
        var read = scheduler.ReadAsync(0, content, CancellationToken.None);
        leaving.Answer(3);
        leaving.Leave();
        new FakePeer(scheduler, torrent, 2).Join(static piece => piece % 2 == 0);
        new FakePeer(scheduler, torrent, 3).Join(static piece => piece % 2 == 1);

        await read;

        Assert.Equal(torrent.Row, content);
    }

    [Fact]
    public void Interest_is_in_who_has_something_needed()
    {
        var torrent = MadeTorrent.V1(PieceBytes, PieceBytes * 4);
        var scheduler = Make(torrent);
        var with = new FakePeer(scheduler, torrent, 1).Join(static piece => piece == 2);
        var without = new FakePeer(scheduler, torrent, 2).Join(static _ => false);

        Assert.True(with.IsInterested);
        Assert.False(without.IsInterested);
        Assert.Equal(3, scheduler.Unavailable);
        Assert.Equal(1, scheduler.Availability(2, 1));

        scheduler.Unneed(2, 1);
        time.Advance(TimeSpan.FromSeconds(1));

        Assert.False(with.IsInterested);
    }

    public void Dispose() => made.ForEach(s => s.Dispose());

    private BlockScheduler Make(MadeTorrent torrent)
    {
        var checker = new PieceChecker(torrent.Layout, torrent.Layers);
        made.Add(new BlockScheduler(torrent.Layout, checker, static _ => true, time, null)
        {
            Banned = (_, proof) => banned.Enqueue(proof),
        });
        return made[^1];
    }
}

/// <summary>Moves a test on, turn by turn, until something has happened.</summary>
internal static class Pump
{
    public static async Task UntilAsync(Task task, Action turn)
    {
        while (!task.IsCompleted)
        {
            turn();
            await Task.Yield();
        }
        await task;
    }
}
