using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Virga.Accounts.Adapters.Http;
using Virga.Accounts.Adapters.OAuth;
using Virga.Core;

namespace Virga.Accounts.Adapters.Dropbox;

/// <summary>
/// A Dropbox or a folder in it. The version of an entry is its rev, which the service gives out anew for every content;
/// the answer that carries bytes says of which rev they are.
/// </summary>
/// <remarks>
/// Temporary links don't fit <see cref="ISignedReadUrls"/>: the service has to be asked for each, they always live four
/// hours, and they can't be ended.
/// </remarks>
internal sealed class DropboxAccount(DropboxSettings settings, IAccessTokens tokens, AdapterServices services)
    : IAccount, IAbilitySource, IResumableUploads, IRecursiveListing, IReportsSkipped, IReportsSpace,
        IChangeFeed
{
    /// <summary>files.stone, upload_session/append:2: at most 150 MiB a request; whole blocks of the hash.</summary>
    private const long PartBytesMax = 128L << 20;

    /// <summary>The same: a file has at most 2^41 - 2^22 bytes.</summary>
    private const int PartsMax = (int)(((1L << 41) - (1L << 22)) / PartBytesMax);

    private const string ReadResult = "Dropbox-API-Result", IsSameName = "duplicated_or_nested_paths";

    private readonly DropboxClient client = new(tokens, services);

    public AccountTraits Traits { get; } = new()
    {
        Adapter = "dropbox",
        IsReadOnly = settings.IsReadOnly,
        MaxConcurrency = 8,
        SingleWriteBytesMax = 8 << 20,
        PartOrder = PartOrder.Sequence,
        UploadResume = UploadResume.Parts,
        ListsUploads = false,
        PartBytesMin = DropboxHash.BlockBytes,
        PartMultipleBytes = DropboxHash.BlockBytes,
        PartBytesMax = PartBytesMax,
        PartsMax = PartsMax,
        Pin = PinStrength.Strong,
        KeepsModified = true,
        KeepsEmptyFolders = true,
        Names = DropboxNames.Rules,
    };

    /// <summary>As the API writes it: "" for the whole Dropbox, otherwise with a leading '/'.</summary>
    public static string PathOf(DropboxSettings settings, EntryPath path) =>
        settings.Folder.Append(path) is { IsRoot: false } whole ? "/" + whole : "";

    private string PathOf(EntryPath path) => PathOf(settings, path);

    /// <summary>Copy references are made and saved with the right to write alone.</summary>
    public TAbility? FindAbility<TAbility>() where TAbility : class
    {
        if (typeof(TAbility) == typeof(ICopyGrants))
            return settings.IsReadOnly ? null : (TAbility)(object)new DropboxCopyGrants(client, settings);
        if (typeof(TAbility) == typeof(ICopyFromOthers))
            return settings.IsReadOnly ? null : (TAbility)(object)new DropboxCopyFromOthers(client, settings, this);
        return this as TAbility;
    }

    public async ValueTask<Entry?> StatAsync(EntryPath path, CancellationToken cancellationToken)
    {
        if (path.IsRoot)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return new Entry(path, EntryKind.Folder, 0);
        }
        var what = $"look at '{path}'";
        return await LookAsync(what, path, cancellationToken) is { } told ? DropboxListing.EntryOf(path, told) : null;
    }

    /// <summary>Null where nothing is.</summary>
    internal async ValueTask<JsonElement?> LookAsync(
        string what, EntryPath path, CancellationToken cancellationToken)
    {
        var reply = await client.CallAsync(
            what, "files/get_metadata", new JsonObject { ["path"] = PathOf(path) }, cancellationToken);
        return reply.Is("path/not_found") || reply.Is("path/malformed_path") || reply.Is("path/not_folder")
            ? null
            : reply.OrThrow(what);
    }

    public IAsyncEnumerable<Entry> ListAsync(EntryPath folder, CancellationToken cancellationToken) =>
        new DropboxListing(client, settings).ListAsync(folder, cancellationToken);

    public IAsyncEnumerable<Entry> ListAsync(
        EntryPath folder, Action<SkippedEntry> onSkipped, CancellationToken cancellationToken) =>
        new DropboxListing(client, settings, onSkipped).ListAsync(folder, cancellationToken);

    public IAsyncEnumerable<Entry> ListAllAsync(
        EntryPath folder, Action<SkippedEntry>? onSkipped, CancellationToken cancellationToken) =>
        new DropboxListing(client, settings, onSkipped).ListAllAsync(folder, cancellationToken);

    public bool TellsAllBelow => true;

    public ValueTask<string> GetCursorAsync(EntryPath folder, CancellationToken cancellationToken) =>
        new DropboxFeed(client, settings).GetCursorAsync(folder, cancellationToken);

    public ValueTask<ChangePage?> GetChangesAsync(
        EntryPath folder, string cursor, CancellationToken cancellationToken) =>
        new DropboxFeed(client, settings).GetChangesAsync(folder, cursor, cancellationToken);

    public async ValueTask<EntryReader> ReadAsync(
        EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken)
    {
        var what = $"read '{path}'";
        AccountChecks.CheckReadable(path);
        if (range.Length == 0) return await ReadNothingAsync(what, path, range, pin, cancellationToken);
        var guard = new StallGuard(services, cancellationToken);
        HttpResponseMessage? answer = null;
        try
        {
            answer = await client.DownloadAsync(what, PathOf(path), range, guard, cancellationToken);
            if (answer.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
            {
                // Why: it has changed meanwhile, or it never was that long.
                await ReadNothingAsync(what, path, range, pin, cancellationToken);
                throw DropboxFailures.Of(what, answer.StatusCode, [], null);
            }
            if (answer.StatusCode is not (HttpStatusCode.OK or HttpStatusCode.PartialContent))
                (await client.ReadAsync(what, answer, guard, cancellationToken)).OrThrow(what);
            var entry = EntryOf(what, path, answer);
            Check(what, entry, range, pin);
            if (answer.Content.Headers.ContentLength is { } length && length != range.Length)
                throw new VirgaException(
                    FailureKind.Unavailable, $"{what}: asked for {range.Length} bytes, Dropbox sends {length}");
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

    private static Entry EntryOf(string what, EntryPath path, HttpResponseMessage answer)
    {
        if (!answer.Headers.TryGetValues(ReadResult, out var values))
            throw new VirgaException(FailureKind.Unavailable, $"{what}: Dropbox doesn't say which version it sends");
        using var told = JsonDocument.Parse(string.Join(',', values));
        return DropboxListing.EntryOf(path, told.RootElement);
    }

    private async Task<EntryReader> ReadNothingAsync(
        string what, EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken)
    {
        if (await StatAsync(path, cancellationToken) is not { Kind: EntryKind.File } entry)
            throw new VirgaException(FailureKind.NotFound, $"{what}: no file is there");
        Check(what, entry, range, pin);
        return new EntryReader(entry, Stream.Null);
    }

    private static void Check(string what, Entry entry, ByteRange range, EntryVersion? pin)
    {
        AccountChecks.CheckPin(what, entry, pin);
        AccountChecks.CheckRange(what, range, entry.Length);
    }

    public async ValueTask<Entry> WriteAsync(
        EntryPath path, ReadOnlyMemory<byte> content, WriteOptions options, CancellationToken cancellationToken)
    {
        var what = $"write '{path}'";
        if (content.Length > Traits.SingleWriteBytesMax)
            throw new VirgaException(
                FailureKind.BadInput, $"{what}: {content.Length} bytes are too many for a single write");
        Traits.CheckTarget(path);
        var arguments = Commit(path, options);
        arguments["content_hash"] = DropboxHash.Of(DropboxHash.Blocks(content.Span));
        var reply = await client.UploadAsync(what, "files/upload", arguments, content, cancellationToken);
        return DropboxListing.EntryOf(path, reply.OrThrow(what));
    }

    /// <summary>files.stone, CommitInfo; mute: nobody's desktop is to announce each file.</summary>
    internal JsonObject Commit(EntryPath path, WriteOptions options)
    {
        var commit = new JsonObject { ["path"] = PathOf(path), ["mode"] = "overwrite", ["mute"] = true };
        if (options.Modified is { } modified)
            commit["client_modified"] =
                modified.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        return commit;
    }

    public async ValueTask<IUpload> BeginUploadAsync(
        EntryPath path, long length, long partBytes, WriteOptions options, CancellationToken cancellationToken)
    {
        Traits.CheckTarget(path);
        var layout = PartLayout.Checked(Traits, length, partBytes);
        return await DropboxUpload.BeginAsync(this, client, path, layout, options, cancellationToken);
    }

    public async ValueTask<IUpload> ResumeUploadAsync(
        EntryPath path, long length, long partBytes, WriteOptions options, string token,
        CancellationToken cancellationToken)
    {
        var layout = PartLayout.Checked(Traits, length, partBytes);
        return await DropboxUpload.ResumeAsync(this, client, path, layout, options, token, cancellationToken);
    }

    /// <summary>The service can't list them; it forgets them after seven days, and they take no space.</summary>
    public async IAsyncEnumerable<PendingUpload> ListUploadsAsync(
        EntryPath folder,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.CompletedTask;
        cancellationToken.ThrowIfCancellationRequested();
        yield break;
    }

    public ValueTask AbortUploadAsync(PendingUpload upload, CancellationToken cancellationToken) =>
        DropboxUpload.CloseAsync(client, $"end the upload of '{upload.Path}'", upload.Token, 0, cancellationToken);

    public async ValueTask CreateFolderAsync(EntryPath path, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (path.IsRoot) return;
        Traits.CheckTarget(path);
        var what = $"make the folder '{path}'";
        var reply = await client.CallAsync(
            what, "files/create_folder_v2", new JsonObject { ["path"] = PathOf(path) }, cancellationToken);
        if (!reply.Is("path/conflict/folder")) reply.OrThrow(what);
    }

    /// <summary>
    /// The service deletes a folder with all that it holds, so that is looked at first; a file is deleted only as the
    /// version that was seen, so that a folder that comes in its place stays.
    /// </summary>
    public async ValueTask DeleteAsync(EntryPath path, CancellationToken cancellationToken)
    {
        var what = $"delete '{path}'";
        if (path.IsRoot) throw new VirgaException(FailureKind.BadInput, "the account's root can't be deleted");
        if (await LookAsync(what, path, cancellationToken) is not { } told) return;
        var arguments = new JsonObject { ["path"] = PathOf(path) };
        if (told.TryGetProperty("rev", out var rev)) arguments["parent_rev"] = rev.GetString();
        else if (await HasContentAsync(what, path, cancellationToken))
            throw new VirgaException(
                FailureKind.Conflict, $"{what}: the folder is not empty", "Delete what is in it first.");
        var reply = await client.CallAsync(what, "files/delete_v2", arguments, cancellationToken);
        if (!reply.Is("path_lookup/not_found")) reply.OrThrow(what);
    }

    private async ValueTask<bool> HasContentAsync(string what, EntryPath path, CancellationToken cancellationToken)
    {
        var reply = await client.CallAsync(
            what, "files/list_folder", new JsonObject { ["path"] = PathOf(path), ["limit"] = 1 }, cancellationToken);
        if (reply.Is("path/not_found")) return false;
        var page = reply.OrThrow(what);
        return page.GetProperty("entries").GetArrayLength() > 0 || page.GetProperty("has_more").GetBoolean();
    }

    public async ValueTask MoveAsync(EntryPath from, EntryPath to, CancellationToken cancellationToken)
    {
        var what = $"move '{from}' to '{to}'";
        cancellationToken.ThrowIfCancellationRequested();
        if (from.IsRoot || to.IsRoot || DropboxNames.IsBelow(to, from))
            throw new VirgaException(FailureKind.BadInput, $"{what}: a folder can't be moved into itself");
        if (from == to) return;
        Traits.CheckTarget(to);
        var reply = DropboxNames.AreOne(from, to)
            ? new DropboxReply(IsSameName, default)
            : await MoveOnceAsync(what, from, to, cancellationToken);
        // files.stone, move:2: names that differ in case (or normalisation) alone can't be moved to one another.
        if (reply.Is(IsSameName))
        {
            await MoveBesideAsync(what, from, to, from, cancellationToken);
            return;
        }
        if (reply.Is("to/conflict/file")
            && await StatAsync(from, cancellationToken) is { Kind: EntryKind.File })
        {
            await ReplaceAsync(what, from, to, cancellationToken);
            return;
        }
        reply.OrThrow(what);
    }

    // The service replaces nothing by a move: what is there goes aside first, and back if the move fails.
    private async ValueTask ReplaceAsync(
        string what, EntryPath from, EntryPath to, CancellationToken cancellationToken)
    {
        var aside = await MoveBesideAsync(what, to, null, from, cancellationToken);
        try
        {
            (await MoveOnceAsync(what, from, to, cancellationToken)).OrThrow(what);
        }
        catch
        {
            await MoveOnceAsync(what, aside, to, CancellationToken.None);
            throw;
        }
        await DeleteAsync(aside, CancellationToken.None);
    }

    /// <summary>Moves something to a temporary name beside it, and on to another where one is given.</summary>
    private async ValueTask<EntryPath> MoveBesideAsync(
        string what, EntryPath path, EntryPath? onTo, EntryPath from, CancellationToken cancellationToken)
    {
        var aside = path.Parent.Append(TemporaryNames.New(services, path.Name));
        (await MoveOnceAsync(what, path, aside, cancellationToken)).OrThrow(what);
        if (onTo is not { } target) return aside;
        var reply = await MoveOnceAsync(what, aside, target, CancellationToken.None);
        if (!reply.IsGood) await MoveOnceAsync(what, aside, from, CancellationToken.None);
        reply.OrThrow(what);
        return target;
    }

    private Task<DropboxReply> MoveOnceAsync(
        string what, EntryPath from, EntryPath to, CancellationToken cancellationToken) =>
        client.CallAsync(
            what,
            "files/move_v2",
            new JsonObject { ["from_path"] = PathOf(from), ["to_path"] = PathOf(to) },
            cancellationToken);

    /// <summary>users.stone, SpaceUsage: a person's own room, or that of their team.</summary>
    public async ValueTask<AccountSpace> GetSpaceAsync(CancellationToken cancellationToken)
    {
        const string what = "look at the space";
        var told = (await client.CallAsync(what, "users/get_space_usage", null, cancellationToken)).OrThrow(what);
        var used = told.GetProperty("used").GetInt64();
        var allocation = told.GetProperty("allocation");
        if (!allocation.TryGetProperty("allocated", out var allocated)) return new AccountSpace(used, null);
        var filled = allocation.TryGetProperty("used", out var team) ? team.GetInt64() : used;
        return new AccountSpace(used, Math.Max(0, allocated.GetInt64() - filled));
    }

    public ValueTask DisposeAsync()
    {
        client.Dispose();
        return ValueTask.CompletedTask;
    }
}
