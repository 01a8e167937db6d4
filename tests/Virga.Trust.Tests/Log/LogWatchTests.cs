using System.Text;
using Virga.Core;
using Virga.Testing;
using Virga.Trust.Log;

namespace Virga.Trust.Tests.Log;

/// <summary>An honest reader against repositories that are honest, broken, or lie.</summary>
public sealed class LogWatchTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly TestChain repository = new(3);

    [Fact]
    public async Task A_log_that_grows_is_followed_and_an_older_head_moves_nothing()
    {
        var log = new NaiveLog(repository);
        var watch = new LogWatch(repository.Chain);
        Assert.Equal(LogVerdict.First, (await watch.RefreshAsync(log.FetchAsync, None)).Verdict);
        foreach (var count in new[] { 1, 2, 250, 3, 1, 600 })
        {
            log.Add(count);
            Assert.Equal(LogVerdict.Grown, (await watch.RefreshAsync(log.FetchAsync, None)).Verdict);
            Assert.Equal(LogVerdict.Same, (await watch.RefreshAsync(log.FetchAsync, None)).Verdict);
            Assert.Equal(log.Size, watch.Newest!.Head.Size);
        }

        Assert.Equal(LogVerdict.Older, (await watch.SeeAsync(log.Checkpoint(5), log.FetchAsync, None)).Verdict);
        Assert.Equal(log.Size, watch.Newest!.Head.Size);
        Assert.True(await watch.IsIncludedAsync(600, log.Hash(600, 601), log.FetchAsync, None));
        Assert.False(await watch.IsIncludedAsync(601, log.Hash(600, 601), log.FetchAsync, None));
        Assert.False(await watch.IsIncludedAsync(log.Size, log.Hash(600, 601), log.FetchAsync, None));
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(7, 10, 10)]
    [InlineData(0, 4, 9)]
    [InlineData(4, 8, 12)]
    [InlineData(256, 300, 900)]
    [InlineData(255, 512, 513)]
    public async Task Two_histories_are_proven_whichever_is_seen_first(int common, int one, int other)
    {
        var trunk = new NaiveLog(repository).Add(common);
        var left = trunk.Fork(common).Add(one - common, "left");
        var right = trunk.Fork(common).Add(other - common, "right");
        if (one == common) return;
        foreach (var (seen, shown) in new[] { (left, right), (right, left) })
        {
            var watch = new LogWatch(repository.Chain);
            await watch.RefreshAsync(seen.FetchAsync, None);
            // What the reader is shown now has tiles of the larger history, whichever that is.
            var larger = seen.Size > shown.Size ? seen : shown;
            var sighting = await watch.SeeAsync(shown.Checkpoint(), larger.FetchAsync, None);
            Assert.Equal(LogVerdict.Breach, sighting.Verdict);
            AssertProves(sighting.Breach!, LogBreachKind.Fork);
            Assert.Equal(LogVerdict.Breach, (await watch.RefreshAsync(seen.FetchAsync, None)).Verdict);
        }
    }

    [Fact]
    public async Task A_rewind_is_proven_by_the_times_that_the_log_itself_signed()
    {
        var log = new NaiveLog(repository).Add(20);
        var watch = new LogWatch(repository.Chain);
        await watch.SeeAsync(log.Checkpoint(seconds: 100), log.FetchAsync, None);
        Assert.Equal(LogVerdict.Older,
            (await watch.SeeAsync(log.Checkpoint(10, seconds: 100), log.FetchAsync, None)).Verdict);
        var rewound = await watch.SeeAsync(log.Checkpoint(10, seconds: 101), log.FetchAsync, None);
        AssertProves(rewound.Breach!, LogBreachKind.Rewind);
    }

    [Fact]
    public async Task A_head_whose_time_was_taken_off_is_refused()
    {
        var log = new NaiveLog(repository).Add(20);
        var watch = new LogWatch(repository.Chain);
        var note = SignedNote.Parse(log.Checkpoint());
        var refused = await Assert.ThrowsAsync<VirgaException>(async () => await watch.SeeAsync(
            new SignedNote(note.Text, [note.Signatures[0]]).Encode(), log.FetchAsync, None));
        Assert.Equal(FailureKind.BadInput, refused.Kind);
        Assert.Null(watch.Newest);
    }

    [Fact]
    public async Task A_promise_that_is_kept_proves_nothing_and_one_that_is_broken_does()
    {
        var log = new NaiveLog(repository).Add(300);
        var watch = new LogWatch(repository.Chain);
        await watch.SeeAsync(log.Checkpoint(seconds: 50), log.FetchAsync, None);
        Assert.Equal(LogVerdict.Same, (await HoldAsync(7, log.Hash(7, 8), 10)).Verdict);
        Assert.Equal(LogVerdict.Older, (await HoldAsync(300, Sample.Hash(9), 50)).Verdict);
        var dropped = await HoldAsync(300, Sample.Hash(9), 49);
        AssertProves(dropped.Breach!, LogBreachKind.Dropped);

        watch = new LogWatch(repository.Chain);
        await watch.SeeAsync(log.Checkpoint(seconds: 50), log.FetchAsync, None);
        var replaced = await HoldAsync(299, Sample.Hash(9), 10);
        AssertProves(replaced.Breach!, LogBreachKind.Replaced);

        ValueTask<LogSighting> HoldAsync(long index, Hash256 leaf, int seconds) => watch.HoldToAsync(
            new LogPromise(log.Origin, index, leaf, TestChain.Now.AddSeconds(seconds)).Sign(repository.Key).Encode(),
            log.FetchAsync, None);
    }

    [Fact]
    public async Task Tampered_or_missing_tiles_prove_nothing_and_change_nothing()
    {
        var log = new NaiveLog(repository).Add(700);
        var watch = new LogWatch(repository.Chain);
        await watch.SeeAsync(log.Checkpoint(300), log.FetchAsync, None);
        log.Asked.Clear();
        await new LogReader(log.FetchAsync, 700).ConsistencyAsync(300, true, None);
        foreach (var path in log.Asked.Distinct().ToList())
        {
            var good = (await log.FetchAsync(path, None))!;
            // The bytes that the proof rests on are all those of some tile: flip each tile as a whole.
            foreach (var bad in new[] { good.Select(b => (byte)(b ^ 1)).ToArray(), good[..^1], [] })
            {
                log.Altered[path] = bad;
                await RefusedAsync(FailureKind.Corrupt);
            }

            log.Altered[path] = null;
            await RefusedAsync(FailureKind.NotFound);
            log.Altered.Remove(path);
        }

        Assert.Equal(LogVerdict.Grown, (await watch.RefreshAsync(log.FetchAsync, None)).Verdict);

        async Task RefusedAsync(FailureKind kind)
        {
            var refused = await Assert.ThrowsAsync<VirgaException>(async () =>
                await watch.SeeAsync(log.Checkpoint(), log.FetchAsync, None));
            Assert.Equal(kind, refused.Kind);
            Assert.Equal(300, watch.Newest!.Head.Size);
            Assert.Null(watch.Breach);
        }
    }

    [Fact]
    public async Task A_partial_tile_that_is_gone_is_read_from_the_full_one()
    {
        var log = new NaiveLog(repository).Add(600);
        var checkpoint = log.Checkpoint(300);
        log.Altered["tile/0/001.p/44"] = null;
        var watch = new LogWatch(repository.Chain);
        await watch.SeeAsync(log.Checkpoint(260), log.FetchAsync, None);
        Assert.Equal(LogVerdict.Grown, (await watch.SeeAsync(checkpoint, log.FetchAsync, None)).Verdict);
        log.Altered["tile/entries/001.p/44"] = null;
        Assert.Equal(44, (await new LogReader(log.FetchAsync, 300).EntriesAsync(1, None)).Count);
    }

    [Fact]
    public async Task A_checkpoint_of_another_key_is_refused_and_after_a_change_of_keys_the_new_one_holds()
    {
        var log = new NaiveLog(repository).Add(3);
        var watch = new LogWatch(repository.Chain);
        await watch.RefreshAsync(log.FetchAsync, None);
        var forged = SignedCheckpoint.Sign(new Checkpoint(log.Origin, 4, Sample.Hash(1)), repository.NextKey,
            TestChain.Now).Note.Encode();
        var refused = await Assert.ThrowsAsync<VirgaException>(async () =>
            await watch.SeeAsync(forged, log.FetchAsync, None));
        Assert.Equal(FailureKind.Unauthenticated, refused.Kind);

        repository.Add(StatementType.AddKey,
            StatementWriter.RotateKeyBody(repository.NextKey.PublicKey, Sample.Hash(5)), repository.NextKey);
        watch.Repository = repository.Chain;
        refused = await Assert.ThrowsAsync<VirgaException>(async () =>
            await watch.RefreshAsync(log.FetchAsync, None));
        Assert.Equal(FailureKind.Unauthenticated, refused.Kind);
        // A lie with the key that was removed is proven all the same.
        var fork = log.Fork(0).Add(3, "other");
        var breach = new LogBreach(LogBreachKind.Fork, SignedNote.Parse(log.Checkpoint()),
            SignedNote.Parse(fork.Checkpoint()), [], repository.Envelopes);
        AssertProves(breach, LogBreachKind.Fork);
    }

    [Fact]
    public void What_proves_nothing_is_told_apart()
    {
        var log = new NaiveLog(repository).Add(9);
        var (small, large) = (SignedNote.Parse(log.Checkpoint(5)), SignedNote.Parse(log.Checkpoint(9)));
        Refused(new LogBreach(LogBreachKind.Fork, small, small, [], repository.Envelopes));
        Refused(new LogBreach(LogBreachKind.Fork, small, large, [], repository.Envelopes));
        Refused(new LogBreach(LogBreachKind.Fork, small, large, [Sample.Hash(1)], repository.Envelopes));
        Refused(new LogBreach(LogBreachKind.Rewind, small, large, [], repository.Envelopes));
        Refused(new LogBreach(LogBreachKind.Rewind, large, small, [], repository.Envelopes));
        Refused(new LogBreach(LogBreachKind.Dropped, small, large, [], repository.Envelopes));
        var other = new NaiveLog(new TestChain(4)).Add(5, "other");
        Refused(new LogBreach(LogBreachKind.Fork, small, SignedNote.Parse(other.Checkpoint()), [],
            repository.Envelopes));
        Refused(new LogBreach(LogBreachKind.Fork, small, large, [], []));

        var text = new LogBreach(LogBreachKind.Fork, small, large, [Sample.Hash(1)], repository.Envelopes).ToText();
        foreach (var bad in new[]
        {
            "", "\n\n\n\n\n\n\n\n", text[1..], text[..^40], text.Replace("kind fork", "kind joke"),
            text.Replace("chain ", "chain !"), text + text, text.Replace("\n\n", "\n"),
            text.Replace("kind fork\n", "kind fork\nchain \n"),
        })
        {
            Assert.Equal(FailureKind.BadInput, Assert.Throws<VirgaException>(() => LogBreach.Parse(bad)).Kind);
        }

        static void Refused(LogBreach breach) => Assert.Contains(
            Assert.Throws<VirgaException>(() => LogBreach.Parse(breach.ToText()).Verify(TestChain.Now)).Kind,
            new[] { FailureKind.BadInput, FailureKind.Unauthenticated });
    }

    [Fact]
    public async Task Heads_that_agents_tell_each_other_show_a_split_view()
    {
        var trunk = new NaiveLog(repository).Add(40);
        var (left, right) = (trunk.Fork(40).Add(5, "left"), trunk.Fork(40).Add(30, "right"));
        var (one, two) = (new LogHeads(), new LogHeads());
        one.Watch(new LogWatch(repository.Chain));
        two.Watch(new LogWatch(repository.Chain));
        await one.Watches[trunk.Origin].RefreshAsync(left.FetchAsync, None);
        await two.Watches[trunk.Origin].RefreshAsync(right.FetchAsync, None);

        // The first can't read as far as the second tells: the repository shows it the left history only.
        var heard = Assert.Single(await one.HearAsync(two.Tell(), _ => left.FetchAsync, None));
        Assert.Null(heard.Sighting);
        Assert.Equal(FailureKind.NotFound, heard.Failure!.Kind);
        // Once its own has grown so far, what was told is judged again.
        left.Add(60, "left");
        await one.Watches[trunk.Origin].RefreshAsync(left.FetchAsync, None);
        heard = Assert.Single(await one.HearAsync(new LogHeads().Tell(), _ => left.FetchAsync, None));
        AssertProves(heard.Sighting!.Breach!, LogBreachKind.Fork);
        // The second sees it at once: it has the larger history.
        var fresh = new LogHeads();
        fresh.Watch(new LogWatch(repository.Chain));
        await fresh.Watches[trunk.Origin].SeeAsync(left.Checkpoint(42), left.FetchAsync, None);
        heard = Assert.Single(await two.HearAsync(fresh.Tell(), _ => right.FetchAsync, None));
        AssertProves(heard.Sighting!.Breach!, LogBreachKind.Fork);
    }

    [Fact]
    public async Task Heads_that_are_forged_or_of_other_logs_are_passed_over_and_the_message_is_bounded()
    {
        var log = new NaiveLog(repository).Add(4);
        var heads = new LogHeads();
        heads.Watch(new LogWatch(repository.Chain));
        await heads.Watches[log.Origin].RefreshAsync(log.FetchAsync, None);
        var other = new NaiveLog(new TestChain(4)).Add(2);
        var forged = SignedCheckpoint.Sign(
            new Checkpoint(log.Origin, 9, Sample.Hash(1)), new TestChain(5).Key, TestChain.Now);
        var message = LogHeadsMessage.Encode(
            [SignedCheckpoint.Open(other.Checkpoint(), LogIdentity.Of(other.Repository.Chain)), forged]);
        var heard = Assert.Single(await heads.HearAsync(message, _ => log.FetchAsync, None));
        Assert.Equal(FailureKind.Unauthenticated, heard.Failure!.Kind);
        Assert.Equal(4, heads.Watches[log.Origin].Newest!.Head.Size);

        foreach (var bad in new[] { "", "de", "d5:headsi1ee", "d5:headsl0:ee", "d5:headsle1:x0:e" })
            Assert.Throws<VirgaException>(() => LogHeadsMessage.Parse(Encoding.ASCII.GetBytes(bad)));
        Assert.Throws<VirgaException>(() => LogHeadsMessage.Parse(Encoding.ASCII.GetBytes(
            "d5:headsl" + string.Concat(Enumerable.Repeat("1:x", LogHeadsMessage.HeadsMax + 1)) + "ee")));
        var crowded = Enumerable.Range(0, 60).Aggregate(forged.Note, (note, i) =>
            note.With(new NoteSignature($"w{i}", 1, new byte[300])));
        Assert.True(LogHeadsMessage.Parse(LogHeadsMessage.Encode([forged with { Note = crowded }]))[0].Length
            <= LogHeadsMessage.HeadBytesMax);
    }

    private void AssertProves(LogBreach breach, LogBreachKind kind)
    {
        var text = breach.ToText();
        var parsed = LogBreach.Parse(text);
        Assert.Equal(text, parsed.ToText());
        Assert.Equal((kind, repository.Chain.Id), (parsed.Kind, parsed.Verify(TestChain.Now)));
    }
}
