using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Virga.Accounts.Adapters.Http;
using Virga.Accounts.Adapters.OAuth;
using Virga.Core;

namespace Virga.Accounts.Adapters.OneDrive;

/// <summary>
/// A OneDrive or a folder in it. The version of an entry is its cTag. What is deleted or replaced by a move goes into
/// the recycle bin.
/// </summary>
internal sealed class OneDriveAccount
    : IAccount, IResumableUploads, IReportsSkipped, IReportsSpace, IChangeFeed
{
    /// <summary>driveitem-createuploadsession: a fragment has less than 60 MiB, in steps of 320 KiB.</summary>
    private const long PartBytesMax = 128L * OneDriveUpload.MultipleBytes;

    /// <summary>"Restrictions and limitations in OneDrive and SharePoint": a file has at most 250 GB.</summary>
    private const long FileBytesMax = 250_000_000_000;

    /// <summary>driveitem-get-content: download URLs live for an hour; used for less.</summary>
    private static readonly TimeSpan DownloadLife = TimeSpan.FromMinutes(30);

    private const int DownloadsRemembered = 1000, PageItems = 1000;

    private const string ListFields = "id,name,size,file,folder,package,remoteItem,cTag,eTag,fileSystemInfo";
    private const string ConflictBehavior = "@microsoft.graph.conflictBehavior";

    private readonly ConcurrentDictionary<(EntryPath, EntryVersion), (Uri Url, DateTimeOffset Until)> downloads = new();
    private readonly OneDriveSettings settings;
    private readonly AdapterServices services;
    private readonly OneDriveClient client;

    public OneDriveAccount(OneDriveSettings settings, IAccessTokens tokens, AdapterServices services)
    {
        (this.settings, this.services) = (settings, services);
        client = new OneDriveClient(settings, tokens, services);
        Traits = new AccountTraits
        {
            Adapter = "onedrive",
            IsReadOnly = settings.IsReadOnly,
            MaxConcurrency = 8,
            SingleWriteBytesMax = 8 << 20,
            PartOrder = PartOrder.Sequence,
            UploadResume = UploadResume.Parts,
            ListsUploads = false,
            PartBytesMin = OneDriveUpload.MultipleBytes,
            PartMultipleBytes = OneDriveUpload.MultipleBytes,
            PartBytesMax = PartBytesMax,
            PartsMax = (int)(FileBytesMax / PartBytesMax),
            Pin = PinStrength.Strong,
            KeepsModified = true,
            KeepsEmptyFolders = true,
            Names = OneDriveNames.Below(settings.Folder, settings.IsAppFolder, settings.IsBusiness),
        };
    }

    public AccountTraits Traits { get; }

    public async ValueTask<Entry?> StatAsync(EntryPath path, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (path.IsRoot) return new Entry(path, EntryKind.Folder, 0);
        var item = await FindAsync($"look at '{path}'", path, cancellationToken);
        return item is { IsFile: true } or { IsFolder: true } ? item.ToEntry(path) : null;
    }

    /// <summary>Null where nothing is, or a name that can't be there.</summary>
    internal async ValueTask<OneDriveItem?> FindAsync(
        string what, EntryPath path, CancellationToken cancellationToken)
    {
        if (Traits.Names.WhyNot(path) is not null) return null;
        var reply = await client.CallAsync(what, HttpMethod.Get, client.UrlOf(path), null, cancellationToken);
        return reply.IsMissing ? null : OneDriveItem.From(reply.OrThrow(what));
    }

    public IAsyncEnumerable<Entry> ListAsync(EntryPath folder, CancellationToken cancellationToken) =>
        ListAsync(folder, _ => { }, cancellationToken);

    public async IAsyncEnumerable<Entry> ListAsync(
        EntryPath folder, Action<SkippedEntry> onSkipped,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var what = $"list '{folder}'";
        var url = client.UrlOf(folder, "children") + $"?$top={PageItems}&$select={ListFields}";
        while (true)
        {
            var reply = await client.CallAsync(what, HttpMethod.Get, url, null, cancellationToken);
            if (reply.IsMissing) throw Missing(what, folder);
            var page = reply.OrThrow(what);
            foreach (var told in page.GetProperty("value").EnumerateArray())
            {
                cancellationToken.ThrowIfCancellationRequested();
                var item = OneDriveItem.From(told);
                if (TemporaryNames.IsTemporary(item.Name)) continue;
                if (item is { IsFile: false, IsFolder: false })
                    onSkipped(new SkippedEntry(
                        folder, NameRules.Show(item.Name), "is a notebook, or a link to what somebody else shares")
                    {
                        Id = item.Id,
                    });
                else if (EntryPath.TryParse(folder.IsRoot ? item.Name : $"{folder}/{item.Name}", out var path))
                    yield return item.ToEntry(path);
            }
            if (!page.TryGetProperty("@odata.nextLink", out var next)) yield break;
            url = OneDriveClient.Checked(what, next.GetString());
        }
    }

    public bool TellsAllBelow => false;

    public ValueTask<string> GetCursorAsync(EntryPath folder, CancellationToken cancellationToken) =>
        new OneDriveFeed(this, client).GetCursorAsync(folder, cancellationToken);

    public ValueTask<ChangePage?> GetChangesAsync(
        EntryPath folder, string cursor, CancellationToken cancellationToken) =>
        new OneDriveFeed(this, client).GetChangesAsync(folder, cursor, cancellationToken);

    internal VirgaException Missing(string what, EntryPath folder) => folder.IsRoot
        ? new VirgaException(
            FailureKind.NotFound, $"{what}: there is no folder '{settings.Folder}' in this OneDrive",
            "Check the account's folder setting; the first file that is written makes the folder.")
        : new VirgaException(FailureKind.NotFound, $"{what}: there is no such folder");

    /// <summary>
    /// The bytes come from a URL that was handed out for a while, and don't say of which version they are. The file is
    /// looked at after their answer has begun: a cTag never comes back, so if it is the pinned one then, it was so all
    /// the time.
    /// </summary>
    public async ValueTask<EntryReader> ReadAsync(
        EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken)
    {
        var what = $"read '{path}'";
        AccountChecks.CheckReadable(path);
        if (range.Length > 0 && pin is { } known && downloads.TryGetValue((path, known), out var url)
            && services.Clock.GetUtcNow() < url.Until
            && await TryReadAsync(what, path, range, known, url.Url, cancellationToken) is { } early)
            return early;
        var item = await FileAsync(what, path, cancellationToken);
        if (pin is { } wanted && item.Version != wanted) throw Other(what);
        AccountChecks.CheckRange(what, range, item.Length);
        if (range.Length == 0) return new EntryReader(item.ToEntry(path), Stream.Null);
        if (item.Download is null)
            throw new VirgaException(FailureKind.Unavailable, $"{what}: OneDrive doesn't say where its bytes are");
        if (downloads.Count > DownloadsRemembered) downloads.Clear();
        downloads[(path, item.Version)] = (item.Download, services.Clock.GetUtcNow() + DownloadLife);
        return await TryReadAsync(what, path, range, item.Version, item.Download, cancellationToken)
            ?? throw new VirgaException(
                FailureKind.Unavailable, $"{what}: OneDrive's download has ended before it began");
    }

    /// <summary>Null when the URL has ended.</summary>
    private async Task<EntryReader?> TryReadAsync(
        string what, EntryPath path, ByteRange range, EntryVersion pin, Uri url, CancellationToken cancellationToken)
    {
        var guard = client.Guard(cancellationToken);
        HttpResponseMessage? answer = null;
        EntryReader? reader = null;
        try
        {
            answer = await client.DownloadAsync(what, url, range, guard, cancellationToken);
            if (answer.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.NotFound
                or HttpStatusCode.Gone)
            {
                downloads.TryRemove((path, pin), out _);
                return null;
            }
            if (answer.StatusCode is not (HttpStatusCode.OK or HttpStatusCode.PartialContent
                or HttpStatusCode.RequestedRangeNotSatisfiable))
                (await client.ReadAsync(what, answer, guard, cancellationToken)).OrThrow(what);
            var item = await FileAsync(what, path, cancellationToken);
            if (item.Version != pin) throw Other(what);
            AccountChecks.CheckRange(what, range, item.Length);
            if (answer.Content.Headers.ContentLength is { } length && length != range.Length)
                throw new VirgaException(
                    FailureKind.Unavailable, $"{what}: asked for {range.Length} bytes, OneDrive sends {length}");
            guard.Touch();
            var body = await answer.Content.ReadAsStreamAsync(guard.Token);
            reader = new EntryReader(item.ToEntry(path), new RangeStream(body, range.Length, guard, answer, what));
            return reader;
        }
        finally
        {
            if (reader is null)
            {
                answer?.Dispose();
                guard.Dispose();
            }
        }
    }

    private async ValueTask<OneDriveItem> FileAsync(
        string what, EntryPath path, CancellationToken cancellationToken) =>
        await FindAsync(what, path, cancellationToken) switch
        {
            null => throw new VirgaException(FailureKind.NotFound, $"{what}: no file is there"),
            { IsFile: false } => throw new VirgaException(FailureKind.BadInput, $"{what}: it is no file"),
            var file => file,
        };

    private static VirgaException Other(string what) =>
        new(FailureKind.Changed, $"{what}: it is no longer the version that was asked for");

    public async ValueTask<Entry> WriteAsync(
        EntryPath path, ReadOnlyMemory<byte> content, WriteOptions options, CancellationToken cancellationToken)
    {
        var what = $"write '{path}'";
        if (content.Length > Traits.SingleWriteBytesMax)
            throw new VirgaException(
                FailureKind.BadInput, $"{what}: {content.Length} bytes are too many for a single write");
        Traits.CheckTarget(path);
        if (content.Length == 0) return await WriteNothingAsync(what, path, options, cancellationToken);
        // A session, since only that keeps the time and the bytes together.
        var session = new OneDriveSession("-", await StartAsync(what, path, options, cancellationToken));
        try
        {
            var reply = await client.SessionAsync(
                what, HttpMethod.Put, session.Url, 0, content, content.Length, cancellationToken);
            return OneDriveItem.From(reply.OrThrow(what)).ToEntry(path);
        }
        catch (Exception e) when (e is VirgaException or OperationCanceledException)
        {
            await EndQuietlyAsync(what, session);
            throw;
        }
    }

    private async ValueTask EndQuietlyAsync(string what, OneDriveSession session)
    {
        try
        {
            await OneDriveUpload.EndAsync(client, what, session, CancellationToken.None);
        }
        catch (VirgaException)
        {
            // It ends by itself; the first failure says more.
        }
    }

    private async Task<Entry> WriteNothingAsync(
        string what, EntryPath path, WriteOptions options, CancellationToken cancellationToken)
    {
        var url = client.UrlOf(path, "content") + $"?{ConflictBehavior}=replace";
        var item = OneDriveItem.From((await WithFoldersAsync(
            what, path, () => client.PutNothingAsync(what, url, cancellationToken), cancellationToken)).OrThrow(what));
        if (options.Modified is not { } modified) return item.ToEntry(path);
        var reply = await client.CallAsync(
            what, HttpMethod.Patch, client.UrlOf(item.Id), new JsonObject { ["fileSystemInfo"] = Times(modified) },
            cancellationToken);
        return OneDriveItem.From(reply.OrThrow(what)).ToEntry(path);
    }

    private static JsonObject Times(DateTimeOffset modified) => new()
    {
        ["lastModifiedDateTime"] =
            modified.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture),
    };

    private async ValueTask<Uri> StartAsync(
        string what, EntryPath path, WriteOptions options, CancellationToken cancellationToken)
    {
        var item = new JsonObject { [ConflictBehavior] = "replace" };
        if (options.Modified is { } modified) item["fileSystemInfo"] = Times(modified);
        var url = client.UrlOf(path, "createUploadSession");
        var reply = await WithFoldersAsync(
            what,
            path,
            () => client.CallAsync(
                what, HttpMethod.Post, url, new JsonObject { ["item"] = item.DeepClone() }, cancellationToken),
            cancellationToken);
        return Uri.TryCreate(
            reply.OrThrow(what).GetProperty("uploadUrl").GetString(), UriKind.Absolute, out var session)
            && session.Scheme == Uri.UriSchemeHttps
            ? session
            : throw new VirgaException(FailureKind.Unavailable, $"{what}: OneDrive names no session");
    }

    // Most folders are there: they are made only when the service misses one.
    private async ValueTask<OneDriveReply> WithFoldersAsync(
        string what, EntryPath path, Func<Task<OneDriveReply>> call, CancellationToken cancellationToken)
    {
        var reply = await call();
        if (!reply.IsMissing) return reply;
        await MakeFolderAsync(what, settings.Folder.Append(path.Parent), cancellationToken);
        return await call();
    }

    /// <summary>Makes a folder and what is missing above it.</summary>
    /// <param name="whole">From the drive's root, not the account's.</param>
    /// <returns>The folder's id.</returns>
    private async ValueTask<string> MakeFolderAsync(string what, EntryPath whole, CancellationToken cancellationToken)
    {
        if (await LookAsync() is { } there) return there;
        if (whole.IsRoot) throw new VirgaException(FailureKind.NotFound, $"{what}: there is no such drive");
        await MakeFolderAsync(what, whole.Parent, cancellationToken);
        var body = new JsonObject
        {
            ["name"] = whole.Name, ["folder"] = new JsonObject(), [ConflictBehavior] = "fail",
        };
        var reply = await client.CallAsync(
            what, HttpMethod.Post, client.UrlAt(whole.Parent, "children"), body, cancellationToken);
        // Somebody was faster, or an earlier try whose answer got lost.
        if (reply.Code == "nameAlreadyExists" && await LookAsync() is { } made) return made;
        return OneDriveItem.From(reply.OrThrow(what)).Id;

        async ValueTask<string?> LookAsync()
        {
            var found = await client.CallAsync(what, HttpMethod.Get, client.UrlAt(whole), null, cancellationToken);
            if (found.IsMissing) return null;
            var item = OneDriveItem.From(found.OrThrow(what));
            return item.IsFolder ? item.Id
                : throw new VirgaException(
                    FailureKind.Conflict, $"{what}: '{whole}' is a file", "Move that file out of the way.");
        }
    }

    public async ValueTask<IUpload> BeginUploadAsync(
        EntryPath path, long length, long partBytes, WriteOptions options, CancellationToken cancellationToken)
    {
        Traits.CheckTarget(path);
        var layout = PartLayout.Checked(Traits, length, partBytes);
        var what = $"begin to write '{path}'";
        var before = (await FindAsync(what, path, cancellationToken))?.ContentTag;
        var url = await StartAsync(what, path, options, cancellationToken);
        return new OneDriveUpload(this, client, path, layout, new OneDriveSession(before ?? "-", url));
    }

    public async ValueTask<IUpload> ResumeUploadAsync(
        EntryPath path, long length, long partBytes, WriteOptions options, string token,
        CancellationToken cancellationToken)
    {
        var layout = PartLayout.Checked(Traits, length, partBytes);
        var upload = new OneDriveUpload(this, client, path, layout, OneDriveSession.Parse(token));
        await upload.AskAsync($"go on writing '{path}'", cancellationToken);
        return upload;
    }

    /// <summary>The service can't list them; it drops them some days after their last part.</summary>
    public async IAsyncEnumerable<PendingUpload> ListUploadsAsync(
        EntryPath folder, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.CompletedTask;
        cancellationToken.ThrowIfCancellationRequested();
        yield break;
    }

    public ValueTask AbortUploadAsync(PendingUpload upload, CancellationToken cancellationToken) =>
        OneDriveUpload.EndAsync(
            client, $"end the upload of '{upload.Path}'", OneDriveSession.Parse(upload.Token), cancellationToken);

    public async ValueTask CreateFolderAsync(EntryPath path, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (path.IsRoot) return;
        Traits.CheckTarget(path);
        await MakeFolderAsync($"make the folder '{path}'", settings.Folder.Append(path), cancellationToken);
    }

    /// <summary>The service deletes a folder with all that it holds: that is looked at first.</summary>
    public async ValueTask DeleteAsync(EntryPath path, CancellationToken cancellationToken)
    {
        var what = $"delete '{path}'";
        if (path.IsRoot) throw new VirgaException(FailureKind.BadInput, "the account's root can't be deleted");
        if (await FindAsync(what, path, cancellationToken) is not { } there) return;
        if (there.IsFolder)
        {
            var url = client.UrlOf(there.Id) + "/children?$top=1&$select=id";
            var page = await client.CallAsync(what, HttpMethod.Get, url, null, cancellationToken);
            if (!page.IsMissing && page.OrThrow(what).GetProperty("value").GetArrayLength() > 0)
                throw new VirgaException(
                    FailureKind.Conflict, $"{what}: the folder is not empty", "Delete what is in it first.");
        }
        await DeleteAsync(what, there.Id, cancellationToken);
    }

    private async ValueTask DeleteAsync(string what, string id, CancellationToken cancellationToken)
    {
        var reply = await client.CallAsync(what, HttpMethod.Delete, client.UrlOf(id), null, cancellationToken);
        if (!reply.IsMissing) reply.OrThrow(what);
    }

    public async ValueTask MoveAsync(EntryPath from, EntryPath to, CancellationToken cancellationToken)
    {
        var what = $"move '{from}' to '{to}'";
        cancellationToken.ThrowIfCancellationRequested();
        if (from.IsRoot || to.IsRoot
            || (OneDriveNames.IsWithin(to, from) && to.Value.Length > from.Value.Length))
            throw new VirgaException(FailureKind.BadInput, $"{what}: a folder can't be moved into itself");
        if (from == to) return;
        Traits.CheckTarget(to);
        var item = await FindAsync(what, from, cancellationToken)
            ?? throw new VirgaException(FailureKind.NotFound, $"{what}: '{from}' isn't there");
        var parent = await MakeFolderAsync(what, settings.Folder.Append(to.Parent), cancellationToken);
        var reply = await PlaceAsync(what, item.Id, to.Name, parent, cancellationToken);
        if (reply.Code == "nameAlreadyExists" && item.IsFile
            && await FindAsync(what, to, cancellationToken) is { IsFile: true } there)
            reply = await ReplaceAsync(what, item, there, to, parent, cancellationToken);
        reply.OrThrow(what);
    }

    private Task<OneDriveReply> PlaceAsync(
        string what, string id, string name, string parent, CancellationToken cancellationToken) =>
        client.CallAsync(
            what, HttpMethod.Patch, client.UrlOf(id),
            new JsonObject { ["name"] = name, ["parentReference"] = new JsonObject { ["id"] = parent } },
            cancellationToken);

    // The service replaces nothing by a move: what is there goes aside first, and back if the move fails.
    private async ValueTask<OneDriveReply> ReplaceAsync(
        string what, OneDriveItem item, OneDriveItem there, EntryPath to, string parent,
        CancellationToken cancellationToken)
    {
        var aside = TemporaryNames.New(services, "");
        (await PlaceAsync(what, there.Id, aside, parent, cancellationToken)).OrThrow(what);
        try
        {
            var reply = await PlaceAsync(what, item.Id, to.Name, parent, cancellationToken);
            reply.OrThrow(what);
            await DeleteAsync(what, there.Id, CancellationToken.None);
            return reply;
        }
        catch
        {
            await PlaceAsync(what, there.Id, to.Name, parent, CancellationToken.None);
            throw;
        }
    }

    public async ValueTask<AccountSpace> GetSpaceAsync(CancellationToken cancellationToken)
    {
        const string what = "look at the space";
        // Who may see the app's own folder alone isn't told of the rest.
        if (settings.IsAppFolder) return new AccountSpace(null, null);
        var reply = await client.CallAsync(
            what, HttpMethod.Get, client.DriveUrl + "?$select=quota", null, cancellationToken);
        if (!reply.OrThrow(what).TryGetProperty("quota", out var quota)) return new AccountSpace(null, null);
        return new AccountSpace(Number("used"), Number("remaining"));

        long? Number(string name) =>
            quota.TryGetProperty(name, out var number) && number.TryGetInt64(out var value) ? value : null;
    }

    public ValueTask DisposeAsync()
    {
        client.Dispose();
        return ValueTask.CompletedTask;
    }
}
