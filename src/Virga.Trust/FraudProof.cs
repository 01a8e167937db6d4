using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Keys;

namespace Virga.Trust;

/// <summary>
/// Two different statements of one agent with one seq, both rightly signed, or two rotations to one key
/// (spec/v1/sigchain.md). Whoever holds one refuses that agent until a rotation settles it. Portable: <c>{ a: envelope,
/// b: envelope }</c>.
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
    /// The agent that both statements speak for; BadInput when they are neither two statements of one agent and number,
    /// nor two rotations of one agent to one key.
    /// </summary>
    public AgentId Agent => Read().Agent;

    /// <summary>
    /// Checks both signatures against a chain of the agent that reaches at least to just before the contested number.
    /// Throws BadInput when the statements don't contradict each other or a rotation has settled which one stands,
    /// Unauthenticated when one is not the agent's.
    /// </summary>
    public void Verify(Sigchain chain)
    {
        var (agent, a, b) = Read();
        if (agent != chain.Id) throw Statement.Bad("fraud proof: it is about another agent than the chain");
        if (IsRotationTwice(a, b))
        {
            var key = ChainState.RotationKey(a)!.Value;
            if (!chain.HasCommittedTo(key))
                throw Statement.Bad("fraud proof: the chain at hand does not commit to the key of the two rotations");
            if (!IsSignedBy(key, a) || !IsSignedBy(key, b)) throw Forged();
            return;
        }
        if (a.Seq > chain.Statements.Count)
            throw Statement.Bad($"fraud proof: the chain at hand ends before number {a.Seq}");
        var before = chain.StateBefore(a.Seq);
        if (!before.HasSigned(a) || !before.HasSigned(b)) throw Forged();
        if (before.IsRotation(a) || before.IsRotation(b))
            throw Statement.Bad("fraud proof: one statement is the rotation that supersedes the other");
        if (chain.FirstRotation(a.Seq) is { } rotation)
            throw Statement.Bad($"fraud proof: the rotation at number {rotation} has settled which statement stands");
    }

    /// <summary>Whether the chain holds a rotation that settles this proof, so that it no longer counts.</summary>
    public bool IsSettledBy(Sigchain chain)
    {
        var (agent, a, b) = Read();
        return agent == chain.Id && !IsRotationTwice(a, b) && chain.FirstRotation(a.Seq) is not null;
    }

    private (AgentId Agent, Statement A, Statement B) Read()
    {
        var (a, b) = (Statement.Parse(BodyA, SignatureA), Statement.Parse(BodyB, SignatureB));
        if (a.Agent is not { } agent || b.Agent != agent)
            throw Statement.Bad("fraud proof: the statements are not of one agent");
        if (a.Hash == b.Hash) throw Statement.Bad("fraud proof: both statements are the same");
        if (a.Seq != b.Seq && !IsRotationTwice(a, b))
            throw Statement.Bad("fraud proof: the statements differ in their number");
        return (agent, a, b);
    }

    private static bool IsRotationTwice(Statement a, Statement b) =>
        ChainState.RotationKey(a) is { } key && ChainState.RotationKey(b) == key;

    private static bool IsSignedBy(Hash256 key, Statement statement) =>
        SignatureCheck.IsStatementBy(new VerifyKey(key), statement);

    private static VirgaException Forged() =>
        new(FailureKind.Unauthenticated, "fraud proof: one of its statements is not signed by the agent",
            "Don't trust where it came from: it accuses without proof.");

    private static void WriteEnvelope(BencodeWriter writer, byte[] body, byte[] signature) =>
        writer.StartDictionary().Key("body").Bytes(body).Key("sig").Bytes(signature).End();

    private static (byte[] Body, byte[] Signature) ReadEnvelope(BencodeDictionary fields)
    {
        fields.AllowOnly("body", "sig");
        return (fields.Bytes("body", 1, Statement.MaxBytes),
            fields.Bytes("sig", SigningKey.SignatureBytes, SigningKey.SignatureBytes));
    }
}
