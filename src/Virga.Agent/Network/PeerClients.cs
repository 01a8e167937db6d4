using Virga.Core;
using Virga.Hosting;
using Virga.Protocol;
using Virga.Trust.Following;

namespace Virga.Agent.Network;

/// <summary>Makes typed clients that speak as this agent, over one pool of connections.</summary>
internal sealed class PeerClients(PeerHttp http, PeerIdentity self, Func<IReadOnlyList<SignedEnvelope>> ownChain)
{
    public PeerIdentity Self { get; } = self;

    public IReadOnlyList<SignedEnvelope> OwnChain => ownChain();

    /// <param name="expected">Who must answer there, where that is known.</param>
    /// <param name="pace">Bounds what is read of shares, in place of what bounds all; null: that alone does.</param>
    public AgentClient Agent(Endpoint endpoint, AgentId? expected = null, Pace? pace = null) =>
        new(http, endpoint, Self, ownChain, expected, pace);

    /// <param name="expected">As for <see cref="Agent"/>.</param>
    public ITrustPlace Place(Endpoint endpoint, AgentId? expected = null) =>
        new PeerPlace(Log(endpoint, expected));

    public LogClient Log(Endpoint endpoint, AgentId? expected = null) => new(http, endpoint, Self, ownChain, expected);

    /// <summary>The places of some endpoints, each once.</summary>
    public IReadOnlyList<ITrustPlace> Places(IEnumerable<Endpoint> endpoints) =>
        [.. endpoints.Distinct().Select(endpoint => Place(endpoint))];

    public RepositoryClient Repository(Endpoint endpoint) => new(http, endpoint, Self, ownChain);
}
