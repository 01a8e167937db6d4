using System.Globalization;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.Azure;

/// <summary>
/// A container or a folder in one. Folders are prefixes; one that is made on purpose is an empty blob "folder/", so
/// that it stays while it is empty. The version of an entry is its ETag, which every write changes.
/// </summary>
internal sealed class AzureAccount
    : IAccount, IResumableUploads, IRecursiveListing, IReportsSkipped, IAbilitySource
{
    // Scalability and performance targets for Blob storage: blocks of up to 4,000 MiB, 50,000 of them.
    private const long PartBytesMax = 4000L << 20;
    private const int PartsMax = 50_000;

    // Naming and Referencing Containers, Blobs, and Metadata: a name has at most 1,024 characters.
    private const int NameCharsMax = 1024;

    private readonly AzureClient client;
    private readonly AzureCopier copier;
    private readonly AzureCopyGrants grants;
    private readonly AzureCopyFromOthers copies;

    public AzureAccount(AzureSettings settings, AdapterServices services)
    {
        client = new AzureClient(settings, services);
        copier = new AzureCopier(client);
        grants = new AzureCopyGrants(client);
        copies = new AzureCopyFromOthers(client, this);
        // One byte stays free for the '/' of a folder's marker. Bytes are never fewer than the service's characters.
        var pathBytes = NameCharsMax - 1 - Encoding.UTF8.GetByteCount(settings.Prefix);
        Traits = new AccountTraits
        {
            Adapter = "azure",
            IsReadOnly = settings.SasToken is { CanWrite: false },
            MaxConcurrency = 16,
            SingleWriteBytesMax = 8 << 20,
            PartOrder = PartOrder.Any,
            UploadResume = UploadResume.Parts,
            PartBytesMin = 1,
            PartBytesMax = PartBytesMax,
            PartsMax = PartsMax,
            Pin = PinStrength.Strong,
            KeepsModified = true,
            KeepsEmptyFolders = true,
            KeepsExecutable = true,
            KeepsFilesAndFoldersApart = false,
            // The same page: "\" becomes "/", names must not end in ".", U+0081 and U+E000 are not legal.
            Names = new NameRules(
                MaxNameBytes: pathBytes, MaxPathBytes: pathBytes, Forbidden: "\\\u0081\uE000\uFFFE\uFFFF",
                AllowsControl: false, Reserved: WhyReserved),
        };
    }

    public AccountTraits Traits { get; }

    /// <summary>
    /// Only the account's key signs tokens for others; one that is read in the clear could be picked up on the way.
    /// </summary>
    public TAbility? FindAbility<TAbility>() where TAbility : class
    {
        var hasKey = client.Signer is not null;
        if (typeof(TAbility) == typeof(ISignedReadUrls))
            return hasKey && client.Settings.Endpoint.Scheme == Uri.UriSchemeHttps
                ? (TAbility)(object)new AzureSignedUrls(client) : null;
        if (typeof(TAbility) == typeof(ICopyGrants)) return hasKey ? (TAbility)(object)grants : null;
        if (typeof(TAbility) == typeof(ICopyFromOthers))
            return hasKey || client.Settings.SasToken is { CanWrite: true } ? (TAbility)(object)copies : null;
        return this as TAbility;
    }

    public async ValueTask<Entry?> StatAsync(EntryPath path, CancellationToken cancellationToken)
    {
        var what = $"look at '{path}'";
        if (!path.IsRoot)
        {
            using var head = await client.HeadAsync(what, client.Name(path), cancellationToken);
            if (head is not null) return ToEntry(path, head);
        }
        var page = await client.ListAsync(what, client.FolderName(path), null, null, 1, cancellationToken);
        return path.IsRoot || page.Items.Count > 0 ? new Entry(path, EntryKind.Folder, 0) : null;
    }

    public IAsyncEnumerable<Entry> ListAsync(EntryPath folder, CancellationToken cancellationToken) =>
        new AzureListing(client).ListAsync(folder, cancellationToken);

    public IAsyncEnumerable<Entry> ListAsync(
        EntryPath folder, Action<SkippedEntry> onSkipped, CancellationToken cancellationToken) =>
        new AzureListing(client, onSkipped).ListAsync(folder, cancellationToken);

    public IAsyncEnumerable<Entry> ListAllAsync(
        EntryPath folder, Action<SkippedEntry>? onSkipped, CancellationToken cancellationToken) =>
        new AzureListing(client, onSkipped).ListAllAsync(folder, cancellationToken);

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
            var request = client.Request(HttpMethod.Get, client.Name(path));
            request.Headers.Range = new RangeHeaderValue(range.Offset, range.End - 1);
            if (pin is { } wanted) request.Headers.TryAddWithoutValidation("If-Match", Version(wanted.Value).Value);
            answer = await client.SendAsync(what, request, guard, cancellationToken);
            var entry = ToEntry(path, answer);
            CheckPin(what, entry, pin);
            AccountChecks.CheckRange(what, range, entry.Length);
            if (answer.Content.Headers.ContentLength is { } length && length != range.Length)
            {
                throw new VirgaException(
                    FailureKind.Unsupported,
                    $"{what}: asked for {range.Length} bytes, the server sends {length}",
                    "This server doesn't honour ranges; it can't be used as an account.");
            }
            var body = await answer.Content.ReadAsStreamAsync(cancellationToken);
            return new EntryReader(entry, new RangeStream(body, range.Length, guard, answer, what));
        }
        catch
        {
            answer?.Dispose();
            guard.Dispose();
            throw;
        }
    }

    private async Task<EntryReader> ReadNothingAsync(
        string what, EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken)
    {
        if (await StatAsync(path, cancellationToken) is not { Kind: EntryKind.File } entry)
            throw new VirgaException(FailureKind.NotFound, $"{what}: no file is there");
        CheckPin(what, entry, pin);
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
        using var guard = new StallGuard(client.Services, cancellationToken);
        var request = PutBlob(client.Name(path), new MemoryContent(content, guard));
        AzureMetadata.Write(request.Headers, options);
        using var answer = await client.SendAsync(what, request, guard, cancellationToken);
        return Written(path, content.Length, options, answer);
    }

    public async ValueTask<IUpload> BeginUploadAsync(
        EntryPath path, long length, long partBytes, WriteOptions options, CancellationToken cancellationToken)
    {
        Traits.CheckTarget(path);
        var layout = PartLayout.Checked(Traits, length, partBytes);
        var upload = new AzureUpload(client, copier, path, layout, options, client.Services.RandomHex(16));
        await upload.BeginAsync(cancellationToken);
        return upload;
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
        var layout = PartLayout.Checked(Traits, length, partBytes);
        var upload = new AzureUpload(client, copier, path, layout, options, token);
        // The process before us may have ended between completing it and writing that down: CompleteAsync finds out.
        if (await upload.IsPendingAsync(what, cancellationToken)
            || await upload.FindCompletedAsync(what, cancellationToken) is not null)
            return upload;
        throw new VirgaException(FailureKind.NotFound, $"{what}: the upload has ended", "Begin the upload anew.");
    }

    public async IAsyncEnumerable<PendingUpload> ListUploadsAsync(
        EntryPath folder, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var prefix = AzureUpload.StagingPrefix(client);
        await foreach (var page in new AzureListing(client).PagesAsync(prefix, null, cancellationToken))
        {
            foreach (var item in page.Items)
            {
                if (AzureMetadata.PathOf(item.Metadata) is { } path && path.IsWithin(folder))
                    yield return new PendingUpload(path, item.Name[prefix.Length..], item.Modified);
            }
        }
    }

    public ValueTask AbortUploadAsync(PendingUpload upload, CancellationToken cancellationToken) =>
        new AzureUpload(client, copier, upload.Path, default, WriteOptions.Default, upload.Token)
            .AbortAsync(cancellationToken);

    public async ValueTask CreateFolderAsync(EntryPath path, CancellationToken cancellationToken)
    {
        if (path.IsRoot) return;
        Traits.CheckTarget(path);
        using var guard = new StallGuard(client.Services, cancellationToken);
        var request = PutBlob(client.FolderName(path), new MemoryContent(default, guard));
        AzureMetadata.WriteFolder(request.Headers);
        using var answer = await client.SendAsync($"make the folder '{path}'", request, guard, cancellationToken);
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
            using var head = await client.HeadAsync(what, client.Name(path), cancellationToken);
            if (head is null || AzureMetadata.IsFolder(AzureMetadata.Of(head)))
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
        await copier.MoveAsync(what, from, to, cancellationToken);
    }

    public ValueTask DisposeAsync()
    {
        client.Dispose();
        return ValueTask.CompletedTask;
    }

    private HttpRequestMessage PutBlob(string name, HttpContent content)
    {
        var request = client.Request(HttpMethod.Put, name);
        request.Headers.Add("x-ms-blob-type", "BlockBlob");
        request.Content = content;
        return request;
    }

    internal static Entry Written(EntryPath path, long length, WriteOptions options, HttpResponseMessage answer) =>
        new(path, EntryKind.File, length, options.Modified, VersionOf(answer), IsExecutable: options.IsExecutable);

    internal static EntryVersion VersionOf(HttpResponseMessage answer) =>
        Version(answer.Headers.TryGetValues("ETag", out var values) ? values.First() : "");

    /// <summary>One form for one ETag: headers quote it, listings don't.</summary>
    internal static EntryVersion Version(string etag) => new($"\"{etag.Trim('"')}\"");

    internal static Entry ToEntry(EntryPath path, HttpResponseMessage answer)
    {
        var metadata = AzureMetadata.Of(answer);
        var length = answer.Content.Headers.ContentRange?.Length ?? answer.Content.Headers.ContentLength ?? 0;
        if (length == 0 && AzureMetadata.IsFolder(metadata)) return new Entry(path, EntryKind.Folder, 0);
        return new Entry(
            path, EntryKind.File, length, AzureMetadata.Modified(metadata) ?? answer.Content.Headers.LastModified,
            VersionOf(answer), IsExecutable: AzureMetadata.IsExecutable(metadata));
    }

    private static void CheckPin(string what, Entry entry, EntryVersion? pin)
    {
        if (pin is { } wanted && entry.Version != Version(wanted.Value)) throw AccountChecks.Changed(what);
    }

    private static string? WhyReserved(string name) =>
        name == AzureClient.StagingFolder ? "is where Virga puts uploads together"
        : name.EndsWith('.') ? "ends in '.', which this account can't keep"
        : null;
}
