using Virga.Accounts;
using Virga.Core;

namespace Virga.Agent.Uploads;

/// <summary>
/// One file that comes in pieces of any length, and goes to its account in parts of the account's own. What has come of
/// a part that is not whole is held, so that a line that breaks often still gets on.
/// </summary>
/// <param name="stopping">Ends what goes to the account; who sends does not, so that no part is left in doubt.</param>
internal sealed class FileUpload(
    FileUploadRow row, List<PartReceipt> receipts, FileUploadTable table, AccountPool accounts, TimeProvider time,
    CancellationToken stopping) : IAsyncDisposable
{
    private readonly SemaphoreSlim gate = new(1);
    private readonly Lock field = new();
    private CancellationTokenSource? taking;
    private IUpload? upload;
    private byte[]? part;
    private int filled;
    private bool isResumed;
    private long touched = time.GetTimestamp();
    private TimeSpan idleBefore = TimeSpan.FromTicks(Math.Max(0, (time.GetUtcNow() - row.Seen).Ticks));

    public FileUploadRow Row { get; private set; } = row;

    public Entry? Done { get; private set; }

    /// <summary>For how long nobody has sent anything.</summary>
    public TimeSpan Idle => idleBefore + time.GetElapsedTime(touched);

    /// <summary>Bytes that are here: they need not come again.</summary>
    public long Offset => Done is not null ? Row.Length
        : Math.Min(Row.Length, (receipts.Count * PartBytes) + Volatile.Read(ref filled));

    public bool HoldsBytes => part is not null;

    public bool IsBusy => gate.CurrentCount == 0;

    /// <summary>Written at once, when all of it is here.</summary>
    private bool IsSmall => Row.PartBytes == 0;

    private long PartBytes => IsSmall ? Math.Max(1, Row.Length) : Row.PartBytes;

    /// <summary>What is really there, also after a restart.</summary>
    public async Task FindOffsetAsync(CancellationToken cancellationToken)
    {
        // While bytes come in, what is counted is near enough, and whoever sends them is not to be held up.
        if (IsBusy) return;
        await gate.WaitAsync(cancellationToken);
        try
        {
            if (Done is null && Row.Token is not null) await OpenAsync();
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>Takes what comes, to the end of the stream, and completes the file with its last byte.</summary>
    /// <exception cref="VirgaException">
    /// Changed: it does not begin where the file goes on. BadInput: it goes beyond the file's end. Unavailable: it
    /// broke off. What the account says.
    /// </exception>
    public async Task AppendAsync(long offset, Stream content, CancellationToken cancellationToken)
    {
        using var own = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        lock (field)
        {
            // A line that was cut may not be known to be so yet: who comes later goes on.
            taking?.Cancel();
            taking = own;
        }
        await gate.WaitAsync(own.Token);
        try
        {
            Touch();
            if (Done is not null) return;
            if (Row.Token is not null || receipts.Count > 0) await OpenAsync();
            if (offset != Offset)
            {
                throw new VirgaException(
                    FailureKind.Changed, $"the file goes on at byte {Offset}, not at {offset}",
                    "Ask how far it is, and send the rest.");
            }
            await TakeAsync(content, own.Token);
        }
        finally
        {
            Touch();
            lock (field) if (taking == own) taking = null;
            gate.Release();
        }
    }

    /// <summary>Gives up: nothing of it stays in the account.</summary>
    public async Task EndAsync(CancellationToken cancellationToken)
    {
        lock (field) taking?.Cancel();
        await gate.WaitAsync(cancellationToken);
        try
        {
            DropBytes();
            if (Done is null) await AbortAsync(cancellationToken);
            await table.RemoveAsync(Row.Id, cancellationToken);
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>Lets go of memory, and of what can be opened again, while nothing comes.</summary>
    public async Task RestAsync(bool isLong)
    {
        if (!await gate.WaitAsync(0, CancellationToken.None)) return;
        try
        {
            DropBytes();
            if (!isLong || upload is null || Row.Token is null) return;
            await upload.DisposeAsync();
            upload = null;
        }
        finally
        {
            gate.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        lock (field) taking?.Cancel();
        await gate.WaitAsync(CancellationToken.None);
        gate.Dispose();
        if (upload is not null) await upload.DisposeAsync();
        upload = null;
        DropBytes();
    }

    private async Task TakeAsync(Stream content, CancellationToken cancellationToken)
    {
        var layout = new PartLayout(Row.Length, PartBytes);
        while (Offset < Row.Length)
        {
            var length = (int)layout.RangeOf(receipts.Count).Length;
            part ??= GC.AllocateUninitializedArray<byte>((int)Math.Min(PartBytes, Row.Length));
            while (filled < length)
            {
                var read = await ReadAsync(content, part.AsMemory(filled, length - filled), cancellationToken);
                if (read == 0) return;
                Volatile.Write(ref filled, filled + read);
            }
            if (IsSmall) break;
            await StoreAsync(part.AsMemory(0, length));
        }
        var beyond = new byte[1];
        if (await ReadAsync(content, beyond, cancellationToken) > 0)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"more came than the {Row.Length} bytes that the file has", "Begin it anew.");
        }
        await CompleteAsync();
    }

    private async Task StoreAsync(ReadOnlyMemory<byte> bytes)
    {
        // What it had stored may be gone: then this part is not the next one any more.
        if (await OpenAsync())
        {
            throw new VirgaException(
                FailureKind.Changed, "the account has ended the upload", "Ask how far it is, and send the rest.");
        }
        var receipt = await upload!.WritePartAsync(receipts.Count, bytes, stopping);
        receipts.Add(receipt);
        Volatile.Write(ref filled, 0);
        if (Row.Token is not null) await table.AddPartAsync(Row.Id, receipt, time.GetUtcNow(), CancellationToken.None);
    }

    private async Task CompleteAsync()
    {
        var account = await accounts.GetAsync(Row.Account, stopping);
        if (await account.StatAsync(Row.Path, stopping) is not null)
        {
            throw new VirgaException(
                FailureKind.Conflict, $"there is a '{Row.Path.Name}' already",
                "Choose another name, or delete that one first.");
        }
        if (!IsSmall) await OpenAsync();
        Done = IsSmall
            ? await account.WriteAsync(Row.Path, part.AsMemory(0, (int)Row.Length), WriteOptions.Default, stopping)
            : await upload!.CompleteAsync(receipts, stopping);
        DropBytes();
        if (upload is not null) await upload.DisposeAsync();
        upload = null;
        await table.RemoveAsync(Row.Id, CancellationToken.None);
    }

    /// <summary>
    /// Begins the account's upload, or goes on with it after a restart; true where it lost what was stored.
    /// </summary>
    private async Task<bool> OpenAsync()
    {
        if (upload is not null) return false;
        var account = await accounts.GetAsync(Row.Account, stopping);
        if (Row.Token is { } token && account.Find<IResumableUploads>() is { } resumable)
        {
            try
            {
                upload = await resumable.ResumeUploadAsync(
                    Row.Path, Row.Length, Row.PartBytes, WriteOptions.Default, token, stopping);
                if (account.Traits.PartOrder == PartOrder.Sequence && !isResumed) Replace(upload.Stored);
                isResumed = true;
                return false;
            }
            catch (VirgaException e) when (e.Kind == FailureKind.NotFound)
            {
                // The service has ended it. All of it comes again.
            }
        }
        var isLost = receipts.Count > 0;
        if (isLost) Replace([]);
        if (isLost) DropBytes();
        await table.ClearPartsAsync(Row.Id, stopping);
        upload = await account.BeginUploadAsync(
            Row.Path, Row.Length, Row.PartBytes, WriteOptions.Default, stopping);
        Row = Row with { Token = upload.Token, Seen = time.GetUtcNow() };
        await table.PutAsync(Row, stopping);
        return isLost;
    }

    private async Task AbortAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (upload is not null) await upload.AbortAsync(cancellationToken);
            else if (Row.Token is { } token
                && (await accounts.GetAsync(Row.Account, cancellationToken)).Find<IResumableUploads>() is { } resumable)
            {
                await resumable.AbortUploadAsync(
                    new PendingUpload(Row.Path, token, Row.Began), cancellationToken);
            }
        }
        catch (VirgaException e) when (e.Kind == FailureKind.NotFound)
        {
            // It is gone already, or the account is.
        }
    }

    private void Touch()
    {
        idleBefore = TimeSpan.Zero;
        touched = time.GetTimestamp();
    }

    private void Replace(IReadOnlyList<PartReceipt> stored)
    {
        receipts.Clear();
        receipts.AddRange(stored);
    }

    private void DropBytes()
    {
        part = null;
        Volatile.Write(ref filled, 0);
    }

    private static async ValueTask<int> ReadAsync(
        Stream content, Memory<byte> bytes, CancellationToken cancellationToken)
    {
        try
        {
            return await content.ReadAsync(bytes, cancellationToken);
        }
        catch (Exception e) when (e is IOException or Microsoft.AspNetCore.Http.BadHttpRequestException)
        {
            throw new VirgaException(
                FailureKind.Unavailable, "the upload broke off", "Ask how far it is, and send the rest.", e);
        }
    }
}
