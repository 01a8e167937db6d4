using Virga.BitTorrent.Wire;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Core.Merkle;

namespace Virga.BitTorrent.Seeding;

/// <summary>A torrent that is here as a whole, given to peers from where it lies.</summary>
public sealed class SeedUpload : IUploadSide, IDisposable
{
    /// <summary>Pieces up to this are read whole; larger ones in runs, so that the first block is soon here.</summary>
    private const int UnitBytesMax = 1 << 20;

    private readonly PieceLayout layout;
    private readonly PieceLayers layers;
    private readonly ISeedSource source;
    private readonly SeedCache cache;
    private readonly int unitBytes;
    private readonly int unitsOfPiece;
    private readonly Dictionary<Hash256, int> filesByRoot = [];
    private readonly SeedCache.Load load;

    public SeedUpload(PieceLayout layout, PieceLayers layers, ISeedSource source, SeedCache cache)
    {
        this.layout = layout;
        this.layers = layers;
        this.source = source;
        this.cache = cache;
        unitBytes = Math.Min(layout.PieceBytes, UnitBytesMax);
        unitsOfPiece = (layout.PieceBytes + unitBytes - 1) / unitBytes;
        load = LoadAsync;
        for (var i = 0; i < layout.Info.Files.Count; i++)
            if (layout.Info.Files[i].Root is { } root) filesByRoot.TryAdd(root, i);
    }

    public int HeldPieces => layout.PieceCount;

    public bool Has(int piece) => true;

    public void Expect(int piece)
    {
        var length = Math.Min(unitBytes, layout.PieceLength(piece));
        cache.Expect(this, (long)piece * unitsOfPiece, length, load);
    }

    public ValueTask<UploadBlock> ReadAsync(int piece, int begin, int length, CancellationToken cancellationToken)
    {
        var content = layout.PieceLength(piece);
        var unit = begin / unitBytes;
        if (begin + length > content || (begin + length - 1) / unitBytes != unit)
            return AssembleAsync(piece, begin, length, cancellationToken);
        var entry = UnitAsync(piece, unit, cancellationToken);
        return entry.IsCompletedSuccessfully
            ? new ValueTask<UploadBlock>(Block(entry.Result, begin - (unit * unitBytes), length))
            : WaitAsync(entry, begin - (unit * unitBytes), length);
    }

    public async ValueTask<ReadOnlyMemory<byte>?> HashesAsync(
        HashRequest request, CancellationToken cancellationToken)
    {
        if (!filesByRoot.TryGetValue(request.Root, out var file)) return null;
        var length = layout.Info.Files[file].Length;
        var layer = layers[request.Root];
        MerkleProof proof;
        try
        {
            if (request.BaseLayer == layout.PieceLevel && !layer.IsEmpty)
            {
                proof = MerkleProof.Build(layer.Span, request.BaseLayer, length, request.Index, request.Length);
            }
            else if (request.BaseLayer == 0 && request.Index < MerkleTree.LeafCount(length))
            {
                var piece = request.Index >> layout.PieceLevel;
                var bytes = await PieceAsync(file, piece, cancellationToken);
                proof = MerkleProof.BuildForLeaves(
                    bytes, layer.Span, layout.PieceBytes, length, request.Index, request.Length);
            }
            else
            {
                return null;
            }
        }
        catch (ArgumentException)
        {
            // Such a run is not in this tree.
            return null;
        }
        var hashes = Math.Min(proof.Hashes.Length / Hash256.ByteCount, request.Length + request.UncleCount);
        return proof.Hashes[..(hashes * Hash256.ByteCount)];
    }

    public void Dispose() => cache.Forget(this);

    private static UploadBlock Block(SeedCache.Entry entry, int offset, int length) =>
        new(new ArraySegment<byte>(entry.Data, offset, length), entry);

    private static async ValueTask<UploadBlock> WaitAsync(ValueTask<SeedCache.Entry> entry, int offset, int length) =>
        Block(await entry, offset, length);

    private ValueTask<SeedCache.Entry> UnitAsync(int piece, int unit, CancellationToken cancellationToken)
    {
        var length = Math.Min(unitBytes, layout.PieceLength(piece) - (unit * unitBytes));
        return cache.GetAsync(this, ((long)piece * unitsOfPiece) + unit, length, load, cancellationToken);
    }

    /// <summary>A block over the end of a run, or of a file: behind that clients expect zeros.</summary>
    private async ValueTask<UploadBlock> AssembleAsync(
        int piece, int begin, int length, CancellationToken cancellationToken)
    {
        var block = new byte[length];
        await CopyAsync(piece, begin, block, cancellationToken);
        return new UploadBlock(block, null);
    }

    private async ValueTask CopyAsync(
        int piece, int begin, Memory<byte> destination, CancellationToken cancellationToken)
    {
        var end = Math.Min(layout.PieceLength(piece), begin + destination.Length);
        for (var at = begin; at < end;)
        {
            var unit = at / unitBytes;
            var stop = Math.Min(end, (unit + 1) * unitBytes);
            using var entry = await UnitAsync(piece, unit, cancellationToken);
            entry.Data.AsSpan(at - (unit * unitBytes), stop - at).CopyTo(destination.Span[(at - begin)..]);
            at = stop;
        }
    }

    private async ValueTask<byte[]> PieceAsync(int file, int pieceInFile, CancellationToken cancellationToken)
    {
        var piece = layout.PiecesOf(file).First + pieceInFile;
        var bytes = new byte[layout.PieceLength(piece)];
        await CopyAsync(piece, 0, bytes, cancellationToken);
        return bytes;
    }

    private async ValueTask LoadAsync(long unit, Memory<byte> destination, CancellationToken cancellationToken)
    {
        var (piece, part) = ((int)(unit / unitsOfPiece), (int)(unit % unitsOfPiece));
        var at = 0;
        foreach (var stretch in layout.Stretches(piece, part * unitBytes, destination.Length))
        {
            var target = destination.Slice(at, stretch.Length);
            if (layout.Info.Files[stretch.File].IsPadding) target.Span.Clear();
            else await source.ReadAsync(stretch.File, stretch.Offset, target, cancellationToken);
            at += stretch.Length;
        }
        if (at != destination.Length) throw new InvalidOperationException($"piece {piece} has a hole");
    }
}
