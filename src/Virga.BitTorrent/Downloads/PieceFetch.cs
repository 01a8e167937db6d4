using Virga.BitTorrent.Wire;

namespace Virga.BitTorrent.Downloads;

internal enum BlockState : byte { Missing, Asked, Raced, Here }

/// <summary>One piece on its way. Everything in it is guarded by the scheduler's lock.</summary>
internal sealed class PieceFetch
{
    private int firstMissing;

    public PieceFetch(int piece, int bytes, Memory<byte> buffer, byte[]? owned, BlockRead? owner)
    {
        Piece = piece;
        Bytes = bytes;
        Buffer = buffer;
        Owned = owned;
        Owner = owner;
        Count = (bytes + WireLimits.BlockBytes - 1) / WireLimits.BlockBytes;
        States = new BlockState[Count];
        From = new DownloadPeer?[Count];
        AskedAt = new long[Count];
        MissingCount = Count;
    }

    public int Piece { get; }

    public int Bytes { get; }

    public int Count { get; }

    public BlockState[] States { get; }

    /// <summary>Who was asked, then who delivered.</summary>
    public DownloadPeer?[] From { get; }

    public long[] AskedAt { get; }

    public Memory<byte> Buffer { get; private set; }

    /// <summary>The buffer, where it is the scheduler's own; null where it is part of a read's destination.</summary>
    public byte[]? Owned { get; private set; }

    /// <summary>Whose destination the buffer is part of.</summary>
    public BlockRead? Owner { get; private set; }

    public List<(BlockRead Read, Memory<byte> Destination, int Offset)> Wants { get; } = [];

    public List<DownloadPeer> Takers { get; } = [];

    public int MissingCount { get; private set; }

    public int HereCount { get; private set; }

    /// <summary>Alone asked for it, after it came wrong from several: then it is known who lied.</summary>
    public DownloadPeer? Only { get; set; }

    /// <summary>Blocks of attempts that came out wrong: who sent them, and their SHA-1.</summary>
    public List<(DownloadPeer?[] From, byte[][] Hashes)> WrongAttempts { get; } = [];

    /// <summary>The check that runs; the buffer is read by it.</summary>
    public Task? Checking { get; set; }

    public bool IsWhole => HereCount == Count;

    public int LengthOf(int block) =>
        Math.Min(WireLimits.BlockBytes, Bytes - (block * WireLimits.BlockBytes));

    /// <summary>The next block that nobody is asked for; only where there is one.</summary>
    public int TakeMissing(DownloadPeer peer, long now)
    {
        while (States[firstMissing] != BlockState.Missing) firstMissing++;
        var block = firstMissing++;
        States[block] = BlockState.Asked;
        (From[block], AskedAt[block]) = (peer, now);
        MissingCount--;
        return block;
    }

    public void GiveBack(int block)
    {
        States[block] = BlockState.Missing;
        From[block] = null;
        MissingCount++;
        firstMissing = Math.Min(firstMissing, block);
    }

    public void Arrived(int block, DownloadPeer peer, ReadOnlySpan<byte> data)
    {
        data.CopyTo(Buffer.Span[(block * WireLimits.BlockBytes)..]);
        if (States[block] == BlockState.Missing) MissingCount--;
        States[block] = BlockState.Here;
        From[block] = peer;
        HereCount++;
    }

    public void StartAgain()
    {
        Array.Fill(States, BlockState.Missing);
        Array.Clear(From);
        (MissingCount, HereCount, firstMissing) = (Count, 0, 0);
        Takers.Clear();
    }

    /// <summary>The owner of the destination gives up, and others want the piece all the same.</summary>
    public void MoveTo(byte[] buffer)
    {
        Buffer.CopyTo(buffer);
        (Buffer, Owned, Owner) = (buffer.AsMemory(0, Bytes), buffer, null);
    }
}

/// <summary>One read of a range: done when all pieces that it touches are right.</summary>
internal sealed class BlockRead
{
    private readonly TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int left = 1;

    public List<PieceFetch> Fetches { get; } = [];

    public Task Done => done.Task;

    public void Expect() => Interlocked.Increment(ref left);

    public void Arrived()
    {
        if (Interlocked.Decrement(ref left) == 0) done.TrySetResult();
    }

    public void Fail(Exception why) => done.TrySetException(why);
}
