using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Testing;
using Virga.Testing.Vectors;
using Virga.Trust.Following;
using Virga.Trust.Log;

namespace Virga.Trust.Tests.Log;

/// <summary>Makes the vectors of evidence (spec/v1/trust.md), from fixed seeds.</summary>
internal static class EvidenceVectors
{
    public const string Type = "evidence";

    public static IEnumerable<VectorFile> All() => [.. Frauds(), .. Breaches(), .. Forms()];

    private static IEnumerable<VectorFile> Frauds()
    {
        var liar = new TestChain(45).Add(StatementType.Profile, StatementWriter.ProfileBody("Liar"));
        var fraud = Two(liar);
        yield return Good("fraud", "two statements with one number", Evidence.Of(fraud, liar.Chain).Bytes, liar);

        // The same keys and commitment, in two histories that each hold the rotation.
        var (one, two) = (new TestChain(45), new TestChain(45));
        two.Add(StatementType.Profile, StatementWriter.ProfileBody("Liar"));
        var body = StatementWriter.RotateKeyBody(one.NextKey.PublicKey, Sample.Hash(5));
        one.Add(StatementType.AddKey, body, one.NextKey);
        two.Add(StatementType.AddKey, body, two.NextKey);
        var (a, b) = (one.Envelopes[^1], two.Envelopes[^1]);
        yield return Good("rotations", "two rotations to one key, with all of a chain", Evidence.Of(
            new FraudProof(a.Body, a.Signature, b.Body, b.Signature), one.Chain).Bytes, liar);

        var other = fraud with { SignatureB = fraud.SignatureA };
        yield return Of("forged", "signature", "one signature is not the agent's",
            Evidence.Of(other, liar.Chain).Bytes, liar);
        yield return Of("short-chain", "proof", "a chain that does not reach to the contested number",
            Bytes(liar.Envelopes.Take(1), fraud), liar);
        yield return Of("other-chain", "proof", "another agent's chain",
            Bytes(new TestChain(46).Envelopes, fraud), liar);
        yield return Of("no-chain", "proof", "no chain", Bytes([], fraud), liar);
        yield return Of("settled", "proof", "a chain with a rotation, which has settled it",
            Bytes(liar.Add(StatementType.AddKey, body, liar.NextKey).Envelopes, fraud), liar);
    }

    private static IEnumerable<VectorFile> Breaches()
    {
        var repository = new TestChain(41);
        var log = new NaiveLog(repository).Add(20);
        var (first, second) = (SignedNote.Parse(log.Checkpoint()), SignedNote.Parse(log.Checkpoint(9, seconds: 1)));
        var breach = new LogBreach(LogBreachKind.Rewind, first, second, [], repository.Envelopes);
        yield return Good("breach", "a repository's log that went back", Evidence.Of(breach).Bytes, repository);
        yield return Of("no-breach", "proof", "a log that has grown",
            Evidence.Of(breach with { First = second, Second = first }).Bytes, repository);
    }

    private static IEnumerable<VectorFile> Forms()
    {
        var liar = new TestChain(45);
        var fraud = Two(liar);
        yield return Of("empty", "fields", "nothing that is proven", "de"u8.ToArray(), liar);
        yield return Of("of-two-kinds", "fields", "a fraud and a breach in one", BencodeWriter.Encode(writer =>
            writer.StartDictionary().Key("breach").Bytes([.. "x"u8]).Key("fraud").Raw(fraud.Encode()).End()), liar);
        yield return Of("breach-with-chain", "fields", "a breach with a chain beside its own", BencodeWriter.Encode(
            writer => writer.StartDictionary().Key("breach").Bytes([.. "x"u8]).Key("chain").StartList().End().End()),
            liar);
        yield return Of("breach-of-another-form", "fields", "a breach that is no text of one", BencodeWriter.Encode(
            writer => writer.StartDictionary().Key("breach").Bytes([.. "x"u8]).End()), liar);
        yield return Of("unknown-field", "fields", "a field that is not known", BencodeWriter.Encode(writer =>
            writer.StartDictionary().Key("a").Integer(1).Key("chain").StartList().End().Key("fraud")
                .Raw(fraud.Encode()).End()), liar);
    }

    public static string Judge(VectorFile vector)
    {
        Evidence proof;
        try
        {
            proof = Evidence.Parse(vector.Data);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.BadInput)
        {
            return "fields";
        }
        try
        {
            var now = DateTimeOffset.FromUnixTimeSeconds(long.Parse(vector["now"]));
            Assert.Equal(vector["agent"], proof.Check(now).ToString());
        }
        catch (VirgaException e) when (e.Kind == FailureKind.BadInput)
        {
            return "proof";
        }
        Assert.Equal(vector.Data, proof.Bytes);
        return "ok";
    }

    private static FraudProof Two(TestChain chain)
    {
        var (a, b) = (chain.Make(StatementType.Profile, StatementWriter.ProfileBody("One")),
            chain.Make(StatementType.Profile, StatementWriter.ProfileBody("Two")));
        return new FraudProof(a.Body, a.Signature, b.Body, b.Signature);
    }

    private static byte[] Bytes(IEnumerable<(byte[] Body, byte[] Signature)> chain, FraudProof fraud) =>
        BencodeWriter.Encode(writer =>
        {
            writer.StartDictionary().Key("chain").StartList();
            foreach (var (body, signature) in chain)
                writer.StartDictionary().Key("body").Bytes(body).Key("sig").Bytes(signature).End();
            writer.End().Key("fraud").Raw(fraud.Encode()).End();
        });

    private static VectorFile Good(string name, string comment, byte[] data, TestChain accused) =>
        Of(name, "ok", comment, data, accused);

    private static VectorFile Of(string name, string expect, string comment, byte[] data, TestChain accused) =>
        VectorFile.OfBytes(
            "evidence-" + name, expect, Type, comment, data, ("now", $"{TestChain.Now.ToUnixTimeSeconds()}"),
            ("agent", accused.Chain.Id.ToString()));
}
