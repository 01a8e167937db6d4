using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.Rclone;

/// <summary>
/// A folder of an rclone remote. rclone takes a file as one stream and keeps nothing of one that broke off; every file
/// is sent to a temporary name and moved into place. The version is time and length, with the service's own hash where
/// that costs nothing.
/// </summary>
internal sealed class RcloneAccount : IAccount, IReportsSpace, IReportsSkipped, IStreamedTarget
{
    private const int MoveTriesMax = 10;
    private static readonly TimeSpan SettleTime = TimeSpan.FromMilliseconds(300);

    private readonly RcloneClient client;
    private readonly AdapterServices services;
    private readonly RcloneFeatures features;

    public RcloneAccount(RcloneClient client, AdapterServices services, RcloneFeatures features)
    {
        (this.client, this.services, this.features) = (client, services, features);
        Traits = new AccountTraits
        {
            Adapter = "rclone",
            MaxConcurrency = 4,
            SingleWriteBytesMax = 8 << 20,
            PartOrder = PartOrder.Sequence,
            UploadResume = UploadResume.None,
            PartBytesMin = 1,
            PartBytesMax = 64 << 20,
            Pin = PinStrength.Weak,
            KeepsEmptyFolders = features.KeepsEmptyFolders,
            KeepsFilesAndFoldersApart = features.KeepsEmptyFolders,
            Names = new NameRules(
                MaxPathBytes: 2048,
                IsCaseSensitive: features.IsCaseSensitive,
                Reserved: name =>
                    TemporaryNames.IsTemporary(name) ? "is one of Virga's own for files that are being written" : null),
        };
    }

    public AccountTraits Traits { get; }

    internal int? ProcessId => client.ProcessId;

    public async ValueTask<Entry?> StatAsync(EntryPath path, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (path.IsRoot)
        {
            await CheckRootAsync(cancellationToken);
            return new Entry(path, EntryKind.Folder, 0);
        }
        return Traits.Names.WhyNot(path) is null ? await FindAsync($"look at '{path}'", path, cancellationToken) : null;
    }

    // rclone says of every root that it is there; a listing of its folders tells.
    private async ValueTask CheckRootAsync(CancellationToken cancellationToken)
    {
        var arguments = Arguments(EntryPath.Root);
        arguments["opt"] = new JsonObject { ["dirsOnly"] = true, ["noModTime"] = true, ["noMimeType"] = true };
        await client.CallAsync($"look at '{client.Settings.Remote}'", "operations/list", arguments, cancellationToken);
    }

    private async ValueTask<Entry?> FindAsync(string what, EntryPath path, CancellationToken cancellationToken)
    {
        var arguments = Arguments(path);
        arguments["opt"] = ListOptions();
        JsonNode answer;
        try
        {
            answer = await client.CallAsync(what, "operations/stat", arguments, cancellationToken);
        }
        // Below a file, or below nothing.
        catch (VirgaException e) when (e.Kind is FailureKind.NotFound or FailureKind.Conflict)
        {
            return null;
        }
        if (answer["item"] is not JsonObject item) return null;
        using var document = JsonDocument.Parse(item.ToJsonString());
        return ToEntry(path, RcloneItem.From(document.RootElement));
    }

    public IAsyncEnumerable<Entry> ListAsync(EntryPath folder, CancellationToken cancellationToken) =>
        ListAsync(folder, null, cancellationToken);

    IAsyncEnumerable<Entry> IReportsSkipped.ListAsync(
        EntryPath folder,
        Action<SkippedEntry> onSkipped,
        CancellationToken cancellationToken) => ListAsync(folder,
        onSkipped,
        cancellationToken);

    private async IAsyncEnumerable<Entry> ListAsync(
        EntryPath folder, Action<SkippedEntry>? onSkipped, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var item in ItemsAsync(folder, cancellationToken))
        {
            if (TemporaryNames.IsTemporary(item.Name)) continue;
            var isName = EntryPath.TryParse(item.Name, out var name) && name.Names.Length == 1;
            if (isName && EntryPath.TryParse(folder.IsRoot ? item.Name : $"{folder}/{item.Name}", out var path)
                && (item.IsFolder || item.Length >= 0))
                yield return ToEntry(path, item);
            else
                onSkipped?.Invoke(
                    new SkippedEntry(
                        folder, NameRules.Show(item.Name),
                        isName ? "has no known length" : "can't be a name in an account"));
        }
    }

    private async IAsyncEnumerable<RcloneItem> ItemsAsync(
        EntryPath folder, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var what = $"list '{folder}'";
        using var guard = new StallGuard(services, cancellationToken);
        var arguments = Arguments(folder);
        arguments["opt"] = ListOptions();
        using var answer = await OpenListAsync(what, folder, arguments, guard, cancellationToken);
        await using var body = await answer.Content.ReadAsStreamAsync(guard.Token);
        await foreach (var item in RcloneListing.ReadAsync(body, guard, what, cancellationToken)) yield return item;
    }

    private async Task<HttpResponseMessage> OpenListAsync(
        string what, EntryPath folder, JsonObject arguments, StallGuard guard, CancellationToken cancellationToken)
    {
        try
        {
            return await client.OpenAsync(what, "operations/list", arguments, guard, cancellationToken);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.Conflict)
        {
            throw new VirgaException(FailureKind.NotFound, $"{what}: '{folder}' is no folder", inner: e);
        }
    }

    public async ValueTask<EntryReader> ReadAsync(
        EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken)
    {
        var what = $"read '{path}'";
        AccountChecks.CheckReadable(path);
        var entry = await FindAsync(what, path, cancellationToken)
            ?? throw new VirgaException(FailureKind.NotFound, $"{what}: it isn't there");
        if (entry.Kind != EntryKind.File)
            throw new VirgaException(FailureKind.BadInput, $"{what}: it is a folder and has no bytes to read");
        AccountChecks.CheckPin(what, entry, pin);
        if (range.Offset < 0 || range.Length < 0 || range.End > entry.Length)
            throw new VirgaException(
                FailureKind.BadInput, $"{what}: the range {range} lies beyond its {entry.Length} bytes");
        if (range.Length == 0) return new EntryReader(entry, Stream.Null);
        var guard = new StallGuard(services, cancellationToken);
        HttpResponseMessage? answer = null;
        try
        {
            answer = await client.SendAsync(what, root => Get(root, path, range), guard, cancellationToken);
            CheckRange(what, answer, range, entry.Length);
            var content = await answer.Content.ReadAsStreamAsync(guard.Token);
            return new EntryReader(
                entry,
                new RangeStream(
                    content, range.Length, guard, answer, what, token => CheckUnchangedAsync(what, entry, token)));
        }
        catch
        {
            answer?.Dispose();
            guard.Dispose();
            throw;
        }
    }

    private HttpRequestMessage Get(Uri root, EntryPath path, ByteRange range)
    {
        var (remote, file) = Split(path);
        var place = $"{Uri.EscapeDataString($"[{remote}]")}/{AddressParser.EncodePath(file)}";
        var url = $"{root.GetLeftPart(UriPartial.Authority)}/{place}";
        var request = new HttpRequestMessage(
            HttpMethod.Get,
            new Uri(url, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
        request.Headers.Range = new RangeHeaderValue(range.Offset, range.End - 1);
        return request;
    }

    private static void CheckRange(string what, HttpResponseMessage answer, ByteRange range, long length)
    {
        var isPart = answer.StatusCode == HttpStatusCode.PartialContent;
        var whole = isPart ? answer.Content.Headers.ContentRange?.Length : answer.Content.Headers.ContentLength;
        if (whole is { } now && now != length) throw AccountChecks.Changed(what);
        if (isPart ? answer.Content.Headers.ContentRange?.From != range.Offset : range.Offset > 0)
            throw new VirgaException(
                FailureKind.Unsupported, $"{what}: rclone doesn't send the range that was asked for");
    }

    private async ValueTask CheckUnchangedAsync(string what, Entry entry, CancellationToken cancellationToken)
    {
        if ((await FindAsync(what, entry.Path, cancellationToken))?.Version != entry.Version)
            throw AccountChecks.Changed(what);
    }

    public async ValueTask<Entry> WriteAsync(
        EntryPath path, ReadOnlyMemory<byte> content, WriteOptions options, CancellationToken cancellationToken)
    {
        var what = $"write '{path}'";
        if (content.Length > Traits.SingleWriteBytesMax)
            throw new VirgaException(
                FailureKind.BadInput, $"{what}: {content.Length} bytes are too many for a single write");
        Traits.CheckTarget(path);
        cancellationToken.ThrowIfCancellationRequested();
        await RefuseFolderAsync(what, path, cancellationToken);
        var temporary = NewTemporary(path);
        try
        {
            // Not cancelled on the way: rclone takes a short body that broke off for a whole one, and would leave it
            // behind.
            using (var guard = new StallGuard(services, CancellationToken.None))
                await UploadAsync(what, temporary, new MemoryContent(content, guard), guard, CancellationToken.None);
            cancellationToken.ThrowIfCancellationRequested();
            return await ReplaceAsync(what, temporary, path, content.Length, options, cancellationToken);
        }
        catch (Exception e)
        {
            await TryDeleteTemporaryAsync(what, temporary);
            throw await BetterAsync(what, path, e, cancellationToken);
        }
    }

    // Why the folder of a file can't be made is told by rclone in many ways; that it is a file can be seen.
    private async ValueTask<Exception> BetterAsync(
        string what, EntryPath path, Exception e, CancellationToken cancellationToken)
    {
        if (e is not VirgaException { Kind: not (FailureKind.Full or FailureKind.Timeout) }
            || cancellationToken.IsCancellationRequested)
            return e;
        for (var at = path.Parent; !at.IsRoot; at = at.Parent)
        {
            if (await FindAsync(what, at, cancellationToken) is not { } above) continue;
            if (above.Kind == EntryKind.Folder) break;
            return new VirgaException(FailureKind.Conflict, $"{what}: '{at}' is a file, not a folder", inner: e);
        }
        return e;
    }

    public async ValueTask<IUpload> BeginUploadAsync(
        EntryPath path, long length, long partBytes, WriteOptions options, CancellationToken cancellationToken)
    {
        Traits.CheckTarget(path);
        var layout = PartLayout.Checked(Traits, length, partBytes);
        cancellationToken.ThrowIfCancellationRequested();
        await RefuseFolderAsync($"begin to write '{path}'", path, cancellationToken);
        return new StreamedUpload(this, path, NewTemporary(path), layout, options);
    }

    public StallGuard Guard(CancellationToken cancellationToken) => new(services, cancellationToken);

    Task IStreamedTarget.SendTemporaryAsync(
        string what,
        EntryPath temporary,
        HttpContent content,
        WriteOptions options,
        StallGuard guard,
        CancellationToken cancellationToken) =>
        UploadAsync(what, temporary, content, guard, cancellationToken);

    private async Task UploadAsync(
        string what, EntryPath temporary, HttpContent content, StallGuard guard, CancellationToken cancellationToken)
    {
        var folder = Uri.EscapeDataString(RcloneNames.ToStandard(temporary.Parent.Value));
        var query = $"operations/uploadfile?fs={Uri.EscapeDataString(client.Settings.Remote)}&remote={folder}";
        var boundary = services.RandomHex(32);
        using var answer = await client.SendAsync(
            what,
            root => new HttpRequestMessage(HttpMethod.Post, new Uri(root, query))
            {
                Content = new MultipartFileContent(content, temporary.Name, boundary),
            },
            guard,
            cancellationToken);
    }

    /// <summary>
    /// Once begun it is done, also when the caller gives up: a move half-way could not be told from one not done.
    /// </summary>
    public async ValueTask<Entry> ReplaceAsync(
        string what,
        EntryPath temporary,
        EntryPath path,
        long length,
        WriteOptions options,
        CancellationToken cancellationToken)
    {
        var stored = await FindAsync(what, temporary, cancellationToken);
        if (stored?.Length != length)
        {
            throw new VirgaException(
                FailureKind.Unavailable,
                $"{what}: the remote has kept {(stored is null ? "nothing" : $"{stored.Length} bytes")} of {length} "
                    + "bytes");
        }
        await RefuseFolderAsync(what, path, cancellationToken);
        await MoveOverAsync(what, temporary, path);
        var written = await FindAsync(what, path, CancellationToken.None);
        // Where another writer came just after us, what we wrote is there no more, under no version that could be read.
        return written?.Length == length
            ? written
            : new Entry(path, EntryKind.File, length, null, new EntryVersion("replaced"));
    }

    // rclone takes the old file away before it moves the new one there. Where two writers do that at once, one of them
    // finds nothing to take away and gives up.
    private async ValueTask MoveOverAsync(string what, EntryPath temporary, EntryPath path)
    {
        for (var triesLeft = MoveTriesMax; ; triesLeft--)
        {
            try
            {
                await MoveFileAsync(what, temporary, path);
                return;
            }
            catch (VirgaException e) when (e.Kind is FailureKind.NotFound or FailureKind.Conflict && triesLeft > 1)
            {
                if (await FindAsync(what, temporary, CancellationToken.None) is null) throw;
            }
        }
    }

    // Without IgnoreTimes rclone would leave a file of the same length and second as it is, and drop the new one.
    private Task MoveFileAsync(string what, EntryPath from, EntryPath to) => client.CallAsync(
        what,
        "operations/movefile",
        new JsonObject
        {
            ["srcFs"] = client.Settings.Remote,
            ["srcRemote"] = RcloneNames.ToStandard(from.Value),
            ["dstFs"] = client.Settings.Remote,
            ["dstRemote"] = RcloneNames.ToStandard(to.Value),
            ["_config"] = new JsonObject { ["IgnoreTimes"] = true },
        },
        CancellationToken.None);

    private async ValueTask RefuseFolderAsync(string what, EntryPath path, CancellationToken cancellationToken)
    {
        if (Traits.KeepsFilesAndFoldersApart
            && await FindAsync(what, path, cancellationToken) is { Kind: EntryKind.Folder })
            throw new VirgaException(FailureKind.Conflict, $"{what}: a folder of that name is there");
    }

    /// <summary>
    /// Looks a second time: rclone takes a short stream that broke off for a whole file, and may store it after we have
    /// looked.
    /// </summary>
    public async ValueTask DeleteTemporaryAsync(string what, EntryPath temporary, CancellationToken cancellationToken)
    {
        if (await DeleteFileAsync(what, temporary, cancellationToken)) return;
        await Task.Delay(SettleTime, services.Clock, cancellationToken);
        await DeleteFileAsync(what, temporary, cancellationToken);
    }

    /// <summary>False where it wasn't there.</summary>
    private async ValueTask<bool> DeleteFileAsync(string what, EntryPath path, CancellationToken cancellationToken)
    {
        try
        {
            await client.CallAsync(what, "operations/deletefile", Arguments(path), cancellationToken);
            return true;
        }
        catch (VirgaException e) when (e.Kind == FailureKind.NotFound)
        {
            return false;
        }
    }

    private async ValueTask TryDeleteTemporaryAsync(string what, EntryPath temporary)
    {
        try
        {
            await DeleteTemporaryAsync(what, temporary, CancellationToken.None);
        }
        // What went wrong before matters more.
        catch (VirgaException)
        {
        }
    }

    public async ValueTask CreateFolderAsync(EntryPath path, CancellationToken cancellationToken)
    {
        if (path.IsRoot) return;
        Traits.CheckTarget(path);
        var what = $"make the folder '{path}'";
        if (await FindAsync(what, path, cancellationToken) is { } there)
        {
            if (there.Kind == EntryKind.Folder) return;
            throw new VirgaException(FailureKind.Conflict, $"{what}: a file of that name is there");
        }
        try
        {
            await client.CallAsync(what, "operations/mkdir", Arguments(path), cancellationToken);
        }
        catch (VirgaException e)
        {
            throw await BetterAsync(what, path, e, cancellationToken);
        }
    }

    public async ValueTask DeleteAsync(EntryPath path, CancellationToken cancellationToken)
    {
        var what = $"delete '{path}'";
        if (path.IsRoot) throw new VirgaException(FailureKind.BadInput, "the account's root can't be deleted");
        switch (await FindAsync(what, path, cancellationToken))
        {
            case { Kind: EntryKind.File }:
                await DeleteFileAsync(what, path, cancellationToken);
                break;
            case { Kind: EntryKind.Folder }:
                await foreach (var item in ItemsAsync(path, cancellationToken))
                {
                    throw new VirgaException(
                        FailureKind.Conflict,
                        $"{what}: the folder is not empty, it holds '{NameRules.Show(item.Name)}'",
                        "Delete what is in it first.");
                }
                await client.CallAsync(what, "operations/rmdir", Arguments(path), cancellationToken);
                break;
        }
    }

    public async ValueTask MoveAsync(EntryPath from, EntryPath to, CancellationToken cancellationToken)
    {
        var what = $"move '{from}' to '{to}'";
        if (from.IsRoot || to.IsRoot)
            throw new VirgaException(FailureKind.BadInput, $"{what}: the account's root stays where it is");
        Traits.CheckTarget(to);
        var source = await FindAsync(what, from, cancellationToken)
            ?? throw new VirgaException(FailureKind.NotFound, $"{what}: '{from}' isn't there");
        if (from == to) return;
        if (to.IsWithin(from))
            throw new VirgaException(FailureKind.BadInput, $"{what}: a folder can't be moved into itself");
        var target = await FindAsync(what, to, cancellationToken);
        if (target is { Kind: EntryKind.Folder } || (target is not null && source.Kind == EntryKind.Folder))
            throw new VirgaException(
                FailureKind.Conflict,
                $"{what}: a {(target.Kind == EntryKind.Folder ? "folder" : "file")} of that name is there");
        if (source.Kind == EntryKind.File) await MoveFileAsync(what, from, to);
        else await MoveFolderAsync(what, from, to);
    }

    private Task MoveFolderAsync(string what, EntryPath from, EntryPath to) => client.CallAsync(
        what,
        "sync/move",
        new JsonObject
        {
            ["srcFs"] = Below(from),
            ["dstFs"] = Below(to),
            ["createEmptySrcDirs"] = true,
            ["deleteEmptySrcDirs"] = true,
        },
        CancellationToken.None);

    public async ValueTask<AccountSpace> GetSpaceAsync(CancellationToken cancellationToken)
    {
        if (!features.TellsSpace) return new AccountSpace(null, null);
        var about = await client.CallAsync(
            "ask how full the account is",
            "operations/about",
            new JsonObject { ["fs"] = client.Settings.Remote },
            cancellationToken);
        return new AccountSpace(about["used"]?.GetValue<long>(), about["free"]?.GetValue<long>());
    }

    public ValueTask DisposeAsync() => client.DisposeAsync();

    private JsonObject Arguments(EntryPath path) =>
        new() { ["fs"] = client.Settings.Remote, ["remote"] = RcloneNames.ToStandard(path.Value) };

    private JsonObject ListOptions()
    {
        var options = new JsonObject { ["noMimeType"] = true };
        if (features.CheapHash is { } hash)
        {
            options["showHash"] = true;
            options["hashTypes"] = new JsonArray(hash);
        }
        return options;
    }

    /// <summary>A folder of the account as a remote of its own.</summary>
    private string Below(EntryPath path)
    {
        var remote = client.Settings.Remote;
        var start = remote.EndsWith(':') || remote.EndsWith('/') ? remote : remote + "/";
        return start + RcloneNames.ToStandard(path.Value);
    }

    // rclone ends the name of the remote in a URL at the first ']', so a folder with one has to stand behind it.
    private (string Remote, string File) Split(EntryPath path)
    {
        var remote = client.Settings.Remote;
        if (!remote.Contains(']', StringComparison.Ordinal)) return (remote, RcloneNames.ToStandard(path.Value));
        var at = remote.StartsWith('/') ? 0 : remote.IndexOf(':', StringComparison.Ordinal);
        return (remote[..(at + 1)], $"{remote[(at + 1)..]}/{RcloneNames.ToStandard(path.Value)}".TrimStart('/'));
    }

    private EntryPath NewTemporary(EntryPath path) => path.Parent.Append(TemporaryNames.New(services, "file"));

    private static Entry ToEntry(EntryPath path, RcloneItem item) => item.IsFolder
        ? new Entry(path, EntryKind.Folder, 0, item.Modified)
        : new Entry(path, EntryKind.File, Math.Max(0, item.Length), item.Modified, item.Version);
}
