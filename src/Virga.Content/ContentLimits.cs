using Virga.Core.Bencoding;
using Virga.Core.Merkle;

namespace Virga.Content;

/// <summary>
/// The bounds of spec/v1/limits.md that concern content, and the rule for piece lengths (spec/v1/content.md).
/// </summary>
public static class ContentLimits
{
    public const int InfoBytesMax = 256 << 20;
    public const int LayersBytesMax = 256 << 20;
    public const int ManifestBytesMax = 256 << 20;
    public const int EntriesMax = 1_000_000;

    /// <summary>
    /// Longest blob: 8 TiB. The tags of more would not fit into one array; BitTorrent clients take up to 16 TiB.
    /// </summary>
    public const long BlobBytesMax = 1L << 43;

    public const int PieceBytesMin = 64 << 10;
    public const int PieceBytesMax = 8 << 20;

    /// <summary>Pieces that a blob should have at most.</summary>
    public const int PiecesOfBlobMax = 4096;

    /// <summary>Pieces that a share should have at most, each blob's last piece counted whole.</summary>
    public const long PiecesOfShareMax = 1 << 21;

    internal static readonly BencodeLimits Info = new(InfoBytesMax, 100, 32_000_000);

    /// <summary>For the torrents of others, which some programs write with keys out of order.</summary>
    internal static readonly BencodeLimits ForeignInfo = Info with { AllowUnsortedKeys = true };

    internal static readonly BencodeLimits Layers = new(LayersBytesMax, 1, 2_100_000);

    internal static readonly BencodeLimits Manifest = new(ManifestBytesMax, 3, 20_000_000);

    /// <summary>
    /// The smallest power of two, of at least 64 KiB and at most 8 MiB, that gives the longest blob at most 4,096
    /// pieces and all blobs together at most 2,097,152.
    /// </summary>
    public static int PieceBytesFor(IReadOnlyCollection<long> blobLengths)
    {
        var longest = blobLengths.Count == 0 ? 0 : blobLengths.Max();
        for (var pieceBytes = PieceBytesMin; pieceBytes < PieceBytesMax; pieceBytes *= 2)
        {
            if (Pieces(longest, pieceBytes) > PiecesOfBlobMax) continue;
            if (blobLengths.Sum(length => Pieces(length, pieceBytes)) <= PiecesOfShareMax) return pieceBytes;
        }
        return PieceBytesMax;
    }

    /// <summary>
    /// Whether a share that follows one of <paramref name="previous"/> keeps that piece length: within a factor of 4.
    /// </summary>
    public static bool MayKeep(int previous, int byRule) => previous <= 4L * byRule && byRule <= 4L * previous;

    private static long Pieces(long length, int pieceBytes) =>
        MerkleTree.LeafCount(length) == 0 ? 0 : (length - 1) / pieceBytes + 1;
}
