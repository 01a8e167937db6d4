using System.Security.Cryptography;
using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Keys;

namespace Virga.Trust.Log;

/// <summary>
/// What stands in a repository's log (spec/v1/log.md): a statement's signed envelope, or a fraud proof.
/// </summary>
/// <param name="Agent">Whom it is about.</param>
/// <param name="Envelopes">The statement; of a fraud proof both.</param>
public sealed record LogEntry(AgentId Agent, IReadOnlyList<(byte[] Body, byte[] Signature)> Envelopes)
{
    /// <summary>The length of an entry stands in two bytes.</summary>
    public const int BytesMax = ushort.MaxValue;

    private static readonly BencodeLimits limits = new(BytesMax, 2, 16);

    /// <summary>True for a proof of two statements with one number.</summary>
    public bool IsFraud => Envelopes.Count == 2;

    /// <summary>The entry of a statement: its envelope <c>{ body, sig }</c>.</summary>
    public static byte[] Of(byte[] body, byte[] signature) => BencodeWriter.Encode(writer =>
        writer.StartDictionary().Key("body").Bytes(body).Key("sig").Bytes(signature).End());

    /// <summary>Reads the form only; no signature is checked.</summary>
    /// <exception cref="VirgaException">BadInput: it is neither a statement nor a fraud proof.</exception>
    public static LogEntry Parse(ReadOnlySpan<byte> entry)
    {
        var fields = BencodeValue.ParseDictionary(entry, limits, "log entry");
        if (fields.Contains("a"))
        {
            var proof = FraudProof.Parse(entry);
            return new LogEntry(proof.Agent, [(proof.BodyA, proof.SignatureA), (proof.BodyB, proof.SignatureB)]);
        }

        fields.AllowOnly("body", "sig");
        var body = fields.Bytes("body", 1, Statement.MaxBytes);
        var signature = fields.Bytes("sig", SigningKey.SignatureBytes, SigningKey.SignatureBytes);
        var statement = Statement.Parse(body, signature);
        return new LogEntry(
            statement.Agent ?? new AgentId(new Hash256(SHA256.HashData(body))), [(body, signature)]);
    }
}
