using System.Text;
using Virga.Core;
using Virga.Testing;
using Virga.Trust.Following;
using Virga.Trust.Log;
using Virga.Trust.Tests.Log;

namespace Virga.Trust.Tests.Following;

/// <summary>Peers that keep watch over repositories which are honest, or lie in each way that there is.</summary>
public sealed class LogKeeperTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly FakeTimeProvider time = new(TestChain.Now);
    private readonly TestChain liar = new(3);

    /// <summary>A repository as one of its users sees it.</summary>
    private sealed class View(NaiveLog log, FakeTimeProvider time, string name = "repository:1") : ITrustPlace
    {
        public NaiveLog Log { get; set; } = log;

        public TestChain Chain { get; set; } = log.Repository;

        /// <summary>Of the newest checkpoint; else the whole log, now.</summary>
        public byte[]? Checkpoint { get; set; }

        public LogKeeper? Keeper { get; set; }

        public List<byte[]> Evidence { get; } = [];

        public Dictionary<Hash256, byte[]> Promises { get; } = [];

        public bool IsDown { get; set; }

        public int Asked { get; private set; }

        public string Name => name;

        public byte[] Head(long? size = null) =>
            Log.Checkpoint(size, (int)(time.GetUtcNow() - TestChain.Now).TotalSeconds);

        public Task<AgentId> WhoAsync(CancellationToken cancellationToken)
        {
            Asked++;
            return IsDown ? throw new VirgaException(FailureKind.Unavailable, "it is down", "Start it.")
                : Task.FromResult(Chain.Chain.Id);
        }

        public Task<ChainPage> ReadChainAsync(AgentId agent, int from, CancellationToken cancellationToken) =>
            agent == Chain.Chain.Id ? Task.FromResult(new ChainPage([.. Chain.Envelopes.Skip(from)], true))
                : throw new VirgaException(FailureKind.NotFound, "not known", "Ask another.");

        public Task<IReadOnlyList<(long Next, Hash256 Last)?>> ReadTipsAsync(
            IReadOnlyList<AgentId> agents, CancellationToken cancellationToken) =>
            throw new VirgaException(FailureKind.NotFound, "not known", "Ask another.");

        public async Task<byte[]> ExchangeHeadsAsync(byte[] heads, CancellationToken cancellationToken) =>
            Keeper is { } keeper ? await keeper.HearAsync(null, heads, cancellationToken)
                : LogHeadsMessage.Encode([]);

        public ValueTask<byte[]?> ReadEvidenceAsync(long number, CancellationToken cancellationToken) =>
            ValueTask.FromResult(number < Evidence.Count ? Evidence[(int)number]
                : Keeper is { } keeper && number < keeper.All.Count ? keeper.All[(int)number].Bytes : null);

        public async ValueTask<byte[]?> ReadLogAsync(string path, CancellationToken cancellationToken) =>
            path == "checkpoint" ? Checkpoint ?? Head() : await Log.FetchAsync(path, cancellationToken);

        public ValueTask<byte[]?> ReadPromiseAsync(Hash256 leaf, CancellationToken cancellationToken) =>
            ValueTask.FromResult(Promises.GetValueOrDefault(leaf));
    }

    /// <summary>An agent: what it keeps, and itself as a place for others.</summary>
    private sealed class Peer
    {
        public Peer(FakeTimeProvider time, int seed = 50)
        {
            Keeper = new LogKeeper(new ChainDirectory(time), time, Said.Add)
            {
                Found = (proof, who) => Found.Add((proof, who)),
                SaveAsync = (kept, _) =>
                {
                    Saved[kept.Repository] = kept.Encode();
                    return ValueTask.CompletedTask;
                },
            };
            Place = new View(new NaiveLog(new TestChain(seed)), time, $"agent:{seed}") { Keeper = Keeper };
        }

        public LogKeeper Keeper { get; }

        public View Place { get; }

        public List<string> Said { get; } = [];

        public List<(Evidence Proof, AgentId Who)> Found { get; } = [];

        public Dictionary<AgentId, byte[]> Saved { get; } = [];

        public Task RoundAsync(params View[] repositories) => Keeper.RoundAsync(repositories, [], None);

        public Task RoundWithAsync(View repository, params Peer[] others) =>
            Keeper.RoundAsync([repository], [.. others.Select(peer => peer.Place)], None);

        public void AssertCaught(AgentId who, LogBreachKind kind)
        {
            var (proof, accused) = Assert.Single(Found);
            Assert.Equal(who, accused);
            Assert.Equal(kind, proof.Breach!.Kind);
            // Anybody can check it who has nothing else.
            Assert.Equal(who, Evidence.Parse(proof.Bytes).Check(TestChain.Now.AddDays(1)));
            Assert.NotNull(Keeper.BreachOf(who));
        }

        public void AssertAllIsWell(AgentId repository)
        {
            Assert.Empty(Found);
            Assert.Null(Keeper.States.Single(state => state.Repository == repository).Problem);
        }
    }

    [Fact]
    public async Task An_honest_log_that_grows_is_followed_and_never_accused()
    {
        var log = new NaiveLog(liar).Add(1);
        var view = new View(log, time);
        Peer[] peers = [new(time, 50), new(time, 51), new(time, 52)];
        for (var i = 0; i < 40; i++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            log.Add(1 + (i * 7 % 60));
            // Each looks at other times; all tell each other everything.
            await peers[i % 3].RoundWithAsync(view, peers);
        }
        foreach (var peer in peers)
        {
            await peer.RoundWithAsync(view, peers);
            peer.AssertAllIsWell(liar.Chain.Id);
            Assert.Equal(log.Size, peer.Keeper.States.Single(s => s.Repository == liar.Chain.Id).Newest!.Size);
            Assert.True(LogHeadsMessage.Parse(peer.Keeper.Heads()).Count is > 4 and <= LogHeadsMessage.HeadsMax);
        }
    }

    [Fact]
    public async Task Two_histories_of_one_size_are_proven_as_soon_as_their_readers_speak()
    {
        var (left, right) = Fork(20, 5, 5);
        var (one, two) = (new Peer(time), new Peer(time));
        await one.RoundAsync(left);
        await two.RoundAsync(right);
        await one.RoundWithAsync(left, two);
        one.AssertCaught(liar.Chain.Id, LogBreachKind.Fork);
        // The other one heard it in the same exchange.
        two.AssertCaught(liar.Chain.Id, LogBreachKind.Fork);
    }

    [Fact]
    public async Task Two_views_that_grow_at_different_sizes_are_caught_by_the_tiles_of_either()
    {
        var (left, right) = Fork(20, 3, 6);
        var (one, two) = (new Peer(time), new Peer(time));
        await one.RoundAsync(left);
        await two.RoundAsync(right);
        // The first can't read as far as the second: it is shown the left history only.
        await one.RoundWithAsync(left, two);
        Assert.Empty(one.Found);
        // The second knows both now, and has the tiles of the larger one.
        await two.RoundAsync(right);
        two.AssertCaught(liar.Chain.Id, LogBreachKind.Fork);
    }

    [Fact]
    public async Task Views_whose_tiles_are_kept_back_are_caught_through_an_older_head_of_one_size()
    {
        var (left, right) = Fork(20, 0, 0);
        var (one, two) = (new Peer(time), new Peer(time));
        for (var i = 1; i <= 4; i++)
        {
            // 22, 24, 26, 28 to the one; 23, 24, 25, 26 to the other.
            left.Log.Add(2, "left");
            right.Log.Add(i == 1 ? 3 : 1, "right");
            await one.RoundAsync(left);
            await two.RoundAsync(right);
            time.Advance(TimeSpan.FromSeconds(30));
        }
        left.Log = new NaiveLog(liar).Add(1);
        right.Log = new NaiveLog(liar).Add(1);
        (left.IsDown, right.IsDown) = (true, true);
        await one.RoundWithAsync(left, two);
        one.AssertCaught(liar.Chain.Id, LogBreachKind.Fork);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_rewind_is_proven_also_across_a_restart_of_who_saw_it(bool isRestarted)
    {
        var log = new NaiveLog(liar).Add(30);
        var peer = new Peer(time);
        await peer.RoundAsync(new View(log, time));
        if (isRestarted) peer = Restart(peer);
        time.Advance(TimeSpan.FromMinutes(5));
        var rewound = log.Fork(10).Add(4, "other");
        await peer.RoundAsync(new View(rewound, time));
        peer.AssertCaught(liar.Chain.Id, LogBreachKind.Rewind);
    }

    [Fact]
    public async Task What_can_not_be_written_down_is_held_to_all_the_same_and_written_down_later()
    {
        var log = new NaiveLog(liar).Add(30);
        var peer = new Peer(time);
        var save = peer.Keeper.SaveAsync!;
        peer.Keeper.SaveAsync = (_, _) => throw new VirgaException(FailureKind.Full, "the disk is full", "Make room.");
        await peer.RoundAsync(new View(log, time));
        Assert.Contains(peer.Said, said => said.Contains("the disk is full", StringComparison.Ordinal));
        Assert.Empty(peer.Saved);
        peer.Keeper.SaveAsync = save;
        await peer.RoundAsync(new View(log, time));
        peer = Restart(peer);
        time.Advance(TimeSpan.FromMinutes(5));
        await peer.RoundAsync(new View(log.Fork(10), time));
        peer.AssertCaught(liar.Chain.Id, LogBreachKind.Rewind);
    }

    [Fact]
    public async Task A_rewind_that_grew_over_its_old_size_is_a_fork()
    {
        var log = new NaiveLog(liar).Add(30);
        var peer = new Peer(time);
        await peer.RoundAsync(new View(log, time));
        peer = Restart(peer);
        time.Advance(TimeSpan.FromMinutes(5));
        await peer.RoundAsync(new View(log.Fork(10).Add(200, "other"), time));
        peer.AssertCaught(liar.Chain.Id, LogBreachKind.Fork);
    }

    [Fact]
    public async Task Who_came_after_a_rewind_proves_it_by_what_others_remember()
    {
        var log = new NaiveLog(liar).Add(30);
        var (old, fresh) = (new Peer(time), new Peer(time));
        await old.RoundAsync(new View(log, time));
        time.Advance(TimeSpan.FromMinutes(5));
        var rewound = new View(log.Fork(10), time);
        await fresh.RoundAsync(rewound);
        Assert.Empty(fresh.Found);
        await fresh.RoundWithAsync(rewound, old);
        fresh.AssertCaught(liar.Chain.Id, LogBreachKind.Rewind);
    }

    [Fact]
    public async Task A_proof_spreads_and_a_proven_liar_is_asked_no_more()
    {
        var (left, right) = Fork(20, 5, 5);
        var honest = new View(new NaiveLog(new TestChain(7)).Add(3), time, "honest:1")
        {
            Keeper = new LogKeeper(new ChainDirectory(time), time, _ => { }),
        };
        var (one, two, three) = (new Peer(time), new Peer(time), new Peer(time));
        await one.RoundAsync(left, honest);
        await two.RoundWithAsync(right, one);
        two.AssertCaught(liar.Chain.Id, LogBreachKind.Fork);
        honest.Evidence.Add(two.Found[0].Proof.Bytes);
        var asked = left.Asked;
        await three.RoundAsync(honest);
        three.AssertCaught(liar.Chain.Id, LogBreachKind.Fork);
        await three.RoundAsync(left, honest);
        // Who it is must be asked; nothing else is.
        Assert.Equal(asked + 2, left.Asked);
        Assert.DoesNotContain(three.Keeper.States, state => state is { Newest: not null, Proof: not null });
        Assert.DoesNotContain(LogHeadsMessage.Parse(three.Keeper.Heads()),
            note => Encoding.UTF8.GetString(note).StartsWith(left.Log.Origin, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_promise_that_is_broken_is_proven_and_one_that_is_never_given_is_seen()
    {
        var log = new NaiveLog(liar).Add(30);
        var view = new View(log, time);
        var peer = new Peer(time);
        await peer.RoundAsync(view);
        Promise(view, 12, log.Hash(12, 13));
        peer.Keeper.Expect(liar.Chain.Id, log.Hash(12, 13));
        peer.Keeper.Expect(liar.Chain.Id, Sample.Hash(8));
        await NextAsync();
        peer.AssertAllIsWell(liar.Chain.Id);
        await NextAsync();
        await NextAsync();
        // One was kept, the other was not even given.
        Assert.Empty(peer.Found);
        Assert.Contains("has not promised", peer.Keeper.States.Single().Problem!.Value.What, StringComparison.Ordinal);
        Assert.Single(peer.Said, said => said.Contains("within a minute", StringComparison.Ordinal));
        // A place behind the end, in a log that is dated later.
        Promise(view, 30, Sample.Hash(8));
        await NextAsync();
        peer.AssertCaught(liar.Chain.Id, LogBreachKind.Dropped);

        async Task NextAsync()
        {
            time.Advance(TimeSpan.FromSeconds(30));
            await peer.RoundAsync(view);
        }
    }

    [Fact]
    public async Task Another_entry_in_a_promised_place_is_proven()
    {
        var log = new NaiveLog(liar).Add(30);
        var view = new View(log, time);
        var peer = new Peer(time);
        await peer.RoundAsync(view);
        peer.Keeper.Expect(liar.Chain.Id, Sample.Hash(8));
        peer.Keeper.Expect(liar.Chain.Id, Sample.Hash(9));
        // A broken answer to one keeps the proof of the other not back.
        view.Promises[Sample.Hash(8)] = [1, 2, 3];
        Promise(view, 4, Sample.Hash(9));
        time.Advance(TimeSpan.FromSeconds(30));
        await peer.RoundAsync(view);
        peer.AssertCaught(liar.Chain.Id, LogBreachKind.Replaced);
    }

    [Fact]
    public async Task A_change_of_keys_and_a_restart_accuse_nobody()
    {
        var log = new NaiveLog(liar).Add(30);
        var view = new View(log, time);
        var peer = new Peer(time);
        await peer.RoundAsync(view);
        var older = view.Head(20);
        var rotated = new TestChain(3).Add(StatementType.AddKey,
            StatementWriter.RotateKeyBody(liar.NextKey.PublicKey, Sample.Hash(5)), liar.NextKey);
        log.Add(3);
        time.Advance(TimeSpan.FromSeconds(30));
        byte[] Signed(long size) => SignedCheckpoint.Sign(
            new Checkpoint(log.Origin, size, log.Hash(0, size)), liar.NextKey, time.GetUtcNow()).Note.Encode();
        // The place hides its new key at first: its heads are refused, and nothing is proven.
        view.Checkpoint = Signed(33);
        await peer.RoundAsync(view);
        Assert.Empty(peer.Found);
        Assert.NotNull(peer.Keeper.States.Single().Problem);
        view.Chain = rotated;
        await peer.RoundAsync(view);
        peer.AssertAllIsWell(liar.Chain.Id);
        Assert.Equal(33, peer.Keeper.States.Single().Newest!.Size);

        peer = Restart(peer);
        time.Advance(TimeSpan.FromSeconds(30));
        log.Add(400);
        view.Checkpoint = Signed(433);
        await peer.RoundAsync(view);
        // Heads of before the change are told by others for long.
        await peer.Keeper.HearAsync(view, Message(older, Signed(433)), None);
        await peer.RoundAsync(view);
        peer.AssertAllIsWell(liar.Chain.Id);
        Assert.Equal(433, peer.Keeper.States.Single().Newest!.Size);
    }

    [Fact]
    public async Task Garbage_that_others_tell_harms_nobody()
    {
        var log = new NaiveLog(liar).Add(30);
        var view = new View(log, time);
        var peer = new Peer(time);
        await peer.RoundAsync(view);
        var forged = SignedCheckpoint.Sign(
            new Checkpoint(log.Origin, 31, Sample.Hash(1)), new TestChain(4).Key, TestChain.Now).Note;
        var undated = new SignedNote(
            SignedNote.Parse(log.Checkpoint()).Text, [SignedNote.Parse(log.Checkpoint()).Signatures[0]]);
        var foreign = new NaiveLog(new TestChain(9)).Add(2).Checkpoint();
        foreach (var from in new[] { view, null })
        {
            await peer.Keeper.HearAsync(
                from, Message(forged.Encode(), undated.Encode(), foreign, [1], log.Checkpoint(3)), None);
        }
        await Assert.ThrowsAsync<VirgaException>(() => peer.Keeper.HearAsync(null, [1, 2], None));
        // Evidence that proves nothing is read once.
        var bad = new View(new NaiveLog(new TestChain(11)).Add(1), time, "bad:1");
        var breach = new LogBreach(LogBreachKind.Rewind, forged, forged, [], liar.Envelopes);
        bad.Evidence.AddRange([[1], [], Evidence.Of(breach).Bytes]);
        await peer.RoundAsync(view, bad);
        var said = peer.Said.Count(line => line.Contains("proves nothing", StringComparison.Ordinal));
        Assert.Equal(3, said);
        await peer.RoundAsync(view, bad);
        Assert.Equal(said, peer.Said.Count(line => line.Contains("proves nothing", StringComparison.Ordinal)));
        peer.AssertAllIsWell(liar.Chain.Id);
    }

    [Fact]
    public async Task A_place_that_serves_evidence_without_end_is_read_so_much_a_round()
    {
        var view = new View(new NaiveLog(liar).Add(1), time);
        for (var i = 0; i < 100; i++) view.Evidence.Add([(byte)i]);
        var peer = new Peer(time);
        await peer.RoundAsync(view);
        var first = peer.Said.Count;
        Assert.InRange(first, 1, 20);
        await peer.RoundAsync(view);
        Assert.InRange(peer.Said.Count, first + 1, 2 * first);
    }

    [Fact]
    public async Task What_is_down_keeps_nobody_else_from_being_watched_and_is_said_once()
    {
        var down = new View(new NaiveLog(liar).Add(1), time) { IsDown = true };
        var good = new View(new NaiveLog(new TestChain(5)).Add(8), time, "good:1");
        var peer = new Peer(time);
        for (var i = 0; i < 3; i++) await peer.RoundAsync(down, good);
        Assert.Equal(8, peer.Keeper.States.Single().Newest!.Size);
        Assert.Single(peer.Said);
        Assert.Equal("it is down", peer.Keeper.Places["repository:1"].Problem);
        down.IsDown = false;
        await peer.RoundAsync(down, good);
        Assert.Null(peer.Keeper.Places["repository:1"].Problem);
        down.IsDown = true;
        await peer.RoundAsync(down, good);
        Assert.Equal("it is down", peer.Keeper.States.Single(s => s.Place == down.Name).Problem!.Value.What);
    }

    [Fact]
    public async Task A_liar_who_shows_one_reader_many_heads_crowds_none_of_them_out_that_can_be_judged()
    {
        var (left, right) = Fork(20, 5, 9);
        var peer = new Peer(time);
        await peer.RoundAsync(left);
        for (var i = 0; i < 60; i++)
        {
            // Far ahead, well signed, and nobody can tell.
            var far = SignedCheckpoint.Sign(new Checkpoint(left.Log.Origin, 5_000 + i, Sample.Hash(i)), liar.Key,
                TestChain.Now.AddSeconds(i));
            await peer.Keeper.HearAsync(null, Message(far.Note.Encode()), None);
        }
        await peer.Keeper.HearAsync(null, Message(right.Head()), None);
        left.Log.Add(30, "left");
        // The far ones are dated later, so that growth alone contradicts them only where it is dated after them.
        left.Checkpoint = left.Log.Checkpoint(null, 0);
        await peer.RoundAsync(left);
        peer.AssertCaught(liar.Chain.Id, LogBreachKind.Fork);
    }

    [Fact]
    public void Proofs_of_fraud_are_kept_once_for_each_agent_and_one_that_was_settled_counts_no_more()
    {
        var (proof, chain) = Fraud(new TestChain(20), 1);
        var peer = new Peer(time);
        Assert.Equal(chain.Chain.Id, peer.Keeper.Take(proof));
        Assert.Equal(chain.Chain.Id, peer.Keeper.Take(Evidence.Parse(proof.Bytes)));
        Assert.Equal(chain.Chain.Id, peer.Keeper.Take(Fraud(new TestChain(20), 2).Proof));
        Assert.Single(peer.Keeper.All);
        Assert.Single(peer.Found);
        Assert.Null(peer.Keeper.BreachOf(chain.Chain.Id));

        var directory = new ChainDirectory(time);
        var keeper = new LogKeeper(directory, time, _ => { });
        var settled = new TestChain(20).Add(StatementType.AddKey,
            StatementWriter.RotateKeyBody(chain.NextKey.PublicKey, Sample.Hash(5)), chain.NextKey);
        directory.TakeIn(settled.Chain.Id, settled.Envelopes);
        Assert.Equal(FailureKind.BadInput, Assert.Throws<VirgaException>(() => keeper.Take(proof)).Kind);
        Assert.Empty(keeper.All);
    }

    [Fact]
    public void Frauds_of_throwaway_agents_leave_room_for_what_matters()
    {
        var frauds = Enumerable.Range(0, 25).Select(i => Fraud(new TestChain(1_000 + i), 1)).ToList();
        var shelf = new ProofShelf(countMax: 20);
        var kept = frauds.Count(item => shelf.Add(item.Proof, item.Chain.Chain.Id, isStranger: true, _ => false));
        Assert.Equal(18, kept);
        Assert.True(shelf.Add(frauds[^1].Proof, frauds[^1].Chain.Chain.Id, isStranger: false, _ => false));

        shelf = new ProofShelf(bytesMax: 8 * frauds[0].Proof.Bytes.Length);
        kept = frauds.Count(item => shelf.Add(item.Proof, item.Chain.Chain.Id, isStranger: true, _ => false));
        Assert.Equal(2, kept);
        kept = frauds.Count(item => shelf.Add(item.Proof, item.Chain.Chain.Id, isStranger: false, _ => false));
        Assert.Equal(6, kept);
        Assert.Equal(8, shelf.All.Count);
    }

    private (View Left, View Right) Fork(int common, int left, int right)
    {
        var trunk = new NaiveLog(liar).Add(common);
        return (new View(trunk.Fork(common).Add(left, "left"), time),
            new View(trunk.Fork(common).Add(right, "right"), time));
    }

    private void Promise(View view, long index, Hash256 leaf) =>
        view.Promises[leaf] = new LogPromise(view.Log.Origin, index, leaf, time.GetUtcNow()).Sign(liar.Key).Encode();

    private Peer Restart(Peer before)
    {
        var after = new Peer(time);
        after.Keeper.Load(before.Keeper.All.Select(proof => Evidence.Parse(proof.Bytes)),
            before.Saved.Select(pair => KeptHeads.Parse(pair.Key, pair.Value)));
        return after;
    }

    private static byte[] Message(params byte[][] notes)
    {
        var text = new MemoryStream();
        text.Write("d5:headsl"u8);
        foreach (var note in notes)
        {
            text.Write(Encoding.ASCII.GetBytes($"{note.Length}:"));
            text.Write(note);
        }
        text.Write("ee"u8);
        return text.ToArray();
    }

    private static (Evidence Proof, TestChain Chain) Fraud(TestChain chain, int which)
    {
        var a = chain.Make(StatementType.Revoke, new RevokeBody(Subject(1), TrustScopes.Exchange).Encode());
        var b = chain.Make(StatementType.Revoke, new RevokeBody(Subject(1 + which), TrustScopes.Exchange).Encode());
        return (Evidence.Of(new FraudProof(a.Body, a.Signature, b.Body, b.Signature), chain.Chain), chain);
    }

    private static AgentId Subject(int number) => new(Sample.Hash(900 + number));
}
