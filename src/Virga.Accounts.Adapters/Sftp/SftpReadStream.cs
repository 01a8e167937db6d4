using Virga.Core;

namespace Virga.Accounts.Adapters.Sftp;

/// <summary>A range of an open file; as many reads are under way as keep the line busy.</summary>
/// <param name="isPinned">Whether to look, after the last byte, if the file changed while it was read.</param>
internal sealed class SftpReadStream(
    SftpHandle handle, ByteRange range, string what, bool isPinned) : AccountReadStream
{
    private const int Window = 16;

    private readonly Queue<(long Offset, int Length, Task<SftpAnswer> Answer)> sent = new();
    private long nextOffset = range.Offset;
    private SftpAnswer? current;
    private int taken;
    private long delivered;
    private Task<SftpAnswer>? look;

    /// <summary>What was read is of this version; known before the first byte is handed out.</summary>
    public EntryVersion? Version { get; set; }

    /// <summary>Sends the first reads, so that they are on their way while others wait.</summary>
    public async ValueTask FillAsync(CancellationToken cancellationToken)
    {
        while (sent.Count < Window && nextOffset < range.End)
        {
            var length = (int)Math.Min(handle.Connection.ReadBytesMax, range.End - nextOffset);
            sent.Enqueue((nextOffset, length, await handle.PostReadAsync(nextOffset, length, CancellationToken.None)));
            nextOffset += length;
            cancellationToken.ThrowIfCancellationRequested();
        }
        // The server comes to it when it has read the last byte.
        if (isPinned && nextOffset == range.End) look ??= await handle.AskAttributesAsync(CancellationToken.None);
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty) return 0;
        if (delivered == range.Length)
        {
            await CheckUnchangedAsync(cancellationToken);
            return 0;
        }
        if (current is null) await NextAsync(cancellationToken);
        var data = SftpCalls.DataIn(current!.Value)[taken..];
        var count = Math.Min(data.Length, buffer.Length);
        data[..count].CopyTo(buffer.Span);
        delivered += count;
        taken += count;
        if (count == data.Length) DropCurrent();
        return count;
    }

    public override async ValueTask DisposeAsync()
    {
        DropCurrent();
        while (sent.TryDequeue(out var late)) late.Answer.Forget();
        look?.Forget();
        await handle.CloseAsync();
        await base.DisposeAsync();
    }

    private async ValueTask CheckUnchangedAsync(CancellationToken cancellationToken)
    {
        if (look is null) return;
        await look.WaitAsync(cancellationToken);
        using var answer = await look;
        look = null;
        if (SftpCalls.AttributesIn(answer).Version != Version)
        {
            throw new VirgaException(
                FailureKind.Changed, $"can't {what}: it changed while it was read", "Read it again.");
        }
    }

    private async ValueTask NextAsync(CancellationToken cancellationToken)
    {
        await FillAsync(cancellationToken);
        var (offset, length, answer) = sent.Peek();
        // It stays in the queue while it is waited for: a caller that gives up leaves it to be tidied away.
        await answer.WaitAsync(cancellationToken);
        sent.Dequeue();
        current = await answer;
        taken = 0;
        int got;
        try
        {
            got = SftpCalls.DataIn(current.Value).Length;
        }
        catch (SftpRefusal e)
        {
            throw SftpFailures.Of(what, e);
        }
        if (got == 0)
        {
            throw new VirgaException(
                FailureKind.Changed, $"can't {what}: it got shorter while it was read", "Read it again.");
        }
        if (got < length) await AskForRestAsync(offset + got, length - got);
        await FillAsync(cancellationToken);
    }

    /// <summary>A server may send less than it was asked for (6.4): the rest comes before what follows.</summary>
    private async ValueTask AskForRestAsync(long offset, int length)
    {
        var behind = sent.ToArray();
        sent.Clear();
        sent.Enqueue((offset, length, await handle.PostReadAsync(offset, length, CancellationToken.None)));
        foreach (var other in behind) sent.Enqueue(other);
    }

    private void DropCurrent()
    {
        current?.Dispose();
        current = null;
    }
}
