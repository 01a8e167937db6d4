using System.Text.Json.Nodes;
using Virga.Core;

namespace Virga.Accounts.Adapters.Dropbox;

/// <summary>
/// An upload session (files.stone, upload_session/*). The token is the session's id; the service knows how much it has.
/// The tag of a part holds the hashes of its blocks, from which the whole file's content hash follows: what the service
/// says it has stored is compared with it, and a finish whose answer got lost is found to be done.
/// </summary>
internal sealed class DropboxUpload : IUpload
{
    private readonly DropboxAccount account;
    private readonly DropboxClient client;
    private readonly EntryPath path;
    private readonly PartLayout layout;
    private readonly WriteOptions options;
    private readonly string session;
    private readonly SemaphoreSlim turn = new(1, 1);
    private long next;
    private bool hasEnded;

    private DropboxUpload(
        DropboxAccount account, DropboxClient client, EntryPath path, PartLayout layout, WriteOptions options,
        string session, long stored)
    {
        (this.account, this.client, this.path, this.layout, this.options, this.session) =
            (account, client, path, layout, options, session);
        next = stored;
        Stored = [.. Enumerable.Range(0, (int)stored).Select(i => new PartReceipt(i, ""))];
    }

    public string? Token => session;

    public IReadOnlyList<PartReceipt> Stored { get; }

    public static async ValueTask<IUpload> BeginAsync(
        DropboxAccount account, DropboxClient client, EntryPath path, PartLayout layout, WriteOptions options,
        CancellationToken cancellationToken)
    {
        var what = $"begin to write '{path}'";
        var reply = await client.UploadAsync(what, "files/upload_session/start", [], default, cancellationToken);
        var session = reply.OrThrow(what).GetProperty("session_id").GetString()!;
        return new DropboxUpload(account, client, path, layout, options, session, 0);
    }

    public static async ValueTask<IUpload> ResumeAsync(
        DropboxAccount account, DropboxClient client, EntryPath path, PartLayout layout, WriteOptions options,
        string session, CancellationToken cancellationToken)
    {
        var what = $"go on writing '{path}'";
        // Nothing at offset 0: taken when nothing is stored yet, otherwise refused with how much is.
        var reply = await AppendAsync(client, what, session, 0, default, close: false, cancellationToken);
        if (reply.IsGood || reply.Is("incorrect_offset"))
        {
            var offset = reply.IsGood ? 0 : CorrectOffset(reply);
            if (offset == layout.Length) return Upload(layout.Count);
            if (offset < layout.Length && offset % layout.PartBytes == 0) return Upload(offset / layout.PartBytes);
        }
        // The process before us may have ended between completing it and writing that down: CompleteAsync finds out.
        else if (reply.Is("not_found")
            && await account.StatAsync(path, cancellationToken) is { } there && there.Length == layout.Length)
            return Upload(layout.Count);
        else if (!reply.Is("not_found") && !reply.Is("closed")) reply.OrThrow(what);
        throw Ended(what);

        DropboxUpload Upload(long stored) => new(account, client, path, layout, options, session, stored);
    }

    public async ValueTask<PartReceipt> WritePartAsync(
        long index, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var what = $"write part {index} of '{path}'";
        layout.CheckPart(index, content.Length);
        await turn.WaitAsync(cancellationToken);
        try
        {
            if (index != next)
                throw new VirgaException(
                    FailureKind.BadInput,
                    $"{what}: part {index} comes where part {next} should: this account takes them in sequence");
            var blocks = DropboxHash.Blocks(content.Span);
            var range = layout.RangeOf(index);
            var reply = await AppendAsync(
                client, what, session, range.Offset, content, close: false, cancellationToken, DropboxHash.Of(blocks));
            // It was stored by a request whose answer got lost.
            var isStored = reply.Is("incorrect_offset") && CorrectOffset(reply) == range.End;
            if (!isStored && (reply.Is("not_found") || reply.Is("closed") || reply.Is("incorrect_offset")))
                throw Ended(what);
            if (!isStored) reply.OrThrow(what);
            next++;
            return new PartReceipt(index, Convert.ToBase64String(blocks));
        }
        finally
        {
            turn.Release();
        }
    }

    public async ValueTask<Entry> CompleteAsync(IReadOnlyList<PartReceipt> parts, CancellationToken cancellationToken)
    {
        var what = $"complete '{path}'";
        layout.CheckComplete(parts);
        var hash = DropboxHash.Of(parts.OrderBy(part => part.Index));
        var arguments = new JsonObject
        {
            ["cursor"] = Cursor(session, layout.Length), ["commit"] = account.Commit(path, options),
        };
        var reply = await client.UploadAsync(
            what, "files/upload_session/finish", arguments, default, cancellationToken);
        if (reply.Is("lookup_failed"))
        {
            if (hash is null || await account.LookAsync(what, path, cancellationToken) is not { } there
                || !there.TryGetProperty("content_hash", out var found) || found.GetString() != hash)
                throw Ended(what);
            hasEnded = true;
            return DropboxListing.EntryOf(path, there);
        }
        var told = reply.OrThrow(what);
        hasEnded = true;
        if (hash is not null && told.TryGetProperty("content_hash", out var stored) && stored.GetString() != hash)
            throw new VirgaException(
                FailureKind.Corrupt, $"{what}: what Dropbox has stored is not what was sent", "Write the file again.");
        return DropboxListing.EntryOf(path, told);
    }

    public async ValueTask AbortAsync(CancellationToken cancellationToken)
    {
        if (hasEnded) return;
        await CloseAsync(
            client, $"end the upload of '{path}'", session, Math.Min(next * layout.PartBytes, layout.Length),
            cancellationToken);
        hasEnded = true;
    }

    public ValueTask DisposeAsync()
    {
        turn.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>
    /// Ends a session. There is no call that drops one, so it is closed, after which it takes no more and can't become
    /// a file by mistake of a process that goes on; the service drops it in time.
    /// </summary>
    public static async ValueTask CloseAsync(
        DropboxClient client, string what, string session, long offset, CancellationToken cancellationToken)
    {
        var reply = await AppendAsync(client, what, session, offset, default, close: true, cancellationToken);
        if (reply.Is("incorrect_offset"))
            reply = await AppendAsync(
                client, what, session, CorrectOffset(reply), default, close: true, cancellationToken);
        if (!reply.Is("not_found") && !reply.Is("closed")) reply.OrThrow(what);
    }

    private static Task<DropboxReply> AppendAsync(
        DropboxClient client, string what, string session, long offset, ReadOnlyMemory<byte> content, bool close,
        CancellationToken cancellationToken, string? hash = null)
    {
        var arguments = new JsonObject { ["cursor"] = Cursor(session, offset), ["close"] = close };
        if (hash is not null) arguments["content_hash"] = hash;
        return client.UploadAsync(what, "files/upload_session/append_v2", arguments, content, cancellationToken);
    }

    private static JsonObject Cursor(string session, long offset) =>
        new() { ["session_id"] = session, ["offset"] = offset };

    private static long CorrectOffset(DropboxReply reply) =>
        reply.Value.TryGetProperty("correct_offset", out var offset) ? offset.GetInt64() : -1;

    private static VirgaException Ended(string what) =>
        new(FailureKind.NotFound, $"{what}: Dropbox has ended the upload", "Begin the upload anew.");
}
