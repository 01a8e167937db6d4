using Virga.Core;
using Virga.Core.Keys;

namespace Virga.Protocol;

/// <summary>
/// RFC 9421 HTTP message signatures with RFC 9530 Content-Digest, in the one profile of spec/v1/messages.md.
/// Pure: the caller gives the parts of the message and the time.
/// </summary>
public static class RequestSignature
{
    /// <summary>The headers (Content-Digest, Signature-Input, Signature, Virga-To) of a signed request.</summary>
    /// <param name="path">As on the request line, encoded; without the query.</param>
    /// <param name="query">With its '?', or empty.</param>
    public static IReadOnlyList<(string Name, string Value)> Sign(
        PeerIdentity self, AgentId receiver, string method, string path, string query, ReadOnlySpan<byte> body,
        DateTimeOffset created, ReadOnlySpan<byte> nonce) => throw new NotImplementedException();

    /// <summary>
    /// Reads the headers and checks everything but the signature itself and the replay: profile, digest, receiver, times.
    /// Throws with the kind and code that messages.md names.
    /// </summary>
    public static PendingSignature Read(
        AgentId receiver, string method, string path, string query, Func<string, string?> header, ReadOnlySpan<byte> body, DateTimeOffset now) =>
        throw new NotImplementedException();
}

/// <summary>A well-formed signature that is still to be checked with the asker's key.</summary>
public sealed record PendingSignature(AgentId Asker, DateTimeOffset Created, DateTimeOffset Expires, byte[] Nonce, byte[] Base, byte[] Signature)
{
    public bool Verify(VerifyKey key) => key.Verify(Base, Signature);
}

/// <summary>Remembers nonces until they expire, in bounded memory. Thread-safe.</summary>
public sealed class ReplayCache(TimeProvider time, int capacity = 100_000)
{
    private readonly TimeProvider time = time;
    private readonly int capacity = capacity;

    /// <summary>False when this asker used the nonce before; Throttled when the cache is full of unexpired ones.</summary>
    public bool TryAdd(AgentId asker, ReadOnlySpan<byte> nonce, DateTimeOffset expires) =>
        throw new NotImplementedException($"{time} {capacity}");
}
