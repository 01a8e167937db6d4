using System.Security.Cryptography;
using Virga.Core;
using Virga.Testing.Simulation;
using Virga.Trust.Following;

namespace Virga.Trust.Tests.Simulation;

/// <summary>What a node of the simulation answers to another one, by its number.</summary>
internal interface ISimulatedPeer
{
    /// <summary>Its number in the network.</summary>
    int Node { get; }

    AgentId Id { get; }

    ChainPage ReadChain(int asker, AgentId agent, int from);

    /// <summary>From the chain that it shows: who lies about that lies here, too.</summary>
    (long Next, Hash256 Last)? ReadTip(int asker, AgentId agent)
    {
        try
        {
            var all = new List<(byte[] Body, byte[] Signature)>();
            for (var isLast = false; !isLast;)
            {
                var page = ReadChain(asker, agent, all.Count);
                all.AddRange(page.Statements);
                isLast = page.IsLast;
            }
            return all.Count > 0 ? (all.Count, new Hash256(SHA256.HashData(all[^1].Body))) : null;
        }
        catch (VirgaException)
        {
            return null;
        }
    }

    Task<byte[]> ExchangeHeadsAsync(int asker, byte[] heads);

    byte[]? ReadEvidence(long number);

    /// <summary>Refused by an agent.</summary>
    void TakeEvidence(byte[] proof);

    byte[]? ReadLog(int asker, string path);

    byte[]? ReadPromise(int asker, Hash256 leaf);
}

/// <summary>A peer as another node sees it over the network.</summary>
internal sealed class SimulatedPlace(
    SimulatedNetwork network, int asker, ISimulatedPeer peer, Func<bool> isAwaited) : ITakesEvidence
{
    public string Name { get; } = $"node-{peer.Node}";

    public ISimulatedPeer Peer => peer;

    public Task<AgentId> WhoAsync(CancellationToken cancellationToken) => AskAsync(() => peer.Id);

    public Task<ChainPage> ReadChainAsync(AgentId agent, int from, CancellationToken cancellationToken) =>
        AskAsync(() => peer.ReadChain(asker, agent, from));

    public Task<IReadOnlyList<(long Next, Hash256 Last)?>> ReadTipsAsync(
        IReadOnlyList<AgentId> agents, CancellationToken cancellationToken) =>
        AskAsync<IReadOnlyList<(long Next, Hash256 Last)?>>(
            () => [.. agents.Select(agent => peer.ReadTip(asker, agent))]);

    public Task<byte[]> ExchangeHeadsAsync(byte[] heads, CancellationToken cancellationToken) =>
        network.CallAsync(asker, peer.Node, isAwaited, () => peer.ExchangeHeadsAsync(asker, heads));

    public ValueTask<byte[]?> ReadEvidenceAsync(long number, CancellationToken cancellationToken) =>
        new(AskAsync(() => peer.ReadEvidence(number)));

    public Task PostEvidenceAsync(byte[] proof, CancellationToken cancellationToken) => AskAsync(() =>
    {
        peer.TakeEvidence(proof);
        return true;
    });

    public ValueTask<byte[]?> ReadLogAsync(string path, CancellationToken cancellationToken) =>
        new(AskAsync(() => peer.ReadLog(asker, path)));

    public ValueTask<byte[]?> ReadPromiseAsync(Hash256 leaf, CancellationToken cancellationToken) =>
        new(AskAsync(() => peer.ReadPromise(asker, leaf)));

    /// <summary>Asks for anything that the peer answers at once.</summary>
    public Task<T> AskAsync<T>(Func<T> serve) =>
        network.CallAsync(asker, peer.Node, isAwaited, () => Task.FromResult(serve()));
}
