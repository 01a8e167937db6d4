using System.Text;
using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Keys;
using Virga.Testing;
using Virga.Testing.Vectors;
using Virga.Trust;
using static Virga.Protocol.Tests.TestPeers;

namespace Virga.Protocol.Tests.Vectors;

/// <summary>Statements of trust, and whom sets of sigchains admit (spec/v1/trust.md).</summary>
internal static class TrustVectors
{
    private static readonly DateTimeOffset hour = VouchBody.TimeOf(VouchBody.HourOf(Now));

    /// <summary>Chains of one statement of trust each.</summary>
    public static IEnumerable<VectorFile> Bodies(Sigchain genesis, SigningKey by)
    {
        var subject = new AgentId(Sample.Hash(41));
        var vouch = new VouchBody(subject, TrustScopes.Exchange | TrustScopes.Host, 3, hour, hour.AddDays(90));
        yield return Of("vouch-good", "ok", "three links in two scopes for 90 days", "vouch", vouch.Encode());
        yield return Of("vouch-longest", "ok", "all scopes, 7 links, 1,830 days", "vouch",
            (vouch with { Scopes = TrustScopes.All, Depth = 7, Expires = hour.AddDays(1_830) }).Encode());
        yield return Of("vouch-too-long", "chain", "an hour longer than allowed", "vouch",
            (vouch with { Expires = hour.AddDays(1_830).AddHours(1) }).Encode());
        yield return Of("vouch-too-deep", "chain", "depth 8", "vouch", (vouch with { Depth = 8 }).Encode());
        yield return Of(
            "vouch-no-time", "chain", "it ends when it begins", "vouch", (vouch with { Expires = hour }).Encode());
        yield return Of("vouch-half-hour", "chain", "it begins at half past", "vouch",
            (vouch with { NotBefore = hour.AddMinutes(30) }).Encode());
        yield return Of("vouch-no-scope", "chain", "no scope", "vouch", (vouch with { Scopes = 0 }).Encode());
        yield return Of("vouch-itself", "chain", "an agent vouches for itself", "vouch",
            (vouch with { Subject = genesis.Id }).Encode());
        yield return Of("vouch-unknown-scope", "chain", "a scope that is not known", "vouch",
            VectorGenerator.Replace(vouch.Encode(), "8:exchange", "8:exchangf"));
        yield return Of("vouch-scopes-unsorted", "chain", "scopes in another order", "vouch",
            VectorGenerator.Replace(vouch.Encode(), "8:exchange4:host", "4:host8:exchange"));
        yield return Of(
            "revoke-good", "ok", "takes back one scope", "revoke", new RevokeBody(subject, TrustScopes.Host).Encode());
        yield return Of("revoke-no-scope", "chain", "no scope", "revoke", new RevokeBody(subject, 0).Encode());
        yield return Of(
            "disown-good", "ok", "from the fifth statement on", "disown", new DisownBody(subject, 5).Encode());
        yield return Of(
            "disown-genesis", "chain", "a genesis vouches for nobody", "disown", new DisownBody(subject, 0).Encode());
        yield return Of("disown-itself-ahead", "chain", "own statements that are still to come", "disown",
            new DisownBody(genesis.Id, 1).Encode());

        VectorFile Of(string name, string expect, string comment, string type, byte[] body)
        {
            SignedEnvelope[] envelopes = [new(genesis.Head.Bytes, genesis.Head.Signature),
                SignedEnvelope.Sign(by, Statement.SignatureType, StatementWriter.Next(genesis, type, body, Now))];
            return VectorFile.OfBytes(
                "sigchain-" + name, expect, "sigchain", comment, SignedEnvelope.EncodeList(envelopes),
                ("now", VectorGenerator.Seconds(Now)), ("agent", genesis.Id.ToString()),
                ("valid", expect == "ok" ? "2" : "1"));
        }
    }

    public static IEnumerable<VectorFile> All()
    {
        yield return Vector("chain", "each link has a depth less; the fourth is no longer admitted",
            Say(0, Vouch(1, 2)), Say(1, Vouch(2, 7)), Say(2, Vouch(3, 7)), Say(3, Vouch(4, 7)));
        yield return Vector("diamond", "the chain that leaves more counts, though it is longer",
            Say(0, Vouch(1, 0), Vouch(2, 5)), Say(2, Vouch(1, 5)), Say(1, Vouch(3, 0)));
        yield return Vector("circle", "agents that vouch for each other hold nobody up",
            Say(0, Vouch(1, 3), Revoke(1)), Say(1, Vouch(2, 7)), Say(2, Vouch(1, 7)));
        yield return Vector("scopes", "only what every link names",
            Say(0, Vouch(1, 3, TrustScopes.Host), Vouch(2, 3, TrustScopes.All)),
            Say(1, Vouch(3, 3)), Say(2, Vouch(4, 3, TrustScopes.Exchange)));
        yield return Vector("times", "one has ended this hour, one begins with the next, one holds",
            Say(0, Vouch(1, 0, from: -5, until: 0), Vouch(2, 0, from: 1, until: 5), Vouch(3, 0, from: 0, until: 1)));
        yield return Vector("said-again", "what is said later about a subject takes the place of what was said before",
            Say(0, Vouch(1, 5), Vouch(1, 1), Vouch(2, 5), Vouch(2, 5, from: -5, until: -1)));
        yield return Vector("disown", "vouches from the second statement on do not count; a vouch anew lifts that",
            Say(0, Vouch(1, 5), Disown(1, 2), Vouch(2, 5), Disown(2, 2), Vouch(2, 5)),
            Say(1, Vouch(3, 0), Vouch(4, 0)), Say(2, Vouch(5, 0), Vouch(6, 0)));
        yield return Vector(
            "disown-another-way", "the chain without the disown gives less depth, and counts for the rest",
            Say(0, Vouch(1, 7), Vouch(2, 3)), Say(1, Vouch(3, 6), Disown(3, 2)), Say(2, Vouch(3, 1)),
            Say(3, Vouch(4, 7), Vouch(5, 7)));
        yield return Vector("disown-by-root", "a root's disown counts in every chain",
            Say(0, Vouch(1, 7), Disown(2, 2)), Say(1, Vouch(2, 5)), Say(2, Vouch(3, 0), Vouch(4, 0)));
        yield return Vector("disown-itself", "an agent takes back what was said in its name, and then says more",
            Say(0, Vouch(1, 5)), Say(1, Vouch(2, 0), Vouch(3, 0), Vouch(4, 0), Disown(1, 2), Vouch(5, 0)));
    }

    /// <summary>Whether the chains admit exactly whom the vector says, with the depths that it says.</summary>
    public static string Judge(VectorFile vector)
    {
        var now = DateTimeOffset.FromUnixTimeSeconds(long.Parse(vector["now"]));
        var store = new TrustStore([AgentId.Parse(vector["root"])], now);
        var chains = BencodeValue.Parse(vector.Data, BencodeLimits.Message).AsList().Items(64);
        foreach (var chain in chains)
        {
            var envelopes = SignedEnvelope.ParseList(chain.Encode(), 256);
            store.Add(Sigchain.Check(envelopes.Select(e => (e.Body, e.Signature)), now));
        }
        Assert.Equal(vector["admitted"], Admitted(store, TrustScopeNames.Parse(vector["scope"])));
        return "ok";
    }

    private static VectorFile Vector(
        string name, string comment, params (int Issuer, Func<AgentId[], (string, byte[])>[] Said)[] all)
    {
        var keys = Enumerable.Range(0, 7).Select(i => SigningKey.FromSeed(Sample.Array(50 + i, 32))).ToArray();
        var chains = keys.Select((key, i) => Start(key, 60 + i)).ToArray();
        var ids = chains.Select(chain => chain.Id).ToArray();
        foreach (var (issuer, said) in all)
        {
            foreach (var make in said)
            {
                var (type, body) = make(ids);
                var statement = StatementWriter.Next(chains[issuer], type, body, Now);
                chains[issuer] = chains[issuer].Append(statement, Sign(keys[issuer], statement), Now);
            }
        }
        var store = new TrustStore([ids[0]], Now);
        foreach (var chain in chains) store.Add(chain);
        var bytes = BencodeWriter.Encode(writer =>
        {
            writer.StartList();
            foreach (var chain in chains)
                writer.Raw(SignedEnvelope.EncodeList(
                    [.. chain.Statements.Select(s => new SignedEnvelope(s.Bytes, s.Signature))]));
            writer.End();
        });
        return VectorFile.OfBytes("trust-" + name, "ok", "trust", comment, bytes, ("now", VectorGenerator.Seconds(Now)),
            ("root", ids[0].ToString()), ("scope", "exchange"), ("admitted", Admitted(store, TrustScopes.Exchange)));
    }

    private static string Admitted(TrustStore store, TrustScopes scope)
    {
        var text = new StringBuilder();
        foreach (var (agent, depth) in store.Admitted(scope).OrderBy(a => a.Agent.Hash))
            text.Append(text.Length == 0 ? "" : " ").Append(agent).Append('=').Append(depth);
        return text.ToString();
    }

    private static Sigchain Start(SigningKey key, int seed)
    {
        var body = StatementWriter.Genesis(key.PublicKey, Sample.Hash(seed), Sample.Hash(seed + 10), Now);
        return Sigchain.Check([(body, Sign(key, body))], Now);
    }

    private static byte[] Sign(SigningKey key, byte[] body) => DomainSignature.Sign(key, Statement.SignatureType, body);

    private static (int, Func<AgentId[], (string, byte[])>[]) Say(
        int issuer, params Func<AgentId[], (string, byte[])>[] said) =>
        (issuer, said);

    private static Func<AgentId[], (string, byte[])> Vouch(
        int subject, int depth, TrustScopes scopes = TrustScopes.Exchange, int from = -1, int until = 100) => ids =>
        (StatementType.Vouch,
            new VouchBody(ids[subject], scopes, depth, hour.AddHours(from), hour.AddHours(until)).Encode());

    private static Func<AgentId[], (string, byte[])> Revoke(int subject) => ids =>
        (StatementType.Revoke, new RevokeBody(ids[subject], TrustScopes.All).Encode());

    private static Func<AgentId[], (string, byte[])> Disown(int subject, int from) => ids =>
        (StatementType.Disown, new DisownBody(ids[subject], from).Encode());
}
