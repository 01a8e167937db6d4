using System.Net;
using System.Threading.Channels;
using Virga.Core;

namespace Virga.Accounts.Adapters.Http;

/// <summary>
/// What <see cref="StreamedUpload"/> needs of an account: one request that takes a whole file, and a name to move it
/// from.
/// </summary>
internal interface IStreamedTarget
{
    StallGuard Guard(CancellationToken cancellationToken);

    /// <summary>Sends the content to a temporary file; throws our kinds of failure.</summary>
    Task SendTemporaryAsync(
        string what,
        EntryPath temporary,
        HttpContent content,
        WriteOptions options,
        StallGuard guard,
        CancellationToken cancellationToken);

    /// <summary>Puts a whole temporary file in its place.</summary>
    ValueTask<Entry> ReplaceAsync(
        string what,
        EntryPath temporary,
        EntryPath path,
        long length,
        WriteOptions options,
        CancellationToken cancellationToken);

    /// <summary>Done also where it isn't there.</summary>
    ValueTask DeleteTemporaryAsync(string what, EntryPath temporary, CancellationToken cancellationToken);
}

/// <summary>
/// One request for the whole file, fed part by part, into a temporary file that is moved into place at the end. Nothing
/// of it survives the process, nor a failure: after one, every call fails in the same way.
/// </summary>
internal sealed class StreamedUpload : IUpload
{
    private readonly IStreamedTarget account;
    private readonly EntryPath path;
    private readonly EntryPath temporary;
    private readonly PartLayout layout;
    private readonly WriteOptions options;
    private readonly string what;
    private readonly CancellationTokenSource stop = new();
    private readonly StallGuard guard;
    private readonly Channel<Part> parts = Channel.CreateBounded<Part>(1);
    private readonly SemaphoreSlim turn = new(1, 1);
    private readonly Task request;
    private long next;
    private long sentBytes;
    private bool hasEnded;

    public StreamedUpload(
        IStreamedTarget account, EntryPath path, EntryPath temporary, PartLayout layout, WriteOptions options)
    {
        (
            this.account, this.path, this.temporary, this.layout,
            this.options) = (account, path, temporary, layout, options);
        what = $"write '{path}'";
        guard = account.Guard(stop.Token);
        request = SendAsync();
    }

    public string? Token => null;

    private async Task SendAsync()
    {
        await Task.Yield();
        try
        {
            await account.SendTemporaryAsync(what, temporary, new FedContent(this), options, guard, stop.Token);
            if (sentBytes < layout.Length)
                throw new VirgaException(
                    FailureKind.Unavailable, $"{what}: the server answered before it had all of the file");
        }
        catch (Exception e)
        {
            parts.Writer.TryComplete(e);
            while (parts.Reader.TryRead(out var waiting)) waiting.Sent.TrySetException(e);
            throw;
        }
    }

    public async ValueTask<PartReceipt> WritePartAsync(
        long index, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        layout.CheckPart(index, content.Length);
        await turn.WaitAsync(cancellationToken);
        try
        {
            if (index != next)
                throw new VirgaException(
                    FailureKind.BadInput,
                    $"{what}: part {index} comes where part {next} should: this account takes them in sequence");
            cancellationToken.ThrowIfCancellationRequested();
            var part = new Part(content, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            if (!parts.Writer.TryWrite(part)) await request;
            // The memory is the caller's again when this ends, so a cancelled part ends the request that may be sending
            // it.
            await using (cancellationToken.Register(stop.Cancel)) await Task.WhenAny(part.Sent.Task, request);
            cancellationToken.ThrowIfCancellationRequested();
            if (!part.Sent.Task.IsCompletedSuccessfully) await request;
            await part.Sent.Task;
            next++;
            return new PartReceipt(index, "");
        }
        finally
        {
            turn.Release();
        }
    }

    public async ValueTask<Entry> CompleteAsync(
        IReadOnlyList<PartReceipt> receipts, CancellationToken cancellationToken)
    {
        layout.CheckComplete(receipts);
        await using (cancellationToken.Register(stop.Cancel)) await request;
        var entry = await account.ReplaceAsync(what, temporary, path, layout.Length, options, cancellationToken);
        hasEnded = true;
        return entry;
    }

    public async ValueTask AbortAsync(CancellationToken cancellationToken)
    {
        if (hasEnded) return;
        await StopAsync();
        await account.DeleteTemporaryAsync($"end the upload of '{path}'", temporary, cancellationToken);
        hasEnded = true;
    }

    private async ValueTask StopAsync()
    {
        await stop.CancelAsync();
        try
        {
            await request;
        }
        catch (Exception e) when (e is VirgaException or OperationCanceledException or ChannelClosedException)
        {
        }
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await AbortAsync(CancellationToken.None);
        }
        // Whoever disposes has no more use for a failure; the file that may stay bears a name that says what it is.
        catch (VirgaException)
        {
        }
        guard.Dispose();
        stop.Dispose();
        turn.Dispose();
    }

    private sealed record Part(ReadOnlyMemory<byte> Content, TaskCompletionSource Sent);

    private sealed class FedContent(StreamedUpload upload) : HttpContent
    {
        private const int PieceBytes = 256 << 10;

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(
            Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            for (long left = upload.layout.Length; left > 0;)
            {
                // How long the next part takes to come is no fault of the server.
                upload.guard.Pause();
                var part = await upload.parts.Reader.ReadAsync(cancellationToken);
                upload.guard.Touch();
                try
                {
                    for (var at = 0; at < part.Content.Length; at += PieceBytes)
                    {
                        await stream.WriteAsync(
                            part.Content.Slice(at, Math.Min(PieceBytes, part.Content.Length - at)), cancellationToken);
                        upload.guard.Touch();
                    }
                    left -= part.Content.Length;
                    upload.sentBytes += part.Content.Length;
                    part.Sent.TrySetResult();
                }
                catch (Exception e)
                {
                    part.Sent.TrySetException(e);
                    throw;
                }
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = upload.layout.Length;
            return true;
        }
    }
}
