using System.Text;
using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Keys;
using Virga.Testing;
using static Virga.Trust.Tests.TestChain;

namespace Virga.Trust.Tests;

public sealed class SigchainTests
{
    [Fact]
    public void A_genesis_names_its_agent_and_keys()
    {
        var made = new TestChain(1);
        var chain = made.Chain;
        Assert.Equal(chain.Statements[0].Hash, chain.Id.Hash);
        Assert.Equal(made.Key.PublicKey, chain.SigningKey);
        Assert.Equal(Sample.Hash(201), chain.SealKey);
        Assert.Equal(HashOf(made.NextKey), chain.NextKeyHash);
        Assert.Null(chain.ProfileName);
        Assert.Empty(chain.Endpoints);
    }

    [Fact]
    public void Each_statement_changes_what_the_chain_says_and_the_whole_checks_again()
    {
        var second = NewKey(2);
        var made = new TestChain(1)
            .Add("profile", StatementWriter.ProfileBody("Ada"))
            .Add("endpoint",
                StatementWriter.EndpointBody([new ChainEndpoint(new Uri("https://127.0.0.1:8443"), Sample.Hash(9))]))
            .Add("addkey", StatementWriter.AddSigningKeyBody(second.PublicKey))
            .Add("addkey", StatementWriter.AddSealKeyBody(Sample.Hash(5)), by: second);
        made.Add("removekey", StatementWriter.RemoveKeyBody(made.Key.PublicKey.Bytes))
            .Add("removekey", StatementWriter.RemoveKeyBody(Sample.Hash(201)), by: second)
            .Add("endpoint", StatementWriter.EndpointBody([]), by: second);
        var chain = Sigchain.Check(made.Envelopes, Now);
        Assert.Equal(made.Chain.Head.Hash, chain.Head.Hash);
        Assert.Equal("Ada", chain.ProfileName);
        Assert.Equal([second.PublicKey], chain.ValidSigningKeys);
        Assert.Equal([Sample.Hash(5)], chain.ValidSealKeys);
        Assert.Empty(chain.Endpoints);
        Assert.Equal(8, chain.Statements.Count);
        Assert.Equal(made.Envelopes, chain.Statements.Select(s => (s.Bytes, s.Signature)));
    }

    [Fact]
    public void Appending_leaves_the_older_chain_as_it_was()
    {
        var made = new TestChain(1);
        var before = made.Chain;
        made.Add("profile", StatementWriter.ProfileBody("Ada"));
        Assert.Single(before.Statements);
        Assert.Null(before.ProfileName);
    }

    [Fact]
    public void A_lost_key_is_replaced_by_the_one_that_the_genesis_committed_to()
    {
        var made = new TestChain(1);
        var after = NewKey(7);
        made.Add("addkey", StatementWriter.RotateKeyBody(made.NextKey.PublicKey, HashOf(after)), by: made.NextKey);
        Assert.Equal([made.NextKey.PublicKey], made.Chain.ValidSigningKeys);
        Assert.Equal(HashOf(after), made.Chain.NextKeyHash);
        Refused(FailureKind.Unauthenticated, made, "profile", StatementWriter.ProfileBody("thief"), by: made.Key);
        made.Add("addkey", StatementWriter.RotateKeyBody(after.PublicKey, HashOf(NewKey(8))), by: after);
    }

    [Fact]
    public void No_other_key_can_add_itself()
    {
        var made = new TestChain(1);
        var thief = NewKey(66);
        Refused(FailureKind.Unauthenticated, made, "addkey", StatementWriter.AddSigningKeyBody(thief.PublicKey),
            by: thief);
        Refused(FailureKind.Unauthenticated, made, "addkey",
            StatementWriter.RotateKeyBody(thief.PublicKey, HashOf(NewKey(8))), by: thief);
        Refused(FailureKind.Unauthenticated, made, "profile", StatementWriter.ProfileBody("x"), by: made.NextKey);
    }

    [Fact]
    public void The_committed_key_comes_with_a_new_commitment_and_others_without()
    {
        var made = new TestChain(1);
        Refused(FailureKind.BadInput, made, "addkey", StatementWriter.AddSigningKeyBody(made.NextKey.PublicKey));
        Refused(FailureKind.BadInput, made, "addkey",
            StatementWriter.RotateKeyBody(NewKey(9).PublicKey, Sample.Hash(1)));
    }

    [Fact]
    public void Keys_that_are_there_or_were_removed_are_not_added_and_the_last_is_not_removed()
    {
        var made = new TestChain(1);
        Refused(FailureKind.BadInput, made, "addkey", StatementWriter.AddSigningKeyBody(made.Key.PublicKey));
        Refused(FailureKind.BadInput, made, "addkey", StatementWriter.AddSealKeyBody(Sample.Hash(201)));
        Refused(FailureKind.BadInput, made, "removekey", StatementWriter.RemoveKeyBody(made.Key.PublicKey.Bytes));
        Refused(FailureKind.BadInput, made, "removekey", StatementWriter.RemoveKeyBody(Sample.Hash(201)));
        Refused(FailureKind.BadInput, made, "removekey", StatementWriter.RemoveKeyBody(Sample.Hash(77)));
        made.Add("addkey", StatementWriter.AddSealKeyBody(Sample.Hash(5)))
            .Add("removekey", StatementWriter.RemoveKeyBody(Sample.Hash(5)));
        Refused(FailureKind.BadInput, made, "addkey", StatementWriter.AddSealKeyBody(Sample.Hash(5)));
        Refused(FailureKind.BadInput, made, "addkey", "de"u8.ToArray());
    }

    [Fact]
    public void Sixteen_keys_of_a_kind_are_the_most()
    {
        var made = new TestChain(1);
        for (var i = 0; i < 15; i++) made.Add("addkey", StatementWriter.AddSigningKeyBody(NewKey(300 + i).PublicKey));
        Refused(FailureKind.BadInput, made, "addkey", StatementWriter.AddSigningKeyBody(NewKey(400).PublicKey));
    }

    [Fact]
    public void A_type_that_is_not_known_is_refused() =>
        Refused(FailureKind.BadInput, new TestChain(1), "dance", "de"u8.ToArray());

    [Fact]
    public void Bodies_with_unknown_fields_or_bad_values_are_refused()
    {
        var made = new TestChain(1);
        Refused(FailureKind.BadInput, made, "profile", "d4:name3:Ada1:xi1ee"u8.ToArray());
        Refused(FailureKind.BadInput, made, "profile", "d4:name0:e"u8.ToArray());
        Refused(FailureKind.BadInput, made, "profile", StatementWriter.ProfileBody("a\u001b[1m"));
        Refused(FailureKind.BadInput, made, "profile", StatementWriter.ProfileBody(new string('x', 257)));
        Refused(FailureKind.BadInput, made, "endpoint", "d4:urlsld3:url9:http://a/eee"u8.ToArray());
        Refused(FailureKind.BadInput, made, "endpoint", StatementWriter.EndpointBody(
            [.. Enumerable.Range(0, 9).Select(i => new ChainEndpoint(new Uri($"https://h{i}.example"), null))]));
    }

    [Fact]
    public void A_gap_a_wrong_prev_another_agent_and_time_going_back_are_refused()
    {
        var made = new TestChain(1).Add("profile", StatementWriter.ProfileBody("Ada"), time: Now.AddSeconds(10));
        var other = new TestChain(50).Add("profile", StatementWriter.ProfileBody("Eve"));
        byte[] Raw(AgentId agent, Hash256 prev, long seq, long seconds) =>
            BencodeWriter.Encode(writer => writer.StartDictionary()
            .Key("agent").Hash(agent.Hash).Key("body").Raw(StatementWriter.ProfileBody("x")).Key("prev").Hash(prev)
                .Key("seq").Integer(seq)
            .Key("time").Integer(Now.ToUnixTimeSeconds() + seconds).Key("type").Text("profile").End());
        void Refuse(byte[] body, string says)
        {
            var failure = Assert.Throws<VirgaException>(() => made.Chain.Append(body, Sign(made.Key, body), Now));
            Assert.Equal(FailureKind.BadInput, failure.Kind);
            Assert.Contains(says, failure.Message);
        }
        var (id, head) = (made.Chain.Id, made.Chain.Head.Hash);
        Refuse(Raw(id, head, 3, 20), "number 3");
        Refuse(Raw(id, head, 1, 20), "number 1");
        Refuse(Raw(id, made.Chain.Statements[0].Hash, 2, 20), "prev");
        Refuse(Raw(other.Chain.Id, head, 2, 20), "another agent");
        Refuse(Raw(id, head, 2, 9), "goes back");
        var good = Raw(id, head, 2, 10);
        Assert.Equal(3, made.Chain.Append(good, Sign(made.Key, good), Now).Statements.Count);
    }

    [Fact]
    public void A_statement_from_the_future_is_a_matter_of_clocks()
    {
        var made = new TestChain(1);
        var envelope = made.Make("profile", StatementWriter.ProfileBody("x"), time: Now.AddSeconds(301));
        var failure = Assert.Throws<VirgaException>(() => made.Chain.Append(envelope.Body, envelope.Signature, Now));
        Assert.Equal(FailureKind.ClockSkew, failure.Kind);
        Assert.Equal(2, made.Chain.Append(envelope.Body, envelope.Signature, Now.AddSeconds(1)).Statements.Count);
    }

    [Fact]
    public void The_writer_never_lets_time_go_back()
    {
        var made = new TestChain(1).Add("profile", StatementWriter.ProfileBody("a"), time: Now.AddSeconds(100));
        made.Add("profile", StatementWriter.ProfileBody("b"), time: Now);
        Assert.Equal(Now.AddSeconds(100), made.Chain.Head.Time);
    }

    [Fact]
    public void What_came_before_a_broken_statement_stands()
    {
        var made =
            new TestChain(1).Add("profile", StatementWriter.ProfileBody("a"))
                .Add("profile", StatementWriter.ProfileBody("b"));
        made.Envelopes[2] = (made.Envelopes[2].Body, Sign(NewKey(99), made.Envelopes[2].Body));
        var chain = Sigchain.CheckPrefix(made.Envelopes, Now, out var refusal);
        Assert.Equal(2, chain!.Statements.Count);
        Assert.Equal(FailureKind.Unauthenticated, refusal!.Kind);
        Assert.Throws<VirgaException>(() => Sigchain.Check(made.Envelopes, Now));
    }

    [Fact]
    public void An_empty_chain_and_a_forged_genesis_are_refused()
    {
        Assert.Equal(FailureKind.BadInput, Assert.Throws<VirgaException>(() => Sigchain.Check([], Now)).Kind);
        var made = new TestChain(1);
        var forged = (made.Envelopes[0].Body, Sign(NewKey(4), made.Envelopes[0].Body));
        Assert.Equal(
            FailureKind.Unauthenticated, Assert.Throws<VirgaException>(() => Sigchain.Check([forged], Now)).Kind);
        Assert.Null(Sigchain.CheckPrefix([forged], Now, out _));
    }

    [Fact]
    public void A_statement_that_is_too_large_is_refused()
    {
        var body = BencodeWriter.Encode(writer => writer.StartDictionary().Key("x").Bytes(new byte[17_000]).End());
        Refused(FailureKind.BadInput, new TestChain(1), "vouch", body);
    }

    [Fact]
    public void Bad_bytes_end_in_a_VirgaException_and_nothing_else()
    {
        var made = new TestChain(1).Add("addkey", StatementWriter.AddSealKeyBody(Sample.Hash(5)));
        foreach (var (body, _) in made.Envelopes)
        {
            // Signed anew each time, so that the signature does not hide what lies behind it.
            var tail = made.Envelopes.TakeWhile(e => e.Body != body).ToList();
            Torture.Parse(body, bytes =>
                Sigchain.Check([.. tail, (bytes, Sign(made.Key, bytes))], Now), seed: 5, mutations: 500);
        }
    }

    [Fact]
    public void Every_beginning_of_a_signature_is_refused()
    {
        var made = new TestChain(1);
        var envelope = made.Make("profile", StatementWriter.ProfileBody("x"));
        for (var length = 0; length < 64; length++)
            Assert.Throws<VirgaException>(() => made.Chain.Append(envelope.Body, envelope.Signature[..length], Now));
    }

    [Fact]
    public void Named_agents_are_admitted_with_their_genesis_as_the_chain()
    {
        var (ada, eve) = (new TestChain(1).Chain.Id, new TestChain(2).Chain.Id);
        IAudiencePolicy policy = new NamedAgents([ada]);
        Assert.True(policy.Admits(ada, "exchange", out var chain));
        Assert.Equal([ada.Hash], chain);
        Assert.False(policy.Admits(eve, "exchange", out chain));
        Assert.Empty(chain);
    }

    private static void Refused(FailureKind kind, TestChain made, string type, byte[] body, SigningKey? by = null)
    {
        var envelope = made.Make(type, body, by);
        var failure = Assert.Throws<VirgaException>(() => made.Chain.Append(envelope.Body, envelope.Signature, Now));
        Assert.Equal(kind, failure.Kind);
        Assert.False(string.IsNullOrEmpty(failure.Advice), Encoding.UTF8.GetString(body));
    }
}
