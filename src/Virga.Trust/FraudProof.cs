using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Keys;

namespace Virga.Trust;

/// <summary>
/// Two different statements of one agent with one seq, both rightly signed (spec/v1/sigchain.md). Whoever holds one
/// refuses that agent. Portable: <c>{ a: envelope, b: envelope }</c>.
/// </summary>
public sealed record FraudProof(byte[] BodyA, byte[] SignatureA, byte[] BodyB, byte[] SignatureB)
{
    public byte[] Encode() => BencodeWriter.Encode(writer =>
    {
        writer.StartDictionary().Key("a");
        WriteEnvelope(writer, BodyA, SignatureA);
        writer.Key("b");
        WriteEnvelope(writer, BodyB, SignatureB);
        writer.End();
    });

    public static FraudProof Parse(ReadOnlySpan<byte> data)
    {
        var fields =
            BencodeValue.ParseDictionary(data, new BencodeLimits(3 * Statement.MaxBytes, 2, 16), "fraud proof");
        fields.AllowOnly("a", "b");
        var (bodyA, signatureA) = ReadEnvelope(fields.Dictionary("a"));
        var (bodyB, signatureB) = ReadEnvelope(fields.Dictionary("b"));
        return new FraudProof(bodyA, signatureA, bodyB, signatureB);
    }

    /// <summary>
    /// The agent that both statements speak for; BadInput when they are not two statements of one agent and seq.
    /// </summary>
    public AgentId Agent
    {
        get
        {
            var (a, b) = (Statement.Parse(BodyA, SignatureA), Statement.Parse(BodyB, SignatureB));
            if (a.Agent is not { } agent || b.Agent != agent)
                throw Statement.Bad("fraud proof: the statements are not of one agent");
            if (a.Seq != b.Seq) throw Statement.Bad("fraud proof: the statements differ in their number");
            if (a.Hash == b.Hash) throw Statement.Bad("fraud proof: both statements are the same");
            return agent;
        }
    }

    /// <summary>
    /// Checks both signatures against a chain of the agent that reaches at least to just before the contested number.
    /// Throws BadInput when the statements don't contradict each other, Unauthenticated when one is not the agent's.
    /// </summary>
    public void Verify(Sigchain chain)
    {
        if (Agent != chain.Id) throw Statement.Bad("fraud proof: it is about another agent than the chain");
        var (a, b) = (Statement.Parse(BodyA, SignatureA), Statement.Parse(BodyB, SignatureB));
        if (a.Seq > chain.Statements.Count)
            throw Statement.Bad($"fraud proof: the chain at hand ends before number {a.Seq}");
        if (chain.CouldSign(a) && chain.CouldSign(b)) return;
        throw new VirgaException(
            FailureKind.Unauthenticated, "fraud proof: one of its statements is not signed by the agent",
            "Don't trust where it came from: it accuses without proof.");
    }

    private static void WriteEnvelope(BencodeWriter writer, byte[] body, byte[] signature) =>
        writer.StartDictionary().Key("body").Bytes(body).Key("sig").Bytes(signature).End();

    private static (byte[] Body, byte[] Signature) ReadEnvelope(BencodeDictionary fields)
    {
        fields.AllowOnly("body", "sig");
        return (fields.Bytes("body", 1, Statement.MaxBytes),
            fields.Bytes("sig", SigningKey.SignatureBytes, SigningKey.SignatureBytes));
    }
}
