using Virga.Core;
using Virga.Protocol;
using Virga.Testing;

namespace Virga.Repository.Tests;

public sealed class AnnounceBoardTests
{
    private readonly FakeTimeProvider time = new();

    [Fact]
    public void At_most_64_agents_are_listed_for_one_share_and_the_newest_stay()
    {
        var board = new AnnounceBoard(time, new AnnounceLimits());
        for (var i = 0; i < 100; i++)
        {
            Add(board, i, [Some.Hash(1)]);
            time.Advance(TimeSpan.FromSeconds(1));
        }

        var listed = board.LookUp(Some.Hash(1)).Select(AgentOf).ToList();
        Assert.Equal(Enumerable.Range(36, 64).Reverse().Select(Agent), listed);
        Assert.Equal(64, board.Count);
        Assert.Equal(64, board.Agents);
    }

    [Fact]
    public void Renewing_replaces_the_record_so_that_memory_does_not_grow()
    {
        var board = new AnnounceBoard(time, new AnnounceLimits());
        for (var i = 0; i < 1_000; i++)
        {
            Add(board, 1, [Some.Hash(1), Some.Hash(2)]);
            time.Advance(TimeSpan.FromMilliseconds(100));
        }

        Assert.Equal(1, board.Records);
        Assert.Equal(2, board.Count);
    }

    [Fact]
    public void Withdrawing_all_leaves_nothing_behind()
    {
        var board = new AnnounceBoard(time, new AnnounceLimits());
        Add(board, 1, [Some.Hash(1), Some.Hash(2)]);
        Add(board, 1, [Some.Hash(3)]);
        Assert.Equal(3, board.Withdraw(Agent(1), [Some.Hash(1), Some.Hash(2), Some.Hash(3)], time.GetUtcNow()));
        Assert.Equal((0, 0, 0), (board.Count, board.Agents, board.Records));
        Assert.Empty(board.LookUp(Some.Hash(1)));
    }

    [Fact]
    public void A_withdraw_from_before_an_announce_does_not_touch_it()
    {
        var board = new AnnounceBoard(time, new AnnounceLimits());
        Add(board, 1, [Some.Hash(1)]);
        Assert.Equal(0, board.Withdraw(Agent(1), [Some.Hash(1)], time.GetUtcNow().AddSeconds(-1)));
        Assert.Single(board.LookUp(Some.Hash(1)));
    }

    [Fact]
    public void A_record_that_comes_late_does_not_replace_a_newer_one()
    {
        var board = new AnnounceBoard(time, new AnnounceLimits());
        var old = time.GetUtcNow();
        time.Advance(TimeSpan.FromSeconds(10));
        Add(board, 1, [Some.Hash(1)]);
        Add(board, 1, [Some.Hash(1)], old);
        Assert.Equal(time.GetUtcNow(), Announce.Parse(board.LookUp(Some.Hash(1)).Single().Body).Time);
        Assert.Equal(1, board.Records);
    }

    [Fact]
    public void Everything_is_gone_when_it_has_expired()
    {
        var board = new AnnounceBoard(time, new AnnounceLimits());
        for (var i = 0; i < 50; i++)
        {
            Add(board, i % 7, [Some.Hash(i), Some.Hash(i + 1)]);
            time.Advance(TimeSpan.FromSeconds(3));
        }

        time.Advance(TimeSpan.FromHours(1));
        Assert.Equal((0, 0, 0), (board.Count, board.Agents, board.Records));
    }

    [Fact]
    public void A_full_board_refuses_what_is_new_and_still_renews()
    {
        var board = new AnnounceBoard(time, new AnnounceLimits(HashesMax: 2));
        Add(board, 1, [Some.Hash(1), Some.Hash(2)]);
        Assert.Equal(FailureKind.Full, Assert.Throws<VirgaException>(() => Add(board, 2, [Some.Hash(1)])).Kind);
        Assert.Equal(1, board.Agents);
        Add(board, 1, [Some.Hash(1)]);
    }

    [Fact]
    public void Many_random_steps_agree_with_a_plain_model()
    {
        var random = new Random(20260101);
        var board = new AnnounceBoard(time, new AnnounceLimits());
        var model = new Dictionary<(AgentId, Hash256), DateTimeOffset>();
        for (var step = 0; step < 3_000; step++)
        {
            var agent = random.Next(6);
            Hash256[] hashes = [.. Enumerable.Range(0, 5).Where(_ => random.Next(2) == 0).Select(Some.Hash).Order()];
            if (hashes.Length == 0) continue;
            if (random.Next(4) > 0)
            {
                Add(board, agent, hashes);
                foreach (var hash in hashes) model[(Agent(agent), hash)] = time.GetUtcNow().AddHours(1);
            }
            else
            {
                var removed = board.Withdraw(Agent(agent), hashes, time.GetUtcNow());
                Assert.Equal(removed, hashes.Count(hash => model.Remove((Agent(agent), hash))));
            }

            time.Advance(TimeSpan.FromSeconds(random.Next(600)));
            foreach (var (key, expires) in model) if (expires <= time.GetUtcNow()) model.Remove(key);
            Assert.Equal(model.Count, board.Count);
            foreach (var hash in Enumerable.Range(0, 5).Select(Some.Hash))
            {
                var expected = model.Keys.Where(key => key.Item2 == hash).Select(key => key.Item1).Order(ByHash);
                Assert.Equal(expected, board.LookUp(hash).Select(AgentOf).Order(ByHash));
            }
        }
    }

    private static readonly Comparer<AgentId> ByHash = Comparer<AgentId>.Create((a, b) => a.Hash.CompareTo(b.Hash));

    private static AgentId Agent(int number) => new(Some.Hash(1_000_000 + number));

    private static AgentId AgentOf(SignedEnvelope envelope) => Announce.Parse(envelope.Body).Agent;

    private void Add(AnnounceBoard board, int agent, IReadOnlyList<Hash256> hashes, DateTimeOffset? made = null)
    {
        var when = made ?? time.GetUtcNow();
        var announce = new Announce(Agent(agent), hashes.Count, Some.Hash(0), [TestAgent.Home], when.AddHours(1), when);
        announce = Announce.Parse(announce.Encode()) with { Time = when, Expires = when.AddHours(1) };
        board.Add(announce, new SignedEnvelope(announce.Encode(), new byte[64]), hashes);
    }
}
