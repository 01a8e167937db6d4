using System.Globalization;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json.Nodes;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.B2;

/// <summary>
/// A bucket or a folder in one. Folders are prefixes; one that is made on purpose is the service's own mark,
/// "folder/.bzEmpty". The version of an entry is its file id. What is deleted or replaced is hidden: older versions
/// stay
/// as the bucket's lifecycle rules say.
/// </summary>
internal sealed class B2Account : IAccount, IResumableUploads, IRecursiveListing, IReportsSkipped
{
    // "Large files": parts of 5 MB to 5 GB, 10,000 of them.
    private const long PartBytesMin = 5_000_000, PartBytesMax = 5_000_000_000;
    private const int PartsMax = 10_000;

    // "Files", "File names": up to 1,024 bytes, of which one name between slashes takes up to 250.
    private const int NameBytesMax = 1024, SegmentBytesMax = 250;

    private readonly B2Client client;
    private readonly B2Copier copier;

    public B2Account(B2Settings settings, AdapterServices services)
    {
        client = new B2Client(settings, services);
        copier = new B2Copier(client);
        var pathBytes = NameBytesMax - B2Listing.Marker.Length - 1 - Encoding.UTF8.GetByteCount(settings.Prefix);
        Traits = new AccountTraits
        {
            Adapter = "b2",
            MaxConcurrency = 16,
            SingleWriteBytesMax = 8 << 20,
            PartOrder = PartOrder.Any,
            UploadResume = UploadResume.Parts,
            PartBytesMin = PartBytesMin,
            PartBytesMax = PartBytesMax,
            PartsMax = PartsMax,
            Pin = PinStrength.Strong,
            KeepsModified = true,
            KeepsEmptyFolders = true,
            KeepsExecutable = true,
            KeepsFilesAndFoldersApart = false,
            // The same page: no control characters, no DEL, no backslash.
            Names = new NameRules(
                MaxNameBytes: SegmentBytesMax, MaxPathBytes: pathBytes, Forbidden: "\\", AllowsControl: false,
                Reserved: WhyReserved),
        };
    }

    public AccountTraits Traits { get; }

    public async ValueTask<Entry?> StatAsync(EntryPath path, CancellationToken cancellationToken)
    {
        var what = $"look at '{path}'";
        if (!path.IsRoot && await B2Listing.GetAsync(client, what, client.Name(path), cancellationToken) is { } item)
            return item.ToEntry(path);
        var (items, _) = await B2Listing.PageAsync(
            client, what, client.FolderName(path), null, null, 1, cancellationToken);
        return path.IsRoot || items.Count > 0 ? new Entry(path, EntryKind.Folder, 0) : null;
    }

    public IAsyncEnumerable<Entry> ListAsync(EntryPath folder, CancellationToken cancellationToken) =>
        new B2Listing(client).ListAsync(folder, cancellationToken);

    public IAsyncEnumerable<Entry> ListAsync(
        EntryPath folder, Action<SkippedEntry> onSkipped, CancellationToken cancellationToken) =>
        new B2Listing(client, onSkipped).ListAsync(folder, cancellationToken);

    public IAsyncEnumerable<Entry> ListAllAsync(
        EntryPath folder, Action<SkippedEntry>? onSkipped, CancellationToken cancellationToken) =>
        new B2Listing(client, onSkipped).ListAllAsync(folder, cancellationToken);

    /// <summary>By name, so that what was deleted is not read, and only if it is the pinned version.</summary>
    public async ValueTask<EntryReader> ReadAsync(
        EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken)
    {
        var what = $"read '{path}'";
        AccountChecks.CheckReadable(path);
        if (range.Length == 0) return await ReadNothingAsync(what, path, range, pin, cancellationToken);
        var guard = new StallGuard(client.Services, cancellationToken);
        HttpResponseMessage? answer = null;
        try
        {
            answer = await client.SendAsync(what, Request, guard, cancellationToken);
            var entry = ToEntry(path, answer);
            AccountChecks.CheckPin(what, entry, pin);
            AccountChecks.CheckRange(what, range, entry.Length);
            if (answer.Content.Headers.ContentLength is { } length && length != range.Length)
                throw B2Failures.NotB2(what);
            var body = await answer.Content.ReadAsStreamAsync(cancellationToken);
            return new EntryReader(entry, new RangeStream(body, range.Length, guard, answer, what));
        }
        catch
        {
            answer?.Dispose();
            guard.Dispose();
            throw;
        }

        HttpRequestMessage Request(B2Session now)
        {
            var name = AddressParser.EncodePath(client.Name(path));
            var request = new HttpRequestMessage(
                HttpMethod.Get, $"{now.DownloadUrl}/file/{client.Settings.Bucket}/{name}");
            request.Headers.TryAddWithoutValidation("Authorization", now.Token);
            request.Headers.Range = new RangeHeaderValue(range.Offset, range.End - 1);
            return request;
        }
    }

    private async Task<EntryReader> ReadNothingAsync(
        string what, EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken)
    {
        if (await StatAsync(path, cancellationToken) is not { Kind: EntryKind.File } entry)
            throw new VirgaException(FailureKind.NotFound, $"{what}: no file is there");
        AccountChecks.CheckPin(what, entry, pin);
        AccountChecks.CheckRange(what, range, entry.Length);
        return new EntryReader(entry, Stream.Null);
    }

    public async ValueTask<Entry> WriteAsync(
        EntryPath path, ReadOnlyMemory<byte> content, WriteOptions options, CancellationToken cancellationToken)
    {
        var what = $"write '{path}'";
        if (content.Length > Traits.SingleWriteBytesMax)
            throw new VirgaException(
                FailureKind.BadInput, $"{what}: {content.Length} bytes are too many for a single write");
        Traits.CheckTarget(path);
        var stored = await B2Upload.PutAsync(
            client, what, client.Name(path), content, B2Item.InfoOf(options), cancellationToken);
        return stored.ToEntry(path) with { Modified = options.Modified };
    }

    public async ValueTask<IUpload> BeginUploadAsync(
        EntryPath path, long length, long partBytes, WriteOptions options, CancellationToken cancellationToken)
    {
        Traits.CheckTarget(path);
        var layout = PartLayout.Checked(Traits, length, partBytes);
        return await B2Upload.BeginAsync(client, path, layout, options, cancellationToken);
    }

    public async ValueTask<IUpload> ResumeUploadAsync(
        EntryPath path,
        long length,
        long partBytes,
        WriteOptions options,
        string token,
        CancellationToken cancellationToken)
    {
        var what = $"go on writing '{path}'";
        var upload = new B2Upload(client, path, PartLayout.Checked(Traits, length, partBytes), options, token);
        // The process before us may have ended between completing it and writing that down: CompleteAsync finds out.
        if (await upload.IsPendingAsync(what, cancellationToken)
            || await upload.FindCompletedAsync(what, cancellationToken) is not null)
            return upload;
        throw new VirgaException(
            FailureKind.NotFound, $"{what}: the service has ended the upload", "Begin the upload anew.");
    }

    public async IAsyncEnumerable<PendingUpload> ListUploadsAsync(
        EntryPath folder, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var staging = B2Upload.StagingPrefix(client);
        await foreach (var page in new B2Listing(client).PagesAsync(staging, null, cancellationToken))
        {
            foreach (var item in page)
            {
                if (B2Upload.PathOf(item) is { } path && path.IsWithin(folder))
                    yield return new PendingUpload(path, item.Name[staging.Length..], TimeOf(item));
            }
        }
        string? next = null;
        do
        {
            var arguments = new JsonObject { ["namePrefix"] = client.FolderName(folder), ["maxFileCount"] = 100 };
            if (next is not null) arguments["startFileId"] = next;
            var page = await client.CallAsync(
                "list pending uploads", "b2_list_unfinished_large_files", arguments, cancellationToken, ofBucket: true);
            foreach (var item in (page["files"]?.AsArray() ?? []).OfType<JsonNode>().Select(B2Item.From))
            {
                if (client.TryPath(item.Name, out var path)) yield return new PendingUpload(
                    path, item.Id, TimeOf(item));
            }
            next = (string?)page["nextFileId"];
        }
        while (next is not null);
    }

    public ValueTask AbortUploadAsync(PendingUpload upload, CancellationToken cancellationToken) =>
        new B2Upload(client, upload.Path, default, WriteOptions.Default, upload.Token).AbortAsync(cancellationToken);

    public async ValueTask CreateFolderAsync(EntryPath path, CancellationToken cancellationToken)
    {
        if (path.IsRoot) return;
        Traits.CheckTarget(path);
        var marker = client.FolderName(path) + B2Listing.Marker;
        var what = $"make the folder '{path}'";
        if (await B2Listing.GetAsync(client, what, marker, cancellationToken) is not null) return;
        await B2Upload.PutAsync(client, what, marker, default, new Dictionary<string, string>(), cancellationToken);
    }

    public async ValueTask DeleteAsync(EntryPath path, CancellationToken cancellationToken)
    {
        var what = $"delete '{path}'";
        if (path.IsRoot) throw new VirgaException(FailureKind.BadInput, "the account's root can't be deleted");
        var folder = client.FolderName(path);
        var (items, _) = await B2Listing.PageAsync(client, what, folder, null, null, 2, cancellationToken);
        if (items.Any(item => item.Name != folder + B2Listing.Marker))
        {
            // The service can hold a file "a" beside a file "a/b"; then only "a" is meant.
            if (await B2Listing.GetAsync(client, what, client.Name(path), cancellationToken) is null)
                throw new VirgaException(
                    FailureKind.Conflict, $"{what}: the folder is not empty", "Delete what is in it first.");
        }
        else if (items.Count > 0)
        {
            await copier.HideAsync(what, folder + B2Listing.Marker, cancellationToken);
        }
        await copier.HideAsync(what, client.Name(path), cancellationToken);
    }

    public async ValueTask MoveAsync(EntryPath from, EntryPath to, CancellationToken cancellationToken)
    {
        var what = $"move '{from}' to '{to}'";
        if (from == to) return;
        AccountChecks.CheckMove(what, from, to);
        Traits.CheckTarget(to);
        await copier.MoveAsync(what, from, to, cancellationToken);
    }

    public ValueTask DisposeAsync()
    {
        client.Dispose();
        return ValueTask.CompletedTask;
    }

    private static DateTimeOffset? TimeOf(B2Item item) =>
        item.Timestamp > 0 ? DateTimeOffset.FromUnixTimeMilliseconds(item.Timestamp) : null;

    private static Entry ToEntry(EntryPath path, HttpResponseMessage answer)
    {
        const string prefix = "X-Bz-Info-";
        var info = answer.Headers.Where(h => h.Key.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)).ToDictionary(
            h => h.Key[prefix.Length..], h => Uri.UnescapeDataString(h.Value.First()),
            StringComparer.OrdinalIgnoreCase);
        var length = answer.Content.Headers.ContentRange?.Length ?? answer.Content.Headers.ContentLength ?? 0;
        _ = long.TryParse(
            Header(answer, "X-Bz-Upload-Timestamp"), NumberStyles.None, CultureInfo.InvariantCulture, out var time);
        return B2Item.ToEntry(path, Header(answer, "X-Bz-File-Id") ?? "", length, time, info);
    }

    private static string? Header(HttpResponseMessage answer, string name) =>
        answer.Headers.TryGetValues(name, out var values) ? values.First() : null;

    private static string? WhyReserved(string name) => name switch
    {
        B2Listing.Marker => "is the service's own mark of an empty folder",
        B2Upload.StagingFolder => "is where Virga puts uploads together",
        _ => null,
    };
}
