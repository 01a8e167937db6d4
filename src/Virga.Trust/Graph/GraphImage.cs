using System.Numerics;
using System.Runtime.InteropServices;
using Virga.Core;

namespace Virga.Trust.Graph;

/// <summary>
/// The bytes of an image go through one buffer and its checksum: CRC-32C in four lanes, each over a quarter of each
/// full buffer, which is as quick as memory. Each side fills its buffers to the same places.
/// </summary>
internal abstract class GraphImage(int bufferBytes)
{
    public const int HeaderInts = 16;
    public const int TrailerBytes = Lanes * sizeof(uint);
    protected const int BufferBytes = 1 << 20;
    private const int Lanes = 4;

    private readonly uint[] sums = [uint.MaxValue, uint.MaxValue, uint.MaxValue, uint.MaxValue];

    protected byte[] Buffer { get; } = GC.AllocateUninitializedArray<byte>(bufferBytes);

    protected byte[] Trailer => MemoryMarshal.AsBytes(sums.AsSpan()).ToArray();

    protected void AddToSum(int count)
    {
        var quarter = count / Lanes / sizeof(ulong) * sizeof(ulong);
        var (a, b, c, d) = (sums[0], sums[1], sums[2], sums[3]);
        var words = MemoryMarshal.Cast<byte, ulong>(Buffer.AsSpan(0, quarter * Lanes));
        var step = quarter / sizeof(ulong);
        for (var i = 0; i < step; i++)
        {
            a = BitOperations.Crc32C(a, words[i]);
            b = BitOperations.Crc32C(b, words[step + i]);
            c = BitOperations.Crc32C(c, words[(2 * step) + i]);
            d = BitOperations.Crc32C(d, words[(3 * step) + i]);
        }
        for (var i = quarter * Lanes; i < count; i++) d = BitOperations.Crc32C(d, Buffer[i]);
        (sums[0], sums[1], sums[2], sums[3]) = (a, b, c, d);
    }
}

/// <summary>Writes arrays one after the other.</summary>
internal sealed class GraphImageWriter(Stream stream) : GraphImage(BufferBytes)
{
    private int used;

    public async ValueTask WriteAsync<T>(T[] items, CancellationToken token)
        where T : unmanaged
    {
        for (long at = 0, total = MemoryMarshal.AsBytes(items.AsSpan()).Length; at < total;)
        {
            at += Take(items, (int)at);
            if (used == BufferBytes) await FlushAsync(token);
        }
    }

    /// <summary>All that is left in the buffer; only before <see cref="FinishAsync"/>.</summary>
    public async ValueTask FlushAsync(CancellationToken token)
    {
        AddToSum(used);
        await stream.WriteAsync(Buffer.AsMemory(0, used), token);
        used = 0;
    }

    /// <summary>The last thing: without the trailer it is no image.</summary>
    public async ValueTask FinishAsync(CancellationToken token)
    {
        await stream.WriteAsync(Trailer, token);
        await stream.FlushAsync(token);
    }

    private int Take<T>(T[] items, int at)
        where T : unmanaged
    {
        var rest = MemoryMarshal.AsBytes(items.AsSpan())[at..];
        var count = Math.Min(rest.Length, BufferBytes - used);
        rest[..count].CopyTo(Buffer.AsSpan(used));
        used += count;
        return count;
    }
}

/// <summary>Reads what <see cref="GraphImageWriter"/> wrote; Corrupt when it is something else.</summary>
/// <param name="length">Bytes of the whole image.</param>
internal sealed class GraphImageReader(Stream stream, long length)
    : GraphImage((int)Math.Clamp(length, 0, BufferBytes))
{
    private long left = length - TrailerBytes;
    private int used;
    private int filled;

    /// <summary>Bytes that are still to be read: what a count in the image may claim at most.</summary>
    public long Left => left + filled - used;

    public async ValueTask<T[]> ReadAsync<T>(long count, CancellationToken token)
        where T : unmanaged
    {
        if (count < 0 || count > Left / Marshal.SizeOf<T>()) throw Corrupt("it claims more than it holds");
        var items = GC.AllocateUninitializedArray<T>((int)count);
        for (long at = 0, total = MemoryMarshal.AsBytes(items.AsSpan()).Length; at < total;)
        {
            if (used == filled) await FillAsync(token);
            at += Give(items, (int)at);
        }
        return items;
    }

    public async ValueTask FinishAsync(CancellationToken token)
    {
        if (Left != 0) throw Corrupt("it holds more than it says");
        var trailer = new byte[TrailerBytes];
        await ReadExactlyAsync(trailer, token);
        if (!trailer.AsSpan().SequenceEqual(Trailer)) throw Corrupt("its checksum does not fit");
    }

    public static VirgaException Corrupt(string why) => new(FailureKind.Corrupt, $"the saved graph of vouches: {why}",
        "Remove the file: the graph is built again from the sigchains.");

    private int Give<T>(T[] items, int at)
        where T : unmanaged
    {
        var rest = MemoryMarshal.AsBytes(items.AsSpan())[at..];
        var count = Math.Min(rest.Length, filled - used);
        Buffer.AsSpan(used, count).CopyTo(rest);
        used += count;
        return count;
    }

    private async ValueTask FillAsync(CancellationToken token)
    {
        filled = (int)Math.Min(left, BufferBytes);
        (left, used) = (left - filled, 0);
        await ReadExactlyAsync(Buffer.AsMemory(0, filled), token);
        AddToSum(filled);
    }

    private async ValueTask ReadExactlyAsync(Memory<byte> into, CancellationToken token)
    {
        if (await stream.ReadAtLeastAsync(into, into.Length, throwOnEndOfStream: false, token) < into.Length)
            throw Corrupt("it is cut off");
    }
}
