using System.Collections.Concurrent;
using System.Numerics;
using Virga.Core;

namespace Virga.Transfers.Engine;

/// <summary>
/// Buffers that all transfers of an engine use again and again. Lengths are rounded up to powers of two; as many are
/// held as were ever out at once, which the engine's limits bound, until <see cref="Trim"/>.
/// </summary>
internal sealed class BufferPool
{
    private const int LeastBytes = 64 << 10;

    private readonly ConcurrentDictionary<int, ConcurrentBag<Memory<byte>>> free = [];

    /// <returns>At least so many bytes, with anything in them.</returns>
    public Memory<byte> Rent(int bytes)
    {
        var length = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(bytes, LeastBytes));
        return free.TryGetValue(length, out var bag) && bag.TryTake(out var buffer)
            ? buffer : LargePages.Allocate(length);
    }

    public void Return(Memory<byte> buffer) => free.GetOrAdd(buffer.Length, static _ => []).Add(buffer);

    /// <summary>Lets go of all that nobody uses now.</summary>
    public void Trim() => free.Clear();
}
