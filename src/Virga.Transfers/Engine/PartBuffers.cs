using Virga.Accounts;
using Virga.Core;

namespace Virga.Transfers.Engine;

/// <summary>
/// The parts of one upload that are being filled: a bounded number of buffers. A part whose last byte is there is
/// stored at once (order Any) or as soon as all before it are (order Sequence), then recorded, then its buffer is
/// free again.
/// </summary>
internal sealed class PartBuffers : IDisposable
{
    private readonly IUpload upload;
    private readonly long length;
    private readonly PartOrder order;
    private readonly Func<IUpload, PartReceipt, int, CancellationToken, ValueTask> stored;
    private readonly CancellationTokenSource stop;
    private readonly BufferPool pool;
    private readonly SemaphoreSlim room;
    private readonly Lock gate = new();
    private readonly Dictionary<long, Part> open = [];
    private readonly List<Task> writes = [];
    private readonly SortedDictionary<long, Part> waiting = [];
    private long nextInSequence;
    private bool isWriting;

    private sealed class Part(long index, Memory<byte> buffer, int bytes)
    {
        public readonly long Index = index;
        public readonly Memory<byte> Buffer = buffer;
        public readonly int Bytes = bytes;
        public int Filled;
    }

    public PartBuffers(
        IUpload upload, long length, long partBytes, EngineLimits limits, BufferPool pool, PartOrder order,
        Func<IUpload, PartReceipt, int, CancellationToken, ValueTask> stored, CancellationToken cancellationToken)
    {
        stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        this.upload = upload;
        this.length = length;
        this.order = order;
        this.stored = stored;
        PartBytes = partBytes;
        this.pool = pool;
        // A range may lie across several parts; with two more than that the oldest part can always be finished.
        var across = (int)(Math.Max(limits.RangeBytes, limits.FarRangeBytes) / partBytes) + 2;
        room = new SemaphoreSlim(Math.Max(across + 1, (int)(limits.PartMemoryBytes / partBytes)));
    }

    public long PartBytes { get; }

    /// <summary>Whether one more part may be opened without waiting.</summary>
    public bool HasRoom => room.CurrentCount > 0;

    /// <summary>Cancelled when anything of this file fails, or from outside.</summary>
    public CancellationToken Stopped => stop.Token;

    /// <summary>The first real failure of this file; what comes after it only sees the cancellation.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>Ends all that runs for this file, and keeps the first reason.</summary>
    public void Fail(Exception reason)
    {
        lock (gate)
        {
            if (reason is not OperationCanceledException) Failure ??= reason;
        }
        stop.Cancel();
    }

    public void Dispose() => stop.Dispose();

    /// <summary>Runs of parts that have no receipt yet, in order.</summary>
    public List<(long First, long Count)> Missing(IReadOnlyList<PartReceipt> have)
    {
        var count = (length + PartBytes - 1) / PartBytes;
        var done = have.Select(r => r.Index).ToHashSet();
        var runs = new List<(long First, long Count)>();
        for (long index = 0; index < count; index++)
        {
            if (done.Contains(index)) continue;
            if (runs.Count > 0 && runs[^1].First + runs[^1].Count == index)
                runs[^1] = (runs[^1].First, runs[^1].Count + 1);
            else
                runs.Add((index, 1));
        }
        nextInSequence = runs.Count > 0 ? runs[0].First : count;
        return runs;
    }

    /// <summary>
    /// Makes room for all parts that a span of plain bytes touches; called in order of the spans, by one task.
    /// </summary>
    public async ValueTask OpenAsync(ByteRange plain)
    {
        if (plain.Length == 0) return;
        for (var index = plain.Offset / PartBytes; index <= (plain.End - 1) / PartBytes; index++)
        {
            lock (gate)
            {
                if (open.ContainsKey(index)) continue;
            }
            await room.WaitAsync(stop.Token);
            var bytes = (int)Math.Min(PartBytes, length - index * PartBytes);
            lock (gate) open.Add(index, new Part(index, pool.Rent(bytes), bytes));
        }
    }

    /// <summary>
    /// The buffer from a plain position to the end of its part. Written by whoever owns that stretch, before Filled.
    /// </summary>
    public Memory<byte> Locate(long position)
    {
        var index = position / PartBytes;
        Part part;
        lock (gate) part = open[index];
        var start = (int)(position - index * PartBytes);
        return part.Buffer[start..part.Bytes];
    }

    /// <summary>Says that a stretch is written; starts storing its part when it was the last one.</summary>
    public void Filled(long position, int bytes)
    {
        lock (gate)
        {
            var part = open[position / PartBytes];
            part.Filled += bytes;
            if (part.Filled < part.Bytes) return;
            open.Remove(part.Index);
            writes.RemoveAll(w => w.IsCompletedSuccessfully);
            if (order == PartOrder.Any)
            {
                writes.Add(Task.Run(() => GuardAsync(StoreAsync(part)), CancellationToken.None));
                return;
            }
            waiting.Add(part.Index, part);
            if (!isWriting && waiting.ContainsKey(nextInSequence))
            {
                isWriting = true;
                writes.Add(Task.Run(() => GuardAsync(StoreInSequenceAsync()), CancellationToken.None));
            }
        }
    }

    /// <summary>Waits until all that was filled is stored, or has failed.</summary>
    public async Task DrainAsync()
    {
        Task[] all;
        lock (gate) all = [.. writes];
        await Task.WhenAll(all);
    }

    private async Task GuardAsync(Task write)
    {
        try
        {
            await write;
        }
        catch (Exception e)
        {
            Fail(e);
        }
    }

    private async Task StoreAsync(Part part)
    {
        var receipt = await upload.WritePartAsync(part.Index, part.Buffer[..part.Bytes], stop.Token);
        await stored(upload, receipt, part.Bytes, stop.Token);
        pool.Return(part.Buffer);
        room.Release();
    }

    private async Task StoreInSequenceAsync()
    {
        while (true)
        {
            Part? part;
            lock (gate)
            {
                if (!waiting.Remove(nextInSequence, out part))
                {
                    isWriting = false;
                    return;
                }
            }
            await StoreAsync(part);
            lock (gate) nextInSequence++;
        }
    }
}
