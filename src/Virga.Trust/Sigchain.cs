using Virga.Core;
using Virga.Core.Keys;

namespace Virga.Trust;

/// <summary>One statement of a sigchain, decoded (spec/v1/sigchain.md).</summary>
/// <param name="Body">The bencoded body.</param>
/// <param name="Hash">SHA-256 of the statement's bytes: the AgentId for a genesis, else what the next one's prev must be.</param>
public sealed record Statement(AgentId? Agent, long Seq, Hash256? Previous, DateTimeOffset Time, string Type, byte[] Body, Hash256 Hash);

/// <summary>
/// A checked sigchain: immutable; appending gives a new one or refuses with the reason. What it says at its head: the keys that
/// sign, the key to seal to, endpoints, profile.
/// </summary>
public sealed class Sigchain
{
    public AgentId Id => throw new NotImplementedException();

    public IReadOnlyList<Statement> Statements => throw new NotImplementedException();

    /// <summary>The newest signing key, which new statements and requests use.</summary>
    public VerifyKey SigningKey => throw new NotImplementedException();

    public IReadOnlyList<VerifyKey> ValidSigningKeys => throw new NotImplementedException();

    /// <summary>X25519 public key to seal to.</summary>
    public Hash256 SealKey => throw new NotImplementedException();

    public IReadOnlyList<Hash256> ValidSealKeys => throw new NotImplementedException();

    public string? ProfileName => throw new NotImplementedException();

    /// <summary>Checks a chain from its genesis. Each item is the envelope's signed body and its signature.</summary>
    public static Sigchain Check(IEnumerable<(byte[] Body, byte[] Signature)> envelopes, DateTimeOffset now) =>
        throw new NotImplementedException();

    public Sigchain Append(byte[] body, byte[] signature, DateTimeOffset now) => throw new NotImplementedException();
}

/// <summary>Makes statements; the caller signs the returned bytes with <see cref="DomainSignature"/> type "statement".</summary>
public static class StatementWriter
{
    public static byte[] Genesis(VerifyKey sign, Hash256 seal, Hash256 nextKeyHash, DateTimeOffset time) => throw new NotImplementedException();

    /// <param name="body">A bencoded dictionary.</param>
    public static byte[] Next(Sigchain chain, string type, ReadOnlySpan<byte> body, DateTimeOffset time) => throw new NotImplementedException();
}
