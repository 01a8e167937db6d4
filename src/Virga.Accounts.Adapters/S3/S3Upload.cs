using System.Globalization;
using System.Security.Cryptography;
using Amazon.S3.Model;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.S3;

/// <summary>A multipart upload. The token is S3's upload id; the tag of a part is its ETag.</summary>
internal sealed class S3Upload(
    S3Bucket bucket, EntryPath path, long length, long partBytes, WriteOptions options, string uploadId) : IUpload
{
    public string? Token => uploadId;

    public async ValueTask<PartReceipt> WritePartAsync(
        long index, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var what = $"write part {index} of '{path}'";
        var expected = Math.Min(partBytes, length - index * partBytes);
        if (index < 0 || content.Length != Math.Max(expected, 0) || (content.Length == 0 && length > 0))
            throw new VirgaException(FailureKind.BadInput, $"{what}: it has {content.Length} bytes instead of {expected}");
        using var guard = new StallGuard(bucket.Services, cancellationToken);
        var request = new UploadPartRequest
        {
            BucketName = bucket.Name,
            Key = bucket.Key(path),
            UploadId = uploadId,
            PartNumber = checked((int)index + 1),
            PartSize = content.Length,
            InputStream = new MemoryReadStream(content, guard),
            UseChunkEncoding = false,
            DisablePayloadSigning = bucket.LeavesPayloadUnsigned,
        };
        var answer = await bucket.CallAsync(what, guard, token => bucket.Client.UploadPartAsync(request, token), cancellationToken);
        return new PartReceipt(index, answer.ETag);
    }

    public async ValueTask<Entry> CompleteAsync(IReadOnlyList<PartReceipt> parts, CancellationToken cancellationToken)
    {
        var what = $"complete '{path}'";
        var sorted = await SortedAsync(what, parts, cancellationToken);
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
            return S3Account.Written(path, length, options, answer.ETag);
        }
        // Completed already, by a call whose answer got lost or by a process that died before it wrote that down.
        catch (VirgaException e) when (e.Kind == FailureKind.NotFound)
        {
            var there = await bucket.HeadAsync(what, bucket.Key(path), cancellationToken);
            if (there is null || there.ETag != ETagOf(sorted)) throw;
            return S3Account.ToEntry(path, there);
        }
    }

    public async ValueTask AbortAsync(CancellationToken cancellationToken)
    {
        var request = new AbortMultipartUploadRequest { BucketName = bucket.Name, Key = bucket.Key(path), UploadId = uploadId };
        try
        {
            await bucket.CallAsync(
                $"end the upload of '{path}'", token => bucket.Client.AbortMultipartUploadAsync(request, token), cancellationToken);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.NotFound)
        {
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    // S3 wants at least one part, also of an empty file.
    private async ValueTask<PartReceipt[]> SortedAsync(
        string what, IReadOnlyList<PartReceipt> parts, CancellationToken cancellationToken)
    {
        var count = (length + partBytes - 1) / partBytes;
        var sorted = parts.OrderBy(p => p.Index).ToArray();
        if (length == 0 && sorted.Length == 0) return [await WritePartAsync(0, default, cancellationToken)];
        for (var i = 0; i < sorted.Length; i++)
            if (sorted[i].Index != i) throw Incomplete(what, i);
        return sorted.Length >= count ? sorted : throw Incomplete(what, sorted.Length);
    }

    private static VirgaException Incomplete(string what, long index) =>
        new(FailureKind.BadInput, $"{what}: part {index} is missing or given twice");

    /// <summary>The ETag that S3 gives to an object made of these parts: the MD5 of their MD5s and their number.</summary>
    private static string? ETagOf(PartReceipt[] parts)
    {
        var hashes = new byte[parts.Length * MD5.HashSizeInBytes];
        for (var i = 0; i < parts.Length; i++)
        {
            var tag = parts[i].Tag.Trim('"');
            if (tag.Length != MD5.HashSizeInBytes * 2 || !tag.All(char.IsAsciiHexDigit)) return null;
            Convert.FromHexString(tag).CopyTo(hashes, i * MD5.HashSizeInBytes);
        }
        return $"\"{Convert.ToHexStringLower(MD5.HashData(hashes))}-{parts.Length.ToString(CultureInfo.InvariantCulture)}\"";
    }

    /// <summary>Whether an ETag looks as if the object had been put together from that many parts.</summary>
    public static bool IsFromParts(string etag, long length, long partBytes) =>
        etag.TrimEnd('"').EndsWith(
            "-" + Math.Max(1, (length + partBytes - 1) / partBytes).ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
}
