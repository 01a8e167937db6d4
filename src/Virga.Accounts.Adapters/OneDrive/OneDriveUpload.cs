using System.Net;
using Virga.Core;

namespace Virga.Accounts.Adapters.OneDrive;

/// <summary>An upload session, as a token.</summary>
/// <param name="Before">cTag of the file that was there at its beginning; "-" for none.</param>
/// <param name="Url">Opens the session by itself: shown nowhere.</param>
internal sealed record OneDriveSession(string Before, Uri Url)
{
    // Where sessions are, for persons and at work; a token is never followed elsewhere.
    private static readonly string[] Hosts =
        [".1drv.com", ".sharepoint.com", ".sharepoint.us", ".sharepoint.cn", ".svc.ms", ".microsoft.com", ".live.com"];

    public string Token => $"{Before} {Url.AbsoluteUri}";

    public override string ToString() => "an upload session at OneDrive";

    public static OneDriveSession Parse(string token) =>
        token.Split(' ') is [{ Length: > 0 } before, var url] && Uri.TryCreate(url, UriKind.Absolute, out var uri)
            && uri.Scheme == Uri.UriSchemeHttps
            && Hosts.Any(host => uri.Host.EndsWith(host, StringComparison.OrdinalIgnoreCase))
            ? new OneDriveSession(before, uri)
            : throw new VirgaException(
                FailureKind.NotFound, "that is no upload session of OneDrive's", "Begin the upload anew.");
}

/// <summary>
/// An upload session (learn.microsoft.com/graph/api/driveitem-createuploadsession). Its last byte makes the file, so
/// the end of the last part, at most 320 KiB, is held back in that part's receipt until the upload is completed.
/// </summary>
internal sealed class OneDriveUpload : IUpload
{
    /// <summary>The same page: all fragments but the last are multiples of 320 KiB.</summary>
    public const int MultipleBytes = 320 << 10;

    private readonly OneDriveAccount account;
    private readonly OneDriveClient client;
    private readonly EntryPath path;
    private readonly PartLayout layout;
    private readonly OneDriveSession session;
    private readonly SemaphoreSlim turn = new(1, 1);
    private readonly long heldFrom;
    private long stored;
    private long next;
    private bool isInDoubt;
    private OneDriveItem? done;

    public OneDriveUpload(
        OneDriveAccount account, OneDriveClient client, EntryPath path, PartLayout layout, OneDriveSession session)
    {
        (this.account, this.client, this.path, this.layout, this.session) = (account, client, path, layout, session);
        heldFrom = (layout.Length - 1) / MultipleBytes * MultipleBytes;
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
        var reply = await client.SessionAsync(
            what, HttpMethod.Get, session.Url, 0, default, layout.Length, cancellationToken);
        if (reply.IsMissing) done = await CompletedAsync(what, cancellationToken) ?? throw Ended(what);
        else stored = Expected(what, reply);
        isInDoubt = false;
    }

    // "nextExpectedRanges": ["12345-55232"], or ["12345-"].
    private static long Expected(string what, OneDriveReply reply) =>
        reply.OrThrow(what).TryGetProperty("nextExpectedRanges", out var ranges) && ranges.GetArrayLength() > 0
            && long.TryParse(ranges[0].GetString()!.Split('-')[0], out var offset)
            ? offset
            : throw new VirgaException(FailureKind.Unavailable, $"{what}: OneDrive doesn't say how much it has");

    // A session ends when it has made the file: what is there has our length and isn't what was there before.
    private async ValueTask<OneDriveItem?> CompletedAsync(string what, CancellationToken cancellationToken) =>
        await account.FindAsync(what, path, cancellationToken) is { IsFile: true } there
            && there.Length == layout.Length && there.ContentTag != session.Before ? there : null;

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
            var range = layout.RangeOf(index);
            var end = index == layout.Count - 1 ? heldFrom : range.End;
            // A part that is held back altogether sends nothing, and is not to be taken for stored when all has ended.
            if (isInDoubt || end == range.Offset) await LearnAsync(what, cancellationToken);
            while (stored < end && done is null)
            {
                if (stored < range.Offset) throw Ended(what);
                var left = content[(int)(stored - range.Offset)..(int)(end - range.Offset)];
                isInDoubt = true;
                var reply = await client.SessionAsync(
                    what, HttpMethod.Put, session.Url, stored, left, layout.Length, cancellationToken);
                if (reply.IsMissing) throw Ended(what);
                var now = Expected(what, reply);
                if (now <= stored)
                    throw new VirgaException(FailureKind.Unavailable, $"{what}: OneDrive took none of it");
                stored = now;
                isInDoubt = false;
            }
            next++;
            var held = end < range.End ? content[(int)(end - range.Offset)..] : default;
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
        if (done is null && (isInDoubt || stored != heldFrom)) await LearnAsync(what, cancellationToken);
        done ??= await FinishAsync(what, parts, cancellationToken);
        return done.ToEntry(path);
    }

    private async ValueTask<OneDriveItem> FinishAsync(
        string what, IReadOnlyList<PartReceipt> parts, CancellationToken cancellationToken)
    {
        var held = Convert.FromBase64String(parts.Single(part => part.Index == layout.Count - 1).Tag);
        if (stored != heldFrom || held.Length != layout.Length - heldFrom) throw Ended(what);
        isInDoubt = true;
        var reply = await client.SessionAsync(
            what, HttpMethod.Put, session.Url, stored, held, layout.Length, cancellationToken);
        if (reply.IsMissing) return await CompletedAsync(what, cancellationToken) ?? throw Ended(what);
        var told = reply.OrThrow(what);
        isInDoubt = false;
        return reply.Status == HttpStatusCode.Accepted
            ? throw new VirgaException(FailureKind.Unavailable, $"{what}: OneDrive hasn't all of it")
            : OneDriveItem.From(told);
    }

    public async ValueTask AbortAsync(CancellationToken cancellationToken)
    {
        if (done is null) await EndAsync(client, $"end the upload of '{path}'", session, cancellationToken);
    }

    public static async ValueTask EndAsync(
        OneDriveClient client, string what, OneDriveSession session, CancellationToken cancellationToken)
    {
        var reply = await client.SessionAsync(
            what, HttpMethod.Delete, session.Url, 0, default, 0, cancellationToken);
        if (!reply.IsMissing) reply.OrThrow(what);
    }

    public ValueTask DisposeAsync()
    {
        turn.Dispose();
        return ValueTask.CompletedTask;
    }

    private static VirgaException Ended(string what) =>
        new(FailureKind.NotFound, $"{what}: OneDrive has ended the upload", "Begin the upload anew.");
}
