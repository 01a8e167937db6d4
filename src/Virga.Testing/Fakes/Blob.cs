using System.Security.Cryptography;

namespace Virga.Testing.Fakes;

/// <summary>A file's bytes in a fake's memory, in the pieces in which they came: nothing is copied twice.</summary>
public sealed class Blob
{
    private const int PieceBytes = 1 << 20;
    private readonly List<(long Offset, byte[] Bytes)> pieces = [];

    public long Length { get; private set; }

    public void Append(byte[] bytes)
    {
        if (bytes.Length == 0) return;
        pieces.Add((Length, bytes));
        Length += bytes.Length;
    }

    public void Append(Blob other)
    {
        foreach (var (_, bytes) in other.pieces) Append(bytes);
    }

    /// <summary>
    /// All of a body; with one byte more than <paramref name="limit"/> when it is longer than that.
    /// </summary>
    public static async Task<Blob> ReadAsync(
        Stream body, CancellationToken cancellationToken, long limit = long.MaxValue)
    {
        var blob = new Blob();
        var buffer = new byte[PieceBytes];
        while (true)
        {
            var count = await body.ReadAtLeastAsync(buffer, buffer.Length, false, cancellationToken);
            blob.Append(count == buffer.Length ? buffer : buffer[..count]);
            if (count < buffer.Length || blob.Length > limit) return blob;
            buffer = new byte[PieceBytes];
        }
    }

    public async Task WriteAsync(Stream to, long offset, long length, CancellationToken cancellationToken)
    {
        foreach (var slice in Slices(offset, length)) await to.WriteAsync(slice, cancellationToken);
    }

    public IEnumerable<ReadOnlyMemory<byte>> Slices(long offset, long length)
    {
        var end = offset + length;
        foreach (var (at, bytes) in pieces)
        {
            var from = Math.Max(offset, at);
            var to = Math.Min(end, at + bytes.Length);
            if (from < to) yield return bytes.AsMemory((int)(from - at), (int)(to - from));
        }
    }

    public byte[] Hash(HashAlgorithmName algorithm) => Hash(algorithm, 0, Length);

    public byte[] Hash(HashAlgorithmName algorithm, long offset, long length)
    {
        using var hash = IncrementalHash.CreateHash(algorithm);
        foreach (var slice in Slices(offset, length)) hash.AppendData(slice.Span);
        return hash.GetHashAndReset();
    }

    public byte[] ToArray()
    {
        var all = new byte[Length];
        foreach (var (at, bytes) in pieces) bytes.CopyTo(all, at);
        return all;
    }
}
