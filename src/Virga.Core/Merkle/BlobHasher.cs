using System.Buffers;

namespace Virga.Core.Merkle;

/// <summary>
/// Hashes a blob that arrives in order, in one pass. Keeps at most 256 KiB of it, 32 bytes for each 256 KiB of the
/// current piece and 32 bytes for each piece. Not safe for several threads at once.
/// </summary>
/// <param name="pieceBytes">A power of two from 16 KiB to 1 GiB.</param>
public sealed class BlobHasher(int pieceBytes)
{
    /// <summary>The kernel gets groups of so many leaves, which fill its lanes.</summary>
    private const int GroupBytes = 16 * LeafHasher.LeafBytes;
    private const int FirstBufferBytes = 8 * 1024;

    private static readonly int GroupLevel = MerkleTree.PieceLevel(GroupBytes);

    private readonly int pieceLevel = MerkleTree.PieceLevel(pieceBytes);

    /// <summary>Roots of the groups of the current piece, where a piece is more than one.</summary>
    private HashList groups;
    private HashList pieces;
    private byte[] buffer = [];
    private int buffered;
    private bool isFinished;

    public int PieceBytes { get; } = pieceBytes;

    /// <summary>Bytes appended so far.</summary>
    public long Length { get; private set; }

    /// <summary>
    /// Takes the next bytes, any number of them. Whole groups of leaves are hashed straight from the caller's memory;
    /// only what is left over is copied.
    /// </summary>
    public void Append(ReadOnlySpan<byte> data)
    {
        ObjectDisposedException.ThrowIf(isFinished, this);
        Length += data.Length;
        if (buffered > 0)
        {
            var taken = Math.Min(data.Length, GroupBytes - buffered);
            Keep(data[..taken]);
            data = data[taken..];
            if (buffered < GroupBytes) return;
            Add(buffer.AsSpan(0, GroupBytes));
            buffered = 0;
        }
        var whole = data.Length - (data.Length % GroupBytes);
        Add(data[..whole]);
        Keep(data[whole..]);
    }

    /// <summary>
    /// The name and the piece layer (empty for a blob of at most one piece). Only once, after 1 byte or more.
    /// </summary>
    public (BlobName Name, byte[] PieceLayer) Finish()
    {
        ObjectDisposedException.ThrowIf(isFinished, this);
        if (Length == 0) throw new InvalidOperationException("empty content has no blob");
        isFinished = true;
        var name = new BlobName(FinishRoot(), Length);
        if (buffer.Length > 0) ArrayPool<byte>.Shared.Return(buffer);
        buffer = [];
        return (name, Length <= PieceBytes ? [] : pieces.Bytes.ToArray());
    }

    private Hash256 FinishRoot()
    {
        var rest = buffer.AsSpan(0, buffered);
        if (rest.Length == Length && Length <= PieceBytes) return MerkleTree.Root(rest);
        if (buffered > 0) Add(rest);
        if (Length <= PieceBytes)
        {
            return pieces.Count == 1
                ? pieces[0]
                : MerkleTree.LayerRoot(groups.Bytes, GroupLevel, MerkleTree.Height(Length));
        }
        if (groups.Count > 0) ClosePiece();
        return MerkleTree.RootFromPieceLayer(pieces.Bytes, PieceBytes);
    }

    /// <summary>Whole groups, from the start of one; only the blob's very last may be shorter.</summary>
    private void Add(ReadOnlySpan<byte> data)
    {
        while (!data.IsEmpty)
        {
            var part = data;
            if (PieceBytes <= GroupBytes)
            {
                MerkleTree.PieceHashes(part, PieceBytes, pieces.Add(MerkleTree.PiecesIn(part.Length, PieceBytes)));
            }
            else if (groups.Count == 0 && data.Length >= PieceBytes)
            {
                part = data[..(data.Length - (data.Length % PieceBytes))];
                MerkleTree.PieceHashes(part, PieceBytes, pieces.Add(part.Length / PieceBytes));
            }
            else
            {
                part = data[..Math.Min(data.Length, PieceBytes - (groups.Count * GroupBytes))];
                MerkleTree.PieceHashes(part, GroupBytes, groups.Add(MerkleTree.PiecesIn(part.Length, GroupBytes)));
                if (groups.Count == PieceBytes / GroupBytes) ClosePiece();
            }
            data = data[part.Length..];
        }
    }

    private void ClosePiece()
    {
        MerkleTree.LayerRoot(groups.Bytes, GroupLevel, pieceLevel).CopyTo(pieces.Add(1));
        groups.Clear();
    }

    private void Keep(ReadOnlySpan<byte> data)
    {
        if (data.IsEmpty) return;
        if (buffer.Length < buffered + data.Length)
        {
            var bytes = Math.Min(GroupBytes, Math.Max(FirstBufferBytes, 2 * (buffered + data.Length)));
            var bigger = ArrayPool<byte>.Shared.Rent(bytes);
            buffer.AsSpan(0, buffered).CopyTo(bigger);
            if (buffer.Length > 0) ArrayPool<byte>.Shared.Return(buffer);
            buffer = bigger;
        }
        data.CopyTo(buffer.AsSpan(buffered));
        buffered += data.Length;
    }

    /// <summary>A growing list of hashes, one after the other.</summary>
    private struct HashList
    {
        private byte[]? bytes;

        public int Count { get; private set; }

        public readonly ReadOnlySpan<byte> Bytes => bytes.AsSpan(0, Count * Hash256.ByteCount);

        public readonly Hash256 this[int index] => new(Bytes.Slice(index * Hash256.ByteCount, Hash256.ByteCount));

        public Span<byte> Add(int count)
        {
            var start = Count * Hash256.ByteCount;
            var end = checked(start + (count * Hash256.ByteCount));
            if (bytes is null || bytes.Length < end)
                Array.Resize(ref bytes, (int)Math.Min(Math.Max(end, 2L * start), Array.MaxLength));
            Count += count;
            return bytes.AsSpan(start, end - start);
        }

        public void Clear() => Count = 0;
    }
}
