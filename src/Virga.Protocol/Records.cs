using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Keys;

namespace Virga.Protocol;

/// <summary>Where a peer is reached, and the SHA-256 of its DER certificate where it is self-signed (spec/v1/sigchain.md).</summary>
public sealed record Endpoint(Uri Url, Hash256? Certificate);

/// <summary>The bytes on the wire of every signed record: <c>{ body, sig }</c> (spec/v1/encodings.md).</summary>
public sealed record SignedEnvelope(byte[] Body, byte[] Signature)
{
    public static SignedEnvelope Sign(SigningKey key, string type, byte[] body) => throw new NotImplementedException();

    /// <summary>Parses only; the signature is checked by <see cref="Verify"/>.</summary>
    public static SignedEnvelope Parse(ReadOnlySpan<byte> data, int maxBytes = 1 << 20) => throw new NotImplementedException();

    public bool Verify(VerifyKey key, string type) => throw new NotImplementedException();

    public byte[] Encode() => throw new NotImplementedException();
}

/// <summary>spec/v1/announces.md. The hashes travel beside the record, bound to it by their digest.</summary>
public sealed record Announce(
    AgentId Agent, int Count, Hash256 Digest, IReadOnlyList<Endpoint> Endpoints, DateTimeOffset Expires, DateTimeOffset Time)
{
    public static Hash256 DigestOf(IReadOnlyList<Hash256> sortedInfoHashes) => throw new NotImplementedException();

    public byte[] Encode() => throw new NotImplementedException();

    public static Announce Parse(ReadOnlySpan<byte> body) => throw new NotImplementedException();
}

public sealed record Withdraw(AgentId Agent, IReadOnlyList<Hash256> InfoHashes, DateTimeOffset Time)
{
    public byte[] Encode() => throw new NotImplementedException();

    public static Withdraw Parse(ReadOnlySpan<byte> body) => throw new NotImplementedException();
}

public sealed record Feed(AgentId Agent, string Name, Hash256 Share, DateTimeOffset Time, long Version)
{
    public byte[] Encode() => throw new NotImplementedException();

    public static Feed Parse(ReadOnlySpan<byte> body) => throw new NotImplementedException();
}

/// <summary>spec/v1/grants.md.</summary>
public sealed record Grant(
    AgentId Agent, AudienceKind Audience, IReadOnlyList<Hash256> Chain, DateTimeOffset Expires, AgentId Issuer, byte[] Nonce, Hash256 Share)
{
    public byte[] Encode() => throw new NotImplementedException();

    public static Grant Parse(ReadOnlySpan<byte> body) => throw new NotImplementedException();
}

/// <summary>The bencoded error body of spec/v1/messages.md, to and from exceptions.</summary>
public static class ErrorMessage
{
    public static byte[] Encode(VirgaException failure, string code, DateTimeOffset now) => throw new NotImplementedException();

    /// <summary>The HTTP status and the code for a failure.</summary>
    public static (int Status, string Code) StatusOf(VirgaException failure) => throw new NotImplementedException();

    /// <summary>From an answer's status, body and Retry-After; a body that isn't ours still gives a fitting exception.</summary>
    public static VirgaException ToException(int status, ReadOnlySpan<byte> body, TimeSpan? retryAfter, string peer) =>
        throw new NotImplementedException();
}
