using Virga.Protocol;

namespace Virga.Agent.Network;

/// <summary>Makes typed clients that speak as this agent, over one pool of connections.</summary>
internal sealed class PeerClients(PeerHttp http, PeerIdentity self, Func<IReadOnlyList<SignedEnvelope>> ownChain)
{
    public PeerIdentity Self { get; } = self;

    public IReadOnlyList<SignedEnvelope> OwnChain => ownChain();

    public AgentClient Agent(Endpoint endpoint) => new(http, endpoint, Self, ownChain);

    public RepositoryClient Repository(Endpoint endpoint) => new(http, endpoint, Self, ownChain);
}
