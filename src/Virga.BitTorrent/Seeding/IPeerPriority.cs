using Virga.BitTorrent.Wire;

namespace Virga.BitTorrent.Seeding;

/// <summary>
/// The seam for paid priority: whom a <see cref="Choker"/> serves before all others, whatever these give. Asked once a
/// round (ten seconds) for each peer that wants something, under the choker's lock: it answers from memory, at once.
/// Many swarms ask the same one at a time.
/// </summary>
public interface IPeerPriority
{
    /// <summary>Higher goes first; 0 is a peer that has no claim. What changes holds from the next round on.</summary>
    double Of(PeerSession session);
}
