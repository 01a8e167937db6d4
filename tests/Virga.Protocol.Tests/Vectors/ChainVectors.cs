using System.Security.Cryptography;
using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Keys;
using Virga.Testing;
using Virga.Testing.Vectors;
using Virga.Trust;
using static Virga.Protocol.Tests.TestPeers;

namespace Virga.Protocol.Tests.Vectors;

internal static class ChainVectors
{
    private static readonly SigningKey first = Key(31), second = Key(32), next = Key(33), afterNext = Key(34), thief =
        Key(35);

    public static IEnumerable<VectorFile> All()
    {
        var genesis = Chain();
        var keys = Chain(
            ("profile", StatementWriter.ProfileBody("Ada"), first),
            ("endpoint",
                StatementWriter.EndpointBody([new ChainEndpoint(new Uri("https://127.0.0.1:8443"), Sample.Hash(9)),
                new ChainEndpoint(new Uri("https://virga.example"), null)]), first),
            ("addkey", StatementWriter.AddSigningKeyBody(second.PublicKey), first),
            ("addkey", StatementWriter.AddSealKeyBody(Sample.Hash(38)), second),
            ("removekey", StatementWriter.RemoveKeyBody(first.PublicKey.Bytes), second),
            ("removekey", StatementWriter.RemoveKeyBody(Sample.Hash(36)), second));
        var recovered = Chain(
            ("profile", StatementWriter.ProfileBody("Ada"), first),
            ("addkey", StatementWriter.RotateKeyBody(next.PublicKey, HashOf(afterNext)), next),
            ("profile", StatementWriter.ProfileBody("Ada again"), next));

        var genesisEnvelope = genesis.Statements[0];
        yield return VectorFile.OfBytes("genesis-good", "ok", "genesis", "a genesis and the id that follows from it",
            new SignedEnvelope(genesisEnvelope.Bytes, genesisEnvelope.Signature).Encode(),
            ("agent", genesis.Id.ToString()));
        yield return Good("keys", "each type of statement; the keys at its end are other ones than at its start", keys);
        yield return Good(
            "recovery", "the key that the genesis committed to adds itself, and signs alone from then on", recovered);

        var valid = Envelopes(keys);
        yield return Bad("empty", "chain", "no statement", [], 0);
        yield return Bad("gap", "chain", "a statement is missing", [.. valid[..2], .. valid[3..]], 2);
        yield return Bad("starts-late", "chain", "the genesis is missing", valid[1..], 0);
        yield return Bad("twice", "chain", "a statement twice", [.. valid[..2], valid[1]], 2);
        yield return Bad(
            "foreign-signature", "signature", "a statement signed by somebody else",
            [.. valid[..1], Resigned(valid[1], thief)], 1);
        yield return Bad(
            "forged-genesis", "signature", "a genesis that is not signed by the key it names",
            [Resigned(valid[0], thief)], 0);
        yield return Bad(
            "removed-key", "signature", "a statement by a key that was removed before",
            [.. valid[..6], Resigned(valid[6], first)], 6);
        yield return Bad(
            "next-key-says-more", "signature", "the committed key signs something else than its own addkey",
            [.. valid[..1], Resigned(valid[1], next)], 1);
        yield return Bad("key-adds-itself", "signature", "a key that nothing committed to adds itself",
            With(genesis, "addkey", StatementWriter.AddSigningKeyBody(thief.PublicKey), thief), 1);
        yield return Bad(
            "other-agent", "chain", "a statement of another agent", [.. valid[..1], Raw(genesis, agent: Alice.Id)], 1);
        yield return Bad(
            "wrong-prev", "chain", "prev is another statement's hash",
            [.. valid[..1], Raw(genesis, prev: Sample.Hash(1))], 1);
        yield return Bad("time-back", "chain", "time goes back", [.. valid[..1], Raw(genesis, seconds: -1)], 1);
        yield return Bad(
            "future", "clock", "301 s ahead of the reader's clock", [.. valid[..1], Raw(genesis, seconds: 301)], 1);
        yield return Bad(
            "unknown-type", "chain", "a type that is not known", With(genesis, "dance", "de"u8.ToArray(), first), 1);
        yield return Bad(
            "unknown-field", "chain", "a field that the type does not have",
            With(genesis, "profile", "d4:name1:a3:new1:xe"u8.ToArray(), first), 1);
        yield return Bad("two-keys", "chain", "an addkey with two keys",
            With(genesis, "addkey", Two(Sample.Hash(40), second.PublicKey.Bytes), first), 1);
        yield return Bad(
            "last-key", "chain", "the last signing key is removed",
            With(genesis, "removekey", StatementWriter.RemoveKeyBody(first.PublicKey.Bytes), first), 1);
        yield return Bad(
            "last-seal-key", "chain", "the last seal key is removed",
            With(genesis, "removekey", StatementWriter.RemoveKeyBody(Sample.Hash(36)), first), 1);
        yield return Bad("key-comes-back", "chain", "a removed key is added again",
            With(keys, "addkey", StatementWriter.AddSigningKeyBody(first.PublicKey), second), 7);
        yield return Bad("no-new-commitment", "chain", "the committed key is added without a new commitment",
            With(genesis, "addkey", StatementWriter.AddSigningKeyBody(next.PublicKey), first), 1);
        yield return Bad(
            "http-endpoint", "chain", "an endpoint that is not https",
            With(genesis, "endpoint", "d4:urlsld3:url16:http://a.exampleeee"u8.ToArray(), first), 1);
        yield return Bad("large", "chain", "a statement over 16 KiB", With(genesis, "vouch",
            BencodeWriter.Encode(w => w.StartDictionary().Key("x").Bytes(new byte[16 << 10]).End()), first), 1);
        yield return VectorFile.OfBytes(
            "sigchain-no-signature", "envelope", "sigchain", "an envelope without signature",
            "ld4:body1:aee"u8.ToArray(),
            ("now", VectorGenerator.Seconds(Now)), ("agent", genesis.Id.ToString()), ("valid", "0"));

        yield return Bad(
            "rotation-by-the-old-key", "signature", "the committed key is added without having signed it itself",
            With(genesis, "addkey", StatementWriter.RotateKeyBody(next.PublicKey, HashOf(afterNext)), first), 1);
        yield return Bad(
            "old-key-after-rotation", "signature", "a key from before the rotation signs after it",
            With(recovered, "profile", StatementWriter.ProfileBody("Eve"), first), 4);
        foreach (var vector in Merges(genesis, keys, recovered)) yield return vector;
        foreach (var vector in TrustVectors.Bodies(genesis, first)) yield return vector;

        foreach (var proof in Frauds(genesis, keys, valid)) yield return proof;
    }

    private static IEnumerable<VectorFile> Merges(Sigchain genesis, Sigchain keys, Sigchain recovered)
    {
        var ada = Envelopes(keys)[..2];
        var eve = With(genesis, "profile", StatementWriter.ProfileBody("Eve"), first);
        var rotated = With(genesis, "addkey", StatementWriter.RotateKeyBody(next.PublicKey, HashOf(afterNext)), next);
        yield return Merge("known", "what is there already", Envelopes(keys), ada, keys.Head.Hash);
        yield return Merge("extended", "what follows", ada, Envelopes(keys)[2..], keys.Head.Hash);
        yield return Merge("fraud", "another history, and no rotation in either", Envelopes(keys), eve[1..],
            keys.Head.Hash);
        yield return Merge("settled", "another history, with the rotation", eve, Envelopes(recovered)[1..],
            recovered.Head.Hash);
        yield return Merge("superseded", "another history, without the rotation", Envelopes(recovered), eve[1..],
            recovered.Head.Hash);
        yield return Merge("fraud", "another rotation to the same key", Envelopes(recovered), rotated[1..],
            recovered.Head.Hash, "-twice-rotated");

        static VectorFile Merge(string outcome, string comment, SignedEnvelope[] held, SignedEnvelope[] offered,
            Hash256 head, string more = "") => VectorFile.OfBytes(
            "merge-" + outcome + more, "ok", "merge", comment, SignedEnvelope.EncodeList(offered),
            ("chain", Convert.ToHexStringLower(SignedEnvelope.EncodeList(held))),
            ("now", VectorGenerator.Seconds(Now)), ("outcome", outcome), ("head", head.ToString()));
    }

    private static IEnumerable<VectorFile> Frauds(Sigchain genesis, Sigchain keys, SignedEnvelope[] valid)
    {
        var fork = With(genesis, "profile", StatementWriter.ProfileBody("Eve"), first)[1];
        yield return Fraud("good", "ok", "two profiles with one number", valid[1], fork);
        yield return Fraud(
            "forged", "signature", "one of the two is signed by somebody else", valid[1], Resigned(fork, thief));
        yield return Fraud("same", "fields", "the same statement twice", valid[1], valid[1]);
        yield return Fraud("other-numbers", "fields", "two numbers", valid[1], valid[2]);
        yield return Fraud("other-agents", "fields", "two agents", valid[1], Raw(genesis, agent: Alice.Id));
        yield return Fraud(
            "genesis", "fields", "a genesis contradicts nothing: another one is another agent", valid[0], fork);

        VectorFile Fraud(string name, string expect, string comment, SignedEnvelope a, SignedEnvelope b) =>
            VectorFile.OfBytes(
            "fraud-proof-" + name, expect, "fraud-proof", comment,
            new FraudProof(a.Body, a.Signature, b.Body, b.Signature).Encode(),
            ("chain", Convert.ToHexStringLower(SignedEnvelope.EncodeList(Envelopes(keys)))));
    }

    private static SigningKey Key(int seed) => SigningKey.FromSeed(Sample.Array(seed, 32));

    private static Hash256 HashOf(SigningKey key) => new(SHA256.HashData(key.PublicKey.Bytes.ToArray()));

    private static Sigchain Chain(params (string Type, byte[] Body, SigningKey By)[] statements)
    {
        var body = StatementWriter.Genesis(first.PublicKey, Sample.Hash(36), HashOf(next), Now);
        var chain = Sigchain.Check([(body, Sign(first, body))], Now);
        foreach (var (type, content, by) in statements)
        {
            var statement = StatementWriter.Next(chain, type, content, Now);
            chain = chain.Append(statement, Sign(by, statement), Now);
        }
        return chain;
    }

    private static SignedEnvelope[] Envelopes(Sigchain chain) =>
        [.. chain.Statements.Select(s => new SignedEnvelope(s.Bytes, s.Signature))];

    private static SignedEnvelope[] With(Sigchain chain, string type, byte[] body, SigningKey by) =>
        [.. Envelopes(chain),
            SignedEnvelope.Sign(by, Statement.SignatureType, StatementWriter.Next(chain, type, body, Now))];

    private static SignedEnvelope Raw(
        Sigchain genesis, AgentId? agent = null, Hash256? prev = null, long seconds = 0) =>
        SignedEnvelope.Sign(first, Statement.SignatureType, BencodeWriter.Encode(writer => writer.StartDictionary()
            .Key("agent").Hash((agent ?? genesis.Id).Hash).Key("body").Raw(StatementWriter.ProfileBody("Ada"))
            .Key("prev").Hash(prev ?? genesis.Head.Hash).Key("seq").Integer(1).Key("time")
                .Integer(Now.ToUnixTimeSeconds() + seconds)
            .Key("type").Text("profile").End()));

    private static byte[] Two(Hash256 seal, Hash256 sign) =>
        BencodeWriter.Encode(writer => writer.StartDictionary().Key("seal").Hash(seal).Key("sign").Hash(sign).End());

    private static SignedEnvelope Resigned(SignedEnvelope envelope, SigningKey by) =>
        SignedEnvelope.Sign(by, Statement.SignatureType, envelope.Body);

    private static byte[] Sign(SigningKey key, byte[] body) => DomainSignature.Sign(key, Statement.SignatureType, body);

    private static VectorFile Good(string name, string comment, Sigchain chain) =>
        Vector(name, "ok", comment, Envelopes(chain), chain.Statements.Count);

    private static VectorFile Bad(string name, string expect, string comment, SignedEnvelope[] envelopes, int valid) =>
        Vector(name, expect, comment, envelopes, valid);

    private static VectorFile Vector(
        string name, string expect, string comment, SignedEnvelope[] envelopes, int valid) => VectorFile.OfBytes(
        "sigchain-" + name, expect, "sigchain", comment, SignedEnvelope.EncodeList(envelopes),
        ("now", VectorGenerator.Seconds(Now)), ("agent", Chain().Id.ToString()), ("valid", valid.ToString()));
}
