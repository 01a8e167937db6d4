using Virga.Core;
using Virga.Protocol;
using Virga.Transfers.Engine;

namespace Virga.Transfers.Sources;

/// <summary>An agent that opens its owner's entries to accounts at the same service (spec/v1/copies.md).</summary>
public sealed class AgentCopyOffer(AgentSource agent, string service) : ICopyOffer
{
    public string Name => agent.Name;

    public Task<CopiesAnswer> OpenAsync(
        IReadOnlyList<string> done, string principal, IReadOnlyList<Hash256> roots,
        CancellationToken cancellationToken) =>
        agent.OpenCopiesAsync(done, principal, service, roots, cancellationToken);
}
