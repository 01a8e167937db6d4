using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Virga.Accounts.Adapters.Http;
using Virga.Accounts.Adapters.OAuth;
using Virga.Core;

namespace Virga.Accounts.Adapters.Drive;

/// <summary>
/// A Google Drive or a folder in it. The version of an entry is its id and head revision. What is deleted or replaced
/// goes into the bin.
/// </summary>
internal sealed class DriveAccount
    : IAccount, IAbilitySource, IResumableUploads, IRecursiveListing, IReportsSkipped, IReportsSpace,
        IChangeFeed
{
    /// <summary>manage-uploads: multipart uploads are for files of 5 MB or less.</summary>
    private const int SingleWriteBytesMax = 5_000_000;

    /// <summary>support.google.com/drive/answer/37603: a file has at most 5 TB.</summary>
    private const long FileBytesMax = 5_000_000_000_000;

    private const long PartBytesMax = 64L << 20;

    private readonly DriveSettings settings;
    private readonly DriveClient client;
    private readonly DriveTree tree;
    private readonly DriveCopyGrants grants;

    public DriveAccount(DriveSettings settings, IAccessTokens tokens, AdapterServices services)
    {
        this.settings = settings;
        client = new DriveClient(tokens, services);
        tree = new DriveTree(client, settings.RootId);
        grants = new DriveCopyGrants(client);
        Traits = DriveTraits with { IsReadOnly = settings.IsReadOnly };
    }

    public AccountTraits Traits { get; }

    private static AccountTraits DriveTraits => new()
    {
        Adapter = "drive",
        MaxConcurrency = 8,
        SingleWriteBytesMax = SingleWriteBytesMax,
        PartOrder = PartOrder.Sequence,
        UploadResume = UploadResume.Parts,
        ListsUploads = false,
        PartBytesMin = DriveUpload.MultipleBytes,
        PartMultipleBytes = DriveUpload.MultipleBytes,
        PartBytesMax = PartBytesMax,
        PartsMax = (int)(FileBytesMax / PartBytesMax),
        Pin = PinStrength.Strong,
        KeepsModified = true,
        KeepsEmptyFolders = true,
        KeepsExecutable = true,
        Names = new NameRules(),
    };

    /// <summary>
    /// Sharing and copying take the right to write; with the right to one's own files alone, what others share is not
    /// seen.
    /// </summary>
    public TAbility? FindAbility<TAbility>() where TAbility : class
    {
        if (typeof(TAbility) == typeof(ICopyGrants))
            return settings.Access == LinkAccess.ReadOnly ? null : (TAbility)(object)grants;
        if (typeof(TAbility) == typeof(ICopyFromOthers))
            return settings.Access == LinkAccess.Full
                ? (TAbility)(object)new DriveCopyFromOthers(client, this) : null;
        return this as TAbility;
    }

    private EntryPath Whole(EntryPath path) => settings.Folder.Append(path);

    public async ValueTask<Entry?> StatAsync(EntryPath path, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (path.IsRoot) return new Entry(path, EntryKind.Folder, 0);
        return (await tree.FindAsync($"look at '{path}'", Whole(path), cancellationToken))?.ToEntry(path);
    }

    public IAsyncEnumerable<Entry> ListAsync(EntryPath folder, CancellationToken cancellationToken) =>
        new DriveListing(tree, settings).ListAsync(folder, cancellationToken);

    public IAsyncEnumerable<Entry> ListAsync(
        EntryPath folder, Action<SkippedEntry> onSkipped, CancellationToken cancellationToken) =>
        new DriveListing(tree, settings, onSkipped).ListAsync(folder, cancellationToken);

    public IAsyncEnumerable<Entry> ListAllAsync(
        EntryPath folder, Action<SkippedEntry>? onSkipped, CancellationToken cancellationToken) =>
        new DriveListing(tree, settings, onSkipped).ListAllAsync(folder, cancellationToken);

    public bool TellsAllBelow => false;

    public ValueTask<string> GetCursorAsync(EntryPath folder, CancellationToken cancellationToken) =>
        new DriveFeed(client, tree, settings).GetCursorAsync(folder, cancellationToken);

    public ValueTask<ChangePage?> GetChangesAsync(
        EntryPath folder, string cursor, CancellationToken cancellationToken) =>
        new DriveFeed(client, tree, settings).GetChangesAsync(folder, cursor, cancellationToken);

    /// <summary>
    /// The bytes' own answer doesn't say of which revision they are. The file is looked at after it has come: revisions
    /// never come back, so if it is still the pinned one then, it was so all the time.
    /// </summary>
    public async ValueTask<EntryReader> ReadAsync(
        EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken)
    {
        var what = $"read '{path}'";
        AccountChecks.CheckReadable(path);
        var item = pin is null ? await FileAsync(what, path, cancellationToken) : null;
        var (id, revision) = item is not null
            ? (item.Id, item.Revision)
            : DriveItem.Parse(pin!.Value) ?? throw Other(what);
        if (range.Length == 0)
        {
            var entry = await LookAsync(what, path, id, revision, cancellationToken);
            AccountChecks.CheckRange(what, range, entry.Length);
            return new EntryReader(entry, Stream.Null);
        }
        if (item is not null) AccountChecks.CheckRange(what, range, item.ToEntry(path).Length);
        return await ReadAsync(what, path, range, id, revision, cancellationToken);
    }

    private async Task<EntryReader> ReadAsync(
        string what, EntryPath path, ByteRange range, string id, string revision, CancellationToken cancellationToken)
    {
        var guard = client.Guard(cancellationToken);
        HttpResponseMessage? answer = null;
        try
        {
            answer = await client.DownloadAsync(what, id, range, guard, cancellationToken);
            if (answer.StatusCode is not (HttpStatusCode.OK or HttpStatusCode.PartialContent
                or HttpStatusCode.RequestedRangeNotSatisfiable))
                (await client.ReadAsync(what, answer, guard, cancellationToken)).OrThrow(what);
            var entry = await LookAsync(what, path, id, revision, cancellationToken);
            AccountChecks.CheckRange(what, range, entry.Length);
            if (answer.Content.Headers.ContentLength is { } length && length != range.Length)
                throw new VirgaException(
                    FailureKind.Unavailable, $"{what}: asked for {range.Length} bytes, Google Drive sends {length}");
            guard.Touch();
            var body = await answer.Content.ReadAsStreamAsync(guard.Token);
            return new EntryReader(entry, new RangeStream(body, range.Length, guard, answer, what));
        }
        catch
        {
            answer?.Dispose();
            guard.Dispose();
            throw;
        }
    }

    private async ValueTask<DriveItem> FileAsync(string what, EntryPath path, CancellationToken cancellationToken) =>
        await tree.FindAsync(what, Whole(path), cancellationToken) switch
        {
            null => throw new VirgaException(FailureKind.NotFound, $"{what}: no file is there"),
            { IsFile: false } => throw new VirgaException(FailureKind.BadInput, $"{what}: it is a folder"),
            var file => file,
        };

    // What the path names now, if that is still the revision.
    private async ValueTask<Entry> LookAsync(
        string what, EntryPath path, string id, string revision, CancellationToken cancellationToken) =>
        await tree.GetAsync(what, id, cancellationToken) switch
        {
            null or { IsTrashed: true } => throw new VirgaException(FailureKind.NotFound, $"{what}: no file is there"),
            { } item when item.Revision == revision && item.Name == path.Name => item.ToEntry(path),
            _ => throw Other(what),
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
        var whole = Whole(path);
        using var turn = await tree.Locks.EnterAsync(whole, cancellationToken);
        var parent = await tree.MakeFolderAsync(what, whole.Parent, cancellationToken);
        var there = await tree.FindAsync(what, whole, cancellationToken);
        CheckNoFolder(what, there);
        if (there is null)
        {
            var id = await tree.PlanAsync(what, whole, cancellationToken);
            var created = await client.SendWholeAsync(
                what, HttpMethod.Post, Multipart(""), Metadata(options, whole.Name, id, parent), content,
                cancellationToken);
            if (created.Reason != "fileIdInUse") return DriveItem.From(created.OrThrow(what)).ToEntry(path);
            // An earlier try has made it, and its answer got lost; or it lies in the bin.
            if (await tree.GetAsync(what, id, cancellationToken) is not { IsTrashed: false } mine)
            {
                tree.Forget(whole);
                throw new VirgaException(FailureKind.Unavailable, $"{what}: it was deleted at the same moment");
            }
            there = mine;
        }
        var reply = await client.SendWholeAsync(
            what, HttpMethod.Patch, Multipart("/" + there.Id), Metadata(options), content, cancellationToken);
        tree.Made(whole, there.Id);
        return DriveItem.From(reply.OrThrow(what)).ToEntry(path);

        static string Multipart(string more) =>
            DriveClient.WithItemFields(DriveClient.Uploads + more) + "&uploadType=multipart";
    }

    /// <summary>Makes a copy of a file of somebody's where nothing is; made again, it makes nothing twice.</summary>
    /// <exception cref="VirgaException">Denied: it isn't shared with this account.</exception>
    internal async ValueTask<Entry> CopyNewAsync(
        string what, string source, EntryPath path, WriteOptions options, CancellationToken cancellationToken)
    {
        var whole = Whole(path);
        using var turn = await tree.Locks.EnterAsync(whole, cancellationToken);
        var parent = await tree.MakeFolderAsync(what, whole.Parent, cancellationToken);
        var id = await tree.PlanAsync(what, whole, cancellationToken);
        var reply = await client.CallAsync(
            what, HttpMethod.Post, DriveClient.CopyOf(source), Metadata(options, whole.Name, id, parent),
            cancellationToken);
        if (reply.IsGone || reply.Reason == "cannotCopyFile")
            throw new VirgaException(
                FailureKind.Denied, $"{what}: the owner's file isn't open to this account, or may not be copied");
        if (reply.Reason != "fileIdInUse") return DriveItem.From(reply.OrThrow(what)).ToEntry(path);
        // An earlier try has made it, and its answer got lost.
        return (await tree.GetAsync(what, id, cancellationToken))?.ToEntry(path)
            ?? throw new VirgaException(FailureKind.Unavailable, $"{what}: it was deleted at the same moment");
    }

    /// <summary>What is told of a file; name, id and parent of a new one alone.</summary>
    internal static JsonObject Metadata(
        WriteOptions options, string? name = null, string? id = null, string? parent = null)
    {
        var told = new JsonObject();
        // Null takes an older mark away.
        if (options.IsExecutable || id is null)
            told["appProperties"] = new JsonObject
            {
                [DriveItem.ExecutableProperty] = options.IsExecutable ? "true" : null,
            };
        if (options.Modified is { } modified)
            told["modifiedTime"] =
                modified.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        if (name is not null) told["name"] = name;
        if (id is not null) told["id"] = id;
        if (parent is not null) told["parents"] = new JsonArray(parent);
        return told;
    }

    public async ValueTask<IUpload> BeginUploadAsync(
        EntryPath path, long length, long partBytes, WriteOptions options, CancellationToken cancellationToken)
    {
        Traits.CheckTarget(path);
        var layout = PartLayout.Checked(Traits, length, partBytes);
        var what = $"begin to write '{path}'";
        var whole = Whole(path);
        var parent = await tree.MakeFolderAsync(what, whole.Parent, cancellationToken);
        var there = await tree.FindAsync(what, whole, cancellationToken);
        CheckNoFolder(what, there);
        var id = there?.Id ?? await tree.NextIdAsync(what, cancellationToken);
        var reply = there is null
            ? await client.StartAsync(
                what, HttpMethod.Post, Resumable(""), Metadata(options, whole.Name, id, parent), length,
                cancellationToken)
            : await client.StartAsync(
                what, HttpMethod.Patch, Resumable("/" + id), Metadata(options), length, cancellationToken);
        reply.OrThrow(what);
        var session = new DriveSession(
            there is null, id, reply.Location ?? throw new VirgaException(
                FailureKind.Unavailable, $"{what}: Google Drive names no session"));
        return new DriveUpload(client, tree, path, whole, layout, session);

        static string Resumable(string more) =>
            DriveClient.WithItemFields(DriveClient.Uploads + more) + "&uploadType=resumable";
    }

    public async ValueTask<IUpload> ResumeUploadAsync(
        EntryPath path, long length, long partBytes, WriteOptions options, string token,
        CancellationToken cancellationToken)
    {
        var layout = PartLayout.Checked(Traits, length, partBytes);
        var upload = new DriveUpload(client, tree, path, Whole(path), layout, DriveSession.Parse(token));
        await upload.AskAsync($"go on writing '{path}'", cancellationToken);
        return upload;
    }

    /// <summary>The service can't list them; it forgets them after a week, and they take no space.</summary>
    public async IAsyncEnumerable<PendingUpload> ListUploadsAsync(
        EntryPath folder, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.CompletedTask;
        cancellationToken.ThrowIfCancellationRequested();
        yield break;
    }

    public ValueTask AbortUploadAsync(PendingUpload upload, CancellationToken cancellationToken) =>
        DriveUpload.EndAsync(
            client, $"end the upload of '{upload.Path}'", DriveSession.Parse(upload.Token), cancellationToken);

    public async ValueTask CreateFolderAsync(EntryPath path, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (path.IsRoot) return;
        Traits.CheckTarget(path);
        await tree.MakeFolderAsync($"make the folder '{path}'", Whole(path), cancellationToken);
    }

    public async ValueTask DeleteAsync(EntryPath path, CancellationToken cancellationToken)
    {
        var what = $"delete '{path}'";
        if (path.IsRoot) throw new VirgaException(FailureKind.BadInput, "the account's root can't be deleted");
        var whole = Whole(path);
        using var turn = await tree.Locks.EnterAsync(whole, cancellationToken);
        if (await tree.FindAsync(what, whole, cancellationToken) is not { } there) return;
        // A folder goes into the bin with all that it holds.
        if (there.IsFolder && await HasContentAsync(what, whole, there.Id, cancellationToken))
            throw new VirgaException(
                FailureKind.Conflict, $"{what}: the folder is not empty", "Delete what is in it first.");
        await TrashAsync(what, there.Id, isTrashed: true, cancellationToken);
        tree.Forget(whole);
    }

    private async ValueTask<bool> HasContentAsync(
        string what, EntryPath whole, string id, CancellationToken cancellationToken)
    {
        await foreach (var _ in tree.QueryAsync(
            what, $"'{id}' in parents and trashed=false", cancellationToken, pageItems: 1)) return true;
        // A search lags behind what was made here a moment ago.
        foreach (var below in tree.MadeBelow(whole))
            if (await tree.FindAsync(what, below, cancellationToken) is not null) return true;
        return false;
    }

    private async ValueTask TrashAsync(string what, string id, bool isTrashed, CancellationToken cancellationToken)
    {
        var reply = await client.CallAsync(
            what, HttpMethod.Patch, DriveClient.UrlOf(id), new JsonObject { ["trashed"] = isTrashed },
            cancellationToken);
        if (!reply.IsGone) reply.OrThrow(what);
    }

    public async ValueTask MoveAsync(EntryPath from, EntryPath to, CancellationToken cancellationToken)
    {
        var what = $"move '{from}' to '{to}'";
        cancellationToken.ThrowIfCancellationRequested();
        if (from.IsRoot || to.IsRoot || (to != from && to.IsWithin(from)))
            throw new VirgaException(FailureKind.BadInput, $"{what}: a folder can't be moved into itself");
        if (from == to) return;
        Traits.CheckTarget(to);
        var (source, target) = (Whole(from), Whole(to));
        var isFirst = source.CompareTo(target) < 0;
        using var one = await tree.Locks.EnterAsync(isFirst ? source : target, cancellationToken);
        using var two = await tree.Locks.EnterAsync(isFirst ? target : source, cancellationToken);
        if (await tree.FindAsync(what, source, cancellationToken) is not { } item)
            throw new VirgaException(FailureKind.NotFound, $"{what}: '{from}' isn't there");
        var there = await tree.FindAsync(what, target, cancellationToken);
        if (there is not null && (there.IsFolder || item.IsFolder))
            throw new VirgaException(
                FailureKind.Conflict, $"{what}: something is there already", "Move it away, or choose another name.");
        var parent = await tree.MakeFolderAsync(what, target.Parent, cancellationToken);
        // Two of one name can't be told apart, so what is there goes into the bin first, and back if the move fails.
        if (there is not null) await TrashAsync(what, there.Id, isTrashed: true, cancellationToken);
        try
        {
            var parents = parent == item.Parent ? "" : $"&addParents={parent}&removeParents={item.Parent}";
            (await client.CallAsync(
                what, HttpMethod.Patch, DriveClient.UrlOf(item.Id, parents), new JsonObject { ["name"] = target.Name },
                cancellationToken)).OrThrow(what);
        }
        catch when (there is not null)
        {
            await TrashAsync(what, there.Id, isTrashed: false, CancellationToken.None);
            throw;
        }
        tree.Forget(source);
        tree.Forget(target);
        if (item.IsFolder) tree.Remember(target, item.Id);
        else tree.Made(target, item.Id);
    }

    /// <summary>about.get: what other Google services take counts, too; no limit where there is none.</summary>
    public async ValueTask<AccountSpace> GetSpaceAsync(CancellationToken cancellationToken)
    {
        const string what = "look at the space";
        var quota = (await client.CallAsync(
            what, HttpMethod.Get, DriveClient.About + "?fields=storageQuota", null, cancellationToken))
            .OrThrow(what).GetProperty("storageQuota");
        var used = Number("usage");
        return new AccountSpace(used, Number("limit") is { } limit ? Math.Max(0, limit - (used ?? 0)) : null);

        long? Number(string name) =>
            quota.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String
                && long.TryParse(text.GetString(), CultureInfo.InvariantCulture, out var value) ? value : null;
    }

    public ValueTask DisposeAsync()
    {
        client.Dispose();
        return ValueTask.CompletedTask;
    }

    private static void CheckNoFolder(string what, DriveItem? there)
    {
        if (there is { IsFolder: true })
            throw new VirgaException(
                FailureKind.Conflict, $"{what}: a folder is in the way", "Move it away, or choose another name.");
    }
}
