using System.Net;
using System.Text.Json.Nodes;
using Virga.Core;

namespace Virga.Accounts.Adapters.Drive;

/// <summary>An upload session, as a token: whether it makes a new file, the file's id, and the session's URL.</summary>
/// <param name="Url">Opens the session by itself: shown nowhere.</param>
internal sealed record DriveSession(bool IsNew, string Id, Uri Url)
{
    public string Token => $"{(IsNew ? "new" : "old")} {Id} {Url.AbsoluteUri}";

    public override string ToString() => "an upload session at Google Drive";

    public static DriveSession Parse(string token) =>
        token.Split(' ') is [("new" or "old") and var kind, var id, var url]
            && Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme == Uri.UriSchemeHttps
            && uri.Host.EndsWith(".googleapis.com", StringComparison.Ordinal)
            ? new DriveSession(kind == "new", id, uri)
            : throw new VirgaException(
                FailureKind.NotFound, "that is no upload session of Google Drive's", "Begin the upload anew.");
}

/// <summary>
/// A resumable upload (developers.google.com/drive/api/guides/manage-uploads). The session's last byte makes the file,
/// so the end of the last part, at most 256 KiB, is held back in that part's receipt until the upload is completed.
/// </summary>
internal sealed class DriveUpload : IUpload
{
    /// <summary>The same page: all requests but the last carry multiples of 256 KB.</summary>
    public const int MultipleBytes = 256 << 10;

    private readonly DriveClient client;
    private readonly DriveTree tree;
    private readonly EntryPath path;
    private readonly EntryPath whole;
    private readonly PartLayout layout;
    private readonly DriveSession session;
    private readonly SemaphoreSlim turn = new(1, 1);
    private readonly long heldFrom;
    private long stored;
    private long next;
    private bool isInDoubt;
    private DriveItem? done;

    public DriveUpload(
        DriveClient client, DriveTree tree, EntryPath path, EntryPath whole, PartLayout layout, DriveSession session)
    {
        (this.client, this.tree, this.path, this.whole, this.layout, this.session) =
            (client, tree, path, whole, layout, session);
        heldFrom = layout.Length < 1 ? 0 : (layout.Length - 1) / MultipleBytes * MultipleBytes;
    }

    public string? Token => session.Token;

    public IReadOnlyList<PartReceipt> Stored { get; private set; } = [];

    /// <summary>Asks the service how much it has; NotFound when it knows nothing of the upload any more.</summary>
    public async ValueTask AskAsync(string what, CancellationToken cancellationToken)
    {
        await LearnAsync(what, cancellationToken);
        // Of the last part only what is held back makes it whole: it has to be written again, unless all is done.
        next = done is not null ? layout.Count : Math.Min(stored / layout.PartBytes, layout.Count - 1);
        Stored = [.. Enumerable.Range(0, (int)next).Select(i => new PartReceipt(i, ""))];
    }

    private async ValueTask LearnAsync(string what, CancellationToken cancellationToken)
    {
        var reply = await client.SendChunkAsync(what, session.Url, 0, default, layout.Length, cancellationToken);
        if (reply.Status == HttpStatusCode.PermanentRedirect) stored = reply.StoredBytes;
        else if (reply.IsGood) done = DriveItem.From(reply.Value);
        else if (reply.IsGone) done = await CompletedAsync(what, cancellationToken) ?? throw Ended(what);
        else reply.OrThrow(what);
        isInDoubt = false;
    }

    // A new file's id was given out for this upload alone: if it is there, this upload has made it.
    private async ValueTask<DriveItem?> CompletedAsync(string what, CancellationToken cancellationToken) =>
        session.IsNew && await tree.GetAsync(what, session.Id, cancellationToken) is { IsTrashed: false } made
            && made.Length == layout.Length ? made : null;

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
            if (isInDoubt) await LearnAsync(what, cancellationToken);
            var range = layout.RangeOf(index);
            var end = index == layout.Count - 1 ? heldFrom : range.End;
            while (stored < end && done is null)
            {
                if (stored < range.Offset) throw Ended(what);
                var left = content[(int)(stored - range.Offset)..(int)(end - range.Offset)];
                isInDoubt = true;
                var reply = await client.SendChunkAsync(
                    what, session.Url, stored, left, layout.Length, cancellationToken);
                if (reply.IsGone) throw Ended(what);
                if (reply.Status != HttpStatusCode.PermanentRedirect) reply.OrThrow(what);
                if (reply.StoredBytes <= stored)
                    throw new VirgaException(FailureKind.Unavailable, $"{what}: Google Drive took none of it");
                stored = reply.StoredBytes;
                isInDoubt = false;
            }
            // A part that lies in what is held back sends nothing, and may not be the first to hear of the end.
            if (end <= range.Offset) await LearnAsync(what, cancellationToken);
            next++;
            var held = end < range.End ? content[(int)Math.Max(0, end - range.Offset)..] : default;
            return new PartReceipt(index, Convert.ToBase64String(held.Span));
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
        using var lease = await tree.Locks.EnterAsync(whole, cancellationToken);
        if (isInDoubt || stored != heldFrom) await LearnAsync(what, cancellationToken);
        var item = done ??= await FinishAsync(what, parts, cancellationToken);
        // Into the bin and back: whoever threw the old content away didn't mean the new one.
        if (item.IsTrashed)
            await client.CallAsync(
                what, HttpMethod.Patch, DriveClient.UrlOf(item.Id), new JsonObject { ["trashed"] = false },
                cancellationToken);
        if (session.IsNew) await ReplaceOthersAsync(what, item, cancellationToken);
        tree.Made(whole, item.Id);
        return item.ToEntry(path);
    }

    private async ValueTask<DriveItem> FinishAsync(
        string what, IReadOnlyList<PartReceipt> parts, CancellationToken cancellationToken)
    {
        var held = Convert.FromBase64String(parts.Single(part => part.Index == layout.Count - 1).Tag);
        if (stored != heldFrom || held.Length != layout.Length - heldFrom) throw Ended(what);
        isInDoubt = true;
        var reply = await client.SendChunkAsync(what, session.Url, stored, held, layout.Length, cancellationToken);
        if (reply.IsGone) return await CompletedAsync(what, cancellationToken) ?? throw Ended(what);
        var told = reply.OrThrow(what);
        isInDoubt = false;
        return DriveItem.From(told);
    }

    // What somebody has made of that name since the upload was begun is replaced, as if it had been there before.
    private async ValueTask ReplaceOthersAsync(string what, DriveItem item, CancellationToken cancellationToken)
    {
        var others = new HashSet<string>(StringComparer.Ordinal);
        if (tree.MadeAt(whole) is { } other) others.Add(other);
        tree.Forget(whole);
        if (await tree.FindAsync(what, whole, cancellationToken) is { IsFile: true } there) others.Add(there.Id);
        others.Remove(item.Id);
        foreach (var id in others)
        {
            var reply = await client.CallAsync(
                what, HttpMethod.Patch, DriveClient.UrlOf(id), new JsonObject { ["trashed"] = true },
                cancellationToken);
            if (!reply.IsGone) reply.OrThrow(what);
        }
    }

    public async ValueTask AbortAsync(CancellationToken cancellationToken)
    {
        if (done is null) await EndAsync(client, $"end the upload of '{path}'", session, cancellationToken);
    }

    /// <summary>The same page, "Cancel": DELETE at the session's URL, which the service answers with 499.</summary>
    public static async ValueTask EndAsync(
        DriveClient client, string what, DriveSession session, CancellationToken cancellationToken)
    {
        const HttpStatusCode cancelled = (HttpStatusCode)499;
        var reply = await client.CallAsync(
            what, HttpMethod.Delete, session.Url.AbsoluteUri, null, cancellationToken);
        if (reply.Status != cancelled && !reply.IsGone) reply.OrThrow(what);
    }

    public ValueTask DisposeAsync()
    {
        turn.Dispose();
        return ValueTask.CompletedTask;
    }

    private static VirgaException Ended(string what) =>
        new(FailureKind.NotFound, $"{what}: Google Drive has ended the upload", "Begin the upload anew.");
}
