namespace Virga.Core;

/// <summary>
/// Names content: the BEP 52 Merkle root of its bytes and their number. The length is part of the name, since leaves
/// and inner nodes of the tree are not domain-separated (design, section 5).
/// </summary>
/// <param name="Root">BEP 52 "pieces root": root over 16 KiB leaves, SHA-256, padded with zero leaves.</param>
/// <param name="Length">Bytes; at least 1. Empty content has no blob.</param>
public readonly record struct BlobName(Hash256 Root, long Length);

/// <summary>Bytes [Offset, Offset + Length).</summary>
public readonly record struct ByteRange(long Offset, long Length)
{
    public long End => Offset + Length;

    public override string ToString() => $"[{Offset}, {End})";
}
