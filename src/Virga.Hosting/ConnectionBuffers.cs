using System.Buffers;
using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections;

namespace Virga.Hosting;

/// <summary>
/// The server's buffers, in blocks of 32 KiB. The framework's are of 4 KiB, so that an answer of a MiB is cut in 256
/// pieces, each taken, linked, handed to the system and given back: a tenth of what serving a blob costs.
/// </summary>
internal sealed class ConnectionBuffers : MemoryPool<byte>, IMemoryPoolFactory<byte>
{
    private const int BlockBytes = 32 << 10;

    /// <summary>What is kept for the next; an idle server holds no more than 2 MiB.</summary>
    private const int KeptMax = 64;

    private readonly ConcurrentQueue<Block> kept = new();

    public override int MaxBufferSize => BlockBytes;

    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => this;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockBytes);
        if (!kept.TryDequeue(out var block)) block = new Block(this);
        block.IsRented = true;
        return block;
    }

    protected override void Dispose(bool disposing)
    {
        // Shared by all listeners; the blocks go when the server goes.
    }

    private void Return(Block block)
    {
        if (kept.Count < KeptMax) kept.Enqueue(block);
    }

    private sealed class Block(ConnectionBuffers pool) : IMemoryOwner<byte>
    {
        private readonly byte[] bytes = GC.AllocateUninitializedArray<byte>(BlockBytes, pinned: true);

        public bool IsRented { get; set; }

        public Memory<byte> Memory => bytes;

        public void Dispose()
        {
            if (!IsRented) return;
            IsRented = false;
            pool.Return(this);
        }
    }
}
