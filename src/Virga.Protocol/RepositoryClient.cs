using Virga.Core;

namespace Virga.Protocol;

/// <summary>
/// Typed client of spec/v1/announces.md. Failures are VirgaExceptions with the peer's message and advice. Thread-safe.
/// </summary>
public sealed class RepositoryClient
{
    private readonly PeerCalls calls;

    /// <param name="ownChain">Our sigchain's envelopes, posted when the peer answers <c>unknown-agent</c>.</param>
    /// <param name="expected">The repository's id, where it is known; any other is Denied.</param>
    public RepositoryClient(
        PeerHttp http, Endpoint endpoint, PeerIdentity self, Func<IReadOnlyList<SignedEnvelope>> ownChain,
        AgentId? expected = null) =>
        calls = new PeerCalls(http, endpoint, self, ownChain, expected);

    public Endpoint Endpoint => calls.Endpoint;

    public Task<PeerInfo> GetPeerAsync(CancellationToken cancellationToken) => calls.GetPeerAsync(cancellationToken);

    /// <summary>
    /// Announces at most 1,000 shares at most 7,200 s long; returns until when the repository holds them.
    /// </summary>
    public async Task<DateTimeOffset> AnnounceAsync(
        IReadOnlyList<Hash256> infoHashes, IReadOnlyList<Endpoint> endpoints, TimeSpan lifetime,
        CancellationToken cancellationToken)
    {
        Hash256[] sorted = [.. infoHashes.Distinct().Order()];
        if (sorted.Length is 0 or > ProtocolLimits.AnnounceHashes)
            throw new ArgumentException(
                $"1 to {ProtocolLimits.AnnounceHashes} shares are announced at once", nameof(infoHashes));
        if (endpoints.Count is 0 or > ProtocolLimits.AnnounceEndpoints)
            throw new ArgumentException(
                $"1 to {ProtocolLimits.AnnounceEndpoints} endpoints are announced", nameof(endpoints));
        if (lifetime < TimeSpan.FromSeconds(1) || lifetime > ProtocolLimits.AnnounceLifetime)
            throw new ArgumentOutOfRangeException(
                nameof(lifetime), lifetime, $"1 to {ProtocolLimits.AnnounceLifetime.TotalSeconds} s");
        var digest = Announce.DigestOf(sorted);
        var answer = await calls.CallSignedAsync(
            HttpMethod.Post, "/v1/announces",
            (_, created) =>
            {
                var expires = Wire.WholeSeconds(created + lifetime);
                var record = new Announce(calls.Self.Id, sorted.Length, digest, endpoints, expires, created);
                return new AnnounceRequest(sorted, Sign(Announce.SignatureType, record.Encode())).Encode();
            },
            cancellationToken);
        var seconds = calls.Understand(answer, body => NumberAnswer.Parse(body, "expires"));
        return seconds <= ProtocolLimits.LastUnixSeconds ? DateTimeOffset.FromUnixTimeSeconds(seconds)
            : throw Wire.Bad($"{calls.Peer}: answer: 'expires' is no time");
    }

    /// <summary>Signed announces, not yet verified: check each against its agent's chain.</summary>
    public async Task<IReadOnlyList<SignedEnvelope>> LookUpAsync(
        Hash256 infoHash, CancellationToken cancellationToken) => calls.Understand(
        await calls.CallAsync(
            HttpMethod.Get, $"/v1/announces/{infoHash}", "", null, null, ProtocolLimits.MessageBytes,
            cancellationToken),
        body => SignedEnvelope.ParseList(body, ProtocolLimits.AnnouncesListed));

    /// <summary>Takes announces back; returns how many the repository held.</summary>
    public async Task<int> WithdrawAsync(IReadOnlyList<Hash256> infoHashes, CancellationToken cancellationToken)
    {
        Hash256[] sorted = [.. infoHashes.Distinct().Order()];
        if (sorted.Length is 0 or > ProtocolLimits.AnnounceHashes)
            throw new ArgumentException(
                $"1 to {ProtocolLimits.AnnounceHashes} shares are withdrawn at once", nameof(infoHashes));
        var answer = await calls.CallSignedAsync(
            HttpMethod.Post, "/v1/withdrawals",
            (_, created) =>
                Sign(Withdraw.SignatureType, new Withdraw(calls.Self.Id, sorted, created).Encode()).Encode(),
            cancellationToken);
        return (int)Math.Min(sorted.Length, calls.Understand(answer, body => NumberAnswer.Parse(body, "removed")));
    }

    /// <summary>
    /// At most 256 statements from that seq on; NotFound when the repository does not know the agent.
    /// </summary>
    public Task<IReadOnlyList<SignedEnvelope>> GetChainAsync(
        AgentId agent, long from, CancellationToken cancellationToken) =>
        calls.GetChainAsync(agent, from, cancellationToken);

    /// <summary>The seq that the repository expects next.</summary>
    public Task<long> PostChainAsync(
        AgentId agent, IReadOnlyList<SignedEnvelope> statements, CancellationToken cancellationToken) =>
        calls.PostChainAsync(agent, statements, cancellationToken);

    /// <summary>Points our feed at a share; Conflict when the repository holds that version or a newer one.</summary>
    public async Task<long> PutFeedAsync(string name, Hash256 share, long version, CancellationToken cancellationToken)
    {
        Feed.RequireName(name);
        var answer = await calls.CallSignedAsync(
            HttpMethod.Put, $"/v1/feeds/{calls.Self.Id}/{name}",
            (_, created) =>
                Sign(Feed.SignatureType, new Feed(calls.Self.Id, name, share, created, version).Encode()).Encode(),
            cancellationToken);
        return calls.Understand(answer, body => NumberAnswer.Parse(body, "version"));
    }

    /// <summary>
    /// A signed feed, not yet verified: check it against its agent's chain. Null where there is none.
    /// </summary>
    public async Task<SignedEnvelope?> GetFeedAsync(AgentId agent, string name, CancellationToken cancellationToken)
    {
        Feed.RequireName(name);
        try
        {
            var body = await calls.CallAsync(
                HttpMethod.Get, $"/v1/feeds/{agent}/{name}", "", null, null, ProtocolLimits.MessageBytes,
                cancellationToken);
            return calls.Understand(body, bytes => SignedEnvelope.Parse(bytes));
        }
        catch (VirgaException failure) when (failure.Kind == FailureKind.NotFound)
        {
            return null;
        }
    }

    private SignedEnvelope Sign(string type, byte[] body) => SignedEnvelope.Sign(calls.Self.SigningKey, type, body);
}
