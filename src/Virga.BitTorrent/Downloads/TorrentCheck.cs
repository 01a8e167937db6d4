using System.Buffers;
using Virga.Accounts;
using Virga.Content;
using Virga.Content.Torrents;
using Virga.Core;

namespace Virga.BitTorrent.Downloads;

/// <summary>
/// Whether a file in an account is a torrent's: its whole pieces by their hashes; those that it shares with other files
/// are fetched again and compared, as no hash says anything of a part of them.
/// </summary>
public static class TorrentCheck
{
    /// <summary>Throws as the account does.</summary>
    public static async Task<bool> IsSameAsync(
        IAccount account, Entry entry, SharedFile file, PieceLayout layout, PieceChecker checker, TorrentSource source,
        CancellationToken cancellationToken)
    {
        if (entry.Kind != EntryKind.File || entry.Length != file.Entry.Size || file.Blob is not { } blob) return false;
        var start = source.StartOf(blob.Root);
        var end = start + entry.Length;
        await using var reader = await account.ReadAsync(
            entry.Path, new ByteRange(0, entry.Length), entry.Version, cancellationToken);
        var stored = ArrayPool<byte>.Shared.Rent(layout.PieceBytes);
        var fetched = ArrayPool<byte>.Shared.Rent(layout.PieceBytes);
        try
        {
            for (var at = start; at < end;)
            {
                var piece = (int)(at / layout.PieceBytes);
                var first = (long)piece * layout.PieceBytes;
                var length = (int)(Math.Min(end, first + layout.PieceLength(piece)) - at);
                var data = stored.AsMemory(0, length);
                await reader.Content.ReadExactlyAsync(data, cancellationToken);
                if (at == first && length == layout.PieceLength(piece))
                {
                    if (!checker.IsRight(piece, data.Span)) return false;
                }
                else
                {
                    var right = fetched.AsMemory(0, length);
                    await source.ReadAsync(blob.Root, at - start, right, cancellationToken);
                    if (!right.Span.SequenceEqual(data.Span)) return false;
                }
                at += length;
            }
            return true;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(stored);
            ArrayPool<byte>.Shared.Return(fetched);
        }
    }
}
