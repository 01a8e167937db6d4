using Virga.Core;
using Virga.Protocol;
using Virga.Trust;
using Virga.Trust.Following;
using Virga.Trust.Log;

namespace Virga.Hosting;

/// <summary>A peer at an endpoint, as it is asked about trust.</summary>
public sealed class PeerPlace(LogClient client) : ITakesEvidence
{
    public string Name { get; } = client.Endpoint.Url.Authority;

    public async Task<AgentId> WhoAsync(CancellationToken cancellationToken) =>
        (await client.GetPeerAsync(cancellationToken)).Agent;

    public async Task<ChainPage> ReadChainAsync(AgentId agent, int from, CancellationToken cancellationToken)
    {
        var page = await client.GetChainAsync(agent, from, cancellationToken);
        var bytes = page.Sum(envelope => envelope.Body.Length);
        // A page ends at a number of statements, or where the next might not fit the answer any more.
        var isLast = page.Count < ProtocolLimits.ChainPageEnvelopes
            && bytes < ProtocolLimits.MessageBytes / 2;
        return new ChainPage([.. page.Select(envelope => (envelope.Body, envelope.Signature))], isLast);
    }

    public Task<IReadOnlyList<(long Next, Hash256 Last)?>> ReadTipsAsync(
        IReadOnlyList<AgentId> agents, CancellationToken cancellationToken) =>
        client.GetTipsAsync(agents, cancellationToken);

    public Task<byte[]> ExchangeHeadsAsync(byte[] heads, CancellationToken cancellationToken) =>
        client.ExchangeHeadsAsync(heads, cancellationToken);

    public ValueTask<byte[]?> ReadEvidenceAsync(long number, CancellationToken cancellationToken) =>
        client.EvidenceAsync(number, Evidence.BytesMax, cancellationToken);

    public Task PostEvidenceAsync(byte[] proof, CancellationToken cancellationToken) =>
        client.PostEvidenceAsync(proof, cancellationToken);

    public ValueTask<byte[]?> ReadLogAsync(string path, CancellationToken cancellationToken) =>
        client.ReadAsync(path, LogReader.FileBytesMax, cancellationToken);

    public ValueTask<byte[]?> ReadPromiseAsync(Hash256 leaf, CancellationToken cancellationToken) =>
        client.PromiseAsync(leaf, cancellationToken);
}
