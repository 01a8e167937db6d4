using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.WebDav;

/// <summary>
/// A folder on a WebDAV server. The version of a file is its ETag, without the mark of weakness that Apache takes off a
/// second after a change; a file server's ETag is made of time and size, so the pin is weak, and looked at again after
/// each read.
/// </summary>
internal class WebDavAccount : IAbilitySource, IReportsSpace, IReportsSkipped, IStreamedTarget
{
    private const int PathBytesMax = 2048;

    public WebDavAccount(WebDavClient client, WebDavServer server)
    {
        Client = client;
        Server = server;
        Traits = new AccountTraits
        {
            Adapter = "webdav",
            MaxConcurrency = 8,
            SingleWriteBytesMax = 8 << 20,
            PartOrder = server.TakesPartialPut ? PartOrder.Any : PartOrder.Sequence,
            UploadResume = server.TakesPartialPut ? UploadResume.Parts : UploadResume.None,
            PartBytesMin = 1,
            PartBytesMax = 64 << 20,
            Pin = PinStrength.Weak,
            KeepsModified = server.TakesTimes,
            KeepsEmptyFolders = true,
            KeepsExecutable = false,
            TagsFolders = server.TagsFolders,
            Names = new NameRules(MaxNameBytes: 255, MaxPathBytes: PathBytesMax, Reserved: Reserved),
        };
    }

    public AccountTraits Traits { get; }

    protected WebDavClient Client { get; }

    protected WebDavServer Server { get; }

    public TAbility? FindAbility<TAbility>() where TAbility : class => typeof(TAbility) == typeof(IChangeFeed)
        ? Server.Syncs ? new WebDavFeed(Client, ToEntry, NoRoot) as TAbility : null
        : this as TAbility;

    public async ValueTask<Entry?> StatAsync(EntryPath path, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return Traits.Names.WhyNot(path) is null ? await FindAsync(path, cancellationToken) : null;
    }

    private async ValueTask<Entry?> FindAsync(EntryPath path, CancellationToken cancellationToken)
    {
        var what = $"look at '{path}'";
        try
        {
            await using var listing = await WebDavListing.OpenAsync(
                Client, what, Client.UrlOf(path, path.IsRoot), false, cancellationToken);
            if (listing is not null)
                await foreach (var found in listing.ReadAllAsync(cancellationToken)) return ToEntry(path, found);
        }
        // Apache's answer for what would lie below a file.
        catch (VirgaException e) when (e.Kind == FailureKind.BadInput && !path.Parent.IsRoot)
        {
            if (await StatAsync(path.Parent, cancellationToken) is { Kind: EntryKind.Folder }) throw;
        }
        if (path.IsRoot) throw NoRoot(what);
        return null;
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
        var what = $"list '{folder}'";
        await using var listing = await OpenFolderAsync(what, folder, cancellationToken);
        await foreach (var (name, found) in ChildrenAsync(listing, folder, onSkipped, cancellationToken))
            if (!TemporaryNames.IsTemporary(name)) yield return ToEntry(folder.Append(name), found);
    }

    /// <summary>NotFound unless it is a folder.</summary>
    private async ValueTask<WebDavListing> OpenFolderAsync(
        string what, EntryPath folder, CancellationToken cancellationToken)
    {
        WebDavListing? listing;
        try
        {
            listing = await WebDavListing.OpenAsync(
                Client, what, Client.UrlOf(folder, isFolder: true), true, cancellationToken);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.BadInput && !folder.IsRoot)
        {
            if (await StatAsync(folder, cancellationToken) is { Kind: EntryKind.Folder }) throw;
            listing = null;
        }
        return listing
            ?? throw (
                folder.IsRoot
                    ? NoRoot(what)
                    : new VirgaException(FailureKind.NotFound, $"{what}: there is no such folder"));
    }

    /// <summary>
    /// Names and what the server says of them, temporary ones included. Children are what stands below the folder's own
    /// href, which need not be the one we asked for: a proxy may lie between.
    /// </summary>
    protected async IAsyncEnumerable<(string Name, WebDavResource Found)> ChildrenAsync(
        WebDavListing listing,
        EntryPath folder,
        Action<SkippedEntry>? onSkipped,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string?[] own = [.. Client.Settings.Names, .. folder.Names];
        var isFirst = true;
        await foreach (var found in listing.ReadAllAsync(cancellationToken))
        {
            var names = WebDavPaths.NamesOf(found.Href, out var shown);
            if (isFirst && found.IsFolder && !IsChild(names, own)) own = names;
            isFirst = false;
            if (!IsChild(names, own)) continue;
            var name = names[^1];
            if (name is not null && EntryPath.TryParse(name, out var path) && path.Names.Length == 1
                && (folder.IsRoot || EntryPath.TryParse($"{folder}/{name}", out _)))
            {
                yield return (name, found);
                continue;
            }
            onSkipped?.Invoke(
                new SkippedEntry(
                    folder, NameRules.Show(name ?? shown),
                    name is null ? "is not UTF-8" : "can't be a name in an account"));
        }
    }

    private static bool IsChild(string?[] names, string?[] folder) =>
        names.Length == folder.Length + 1 && names.AsSpan(0, folder.Length).SequenceEqual(folder);

    public async ValueTask<EntryReader> ReadAsync(
        EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken)
    {
        var what = $"read '{path}'";
        AccountChecks.CheckReadable(path);
        if (range.Offset < 0 || range.Length < 0) throw AccountChecks.BeyondEnd(what, range, 0);
        if (range.Length == 0)
        {
            var there = await DescribeAsync(what, path, cancellationToken);
            if (range.Offset > there.Length) throw AccountChecks.BeyondEnd(what, range, there.Length);
            AccountChecks.CheckPin(what, there, pin);
            return new EntryReader(there, Stream.Null);
        }
        var guard = new StallGuard(Client.Services, cancellationToken);
        HttpResponseMessage? answer = null;
        try
        {
            var request = new HttpRequestMessage(HttpMethod.Get, Client.UrlOf(path));
            request.Headers.Range = new RangeHeaderValue(range.Offset, range.End - 1);
            answer = await Client.SendAsync(what, request, guard, cancellationToken);
            // Where folders have no page, GET is a method that they don't have.
            if (answer.StatusCode is HttpStatusCode.MethodNotAllowed or HttpStatusCode.NotImplemented
                && await StatAsync(path, cancellationToken) is { Kind: EntryKind.Folder })
                throw new VirgaException(FailureKind.BadInput, $"{what}: it is a folder");
            var entry = ToEntry(what, path, answer, range);
            AccountChecks.CheckPin(what, entry, pin);
            if (range.End > entry.Length) throw AccountChecks.BeyondEnd(what, range, entry.Length);
            var content = await answer.Content.ReadAsStreamAsync(guard.Token);
            return new EntryReader(
                entry,
                new RangeStream(
                    content, range.Length, guard, answer, what, token => CheckUnchangedAsync(what, entry, pin, token)));
        }
        catch
        {
            answer?.Dispose();
            guard.Dispose();
            throw;
        }
    }

    // A server that replaces files whole goes on sending the old one; only a pin makes it worth another request there.
    private async ValueTask CheckUnchangedAsync(
        string what, Entry entry, EntryVersion? pin, CancellationToken cancellationToken)
    {
        if (Server.ReplacesWhole && pin is null) return;
        Entry now;
        try
        {
            now = await DescribeAsync(what, entry.Path, cancellationToken);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.NotFound)
        {
            throw AccountChecks.Changed(what);
        }
        if (now.Version != entry.Version) throw AccountChecks.Changed(what);
    }

    public async ValueTask<Entry> WriteAsync(
        EntryPath path, ReadOnlyMemory<byte> content, WriteOptions options, CancellationToken cancellationToken)
    {
        var what = $"write '{path}'";
        if (content.Length > Traits.SingleWriteBytesMax)
            throw new VirgaException(
                FailureKind.BadInput, $"{what}: {content.Length} bytes are too many for a single write");
        Traits.CheckTarget(path);
        var target = Server.ReplacesWhole ? path : NewTemporary(path);
        await WithFoldersAsync(what, path, async () =>
        {
            using var guard = new StallGuard(Client.Services, cancellationToken);
            using var answer = await Client.SendAsync(
                what, Put(target, new MemoryContent(content, guard), options), guard, cancellationToken);
            Check(what, answer);
        }, cancellationToken);
        return target == path
            ? await WrittenAsync(what, path, content.Length, options, cancellationToken)
            : await ReplaceAsync(what, target, path, content.Length, options, cancellationToken);
    }

    public virtual async ValueTask<IUpload> BeginUploadAsync(
        EntryPath path, long length, long partBytes, WriteOptions options, CancellationToken cancellationToken)
    {
        Traits.CheckTarget(path);
        var layout = PartLayout.Checked(Traits, length, partBytes);
        cancellationToken.ThrowIfCancellationRequested();
        // The one long PUT can't be told apart from one into a missing folder before it ends: the folder comes first.
        await CreateFolderAsync(path.Parent, cancellationToken);
        return new StreamedUpload(this, path, NewTemporary(path), layout, options);
    }

    public async ValueTask CreateFolderAsync(EntryPath path, CancellationToken cancellationToken)
    {
        if (path.IsRoot) return;
        Traits.CheckTarget(path);
        var what = $"make the folder '{path}'";
        using var answer = await Client.SendAsync(
            what,
            new HttpRequestMessage(WebDavClient.MakeCollection, Client.UrlOf(path, isFolder: true)),
            cancellationToken);
        if (answer.IsSuccessStatusCode) return;
        switch (answer.StatusCode)
        {
            // Forbidden is Apache's answer to whoever comes second when two make it at once.
            case HttpStatusCode.MethodNotAllowed or HttpStatusCode.Forbidden when await StatAsync(
                path, cancellationToken) is { } there:
                if (there.Kind == EntryKind.Folder) return;
                throw new VirgaException(FailureKind.Conflict, $"{what}: a file of that name is there");
            case HttpStatusCode.Conflict or HttpStatusCode.NotFound when !path.Parent.IsRoot:
                await CreateFolderAsync(path.Parent, cancellationToken);
                await CreateFolderAsync(path, cancellationToken);
                return;
            case HttpStatusCode.Conflict or HttpStatusCode.NotFound:
                // Fails with what to do where the account's own folder is missing.
                await StatAsync(EntryPath.Root, cancellationToken);
                throw Client.Failure(what, answer, isWrite: true);
            case HttpStatusCode.BadRequest when await FileAboveAsync(path, cancellationToken) is { } file:
                throw new VirgaException(FailureKind.Conflict, $"{what}: '{file}' is a file, not a folder");
            default:
                throw Client.Failure(what, answer, isWrite: true);
        }
    }

    public async ValueTask DeleteAsync(EntryPath path, CancellationToken cancellationToken)
    {
        var what = $"delete '{path}'";
        if (path.IsRoot) throw new VirgaException(FailureKind.BadInput, "the account's root can't be deleted");
        if (await StatAsync(path, cancellationToken) is not { } there) return;
        if (there.Kind == EntryKind.Folder) await RefuseFullAsync(what, path, cancellationToken);
        await DeleteAsync(what, path, there.Kind == EntryKind.Folder, cancellationToken);
    }

    // DELETE takes a folder with all that it holds (RFC 4918, 9.6.1), so that has to be looked at first.
    private async ValueTask RefuseFullAsync(string what, EntryPath folder, CancellationToken cancellationToken)
    {
        await using var listing = await WebDavListing.OpenAsync(
            Client, what, Client.UrlOf(folder, isFolder: true), true, cancellationToken);
        if (listing is null) return;
        string? skipped = null;
        await foreach (
            var (name, _) in ChildrenAsync(
                listing, folder, s => skipped = s.ShownName, cancellationToken)) throw NotEmpty(name);
        if (skipped is not null) throw NotEmpty(skipped);

        VirgaException NotEmpty(string name) => new(
            FailureKind.Conflict,
            $"{what}: the folder is not empty, it holds '{NameRules.Show(name)}'",
            "Delete what is in it first.");
    }

    internal async ValueTask DeleteAsync(
        string what, EntryPath path, bool isFolder, CancellationToken cancellationToken)
    {
        using var answer = await Client.SendAsync(
            what, new HttpRequestMessage(HttpMethod.Delete, Client.UrlOf(path, isFolder)), cancellationToken);
        if (answer.StatusCode is not (HttpStatusCode.NotFound or HttpStatusCode.Gone)) Check(what, answer);
    }

    public async ValueTask MoveAsync(EntryPath from, EntryPath to, CancellationToken cancellationToken)
    {
        var what = $"move '{from}' to '{to}'";
        if (from.IsRoot || to.IsRoot)
            throw new VirgaException(FailureKind.BadInput, $"{what}: the account's root stays where it is");
        Traits.CheckTarget(to);
        if (await StatAsync(from, cancellationToken) is not { } source)
            throw new VirgaException(FailureKind.NotFound, $"{what}: '{from}' isn't there");
        if (from == to) return;
        if (to.IsWithin(from))
            throw new VirgaException(FailureKind.BadInput, $"{what}: a folder can't be moved into itself");
        var target = await StatAsync(to, cancellationToken);
        if (target is { Kind: EntryKind.Folder } || (target is not null && source.Kind == EntryKind.Folder))
            throw new VirgaException(
                FailureKind.Conflict,
                $"{what}: a {(target.Kind == EntryKind.Folder ? "folder" : "file")} of that name is there");
        await CreateFolderAsync(to.Parent, cancellationToken);
        await RenameAsync(what, from, to, source.Kind == EntryKind.Folder, cancellationToken);
    }

    private async ValueTask RenameAsync(
        string what, EntryPath from, EntryPath to, bool isFolder, CancellationToken cancellationToken)
    {
        var request = new HttpRequestMessage(WebDavClient.Move, Client.UrlOf(from, isFolder));
        request.Headers.TryAddWithoutValidation("Destination", Client.UrlOf(to, isFolder).AbsoluteUri);
        request.Headers.TryAddWithoutValidation("Overwrite", isFolder ? "F" : "T");
        using var answer = await Client.SendAsync(what, request, cancellationToken);
        Check(what, answer);
    }

    public async ValueTask<AccountSpace> GetSpaceAsync(CancellationToken cancellationToken)
    {
        const string what = "ask how full the account is";
        await using var listing = await WebDavListing.OpenAsync(
            Client,
            what,
            Client.UrlOf(EntryPath.Root, isFolder: true),
            false,
            cancellationToken,
            asksQuota: true) ?? throw NoRoot(what);
        // Nextcloud says "unlimited" and "unknown" by negative numbers.
        await foreach (var found in listing.ReadAllAsync(cancellationToken))
            return new AccountSpace(
                found.QuotaUsed is >= 0 ? found.QuotaUsed : null, found.QuotaFree is >= 0 ? found.QuotaFree : null);
        throw NoRoot(what);
    }

    public ValueTask DisposeAsync()
    {
        Client.Dispose();
        return ValueTask.CompletedTask;
    }

    internal EntryPath NewTemporary(EntryPath path) =>
        path.Parent.Append(TemporaryNames.New(Client.Services, path.Name));

    internal HttpRequestMessage Put(EntryPath path, HttpContent content, WriteOptions options)
    {
        var request = new HttpRequestMessage(HttpMethod.Put, Client.UrlOf(path)) { Content = content };
        content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        if (Server.TakesTimes && options.Modified is { } modified)
            request.Headers.TryAddWithoutValidation(
                "X-OC-Mtime", modified.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture));
        return request;
    }

    internal Task<HttpResponseMessage> SendAsync(
        string what, HttpRequestMessage request, StallGuard guard, CancellationToken cancellationToken) =>
        Client.SendAsync(what, request, guard, cancellationToken);

    public StallGuard Guard(CancellationToken cancellationToken) => new(Client.Services, cancellationToken);

    async Task IStreamedTarget.SendTemporaryAsync(
        string what,
        EntryPath temporary,
        HttpContent content,
        WriteOptions options,
        StallGuard guard,
        CancellationToken cancellationToken)
    {
        using var answer = await SendAsync(what, Put(temporary, content, options), guard, cancellationToken);
        Check(what, answer);
    }

    public ValueTask DeleteTemporaryAsync(string what, EntryPath temporary, CancellationToken cancellationToken) =>
        DeleteAsync(what, temporary, isFolder: false, cancellationToken);

    internal VirgaException? FailureOf(string what, HttpResponseMessage answer) =>
        answer.IsSuccessStatusCode && answer.StatusCode != HttpStatusCode.MultiStatus ? null
        // A multistatus to anything but PROPFIND names the parts that failed (RFC 4918, 9.6.1, 9.9.4).
        : answer.StatusCode == HttpStatusCode.MultiStatus
            ? new VirgaException(
                FailureKind.Denied, $"{what}: {Client.Endpoint.Name} could do it only in part",
                "See what is left there.")
            : Client.Failure(what, answer, isWrite: true);

    /// <summary>
    /// Puts a whole temporary file in its place; Unavailable when the server has not kept all of its bytes.
    /// </summary>
    public async ValueTask<Entry> ReplaceAsync(
        string what,
        EntryPath temporary,
        EntryPath path,
        long length,
        WriteOptions options,
        CancellationToken cancellationToken)
    {
        var stored = await DescribeAsync(what, temporary, cancellationToken);
        if (stored.Length != length)
        {
            throw new VirgaException(
                FailureKind.Unavailable,
                $"{what}: the server has kept {stored.Length} of {length} bytes",
                "If it happens again, set partialPut=false for this account.");
        }
        if (await StatAsync(path, cancellationToken) is { Kind: EntryKind.Folder })
            throw new VirgaException(FailureKind.Conflict, $"{what}: a folder of that name is there");
        await RenameAsync(what, temporary, path, isFolder: false, cancellationToken);
        return await WrittenAsync(what, path, length, options, cancellationToken);
    }

    private async ValueTask<Entry> WrittenAsync(
        string what, EntryPath path, long length, WriteOptions options, CancellationToken cancellationToken)
    {
        var entry = await DescribeAsync(what, path, cancellationToken);
        // Another writer came just after us: what we wrote is there no more, under no version that could be read.
        if (entry.Length != length) return entry with { Length = length, Version = new EntryVersion("replaced") };
        return Server.TakesTimes && options.Modified is { } modified ? entry with { Modified = modified } : entry;
    }

    /// <summary>A file, by HEAD: cheaper than PROPFIND. NotFound where none is.</summary>
    internal async ValueTask<Entry> DescribeAsync(string what, EntryPath path, CancellationToken cancellationToken)
    {
        using var answer = await Client.SendAsync(
            what, new HttpRequestMessage(HttpMethod.Head, Client.UrlOf(path)), cancellationToken);
        if (answer.StatusCode != HttpStatusCode.OK || answer.Content.Headers.ContentLength is not null)
            return ToEntry(what, path, answer, null);
        // Apache leaves out the length of an empty file.
        return await FindAsync(path, cancellationToken) is { Kind: EntryKind.File } there
            ? there
            : throw new VirgaException(FailureKind.NotFound, $"{what}: no file is there");
    }

    /// <summary>Does it; where a folder on the way is missing, makes that and does it again.</summary>
    internal async ValueTask WithFoldersAsync(
        string what, EntryPath path, Func<Task> action, CancellationToken cancellationToken)
    {
        try
        {
            await action();
        }
        catch (VirgaException e) when (e.Kind is FailureKind.Conflict or FailureKind.NotFound && !path.Parent.IsRoot)
        {
            if (await StatAsync(path, cancellationToken) is { Kind: EntryKind.Folder }) throw IsFolder();
            await CreateFolderAsync(path.Parent, cancellationToken);
            await action();
        }
        catch (VirgaException e) when (e.Kind is FailureKind.Conflict or FailureKind.ReadOnly)
        {
            if (await StatAsync(path, cancellationToken) is { Kind: EntryKind.Folder }) throw IsFolder();
            throw;
        }
        catch (VirgaException e) when (e.Kind == FailureKind.BadInput)
        {
            if (await FileAboveAsync(path, cancellationToken) is { } file)
                throw new VirgaException(FailureKind.Conflict, $"{what}: '{file}' is a file, not a folder");
            throw;
        }

        VirgaException IsFolder() => new(FailureKind.Conflict, $"{what}: a folder of that name is there");
    }

    private async ValueTask<EntryPath?> FileAboveAsync(EntryPath path, CancellationToken cancellationToken)
    {
        for (var at = path.Parent; !at.IsRoot; at = at.Parent)
            if (await StatAsync(at, cancellationToken) is { } there) return there.Kind == EntryKind.Folder ? null : at;
        return null;
    }

    private string? Reserved(string name) =>
        TemporaryNames.IsTemporary(name) ? "is one of Virga's own for files that are being written"
        : Server.IsApacheFolder && (name == ".DAV" || name.StartsWith(".davfs.tmp", StringComparison.Ordinal))
            ? "is one that this server keeps to itself"
            : null;

    private void Check(string what, HttpResponseMessage answer)
    {
        if (FailureOf(what, answer) is { } failure) throw failure;
    }

    private VirgaException NoRoot(string what) => new(
        FailureKind.NotFound,
        $"{what}: there is no folder {Client.Settings.Url.AbsolutePath} on {Client.Endpoint.Name}",
        "Check the account's URL, or make the folder.");

    private Entry ToEntry(EntryPath path, WebDavResource found)
    {
        var id = Server.Syncs ? path.Value : null;
        return found.IsFolder
            ? new Entry(path, EntryKind.Folder, 0, found.Modified)
            {
                Id = id, FolderTag = Server.TagsFolders ? found.ETag : null,
            }
            : new Entry(
                path, EntryKind.File, found.Length ?? 0, found.Modified,
                Version(found.ETag, found.Modified, found.Length ?? 0)) { Id = id };
    }

    // From the headers of GET or HEAD: the whole length stands in Content-Range, or is that of the whole body.
    private Entry ToEntry(string what, EntryPath path, HttpResponseMessage answer, ByteRange? range)
    {
        if (answer.StatusCode is not (HttpStatusCode.OK or HttpStatusCode.PartialContent))
            throw Client.Failure(what, answer, isWrite: false);
        var headers = answer.Content.Headers;
        var isPart = answer.StatusCode == HttpStatusCode.PartialContent;
        if ((isPart ? headers.ContentRange?.Length : headers.ContentLength) is not { } length
            || (isPart && headers.ContentRange!.From != range?.Offset)
            || (!isPart && range is { Offset: > 0 } && range.Value.End <= length))
        {
            throw new VirgaException(
                FailureKind.Unsupported,
                $"{what}: {Client.Endpoint.Name} doesn't send the range that was asked for",
                "This server doesn't honour ranges there; it can't be used as an account.");
        }
        return new Entry(
            path,
            EntryKind.File,
            length,
            headers.LastModified,
            Version(answer.Headers.ETag?.ToString(), headers.LastModified, length));
    }

    private static EntryVersion Version(string? etag, DateTimeOffset? modified, long length)
    {
        if (string.IsNullOrEmpty(etag)) return new EntryVersion($"{modified?.ToUnixTimeSeconds()}-{length}");
        return new EntryVersion(etag.StartsWith("W/", StringComparison.Ordinal) ? etag[2..] : etag);
    }
}
