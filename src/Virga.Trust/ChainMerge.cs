namespace Virga.Trust;

/// <summary>What became of statements that were offered to a chain.</summary>
public enum ChainMergeKind
{
    /// <summary>All of them were there already.</summary>
    Known,
    /// <summary>They go on where the chain ended.</summary>
    Extended,
    /// <summary>They hold the rotation that the chain lacked: what it said from the fork on is void.</summary>
    Settled,
    /// <summary>The chain holds the rotation that they lack: they are void.</summary>
    Superseded,
    /// <summary>Two histories, and nothing says which one stands.</summary>
    Fraud,
}

/// <summary>The outcome of <see cref="Sigchain.Merge"/>.</summary>
/// <param name="Chain">The chain that stands now; for fraud the one that was there.</param>
/// <param name="Proof">Only for fraud.</param>
public sealed record ChainMerge(ChainMergeKind Kind, Sigchain Chain, FraudProof? Proof);
