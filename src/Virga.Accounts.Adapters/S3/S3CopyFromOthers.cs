using System.Globalization;
using Amazon.S3;
using Amazon.S3.Model;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.S3;

/// <summary>
/// CopyObject and UploadPartCopy from a bucket of somebody else (Amazon S3 API Reference), always bound to the ETag
/// that was shared.
/// </summary>
internal sealed class S3CopyFromOthers(S3Bucket bucket, S3Account account) : ICopyFromOthers
{
    private const long Mib = 1L << 20;
    private const int PartsMax = 10_000;
    private const long PartBytesMin = 5 * Mib;
    private const long OwnPartBytes = 256 * Mib;

    // Of common clients: what divides an object into as many parts as its ETag tells was most likely one of these.
    private static readonly long[] UsualParts =
        [.. new[] { 8, 5, 16, 10, 32, 64, 100, 128, 256, 512, 1024 }.Select(mib => mib * Mib)];

    // Nothing comes until the service has copied all of it.
    private static readonly TimeSpan CopyTimeout = TimeSpan.FromMinutes(15);

    private string? principal;

    public string Service => S3Principal.ServiceOf(bucket.Settings);

    // Amazon S3 API Reference, CopyObject: up to 5 GB in one call.
    public long CopyBytesMax => 5_000_000_000;

    public async ValueTask<string> GetPrincipalAsync(CancellationToken cancellationToken)
    {
        if (bucket.Settings.Principal is { } set) return set;
        return principal ??= S3Principal.FromOwner(await AskOwnerAsync(cancellationToken))
            ?? throw new VirgaException(
                FailureKind.Unsupported, "the service doesn't tell in a known form who this account is",
                "Set the account's 'principal' to its ARN or canonical id.");
    }

    public async ValueTask<Entry> CopyAsync(
        CopySource source, EntryPath path, WriteOptions options, CancellationToken cancellationToken)
    {
        var what = $"copy to '{path}' inside the service";
        var request = new CopyObjectRequest
        {
            SourceBucket = source.Container,
            SourceKey = source.Name,
            DestinationBucket = bucket.Name,
            DestinationKey = bucket.Key(path),
            ETagToMatch = source.Pin.Value,
            // The owner's metadata and tags are no part of the share, and would need further rights.
            MetadataDirective = S3MetadataDirective.REPLACE,
            TaggingDirective = TaggingDirective.REPLACE,
        };
        S3Metadata.Write(request.Metadata, options);
        using var guard = new StallGuard(bucket.Services with { StallTimeout = CopyTimeout }, cancellationToken);
        var answer = await bucket.CallAsync(
            what, guard, token => bucket.Client.CopyObjectAsync(request, token), cancellationToken);
        if (string.IsNullOrEmpty(answer.ETag))
            throw new VirgaException(FailureKind.Unavailable, $"{what}: the service doesn't say whether it did");
        return S3Account.Written(path, length: -1, options, answer.ETag);
    }

    public long PartBytesFor(CopySource source, long length)
    {
        if (PartsOf(source.Pin) is { } parts)
        {
            var own = account.Traits.PartBytesFor(length);
            var smallest = RoundUp((length + parts - 1) / parts, Mib);
            foreach (var size in UsualParts.Prepend(own).Append(smallest))
                if (size >= PartBytesMin && (length + size - 1) / size == parts) return size;
        }
        return Math.Max(OwnPartBytes, RoundUp((length + PartsMax - 1) / PartsMax, Mib));
    }

    public async ValueTask<PartReceipt> CopyPartAsync(
        CopySource source, EntryPath path, string token, long index, long partBytes, long length,
        CancellationToken cancellationToken)
    {
        var what = $"copy part {index} of '{path}' inside the service";
        var request = new CopyPartRequest
        {
            SourceBucket = source.Container,
            SourceKey = source.Name,
            DestinationBucket = bucket.Name,
            DestinationKey = bucket.Key(path),
            UploadId = token,
            PartNumber = checked((int)index + 1),
            FirstByte = index * partBytes,
            LastByte = Math.Min(length, (index + 1) * partBytes) - 1,
            ETagToMatch = [source.Pin.Value],
        };
        using var guard = new StallGuard(bucket.Services with { StallTimeout = CopyTimeout }, cancellationToken);
        var answer = await bucket.CallAsync(
            what, guard, cancel => bucket.Client.CopyPartAsync(request, cancel), cancellationToken);
        return string.IsNullOrEmpty(answer.ETag)
            ? throw new VirgaException(FailureKind.Unavailable, $"{what}: the service doesn't say whether it did")
            : new PartReceipt(index, answer.ETag);
    }

    public async ValueTask<bool?> CompareAsync(CopySource source, Entry copy, CancellationToken cancellationToken)
    {
        if (copy.Version is not { } version) return null;
        if (S3Account.Version(version.Value) == S3Account.Version(source.Pin.Value)) return true;
        // ETags of parts depend on where they were cut, those under a key of the service on nothing that is told.
        if (!IsMd5(version) || !IsMd5(source.Pin)) return null;
        var head = await bucket.HeadAsync($"look at '{copy.Path}'", bucket.Key(copy.Path), cancellationToken);
        var encryption = head?.ServerSideEncryptionMethod?.Value;
        return encryption?.StartsWith("aws:kms", StringComparison.Ordinal) == true ? null : false;
    }

    private static bool IsMd5(EntryVersion version) =>
        version.Value.Trim('"') is { Length: 32 } tag && tag.All(char.IsAsciiHexDigit);

    /// <summary>How many parts an object was put together from, as its ETag tells: "...-12".</summary>
    private static int? PartsOf(EntryVersion version)
    {
        var tag = version.Value.Trim('"');
        var at = tag.IndexOf('-', StringComparison.Ordinal);
        return at > 0 && int.TryParse(
            tag.AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var parts)
            && parts is > 0 and <= PartsMax ? parts : null;
    }

    private static long RoundUp(long value, long step) => (value + step - 1) / step * step;

    /// <summary>The owner in a listing of buckets is whoever asks; where that isn't allowed, the bucket's.</summary>
    private async Task<string?> AskOwnerAsync(CancellationToken cancellationToken)
    {
        const string what = "ask who this account is";
        try
        {
            var answer = await bucket.CallAsync(
                what, token => bucket.Client.ListBucketsAsync(new ListBucketsRequest(), token), cancellationToken);
            return answer.Owner?.Id;
        }
        catch (VirgaException e) when (e.Kind is FailureKind.Denied or FailureKind.Unsupported)
        {
            var request = new GetBucketAclRequest { BucketName = bucket.Name };
            var answer = await bucket.CallAsync(
                what, token => bucket.Client.GetBucketAclAsync(request, token), cancellationToken);
            return answer.Owner?.Id;
        }
    }
}
