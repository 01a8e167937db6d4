using Virga.Core;

namespace Virga.Trust.Following;

/// <summary>Statements of one chain, in order.</summary>
/// <param name="Statements">Each with its signature; nobody has checked them.</param>
/// <param name="IsLast">Whether the place has no more than these.</param>
public sealed record ChainPage(IReadOnlyList<(byte[] Body, byte[] Signature)> Statements, bool IsLast);

/// <summary>A place that keeps proofs of others, too: a repository.</summary>
public interface ITakesEvidence : ITrustPlace
{
    /// <summary>Hands it a proof, in the form of <see cref="Evidence.Bytes"/>.</summary>
    /// <exception cref="VirgaException">BadInput or Unauthenticated: to it that proves nothing.</exception>
    Task PostEvidenceAsync(byte[] proof, CancellationToken cancellationToken);
}

/// <summary>
/// A peer that is asked about trust: a repository or another agent. Nothing that it says is believed unless it proves
/// itself. Safe for several callers at once. Failures are VirgaExceptions.
/// </summary>
public interface ITrustPlace
{
    /// <summary>For people, such as <c>host:port</c>. What is remembered of a place goes by it.</summary>
    string Name { get; }

    /// <summary>Whom it says it is.</summary>
    Task<AgentId> WhoAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Statements of an agent from a number on; none where it has fewer.
    /// </summary>
    /// <exception cref="VirgaException">
    /// NotFound: the place does not know that agent. Denied: it holds evidence against it.
    /// </exception>
    Task<ChainPage> ReadChainAsync(AgentId agent, int from, CancellationToken cancellationToken);

    /// <summary>
    /// Where the chains of some agents end there, in the same order: how many statements each has, and the hash of the
    /// last one. Null of those that it does not know or refuses.
    /// </summary>
    Task<IReadOnlyList<(long Next, Hash256 Last)?>> ReadTipsAsync(
        IReadOnlyList<AgentId> agents, CancellationToken cancellationToken);

    /// <summary>
    /// Tells it which heads of logs were seen (<see cref="Log.LogHeadsMessage"/>) and returns those that it has seen.
    /// </summary>
    Task<byte[]> ExchangeHeadsAsync(byte[] heads, CancellationToken cancellationToken);

    /// <summary>One of the proofs that it holds, by its own count from 0 on; null where it has no more.</summary>
    ValueTask<byte[]?> ReadEvidenceAsync(long number, CancellationToken cancellationToken);

    /// <summary>A file of a repository's log; null where there is none, and from an agent.</summary>
    ValueTask<byte[]?> ReadLogAsync(string path, CancellationToken cancellationToken);

    /// <summary>A repository's signed word where an entry stands in its log; null where it stands nowhere.</summary>
    ValueTask<byte[]?> ReadPromiseAsync(Hash256 leaf, CancellationToken cancellationToken);
}
