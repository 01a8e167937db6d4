using Virga.Core;
using Virga.Core.Keys;
using Virga.Testing;
using Virga.Trust.Following;
using static Virga.Trust.Tests.TestChain;

namespace Virga.Trust.Tests.Following;

/// <summary>Chains from several places that may be behind, silent, or tell other histories.</summary>
public sealed class ChainDirectoryTests
{
    private readonly FakeTimeProvider time = new(Now);
    private readonly List<FraudProof> frauds = [];
    private readonly List<AgentId> settled = [];
    private readonly ChainDirectory directory;

    public ChainDirectoryTests() => directory = new ChainDirectory(time)
    {
        FraudFound = (proof, chain) =>
        {
            proof.Verify(chain);
            frauds.Add(proof);
        },
        FraudSettled = chain => settled.Add(chain.Id),
    };

    [Fact]
    public async Task A_chain_is_read_whole_once_and_then_only_what_is_new()
    {
        var made = Grown(new TestChain(1), 6);
        var place = new ChainPlace("a").With(made);
        Assert.Equal(7, (await AskAsync(made, place)).Chain.Statements.Count);
        Assert.Equal([0, 2, 4, 6], place.Asked.Select(a => a.From));
        Grown(made, 1);
        place.With(made).Asked.Clear();
        Assert.Equal(8, (await AskAsync(made, place)).Chain.Statements.Count);
        Assert.Equal([6], place.Asked.Select(a => a.From));
        Assert.Equal(9, place.StatementsGiven);
    }

    [Fact]
    public async Task The_longest_of_several_places_counts_and_one_that_is_behind_is_asked_for_no_more_than_it_has()
    {
        var made = Grown(new TestChain(2), 2);
        var behind = new ChainPlace("behind").With(made);
        var ahead = new ChainPlace("ahead").With(Grown(made, 3));
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(6, (await AskAsync(made, ahead, behind)).Chain.Statements.Count);
            Assert.Equal(6, (await AskAsync(made, behind, ahead)).Chain.Statements.Count);
        }
        // The one that is behind was read whole once, and after that its last statement each time.
        Assert.Equal(3 + 5, behind.StatementsGiven);
        Assert.Empty(frauds);
    }

    [Fact]
    public async Task What_is_fresh_is_not_asked_for_again_unless_it_must_be()
    {
        var made = new TestChain(3);
        var place = new ChainPlace("a").With(made);
        await directory.GetAsync(made.Chain.Id, [place], default);
        await directory.GetAsync(made.Chain.Id, [place], default);
        Assert.Single(place.Asked);
        time.Advance(TimeSpan.FromMinutes(6));
        await directory.GetAsync(made.Chain.Id, [place], default);
        Assert.Equal(2, place.Asked.Count);
        Assert.Equal(made.Chain.Head.Hash, directory.Find(made.Chain.Id)!.Head.Hash);
    }

    [Fact]
    public async Task Silent_places_are_passed_over_and_all_are_named_when_nobody_knows()
    {
        var made = new TestChain(4);
        var down = new ChainPlace("down") { Failure = new VirgaException(FailureKind.Unavailable, "no answer") };
        Assert.Equal(made.Chain.Id, (await AskAsync(made, down, new ChainPlace("up").With(made))).Chain.Id);
        Assert.Equal(made.Chain.Id, (await AskAsync(made, down)).Chain.Id);

        var stranger = new TestChain(5);
        var failure = await Assert.ThrowsAsync<VirgaException>(() => AskAsync(stranger, down, new ChainPlace("up")));
        Assert.Equal(FailureKind.NotFound, failure.Kind);
        Assert.Contains("down: no answer; up: not known here", failure.Message);
    }

    [Fact]
    public async Task Anothers_chain_is_refused()
    {
        var (made, other) = (new TestChain(6), new TestChain(7));
        var liar = new ChainPlace("liar");
        liar.Chains[made.Chain.Id] = other.Envelopes;
        var failure = await Assert.ThrowsAsync<VirgaException>(() => AskAsync(made, liar));
        Assert.Contains("chain of another agent", failure.Message);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(3, 0)]
    [InlineData(0, 3)]
    [InlineData(2, 5)]
    public async Task Two_histories_at_two_places_are_fraud_however_they_grow(int firstMore, int secondMore)
    {
        var made = Grown(new TestChain(8), 2);
        var before = new ChainPlace("first").With(made);
        await AskAsync(made, before);
        var fork = new TestChain(8);
        foreach (var envelope in made.Envelopes.Skip(1)) Copy(fork, envelope);
        Grown(made, 1 + firstMore);
        fork.Add("profile", StatementWriter.ProfileBody("other"));
        Grown(fork, secondMore);
        var places = new[] { before.With(made), new ChainPlace("second").With(fork) };
        await AskAsync(made, places);
        Assert.Equal(made.Chain.Id, Assert.Single(frauds).Agent);
        await AskAsync(made, [.. places.Reverse()]);
        Assert.Single(frauds);
    }

    [Fact]
    public async Task A_rotation_settles_which_history_stands_also_where_it_is_the_shorter_one()
    {
        var made = Grown(new TestChain(9), 2);
        var thief = new TestChain(9);
        foreach (var envelope in made.Envelopes.Skip(1)) Copy(thief, envelope);
        Grown(thief, 4);
        var stolen = new ChainPlace("stolen").With(thief);
        await AskAsync(made, stolen);
        made.Add("profile", StatementWriter.ProfileBody("mine"));
        var honest = new ChainPlace("honest").With(made);
        await AskAsync(made, stolen, honest);
        Assert.Single(frauds);

        var rotated = new TestChain(9);
        foreach (var envelope in made.Envelopes.Skip(1).Take(2)) Copy(rotated, envelope);
        rotated.Add("addkey",
            StatementWriter.RotateKeyBody(rotated.NextKey.PublicKey, HashOf(NewKey(9_100))), rotated.NextKey);
        honest.With(rotated);
        var news = await AskAsync(made, stolen, honest);
        Assert.True(news.IsReplaced);
        Assert.Equal(rotated.Chain.Head.Hash, news.Chain.Head.Hash);
        Assert.Equal([made.Chain.Id], settled);
        Assert.False((await AskAsync(made, stolen, honest)).IsReplaced);
    }

    [Fact]
    public async Task What_is_good_before_a_bad_statement_counts()
    {
        var made = Grown(new TestChain(10), 1);
        await AskAsync(made, new ChainPlace("a").With(made));
        var good = made.Make("profile", StatementWriter.ProfileBody("good"));
        var place = new ChainPlace("b");
        place.Chains[made.Chain.Id] = [.. made.Envelopes, good, (good.Body, good.Signature)];
        var news = await AskAsync(made, place);
        Assert.Equal("good", news.Chain.ProfileName);
        Assert.Empty(frauds);
    }

    [Fact]
    public async Task A_statement_from_the_future_is_taken_once_its_time_has_come()
    {
        var made = new TestChain(11);
        await AskAsync(made, new ChainPlace("a").With(made));
        made.Add("profile", StatementWriter.ProfileBody("later"), time: Now.AddHours(2));
        var place = new ChainPlace("b").With(made);
        Assert.Null((await AskAsync(made, place)).Chain.ProfileName);
        time.Advance(TimeSpan.FromHours(2));
        Assert.Equal("later", (await AskAsync(made, place)).Chain.ProfileName);
    }

    private Task<ChainNews> AskAsync(TestChain made, params ChainPlace[] places) =>
        directory.GetNewestAsync(made.Chain.Id, places, default);

    private static TestChain Grown(TestChain made, int statements)
    {
        for (var i = 0; i < statements; i++)
            made.Add("profile", StatementWriter.ProfileBody($"{made.Chain.Statements.Count}"));
        return made;
    }

    private static void Copy(TestChain to, (byte[] Body, byte[] Signature) envelope)
    {
        var statement = Statement.Parse(envelope.Body, envelope.Signature);
        to.Add(statement.Type, statement.Body);
        Assert.Equal(statement.Hash, to.Chain.Head.Hash);
    }
}
