using Virga.Core;
using Virga.Protocol;
using Virga.Transfers.Swarm;

namespace Virga.Transfers.Sources;

/// <summary>
/// Where ranges of a share's blobs can be read. What it delivers is not trusted: the engine checks every piece against
/// the tree. Safe for many reads at once. Failures are VirgaExceptions; nothing of a destination may be used after one.
/// </summary>
public interface ISource
{
    /// <summary>For people and logs, e.g. <c>https://host:port</c>.</summary>
    string Name { get; }

    /// <summary>
    /// Which part of a read is waiting for its first byte, as measured lately: 0 (a near source) to 1.
    /// </summary>
    double WaitShare => 0;

    /// <summary>Whether a read waits so long for its first byte that long ranges are worth their memory.</summary>
    bool IsFar => false;

    /// <summary>Of the sources that answer, those with the lowest rank are asked: 0 unless it costs less.</summary>
    int Rank => 0;

    /// <summary>
    /// Whether what it delivers was checked already, against hashes that the share's name stands for: a swarm that
    /// must know which of its many peers sent what. Then ranges need not be whole pieces.
    /// </summary>
    bool IsVerified => false;

    /// <summary>Who it is, as soon as that is known.</summary>
    AgentId? Agent => null;

    /// <summary>Whether it is the share's owner, or the owner's storage; others pass on what they received.</summary>
    bool IsOrigin => true;

    /// <summary>
    /// Which pieces it has, as it said last; null from an origin, which has all, and from others before they said so.
    /// </summary>
    PieceSet? Have => null;

    /// <summary>Pieces that it has begun to send to somebody, as it said last; null where it doesn't tell.</summary>
    PieceSet? Sent => null;

    /// <summary>Asks which pieces it has; waits a little there while it knows of nothing new.</summary>
    Task RefreshAsync(PieceNumbers numbers, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>
    /// Fills the whole destination (at most 8 MiB) with bytes of a blob in sealed form, from the offset on.
    /// </summary>
    Task ReadAsync(Hash256 root, long offset, Memory<byte> destination, CancellationToken cancellationToken);

    /// <summary>
    /// The same, but Conflict where the source is an origin that has begun to send it to somebody: then others have it
    /// soon. <see cref="Sent"/> is new after that.
    /// </summary>
    Task ReadFreshAsync(Hash256 root, long offset, Memory<byte> destination, CancellationToken cancellationToken) =>
        ReadAsync(root, offset, destination, cancellationToken);

    /// <summary>
    /// Fills the destination with several ranges, one after the other: at most 1,024, 8 MiB together.
    /// </summary>
    Task ReadManyAsync(
        IReadOnlyList<BlobRange> ranges, Memory<byte> destination, CancellationToken cancellationToken);
}

/// <summary>Finds more sources while a transfer runs: asks repositories, tries the link's endpoints again.</summary>
public interface ISourceFinder
{
    /// <summary>
    /// All that can be found now; called again, with pauses, while none answers. An empty list is no failure.
    /// </summary>
    Task<IReadOnlyList<ISource>> FindAsync(CancellationToken cancellationToken);
}
