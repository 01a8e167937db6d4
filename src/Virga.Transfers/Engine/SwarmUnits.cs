using Virga.Accounts;
using Virga.Content;
using Virga.Core;
using Virga.Core.Age;

namespace Virga.Transfers.Engine;

/// <summary>
/// Which pieces of a blob each part of its file needs, where parts are fetched in any order. Two parts that follow each
/// other may need one piece, which lies across both. Pure.
/// </summary>
internal sealed class SwarmUnits
{
    private const int PartPieces = 4;
    private const long PartBytesLeast = 512 << 10;
    private const int PartsWanted = 2048;

    private readonly SharedFile file;
    private readonly int pieceBytes;
    private readonly long partBytes;

    public SwarmUnits(SharedFile file, int pieceBytes, long partBytes)
    {
        this.file = file;
        this.pieceBytes = pieceBytes;
        this.partBytes = partBytes;
        Count = (int)((file.Entry.Size + partBytes - 1) / partBytes);
    }

    /// <summary>Parts of the file.</summary>
    public int Count { get; }

    /// <summary>Whether parts of that length can be fetched in any order.</summary>
    public static bool Takes(SharedFile file, int pieceBytes, long partBytes) =>
        partBytes >= (long)PartPieces * pieceBytes && file.Entry.Size > partBytes
        && file.Entry.Size / partBytes < int.MaxValue
        && (file.Nonce is null ? partBytes % pieceBytes == 0 : partBytes % AgePayload.ChunkBytes == 0);

    /// <summary>
    /// A part length for many holders: short, so that what was received is soon passed on; null where the account takes
    /// none that can be fetched in any order.
    /// </summary>
    public static long? PartBytesFor(SharedFile file, int pieceBytes, AccountTraits traits)
    {
        var size = file.Entry.Size;
        var step = Math.Max(pieceBytes, AgePayload.ChunkBytes);
        var wanted = Math.Max(Math.Max(PartBytesLeast, (long)PartPieces * pieceBytes), size / PartsWanted);
        wanted = Math.Max(wanted, Math.Max(traits.PartBytesMin, (size / traits.PartsMax) + 1));
        wanted = (wanted + step - 1) / step * step;
        // Longer parts than usual would take more memory.
        var isTaken = wanted <= Math.Min(traits.PartBytesMax, AccountTraits.PreferredPartBytes)
            && wanted % traits.PartMultipleBytes == 0 && Takes(file, pieceBytes, wanted);
        return isTaken ? wanted : null;
    }

    /// <summary>The bytes of the blob that hold a part, and nothing of its neighbours.</summary>
    public ByteRange BytesOf(int part)
    {
        var start = part * partBytes;
        var end = Math.Min(file.Entry.Size, start + partBytes);
        if (file.Nonce is null) return new ByteRange(start, end - start);
        var length = file.Blob!.Value.Length;
        start = start == 0 ? 0 : SealedAt(start);
        end = end == file.Entry.Size ? length : SealedAt(end);
        return new ByteRange(start, end - start);
    }

    /// <summary>The pieces that a part needs, by their number in the blob.</summary>
    public (int First, int End) PiecesOf(int part)
    {
        var bytes = BytesOf(part);
        return ((int)(bytes.Offset / pieceBytes), (int)((bytes.End + pieceBytes - 1) / pieceBytes));
    }

    private static long SealedAt(long plain) =>
        AgePayload.NonceBytes + (plain / AgePayload.ChunkBytes * AgePayload.SealedChunkBytes);
}
