using System.Security.Cryptography;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Core.Merkle;

namespace Virga.BitTorrent.Downloads;

/// <summary>
/// Says whether a piece is what the torrent's hashes say: by its file's tree where that is known down to the pieces
/// (BEP 52), else by the SHA-1 of the v1 part (BEP 3). Safe for many threads.
/// </summary>
public sealed class PieceChecker(PieceLayout layout, PieceLayers layers)
{
    private const int ZeroBytes = 16 << 10;

    private static readonly byte[] Zeros = new byte[ZeroBytes];

    /// <summary>Whether there is a hash to check every piece of a file against.</summary>
    public bool Covers(int file)
    {
        var info = layout.Info;
        var length = info.Files[file].Length;
        return length == 0 || !info.PieceHashesV1.IsEmpty || HasTree(file);
    }

    /// <param name="data">The piece's content, without padding behind it.</param>
    public bool IsRight(int piece, ReadOnlySpan<byte> data)
    {
        var info = layout.Info;
        if (layout.IsAligned)
        {
            var (file, index) = layout.FileOfPiece(piece);
            if (HasTree(file))
            {
                var root = info.Files[file].Root!.Value;
                var isWhole = info.Files[file].Length <= info.PieceBytes;
                var expected = isWhole
                    ? root : new Hash256(layers[root].Span.Slice(index * Hash256.ByteCount, Hash256.ByteCount));
                return MerkleTree.PieceHash(data, info.PieceBytes, isWhole) == expected;
            }
        }
        return IsRightV1(piece, data);
    }

    private bool HasTree(int file) => layout.Info.Files[file] is { Root: { } root } known
        && (known.Length <= layout.PieceBytes || layers.Contains(root));

    private bool IsRightV1(int piece, ReadOnlySpan<byte> data)
    {
        var hashes = layout.Info.PieceHashesV1.Span;
        if (hashes.IsEmpty) return false;
        var expected = hashes.Slice(piece * SHA1.HashSizeInBytes, SHA1.HashSizeInBytes);
        var start = (long)piece * layout.PieceBytes;
        var padded = (int)Math.Min(layout.PieceBytes, layout.TotalBytes - start);
        return Sha1(data, padded).AsSpan().SequenceEqual(expected)
            // Some programs pad behind the last file, too.
            || (padded < layout.PieceBytes && layout.IsAligned
                && Sha1(data, layout.PieceBytes).AsSpan().SequenceEqual(expected));
    }

    private static byte[] Sha1(ReadOnlySpan<byte> data, int padded)
    {
        if (padded == data.Length) return SHA1.HashData(data);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        hash.AppendData(data);
        for (var left = padded - data.Length; left > 0; left -= ZeroBytes)
            hash.AppendData(Zeros.AsSpan(0, Math.Min(left, ZeroBytes)));
        return hash.GetHashAndReset();
    }
}
