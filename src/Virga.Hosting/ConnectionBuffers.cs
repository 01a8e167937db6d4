using System.Buffers;
using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections;
using Virga.Core;

namespace Virga.Hosting;

/// <summary>
/// The server's buffers, in blocks of 32 KiB. The framework's are of 4 KiB, so that an answer of a MiB is cut in 256
/// pieces, each taken, linked, handed to the system and given back: a tenth of what serving a blob costs.
/// </summary>
internal sealed class ConnectionBuffers : MemoryPool<byte>, IMemoryPoolFactory<byte>
{
    private const int BlockBytes = 32 << 10;

    /// <summary>What is kept for the next, in one large page: an idle server holds no more than these 2 MiB.</summary>
    private const int KeptBlocks = 64;

    private readonly ConcurrentQueue<Block> kept = new();

    public ConnectionBuffers()
    {
        var page = LargePages.Allocate(KeptBlocks * BlockBytes);
        for (var i = 0; i < KeptBlocks; i++)
            kept.Enqueue(new Block(this, page.Slice(i * BlockBytes, BlockBytes), isKept: true));
    }

    public override int MaxBufferSize => BlockBytes;

    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => this;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockBytes);
        if (!kept.TryDequeue(out var block))
            block = new Block(this, GC.AllocateUninitializedArray<byte>(BlockBytes, pinned: true), isKept: false);
        block.IsRented = true;
        return block;
    }

    protected override void Dispose(bool disposing)
    {
        // Shared by all listeners; the blocks go when the server goes.
    }

    private sealed class Block(ConnectionBuffers pool, Memory<byte> bytes, bool isKept) : IMemoryOwner<byte>
    {
        public bool IsRented { get; set; }

        public Memory<byte> Memory => bytes;

        public void Dispose()
        {
            if (!IsRented) return;
            IsRented = false;
            if (isKept) pool.kept.Enqueue(this);
        }
    }
}
