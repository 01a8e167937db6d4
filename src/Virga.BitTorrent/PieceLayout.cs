using Virga.Content.Torrents;
using Virga.Core.Merkle;

namespace Virga.BitTorrent;

/// <summary>A stretch of one file.</summary>
/// <param name="File">Its place in <see cref="TorrentInfo.Files"/>.</param>
/// <param name="Offset">In the file.</param>
public readonly record struct FileStretch(int File, long Offset, int Length);

/// <summary>
/// Where the pieces of a torrent lie in its files (BEP 3, BEP 52). With a v2 part each file begins with a piece of its
/// own, and the rest of its last piece is nothing: zeros that a v1 client of a hybrid knows as padding. Without one the
/// files lie end to end. Immutable.
/// </summary>
public sealed class PieceLayout
{
    private readonly TorrentInfo info;

    /// <summary>First piece of each file; of v1 torrents unused.</summary>
    private readonly int[] firstPieces;

    /// <summary>Where each file begins in the row of all; of v2 torrents at a piece's start.</summary>
    private readonly long[] starts;

    public PieceLayout(TorrentInfo info)
    {
        this.info = info;
        IsAligned = info.InfoHashV2 is not null;
        firstPieces = new int[info.Files.Count];
        starts = new long[info.Files.Count];
        long at = 0;
        for (var i = 0; i < starts.Length; i++)
        {
            var length = info.Files[i].Length;
            if (IsAligned && length > 0) at = RoundUp(at);
            starts[i] = at;
            firstPieces[i] = (int)(at / info.PieceBytes);
            at += length;
        }
        TotalBytes = at;
        PieceCount = checked((int)(RoundUp(at) / info.PieceBytes));
    }

    public TorrentInfo Info => info;

    public int PieceBytes => info.PieceBytes;

    public int PieceCount { get; }

    /// <summary>Bytes in the row of all pieces: with those between files, without those after the last.</summary>
    public long TotalBytes { get; }

    /// <summary>Each file begins with a piece (v2 and hybrid torrents).</summary>
    public bool IsAligned { get; }

    /// <summary>Where a file begins in the row of all.</summary>
    public long StartOf(int file) => starts[file];

    /// <summary>Bytes of a piece that are content.</summary>
    public int PieceLength(int piece)
    {
        var start = (long)piece * PieceBytes;
        if (!IsAligned) return (int)Math.Min(PieceBytes, TotalBytes - start);
        var file = FileAt(start);
        return (int)Math.Min(PieceBytes, starts[file] + info.Files[file].Length - start);
    }

    /// <summary>
    /// How far a request may reach in a piece: over the zeros behind a file, too, which v1 clients of a hybrid count
    /// in, and libtorrent 2.0 in every torrent with a v2 part.
    /// </summary>
    public int RequestableLength(int piece) => IsAligned ? PieceBytes : PieceLength(piece);

    /// <summary>The file that a piece belongs to in a torrent with a v2 part, and the piece's number in it.</summary>
    public (int File, int PieceInFile) FileOfPiece(int piece)
    {
        if (!IsAligned) throw new InvalidOperationException("pieces of v1 torrents may span files");
        var file = FileAt((long)piece * PieceBytes);
        return (file, piece - firstPieces[file]);
    }

    /// <summary>First piece that holds bytes of a file, and how many do; none for an empty one.</summary>
    public (int First, int Count) PiecesOf(int file)
    {
        var length = info.Files[file].Length;
        if (length == 0) return (firstPieces[file], 0);
        var last = (int)((starts[file] + length - 1) / PieceBytes);
        return (firstPieces[file], last - firstPieces[file] + 1);
    }

    /// <summary>
    /// What a stretch of a piece is made of, in order. Padding that a v1 torrent lists comes as its file; the zeros
    /// behind the files of a hybrid are left out.
    /// </summary>
    public IEnumerable<FileStretch> Stretches(int piece, int begin, int length)
    {
        var at = ((long)piece * PieceBytes) + begin;
        var end = at + length;
        for (var file = FileAt(at); file < starts.Length && starts[file] < end; file++)
        {
            var from = Math.Max(at, starts[file]);
            var to = Math.Min(end, starts[file] + info.Files[file].Length);
            if (from < to) yield return new FileStretch(file, from - starts[file], (int)(to - from));
        }
    }

    /// <summary>The last file with content that begins at or before an offset.</summary>
    private int FileAt(long offset)
    {
        var index = Array.BinarySearch(starts, offset);
        if (index < 0) index = ~index - 1;
        // Empty files share their start with what follows.
        while (index + 1 < starts.Length && starts[index + 1] <= offset) index++;
        while (index > 0 && info.Files[index].Length == 0) index--;
        return Math.Max(0, index);
    }

    private long RoundUp(long at) => (at + PieceBytes - 1) / PieceBytes * PieceBytes;

    /// <summary>Levels between the leaves and the hashes of the piece layer (BEP 52).</summary>
    public int PieceLevel => MerkleTree.PieceLevel(PieceBytes);
}
