using System.Security.Cryptography;
using System.Text;
using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Keys;
using Virga.Trust.Log;

namespace Virga.Trust.Following;

/// <summary>
/// A proof against somebody that carries all that is needed to check it (spec/v1/trust.md): <c>{ chain: [envelope...],
/// fraud: { a: envelope, b: envelope } }</c> against an agent that told two histories, or <c>{ breach: text }</c>
/// against a repository that broke its log.
/// </summary>
public sealed class Evidence
{
    public const int BytesMax = LogBreach.BytesMax + 64;

    private Evidence(byte[] bytes, FraudProof? fraud, IReadOnlyList<(byte[] Body, byte[] Signature)> chain,
        LogBreach? breach)
    {
        Bytes = bytes;
        Fraud = fraud;
        Chain = chain;
        Breach = breach;
        Id = new Hash256(SHA256.HashData(bytes));
    }

    /// <summary>As it is stored and sent.</summary>
    public byte[] Bytes { get; }

    /// <summary>SHA-256 of the bytes.</summary>
    public Hash256 Id { get; }

    /// <summary>Set, or <see cref="Breach"/> is.</summary>
    public FraudProof? Fraud { get; }

    public LogBreach? Breach { get; }

    /// <summary>Of who told two histories, up to there; empty where it is a breach.</summary>
    public IReadOnlyList<(byte[] Body, byte[] Signature)> Chain { get; }

    /// <param name="chain">Reaches at least to just before the contested number.</param>
    public static Evidence Of(FraudProof fraud, Sigchain chain)
    {
        // Two rotations to one key may lie anywhere: all of the chain is needed to know whose key it is.
        var (a, b) = (Statement.Parse(fraud.BodyA, fraud.SignatureA), Statement.Parse(fraud.BodyB, fraud.SignatureB));
        var needed = a.Seq == b.Seq ? (int)Math.Min(a.Seq, chain.Statements.Count) : chain.Statements.Count;
        var before = chain.Statements.Take(Math.Max(needed, 1)).Select(s => (s.Bytes, s.Signature)).ToList();
        var bytes = BencodeWriter.Encode(writer =>
        {
            writer.StartDictionary().Key("chain").StartList();
            foreach (var (body, signature) in before)
                writer.StartDictionary().Key("body").Bytes(body).Key("sig").Bytes(signature).End();
            writer.End().Key("fraud").Raw(fraud.Encode()).End();
        });
        return new Evidence(bytes, fraud, before, null);
    }

    public static Evidence Of(LogBreach breach)
    {
        var bytes = BencodeWriter.Encode(writer =>
            writer.StartDictionary().Key("breach").Bytes(Encoding.UTF8.GetBytes(breach.ToText())).End());
        return new Evidence(bytes, null, [], breach);
    }

    /// <exception cref="VirgaException">BadInput.</exception>
    public static Evidence Parse(byte[] bytes)
    {
        var limits = new BencodeLimits(BytesMax, 4, 5 * (Sigchain.MaxStatements + 4));
        var fields = BencodeValue.ParseDictionary(bytes, limits, "evidence");
        fields.AllowOnly("breach", "chain", "fraud");
        if (fields.OptionalBytes("breach", 1, LogBreach.BytesMax) is { } text)
        {
            if (fields.Contains("fraud") || fields.Contains("chain"))
                throw Statement.Bad("evidence: it is of two kinds");
            return new Evidence(bytes, null, [], LogBreach.Parse(Encoding.UTF8.GetString(text)));
        }
        var chain = fields.List("chain", Sigchain.MaxStatements).Select(item =>
        {
            var envelope = item.AsDictionary();
            envelope.AllowOnly("body", "sig");
            return (envelope.Bytes("body", 1, Statement.MaxBytes),
                envelope.Bytes("sig", SigningKey.SignatureBytes, SigningKey.SignatureBytes));
        }).ToList();
        return new Evidence(bytes, FraudProof.Parse(fields.Dictionary("fraud").Encode()), chain, null);
    }

    /// <summary>Checks all of it; returns whom it proves a fraud or a liar.</summary>
    /// <param name="now">For the chain, whose statements are not from the future.</param>
    /// <exception cref="VirgaException">BadInput or Unauthenticated: it proves nothing, and why.</exception>
    public AgentId Check(DateTimeOffset now)
    {
        if (Breach is not null) return Breach.Verify(now);
        var chain = Sigchain.Check(Chain, now);
        Fraud!.Verify(chain);
        return chain.Id;
    }
}
