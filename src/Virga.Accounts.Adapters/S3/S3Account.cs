using System.Runtime.CompilerServices;
using System.Text;
using Amazon.S3;
using Amazon.S3.Model;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.S3;

/// <summary>
/// A bucket or a folder in one. Folders are prefixes; one that is made on purpose is an empty object "folder/", so that
/// it stays while it is empty. The version of an entry is its ETag, which listings, reads and writes all tell alike.
/// </summary>
internal sealed class S3Account : IAccount, IResumableUploads, IRecursiveListing, IReportsSkipped, IAbilitySource
{
    // Amazon S3 User Guide, "Amazon S3 multipart upload limits" and "Naming Amazon S3 objects".
    private const long PartBytesMin = 5L << 20;
    private const long PartBytesMax = 5L << 30;
    private const int PartsMax = 10_000;
    private const int KeyBytesMax = 1024;
    private const string FolderType = "application/x-directory";

    private readonly S3Bucket bucket;
    private readonly S3Copier copier;
    private readonly S3CopyGrants grants;
    private readonly S3CopyFromOthers copies;

    public S3Account(S3Settings settings, AdapterServices services)
    {
        bucket = new S3Bucket(settings, services);
        copier = new S3Copier(bucket);
        grants = new S3CopyGrants(bucket);
        copies = new S3CopyFromOthers(bucket, this);
        // One byte stays free for the '/' of a folder's marker.
        var pathBytes = KeyBytesMax - 1 - Encoding.UTF8.GetByteCount(settings.Prefix);
        Traits = new AccountTraits
        {
            Adapter = "s3",
            // With small objects all is waiting: a quarter more a second than with 16 at Ceph's gateway. Amazon takes
            // 3,500 writes a second under one prefix (Amazon S3 User Guide, "Best practices design patterns").
            MaxConcurrency = 48,
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
            ListsMetadata = false,
            KeepsFilesAndFoldersApart = false,
            Names = new NameRules(MaxNameBytes: pathBytes, MaxPathBytes: pathBytes),
        };
    }

    public AccountTraits Traits { get; }

    /// <summary>Without keys there is nothing to sign with, and in the clear nothing private is to be read.</summary>
    public TAbility? FindAbility<TAbility>() where TAbility : class
    {
        var hasKeys = bucket.Settings.AccessKey is not null;
        if (typeof(TAbility) == typeof(ISignedReadUrls))
            return S3SignedUrls.CanSign(bucket.Settings) ? (TAbility)(object)new S3SignedUrls(bucket) : null;
        if (typeof(TAbility) == typeof(ICopyGrants)) return hasKeys ? (TAbility)(object)grants : null;
        if (typeof(TAbility) == typeof(ICopyFromOthers)) return hasKeys ? (TAbility)(object)copies : null;
        return this as TAbility;
    }

    public async ValueTask<Entry?> StatAsync(EntryPath path, CancellationToken cancellationToken)
    {
        var what = $"look at '{path}'";
        if (!path.IsRoot && await bucket.HeadAsync(what, bucket.Key(path), cancellationToken) is { } head)
            return ToEntry(path, head);
        var page = await bucket.ListAsync(
            what, new ListObjectsV2Request { Prefix = bucket.FolderKey(path), MaxKeys = 1 }, cancellationToken);
        return path.IsRoot || page.S3Objects is { Count: > 0 } ? new Entry(path, EntryKind.Folder, 0) : null;
    }

    public IAsyncEnumerable<Entry> ListAsync(EntryPath folder, CancellationToken cancellationToken) =>
        new S3Listing(bucket).ListAsync(folder, cancellationToken);

    public IAsyncEnumerable<Entry> ListAsync(
        EntryPath folder, Action<SkippedEntry> onSkipped, CancellationToken cancellationToken) =>
        new S3Listing(bucket, onSkipped).ListAsync(folder, cancellationToken);

    public IAsyncEnumerable<Entry> ListAllAsync(
        EntryPath folder, Action<SkippedEntry>? onSkipped, CancellationToken cancellationToken) =>
        new S3Listing(bucket, onSkipped).ListAllAsync(folder, cancellationToken);

    public async ValueTask<EntryReader> ReadAsync(
        EntryPath path, Core.ByteRange range, EntryVersion? pin, CancellationToken cancellationToken)
    {
        var what = $"read '{path}'";
        AccountChecks.CheckReadable(path);
        if (range.Length == 0) return await ReadNothingAsync(what, path, range, pin, cancellationToken);
        var guard = new StallGuard(bucket.Services, cancellationToken);
        HttpResponseMessage? answer = null;
        try
        {
            answer = await bucket.Objects.GetAsync(what, bucket.Key(path), range, pin, guard, cancellationToken);
            if (S3Objects.Header(answer, "ETag") is not { Length: > 0 } etag)
                throw S3Failures.NotS3(what, bucket.Endpoint);
            var entry = ToEntry(path, answer, etag);
            AccountChecks.CheckPin(what, entry, pin);
            AccountChecks.CheckRange(what, range, entry.Length);
            var length = answer.Content.Headers.ContentLength;
            if (length != range.Length)
            {
                throw new VirgaException(
                    FailureKind.Unsupported,
                    $"{what}: asked for {range.Length} bytes, the server sends {length}",
                    "This server doesn't honour ranges; it can't be used as an account.");
            }
            var content = await answer.Content.ReadAsStreamAsync(guard.Token);
            return new EntryReader(entry, new RangeStream(content, range.Length, guard, answer, what));
        }
        catch
        {
            answer?.Dispose();
            guard.Dispose();
            throw;
        }
    }

    private async Task<EntryReader> ReadNothingAsync(
        string what, EntryPath path, Core.ByteRange range, EntryVersion? pin, CancellationToken cancellationToken)
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
        var etag = await bucket.Objects.PutAsync(
            what, bucket.Key(path), content, options, contentType: null, cancellationToken);
        return Written(path, content.Length, options, etag);
    }

    public async ValueTask<IUpload> BeginUploadAsync(
        EntryPath path, long length, long partBytes, WriteOptions options, CancellationToken cancellationToken)
    {
        var what = $"begin to write '{path}'";
        Traits.CheckTarget(path);
        var layout = PartLayout.Checked(Traits, length, partBytes);
        var request = new InitiateMultipartUploadRequest { BucketName = bucket.Name, Key = bucket.Key(path) };
        S3Metadata.Write(request.Metadata, options);
        var answer = await bucket.CallAsync(
            what, token => bucket.Client.InitiateMultipartUploadAsync(request, token), cancellationToken);
        return new S3Upload(bucket, path, layout, options, answer.UploadId);
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
        var upload = new S3Upload(bucket, path, layout, options, token);
        // The process before us may have ended between completing it and writing that down: CompleteAsync finds out.
        if (await upload.IsPendingAsync(what, cancellationToken)
            || await IsMadeOfAsync(layout, path, cancellationToken))
            return upload;
        throw new VirgaException(
            FailureKind.NotFound, $"{what}: the service has ended the upload", "Begin the upload anew.");
    }

    private async ValueTask<bool> IsMadeOfAsync(
        PartLayout layout, EntryPath path, CancellationToken cancellationToken) =>
        await StatAsync(path, cancellationToken) is { Version.Value: { } version } there
            && there.Length == layout.Length && S3Upload.IsFromParts(version, layout);

    public async IAsyncEnumerable<PendingUpload> ListUploadsAsync(
        EntryPath folder, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var request = new ListMultipartUploadsRequest
        {
            BucketName = bucket.Name,
            Prefix = bucket.FolderKey(folder),
            Encoding = EncodingType.Url,
        };
        while (true)
        {
            var page = await bucket.CallAsync(
                "list pending uploads",
                token => bucket.Client.ListMultipartUploadsAsync(request, token),
                cancellationToken);
            foreach (var upload in page.MultipartUploads ?? [])
            {
                var key = S3Bucket.Decode(upload.Key, page.EncodingType);
                if (bucket.TryPath(key, out var path))
                    yield return new PendingUpload(path, upload.UploadId, S3Listing.ToTime(upload.Initiated));
            }
            if (page.IsTruncated != true) yield break;
            request.KeyMarker = S3Bucket.Decode(page.NextKeyMarker, page.EncodingType);
            request.UploadIdMarker = page.NextUploadIdMarker;
        }
    }

    public async ValueTask AbortUploadAsync(PendingUpload upload, CancellationToken cancellationToken) =>
        await new S3Upload(
            bucket, upload.Path, default, WriteOptions.Default, upload.Token).AbortAsync(cancellationToken);

    public async ValueTask CreateFolderAsync(EntryPath path, CancellationToken cancellationToken)
    {
        if (path.IsRoot) return;
        Traits.CheckTarget(path);
        var what = $"make the folder '{path}'";
        await bucket.Objects.PutAsync(
            what, bucket.FolderKey(path), default, WriteOptions.Default, FolderType, cancellationToken);
    }

    public async ValueTask DeleteAsync(EntryPath path, CancellationToken cancellationToken)
    {
        var what = $"delete '{path}'";
        if (path.IsRoot) throw new VirgaException(FailureKind.BadInput, "the account's root can't be deleted");
        var marker = bucket.FolderKey(path);
        var page = await bucket.ListAsync(
            what, new ListObjectsV2Request { Prefix = marker, MaxKeys = 2 }, cancellationToken);
        var below = page.S3Objects ?? [];
        if (below.Exists(o => o.Key != marker))
        {
            // S3 can hold a file "a" beside a file "a/b"; then only "a" is meant.
            if (await bucket.HeadAsync(what, bucket.Key(path), cancellationToken) is null)
                throw new VirgaException(
                    FailureKind.Conflict, $"{what}: the folder is not empty", "Delete what is in it first.");
        }
        else if (below.Count > 0)
        {
            await bucket.DeleteAsync(what, marker, cancellationToken);
        }
        await bucket.DeleteAsync(what, bucket.Key(path), cancellationToken);
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
        bucket.Dispose();
        return ValueTask.CompletedTask;
    }

    internal static Entry Written(EntryPath path, long length, WriteOptions options, string etag) =>
        new(path, EntryKind.File, length, options.Modified, Version(etag), IsExecutable: options.IsExecutable);

    /// <summary>One form for one ETag: some services quote it in headers and not in listings.</summary>
    internal static EntryVersion Version(string etag) => new($"\"{etag.Trim('"')}\"");

    internal static Entry ToEntry(EntryPath path, GetObjectMetadataResponse head) => new(
        path,
        EntryKind.File,
        head.ContentLength,
        S3Metadata.Modified(head.Metadata) ?? S3Listing.ToTime(head.LastModified),
        Version(head.ETag),
        IsExecutable: S3Metadata.IsExecutable(head.Metadata));

    private static Entry ToEntry(EntryPath path, HttpResponseMessage answer, string etag) => new(
        path,
        EntryKind.File,
        WholeLength(answer),
        S3Metadata.Modified(answer) ?? answer.Content.Headers.LastModified,
        Version(etag),
        IsExecutable: S3Metadata.IsExecutable(answer));

    // A server that sends the whole object says nothing of ranges.
    private static long WholeLength(HttpResponseMessage answer) =>
        answer.Content.Headers.ContentRange?.Length ?? answer.Content.Headers.ContentLength ?? 0;
}
