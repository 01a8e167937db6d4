using Virga.Core;

namespace Virga.Protocol;

/// <summary>What <c>GET /v1/peer</c> tells.</summary>
public sealed record PeerInfo(AgentId Agent, string Kind, DateTimeOffset Now);

/// <summary>
/// One HttpClient for all peers: HTTP/1.1 and HTTP/2 over TLS 1.3, certificates pinned by hash where the endpoint names one,
/// no proxy, no redirects, no cookies, bounded headers and bodies, pooled connections. Dispose ends all connections.
/// </summary>
public sealed class PeerHttp : IDisposable
{
    public PeerHttp(TimeProvider time, RandomBytes random) => throw new NotImplementedException();

    public void Dispose() => throw new NotImplementedException();
}

/// <summary>Typed client of spec/v1 "Both peers" and "Agent". Failures are VirgaExceptions with the peer's message and advice.</summary>
public sealed class AgentClient
{
    /// <param name="ownChain">Our sigchain's envelopes, posted when the peer answers <c>unknown-agent</c>.</param>
    public AgentClient(PeerHttp http, Endpoint endpoint, PeerIdentity self, Func<IReadOnlyList<SignedEnvelope>> ownChain) =>
        throw new NotImplementedException();

    public Endpoint Endpoint => throw new NotImplementedException();

    public Task<PeerInfo> GetPeerAsync(CancellationToken cancellationToken) => throw new NotImplementedException();

    public Task<IReadOnlyList<SignedEnvelope>> GetChainAsync(AgentId agent, long from, CancellationToken cancellationToken) =>
        throw new NotImplementedException();

    public Task<long> PostChainAsync(AgentId agent, IReadOnlyList<SignedEnvelope> statements, CancellationToken cancellationToken) =>
        throw new NotImplementedException();

    /// <summary>Asks for a grant; returns the signed grant's bytes (the bearer secret) and the grant in it.</summary>
    public Task<(string Bearer, Grant Grant)> GetGrantAsync(Hash256 infoHash, LinkSecret? secret, CancellationToken cancellationToken) =>
        throw new NotImplementedException();

    public Task<byte[]> GetInfoAsync(Hash256 infoHash, string bearer, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>The bencoded dictionary of piece layers, not yet verified.</summary>
    public Task<byte[]> GetLayersAsync(Hash256 infoHash, string bearer, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Signed extras of a public share; null where there are none.</summary>
    public Task<SignedEnvelope?> GetExtrasAsync(Hash256 infoHash, string bearer, CancellationToken cancellationToken) =>
        throw new NotImplementedException();

    /// <summary>
    /// Fills the whole destination with a blob's bytes from the given offset (at most 8 MiB), reading straight into it.
    /// <paramref name="progress"/> is told the number of bytes that are there so far, so that pieces can be verified as they come.
    /// </summary>
    public Task ReadRangeAsync(
        Hash256 infoHash, Hash256 root, long offset, Memory<byte> destination, string bearer, Action<int>? progress,
        CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Fills the destination with several ranges, one after the other (the batch read).</summary>
    public Task ReadManyAsync(
        Hash256 infoHash, IReadOnlyList<(Hash256 Root, ByteRange Range)> ranges, Memory<byte> destination, string bearer,
        CancellationToken cancellationToken) => throw new NotImplementedException();
}

/// <summary>Typed client of spec/v1/announces.md.</summary>
public sealed class RepositoryClient
{
    public RepositoryClient(PeerHttp http, Endpoint endpoint, PeerIdentity self, Func<IReadOnlyList<SignedEnvelope>> ownChain) =>
        throw new NotImplementedException();

    public Endpoint Endpoint => throw new NotImplementedException();

    public Task<DateTimeOffset> AnnounceAsync(
        IReadOnlyList<Hash256> infoHashes, IReadOnlyList<Endpoint> endpoints, TimeSpan lifetime, CancellationToken cancellationToken) =>
        throw new NotImplementedException();

    /// <summary>Signed announces, not yet verified: check each against its agent's chain.</summary>
    public Task<IReadOnlyList<SignedEnvelope>> LookUpAsync(Hash256 infoHash, CancellationToken cancellationToken) => throw new NotImplementedException();

    public Task<int> WithdrawAsync(IReadOnlyList<Hash256> infoHashes, CancellationToken cancellationToken) => throw new NotImplementedException();

    public Task<IReadOnlyList<SignedEnvelope>> GetChainAsync(AgentId agent, long from, CancellationToken cancellationToken) =>
        throw new NotImplementedException();

    public Task<long> PostChainAsync(AgentId agent, IReadOnlyList<SignedEnvelope> statements, CancellationToken cancellationToken) =>
        throw new NotImplementedException();

    public Task<long> PutFeedAsync(string name, Hash256 share, long version, CancellationToken cancellationToken) => throw new NotImplementedException();

    public Task<SignedEnvelope?> GetFeedAsync(AgentId agent, string name, CancellationToken cancellationToken) => throw new NotImplementedException();
}
