using Virga.Core;

namespace Virga.Trust;

/// <summary>
/// What depends on nothing but its input is the same for all peers, so that a simulation of hundreds of them in one
/// process need not work it out for each. Nothing else remembers: without <see cref="Remember"/> there is no memo.
/// </summary>
internal static class SimulationMemo
{
    /// <summary>Whether a signature holds, by the SHA-256 of all that it is about; null: none is kept.</summary>
    [ThreadStatic]
    public static Dictionary<Hash256, bool>? Signatures;

    /// <summary>Hashes of the nodes of logs' trees; null: nothing is remembered.</summary>
    [ThreadStatic]
    public static Dictionary<(Hash256 Left, Hash256 Right), Hash256>? Nodes;

    /// <summary>From now on this thread remembers; or, for false, no more.</summary>
    public static void Remember(bool isWanted)
    {
        Signatures = isWanted ? [] : null;
        Nodes = isWanted ? [] : null;
    }
}
