using Amazon.S3;
using Amazon.S3.Model;
using Virga.Core;

namespace Virga.Accounts.Adapters.S3;

/// <summary>S3 can't rename: a move is a copy inside the service and a deletion, entry by entry for folders.</summary>
internal sealed class S3Copier(S3Bucket bucket, long copyBytesMax = S3Copier.CopyBytesMax)
{
    // Amazon S3 API Reference, CopyObject: up to 5 GB in one call.
    private const long CopyBytesMax = 5_000_000_000;

    public async Task MoveAsync(string what, EntryPath from, EntryPath to, CancellationToken cancellationToken)
    {
        if (await bucket.HeadAsync(what, bucket.Key(from), cancellationToken) is { } file)
        {
            await RefuseFolderAsync(what, to, cancellationToken);
            await MoveKeyAsync(what, bucket.Key(from), bucket.Key(to), file, cancellationToken);
            return;
        }
        var (source, target) = (bucket.FolderKey(from), bucket.FolderKey(to));
        var isThere = false;
        await foreach (var page in new S3Listing(bucket).PagesAsync(source, null, cancellationToken))
        {
            foreach (var item in page.S3Objects ?? [])
            {
                if (!isThere) await RefuseAnythingAsync(what, to, cancellationToken);
                isThere = true;
                var head = await bucket.HeadAsync(what, item.Key, cancellationToken);
                if (head is null) continue;
                await MoveKeyAsync(what, item.Key, target + item.Key[source.Length..], head, cancellationToken);
            }
        }
        if (!isThere) throw new VirgaException(FailureKind.NotFound, $"{what}: '{from}' isn't there");
    }

    private async Task RefuseAnythingAsync(string what, EntryPath to, CancellationToken cancellationToken)
    {
        if (await bucket.HeadAsync(what, bucket.Key(to), cancellationToken) is not null)
            throw new VirgaException(FailureKind.Conflict, $"{what}: a file of that name is there");
        await RefuseFolderAsync(what, to, cancellationToken);
    }

    private async Task RefuseFolderAsync(string what, EntryPath to, CancellationToken cancellationToken)
    {
        var page = await bucket.ListAsync(
            what, new ListObjectsV2Request { Prefix = bucket.FolderKey(to), MaxKeys = 1 }, cancellationToken);
        if (page.S3Objects is { Count: > 0 })
            throw new VirgaException(FailureKind.Conflict, $"{what}: a folder of that name is there");
    }

    private async Task MoveKeyAsync(
        string what, string source, string target, GetObjectMetadataResponse head, CancellationToken cancellationToken)
    {
        await (head.ContentLength > copyBytesMax
            ? CopyInPartsAsync(what, source, target, head, cancellationToken)
            : CopyAsync(what, source, target, head, cancellationToken));
        await bucket.DeleteAsync(what, source, cancellationToken);
    }

    private Task CopyAsync(
        string what, string source, string target, GetObjectMetadataResponse head, CancellationToken cancellationToken)
    {
        var request = new CopyObjectRequest
        {
            SourceBucket = bucket.Name,
            SourceKey = source,
            DestinationBucket = bucket.Name,
            DestinationKey = target,
            ETagToMatch = head.ETag,
            MetadataDirective = S3MetadataDirective.COPY,
        };
        return bucket.CallAsync(what, token => bucket.Client.CopyObjectAsync(request, token), cancellationToken);
    }

    // The parts take nothing but bytes along: metadata and type are given to the new object by hand.
    private async Task CopyInPartsAsync(
        string what, string source, string target, GetObjectMetadataResponse head, CancellationToken cancellationToken)
    {
        var begin = new InitiateMultipartUploadRequest
        {
            BucketName = bucket.Name,
            Key = target,
            ContentType = head.Headers.ContentType,
        };
        foreach (var name in head.Metadata.Keys) begin.Metadata[name] = head.Metadata[name];
        var upload = await bucket.CallAsync(
            what, token => bucket.Client.InitiateMultipartUploadAsync(begin, token), cancellationToken);
        try
        {
            var complete = new CompleteMultipartUploadRequest
            {
                BucketName = bucket.Name,
                Key = target,
                UploadId = upload.UploadId,
            };
            complete.PartETags = await CopyPartsAsync(what, source, target, head, upload.UploadId, cancellationToken);
            await bucket.CallAsync(
                what, token => bucket.Client.CompleteMultipartUploadAsync(complete, token), cancellationToken);
        }
        catch
        {
            await TryAbortAsync(what, target, upload.UploadId);
            throw;
        }
    }

    // What went wrong before matters more to the caller than a failure to tidy up; the upload stays in
    // ListUploadsAsync.
    private async Task TryAbortAsync(string what, string key, string uploadId)
    {
        var abort = new AbortMultipartUploadRequest { BucketName = bucket.Name, Key = key, UploadId = uploadId };
        try
        {
            await bucket.CallAsync(
                what, token => bucket.Client.AbortMultipartUploadAsync(abort, token), CancellationToken.None);
        }
        catch (VirgaException)
        {
        }
    }

    private async Task<List<PartETag>> CopyPartsAsync(
        string what,
        string source,
        string target,
        GetObjectMetadataResponse head,
        string uploadId,
        CancellationToken cancellationToken)
    {
        var partBytes = Math.Min(copyBytesMax, 1L << 30);
        var tags = new List<PartETag>();
        for (long at = 0; at < head.ContentLength; at += partBytes)
        {
            var request = new CopyPartRequest
            {
                SourceBucket = bucket.Name,
                SourceKey = source,
                DestinationBucket = bucket.Name,
                DestinationKey = target,
                UploadId = uploadId,
                PartNumber = tags.Count + 1,
                FirstByte = at,
                LastByte = Math.Min(at + partBytes, head.ContentLength) - 1,
                ETagToMatch = [head.ETag],
            };
            var answer = await bucket.CallAsync(
                what, token => bucket.Client.CopyPartAsync(request, token), cancellationToken);
            tags.Add(new PartETag(request.PartNumber.Value, answer.ETag));
        }
        return tags;
    }
}
