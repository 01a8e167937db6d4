using System.Net.Http.Headers;
using Virga.Core;

namespace Virga.Protocol;

/// <summary>
/// Typed client of spec/v1/log.md: files of a repository's log, promises, and a repository as witness. What it fetches
/// is not verified here. Failures are VirgaExceptions with the peer's message and advice. Thread-safe.
/// </summary>
public sealed class LogClient
{
    private const int PromiseBytes = 16 << 10;

    private readonly PeerCalls calls;

    /// <param name="ownChain">Our sigchain's envelopes.</param>
    /// <param name="expected">The repository's id, where it is known; any other is Denied.</param>
    public LogClient(
        PeerHttp http, Endpoint endpoint, PeerIdentity self, Func<IReadOnlyList<SignedEnvelope>> ownChain,
        AgentId? expected = null) =>
        calls = new PeerCalls(http, endpoint, self, ownChain, expected);

    /// <summary>Where the repository is reached.</summary>
    public Endpoint Endpoint => calls.Endpoint;

    /// <summary>Who answers there.</summary>
    public Task<PeerInfo> GetPeerAsync(CancellationToken cancellationToken) => calls.GetPeerAsync(cancellationToken);

    /// <summary>A file of the log, such as <c>checkpoint</c> or <c>tile/0/000</c>; null where there is none.</summary>
    /// <param name="bytesMax">A longer file is BadInput.</param>
    public async ValueTask<byte[]?> ReadAsync(string path, int bytesMax, CancellationToken cancellationToken)
    {
        using var request = calls.Request(HttpMethod.Get, "/v1/log/" + path, null, null);
        using var response = await calls.Http.SendAsync(Endpoint, request, cancellationToken);
        if (response.Status is 404 or 410) return null;
        await calls.RequireAsync(response, 200);
        return await response.ReadBodyAsync(bytesMax, calls.Peer);
    }

    /// <summary>The repository's signed word where an entry stands; null where it stands nowhere.</summary>
    public ValueTask<byte[]?> PromiseAsync(Hash256 leaf, CancellationToken cancellationToken) =>
        ReadAsync($"promises/{leaf}", PromiseBytes, cancellationToken);

    /// <summary>One of the proofs that a peer holds (spec/v1/trust.md), unchecked; null where it has no more.</summary>
    public async ValueTask<byte[]?> EvidenceAsync(long number, int bytesMax, CancellationToken cancellationToken)
    {
        using var request = calls.Request(HttpMethod.Get, $"/v1/evidence/{number}", null, null);
        using var response = await calls.Http.SendAsync(Endpoint, request, cancellationToken);
        if (response.Status == 404) return null;
        await calls.RequireAsync(response, 200);
        return await response.ReadBodyAsync(bytesMax, calls.Peer);
    }

    /// <summary>Hands a repository a proof (spec/v1/trust.md), which it checks and keeps.</summary>
    /// <exception cref="VirgaException">
    /// BadInput or Unauthenticated: it proves nothing. Full: the repository keeps no more of them.
    /// </exception>
    public Task PostEvidenceAsync(byte[] proof, CancellationToken cancellationToken) => calls.CallAsync(
        HttpMethod.Post, "/v1/evidence", "", proof, null, ProtocolLimits.MessageBytes, cancellationToken);

    /// <summary>Tells a peer which heads of logs we have seen; returns those that it has seen, unchecked.</summary>
    public Task<byte[]> ExchangeHeadsAsync(byte[] heads, CancellationToken cancellationToken) => calls.CallAsync(
        HttpMethod.Post, "/v1/heads", "", heads, null, ProtocolLimits.MessageBytes, cancellationToken);

    /// <summary>Asks the repository to cosign a checkpoint (C2SP tlog-witness); any status is an answer.</summary>
    public async Task<(int Status, byte[] Body)> AddCheckpointAsync(byte[] body, CancellationToken cancellationToken)
    {
        using var request = calls.Request(HttpMethod.Post, "/v1/witness/add-checkpoint", body, null);
        request.Content!.Headers.ContentType = new MediaTypeHeaderValue("text/plain");
        using var response = await calls.Http.SendAsync(Endpoint, request, cancellationToken);
        return (response.Status, await response.ReadBodyAsync(ProtocolLimits.MessageBytes, calls.Peer));
    }

    /// <summary>The whole chain of an agent as the repository knows it, in as many requests as it needs.</summary>
    public async Task<IReadOnlyList<SignedEnvelope>> GetWholeChainAsync(
        AgentId agent, int statementsMax, CancellationToken cancellationToken)
    {
        var chain = new List<SignedEnvelope>();
        while (chain.Count < statementsMax)
        {
            var page = await calls.GetChainAsync(agent, chain.Count, cancellationToken);
            if (page.Count == 0) break;
            chain.AddRange(page);
        }

        return chain;
    }

    /// <summary>Statements of an agent from a number on, as many as fit one answer.</summary>
    public Task<IReadOnlyList<SignedEnvelope>> GetChainAsync(
        AgentId agent, long from, CancellationToken cancellationToken) =>
        calls.GetChainAsync(agent, from, cancellationToken);

    /// <summary>Where the chains of some agents end there, in the same order; null where it can't say.</summary>
    public Task<IReadOnlyList<(long Next, Hash256 Last)?>> GetTipsAsync(
        IReadOnlyList<AgentId> agents, CancellationToken cancellationToken) =>
        calls.GetTipsAsync(agents, cancellationToken);

    /// <summary>The seq that the repository expects next.</summary>
    public Task<long> PostChainAsync(
        AgentId agent, IReadOnlyList<SignedEnvelope> statements, CancellationToken cancellationToken) =>
        calls.PostChainAsync(agent, statements, cancellationToken);
}
