using System.Collections.Concurrent;

namespace Virga.Transfers.Engine;

/// <summary>Buffers of one length, used again and again; holds as many as were ever out at once, which its users bound.</summary>
internal sealed class BufferPool(int bytes)
{
    private readonly ConcurrentBag<byte[]> free = [];

    public int BufferBytes { get; } = bytes;

    public byte[] Rent() => free.TryTake(out var buffer) ? buffer : GC.AllocateUninitializedArray<byte>(BufferBytes);

    public void Return(byte[] buffer) => free.Add(buffer);
}
