namespace Virga.Core.Merkle;

/// <summary>The hot kernel: SHA-256 of many 16 KiB leaves at once.</summary>
public static class LeafHasher
{
    public const int LeafBytes = 16 * 1024;

    /// <summary>How leaves are hashed on this machine, for people.</summary>
    public static string Kernel => HashPlan.Leaves switch
    {
        { WideFrom: < int.MaxValue } => "leaves 16 at a time with AVX-512",
        { NarrowFrom: < int.MaxValue } => "leaves 8 at a time with AVX2",
        { InTwos: true } => "leaves 2 at a time with SHA instructions",
        _ => "leaves one at a time by OpenSSL",
    };

    internal const int PairBytes = 2 * Hash256.ByteCount;

    internal static readonly uint[] LeafPadding = Sha256Constants.PaddingSchedule(LeafBytes);
    internal static readonly uint[] PairPadding = Sha256Constants.PaddingSchedule(PairBytes);

    /// <summary>
    /// Hashes consecutive leaves. <paramref name="data"/> is cut every 16 KiB; a shorter last leaf is hashed as it is.
    /// </summary>
    /// <param name="data">1 byte or more.</param>
    /// <param name="hashes">At least 32 bytes a leaf; filled in order.</param>
    public static void HashLeaves(ReadOnlySpan<byte> data, Span<byte> hashes)
    {
        if (data.IsEmpty) throw new ArgumentException("a leaf has at least one byte", nameof(data));
        if (hashes.Length < MerkleTree.LeafCount(data.Length) * Hash256.ByteCount)
            throw new ArgumentException("32 bytes a leaf are needed", nameof(hashes));
        var whole = data.Length - (data.Length % LeafBytes);
        if (whole > 0) HashPlan.Leaves.Hash(data[..whole], LeafBytes, LeafPadding, hashes);
        if (whole < data.Length) HashOne(data[whole..], hashes[(whole / LeafBytes * Hash256.ByteCount)..]);
    }

    /// <summary>
    /// One layer of the tree from the layer below: hashes consecutive pairs of hashes (64 bytes each).
    /// <paramref name="parents"/> may be the start of <paramref name="children"/>.
    /// </summary>
    internal static void HashPairs(ReadOnlySpan<byte> children, Span<byte> parents) =>
        HashPlan.Pairs.Hash(children, PairBytes, PairPadding, parents);

    private static unsafe void HashOne(ReadOnlySpan<byte> leaf, Span<byte> hash)
    {
        fixed (byte* from = leaf, to = hash) Sha256Serial.Hash(from, leaf.Length, to);
    }
}
