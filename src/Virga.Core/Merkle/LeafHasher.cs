namespace Virga.Core.Merkle;

/// <summary>The hot kernel: SHA-256 of many 16 KiB leaves at once.</summary>
public static class LeafHasher
{
    public const int LeafBytes = 16 * 1024;

    /// <summary>
    /// Hashes consecutive leaves. <paramref name="data"/> is cut every 16 KiB; a shorter last leaf is hashed as it is.
    /// </summary>
    /// <param name="data">1 byte or more.</param>
    /// <param name="hashes">At least 32 bytes a leaf; filled in order.</param>
    public static void HashLeaves(ReadOnlySpan<byte> data, Span<byte> hashes) => throw new NotImplementedException();
}
