using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Globalization;
using System.Text;
using Virga.Accounts.Adapters.Http;
using Virga.Accounts.Adapters.OAuth;
using Virga.Core;

namespace Virga.Accounts.Adapters.Gcs;

/// <summary>
/// A bucket or a folder in one. Folders are prefixes; one that is made on purpose is an empty object "folder/", so that
/// it stays while it is empty. The version of an entry is its generation.
/// </summary>
internal sealed class GcsAccount : IAccount, IResumableUploads, IRecursiveListing, IReportsSkipped, IAbilitySource
{
    // "XML API multipart uploads": 5 MiB to 5 GiB a part, 10,000 parts; "Quotas and limits": objects of 5 TiB.
    private const long PartBytesMin = 5L << 20, PartBytesMax = 5L << 30;
    private const int PartsMax = 10_000;

    // "Objects", "Object name requirements": 1 to 1,024 bytes; what XML can't hold or advises against is not used.
    private const int NameBytesMax = 1024;

    private static readonly string Forbidden =
        string.Concat(Enumerable.Range(0x80, 0x20).Where(c => c != 0x85).Select(c => (char)c)) + "\uFFFE\uFFFF";

    private readonly GcsClient client;
    private readonly GcsCopyGrants grants;

    public GcsAccount(GcsSettings settings, IAccessTokens tokens, AdapterServices services)
    {
        client = new GcsClient(settings, tokens, services);
        grants = new GcsCopyGrants(client);
        // One byte stays free for the '/' of a folder's marker.
        var pathBytes = NameBytesMax - 1 - Encoding.UTF8.GetByteCount(settings.Prefix);
        Traits = new AccountTraits
        {
            Adapter = "gcs",
            IsReadOnly = settings.IsReadOnly,
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
            Names = new NameRules(
                MaxNameBytes: pathBytes, MaxPathBytes: pathBytes, Forbidden: Forbidden, AllowsControl: false),
        };
    }

    public AccountTraits Traits { get; }

    // Only a key signs, and only a service account tells who it is: who has linked the account by consent has none.
    public TAbility? FindAbility<TAbility>() where TAbility : class
    {
        var key = client.Settings.Key;
        if (typeof(TAbility) == typeof(ISignedReadUrls))
            return key is null ? null : (TAbility)(object)new GcsSignedUrls(client, key);
        if (typeof(TAbility) == typeof(ICopyGrants)) return key is null ? null : (TAbility)(object)grants;
        if (typeof(TAbility) == typeof(ICopyFromOthers))
            return key is null ? null : (TAbility)(object)new GcsCopyFromOthers(client, this, key);
        return this as TAbility;
    }

    public async ValueTask<Entry?> StatAsync(EntryPath path, CancellationToken cancellationToken)
    {
        var what = $"look at '{path}'";
        if (!path.IsRoot && await client.GetAsync(what, client.Name(path), cancellationToken) is { } item)
            return item.ToEntry(path);
        var page = await client.ListAsync(what, client.FolderName(path), null, null, 1, cancellationToken);
        return path.IsRoot || page.Items.Count > 0 ? new Entry(path, EntryKind.Folder, 0) : null;
    }

    public IAsyncEnumerable<Entry> ListAsync(EntryPath folder, CancellationToken cancellationToken) =>
        new GcsListing(client).ListAsync(folder, cancellationToken);

    public IAsyncEnumerable<Entry> ListAsync(
        EntryPath folder, Action<SkippedEntry> onSkipped, CancellationToken cancellationToken) =>
        new GcsListing(client, onSkipped).ListAsync(folder, cancellationToken);

    public IAsyncEnumerable<Entry> ListAllAsync(
        EntryPath folder, Action<SkippedEntry>? onSkipped, CancellationToken cancellationToken) =>
        new GcsListing(client, onSkipped).ListAllAsync(folder, cancellationToken);

    public async ValueTask<EntryReader> ReadAsync(
        EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken)
    {
        var what = $"read '{path}'";
        AccountChecks.CheckReadable(path);
        if (range.Length == 0) return await ReadNothingAsync(what, path, range, pin, cancellationToken);
        if (pin is { } wanted && wanted.Value.AsSpan().ContainsAnyExceptInRange('0', '9'))
            throw AccountChecks.Changed(what);
        var guard = client.Guard(cancellationToken);
        HttpResponseMessage? answer = null;
        try
        {
            answer = await client.SendAsync(what, Request, guard, cancellationToken);
            var entry = ToEntry(path, answer);
            AccountChecks.CheckPin(what, entry, pin);
            AccountChecks.CheckRange(what, range, entry.Length);
            if (answer.Content.Headers.ContentLength is { } length && length != range.Length)
                throw GcsFailures.NotGoogle(what);
            var body = await answer.Content.ReadAsStreamAsync(cancellationToken);
            return new EntryReader(entry, new RangeStream(body, range.Length, guard, answer, what));
        }
        catch
        {
            answer?.Dispose();
            guard.Dispose();
            throw;
        }

        HttpRequestMessage Request()
        {
            var request = new HttpRequestMessage(HttpMethod.Get, client.XmlUrl(client.Name(path)));
            request.Headers.Range = new RangeHeaderValue(range.Offset, range.End - 1);
            // "Transcoding of gzip-compressed files": without it the service would unpack what is stored packed.
            request.Headers.AcceptEncoding.ParseAdd("gzip");
            if (pin is { } match) request.Headers.Add("x-goog-if-generation-match", match.Value);
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
        var generation = await PutAsync(what, client.Name(path), content, options, cancellationToken);
        return new Entry(
            path, EntryKind.File, content.Length, options.Modified, new EntryVersion(generation),
            IsExecutable: options.IsExecutable);
    }

    private async Task<string> PutAsync(
        string what, string name, ReadOnlyMemory<byte> content, WriteOptions options,
        CancellationToken cancellationToken)
    {
        using var guard = client.Guard(cancellationToken);
        using var answer = await client.SendAsync(what, Request, guard, cancellationToken);
        return Header(answer, "x-goog-generation") ?? throw GcsFailures.NotGoogle(what);

        HttpRequestMessage Request()
        {
            var request = new HttpRequestMessage(HttpMethod.Put, client.XmlUrl(name))
            {
                Content = new MemoryContent(content, guard),
            };
            GcsMetadata.Write(request.Headers, options);
            return request;
        }
    }

    public async ValueTask<IUpload> BeginUploadAsync(
        EntryPath path, long length, long partBytes, WriteOptions options, CancellationToken cancellationToken)
    {
        Traits.CheckTarget(path);
        var layout = PartLayout.Checked(Traits, length, partBytes);
        return await GcsUpload.BeginAsync(client, path, layout, options, cancellationToken);
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
        var upload = new GcsUpload(client, path, PartLayout.Checked(Traits, length, partBytes), token);
        // The process before us may have ended between completing it and writing that down: CompleteAsync finds out.
        if (await upload.IsPendingAsync(what, cancellationToken)
            || await upload.IsMadeAsync(what, cancellationToken))
            return upload;
        throw new VirgaException(
            FailureKind.NotFound, $"{what}: the service has ended the upload", "Begin the upload anew.");
    }

    public async IAsyncEnumerable<PendingUpload> ListUploadsAsync(
        EntryPath folder, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var prefix = client.FolderName(folder);
        var (key, id) = ("", "");
        while (true)
        {
            var url = $"{client.XmlUrl(null)}?uploads&encoding-type=url&prefix={Uri.EscapeDataString(prefix)}"
                + (key.Length == 0
                    ? "" : $"&key-marker={Uri.EscapeDataString(key)}&upload-id-marker={Uri.EscapeDataString(id)}");
            var page = await client.CallXmlAsync(
                "list pending uploads", () => new HttpRequestMessage(HttpMethod.Get, url), cancellationToken);
            foreach (var upload in page.Elements().Where(e => e.Name.LocalName == "Upload"))
            {
                var name = Uri.UnescapeDataString(GcsUpload.Value(upload, "Key") ?? "");
                if (client.TryPath(name, out var path) && GcsUpload.Value(upload, "UploadId") is { } uploadId)
                {
                    yield return new PendingUpload(path, uploadId, DateTimeOffset.TryParse(
                        GcsUpload.Value(upload, "Initiated"), CultureInfo.InvariantCulture, out var time)
                        ? time : null);
                }
            }
            if (GcsUpload.Value(page, "IsTruncated") != "true") yield break;
            key = Uri.UnescapeDataString(GcsUpload.Value(page, "NextKeyMarker") ?? "");
            id = GcsUpload.Value(page, "NextUploadIdMarker") ?? "";
        }
    }

    public ValueTask AbortUploadAsync(PendingUpload upload, CancellationToken cancellationToken) =>
        new GcsUpload(client, upload.Path, default, upload.Token).AbortAsync(cancellationToken);

    public async ValueTask CreateFolderAsync(EntryPath path, CancellationToken cancellationToken)
    {
        if (path.IsRoot) return;
        Traits.CheckTarget(path);
        await PutAsync(
            $"make the folder '{path}'", client.FolderName(path), default, WriteOptions.Default, cancellationToken);
    }

    public async ValueTask DeleteAsync(EntryPath path, CancellationToken cancellationToken)
    {
        var what = $"delete '{path}'";
        if (path.IsRoot) throw new VirgaException(FailureKind.BadInput, "the account's root can't be deleted");
        var marker = client.FolderName(path);
        var page = await client.ListAsync(what, marker, null, null, 2, cancellationToken);
        if (page.Items.Any(item => item.Name != marker))
        {
            // The service can hold a file "a" beside a file "a/b"; then only "a" is meant.
            if (await client.GetAsync(what, client.Name(path), cancellationToken) is null)
                throw new VirgaException(
                    FailureKind.Conflict, $"{what}: the folder is not empty", "Delete what is in it first.");
        }
        else if (page.Items.Count > 0)
        {
            await client.DeleteAsync(what, marker, cancellationToken);
        }
        await client.DeleteAsync(what, client.Name(path), cancellationToken);
    }

    public async ValueTask MoveAsync(EntryPath from, EntryPath to, CancellationToken cancellationToken)
    {
        var what = $"move '{from}' to '{to}'";
        if (from == to) return;
        AccountChecks.CheckMove(what, from, to);
        Traits.CheckTarget(to);
        await new GcsMover(client).MoveAsync(what, from, to, cancellationToken);
    }

    public ValueTask DisposeAsync()
    {
        client.Dispose();
        return ValueTask.CompletedTask;
    }

    private static Entry ToEntry(EntryPath path, HttpResponseMessage answer)
    {
        var metadata = GcsMetadata.Of(answer);
        var length = long.TryParse(
            Header(answer, "x-goog-stored-content-length"), NumberStyles.None, CultureInfo.InvariantCulture,
            out var stored)
            ? stored
            : answer.Content.Headers.ContentRange?.Length ?? answer.Content.Headers.ContentLength ?? 0;
        return new Entry(
            path, EntryKind.File, length, GcsMetadata.Modified(metadata) ?? answer.Content.Headers.LastModified,
            new EntryVersion(Header(answer, "x-goog-generation") ?? ""),
            IsExecutable: GcsMetadata.IsExecutable(metadata));
    }

    private static string? Header(HttpResponseMessage answer, string name) =>
        answer.Headers.TryGetValues(name, out var values) ? values.First() : null;
}
