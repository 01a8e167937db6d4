using System.Buffers;
using System.Buffers.Binary;
using Virga.Accounts;
using Virga.Content;
using Virga.Core;
using Virga.Core.Age;
using Virga.Transfers.Sources;

namespace Virga.Transfers.Engine;

/// <summary>Reads a copy back from the target account and compares it with the tree: pieces of it, or all.</summary>
internal sealed class CopyVerifier(IAccount account, int pieceBytes, RandomBytes random)
{
    /// <summary>One piece in so many is read, and at least one of each file.</summary>
    private const int PiecesPerSample = 64;

    /// <summary>Plain bytes that were read and are right; null when something is wrong.</summary>
    public async Task<long?> CompareAsync(
        Entry copy, SharedFile file, CopyCheck how, CancellationToken cancellationToken)
    {
        if (how == CopyCheck.Service) return 0;
        if (how == CopyCheck.Sample) return await SampleAsync(copy, file, cancellationToken);
        return await PlainVerifier.IsSameAsync(account, copy, file, pieceBytes, cancellationToken)
            ? file.Entry.Size : null;
    }

    private async Task<long?> SampleAsync(Entry copy, SharedFile file, CancellationToken cancellationToken)
    {
        var blob = file.Blob!.Value;
        var pieces = (blob.Length + pieceBytes - 1) / pieceBytes;
        long compared = 0;
        var buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(pieceBytes, blob.Length));
        try
        {
            foreach (var piece in Choose(pieces))
            {
                var offset = piece * pieceBytes;
                var range = new ByteRange(offset, Math.Min(pieceBytes, blob.Length - offset));
                var bytes = buffer.AsMemory(0, (int)range.Length);
                await PlainForm.ReadAsync(
                    file, (plain, to, token) => ReadAsync(copy, plain, to, token), range, bytes, cancellationToken);
                if (BlobVerifier.WhyWrong(blob, file.PieceLayer.Span, pieceBytes, offset, bytes.Span) is not null)
                    return null;
                compared += range.Length;
            }
            return Math.Min(compared, file.Entry.Size);
        }
        catch (VirgaException e) when (e.Kind is FailureKind.Changed or FailureKind.NotFound)
        {
            return null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async Task ReadAsync(
        Entry copy, ByteRange range, Memory<byte> destination, CancellationToken cancellationToken)
    {
        await using var reader = await account.ReadAsync(copy.Path, range, copy.Version, cancellationToken);
        await reader.Content.ReadExactlyAsync(destination, cancellationToken);
    }

    /// <summary>Different pieces, each as likely as the next.</summary>
    private IEnumerable<long> Choose(long pieces)
    {
        var count = (pieces + PiecesPerSample - 1) / PiecesPerSample;
        if (count == pieces) return [0];
        var chosen = new SortedSet<long>();
        var bytes = new byte[sizeof(ulong)];
        while (chosen.Count < count)
        {
            random(bytes);
            chosen.Add((long)(BinaryPrimitives.ReadUInt64LittleEndian(bytes) % (ulong)pieces));
        }
        return chosen;
    }
}
