using System.Globalization;
using System.Security.Cryptography;
using Amazon.S3.Model;
using Virga.Core;

namespace Virga.Accounts.Adapters.S3;

/// <summary>A multipart upload. The token is S3's upload id; the tag of a part is its ETag.</summary>
internal sealed class S3Upload(
    S3Bucket bucket, EntryPath path, PartLayout layout, WriteOptions options, string uploadId) : IUpload
{
    public string? Token => uploadId;

    public async ValueTask<PartReceipt> WritePartAsync(
        long index, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var what = $"write part {index} of '{path}'";
        layout.CheckPart(index, content.Length);
        return new PartReceipt(
            index,
            await bucket.Objects.PutPartAsync(
                what, bucket.Key(path), uploadId, checked((int)index + 1), content, cancellationToken));
    }

    public async ValueTask<Entry> CompleteAsync(IReadOnlyList<PartReceipt> parts, CancellationToken cancellationToken)
    {
        var what = $"complete '{path}'";
        layout.CheckComplete(parts);
        var sorted = parts.OrderBy(p => p.Index).ToArray();
        var request = new CompleteMultipartUploadRequest
        {
            BucketName = bucket.Name,
            Key = bucket.Key(path),
            UploadId = uploadId,
            PartETags = [.. sorted.Select(p => new PartETag(checked((int)p.Index + 1), p.Tag))],
        };
        try
        {
            var answer = await bucket.CallAsync(
                what, token => bucket.Client.CompleteMultipartUploadAsync(request, token), cancellationToken);
            // Ceph's gateway leaves the ETag out of this answer.
            if (!string.IsNullOrEmpty(answer.ETag)) return S3Account.Written(path, layout.Length, options, answer.ETag);
            return S3Account.ToEntry(
                path,
                await bucket.HeadAsync(what, bucket.Key(path), cancellationToken)
                    ?? throw new VirgaException(FailureKind.Changed, $"{what}: it was deleted at the same moment"));
        }
        // Completed already, by a call whose answer got lost or by a process that died before it wrote that down?
        // Ceph's gateway doesn't say NoSuchUpload here, but that it had a fault.
        catch (VirgaException e) when (e.Kind is FailureKind.NotFound or FailureKind.Unavailable)
        {
            if (e.Kind == FailureKind.Unavailable && await IsPendingAsync(what, cancellationToken)) throw;
            var there = await bucket.HeadAsync(what, bucket.Key(path), cancellationToken);
            if (there is not null && S3Account.Version(there.ETag) == ETagOf(sorted))
                return S3Account.ToEntry(path, there);
            throw new VirgaException(
                FailureKind.NotFound, $"{what}: the service has ended the upload", "Begin the upload anew.", e);
        }
    }

    /// <summary>Whether the service still knows the upload.</summary>
    public async ValueTask<bool> IsPendingAsync(string what, CancellationToken cancellationToken)
    {
        var request = new ListPartsRequest
        {
            BucketName = bucket.Name,
            Key = bucket.Key(path),
            UploadId = uploadId,
            MaxParts = 1,
        };
        try
        {
            await bucket.CallAsync(what, token => bucket.Client.ListPartsAsync(request, token), cancellationToken);
            return true;
        }
        catch (VirgaException e) when (e.Kind == FailureKind.NotFound)
        {
            return false;
        }
    }

    public async ValueTask AbortAsync(CancellationToken cancellationToken)
    {
        var request = new AbortMultipartUploadRequest
        {
            BucketName = bucket.Name,
            Key = bucket.Key(path),
            UploadId = uploadId,
        };
        try
        {
            await bucket.CallAsync(
                $"end the upload of '{path}'",
                token => bucket.Client.AbortMultipartUploadAsync(request, token),
                cancellationToken);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.NotFound)
        {
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>
    /// The ETag that S3 gives to an object made of these parts: the MD5 of their MD5s and their number.
    /// </summary>
    private static EntryVersion? ETagOf(PartReceipt[] parts)
    {
        var hashes = new byte[parts.Length * MD5.HashSizeInBytes];
        for (var i = 0; i < parts.Length; i++)
        {
            var tag = parts[i].Tag.Trim('"');
            if (tag.Length != MD5.HashSizeInBytes * 2 || !tag.All(char.IsAsciiHexDigit)) return null;
            Convert.FromHexString(tag).CopyTo(hashes, i * MD5.HashSizeInBytes);
        }
        return S3Account.Version(
            $"{Convert.ToHexStringLower(MD5.HashData(hashes))}-{parts.Length.ToString(CultureInfo.InvariantCulture)}");
    }

    /// <summary>Whether an ETag looks as if the object had been put together from that many parts.</summary>
    public static bool IsFromParts(string etag, PartLayout layout) =>
        etag.TrimEnd('"').EndsWith("-" + layout.Count.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
}
