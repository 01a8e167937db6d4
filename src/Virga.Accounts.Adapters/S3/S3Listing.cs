using System.Runtime.CompilerServices;
using Amazon.S3.Model;
using Virga.Core;

namespace Virga.Accounts.Adapters.S3;

/// <summary>
/// Keys as entries. Keys that are no path of an account are left out, and named to whoever wants to know.
/// </summary>
internal sealed class S3Listing(S3Bucket bucket, Action<SkippedEntry>? onSkipped = null)
{
    public async IAsyncEnumerable<Entry> ListAsync(
        EntryPath folder, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var prefix = bucket.FolderKey(folder);
        var isThere = folder.IsRoot;
        await foreach (var page in PagesAsync(prefix, "/", cancellationToken))
        {
            if (!isThere && page is { S3Objects: null or [], CommonPrefixes: null or [] }) throw NoFolder(folder);
            isThere = true;
            foreach (var common in page.CommonPrefixes ?? [])
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (TryChild(folder, common[prefix.Length..^1], out var path))
                    yield return new Entry(path, EntryKind.Folder, 0);
            }
            foreach (var item in page.S3Objects ?? [])
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (item.Key != prefix && TryChild(folder, item.Key[prefix.Length..], out var path))
                    yield return ToEntry(path, item);
            }
        }
    }

    /// <summary>
    /// Keys come in the order of their bytes, in which all keys of a folder stand together: a folder is told when its
    /// first key comes, before what is in it.
    /// </summary>
    public async IAsyncEnumerable<Entry> ListAllAsync(
        EntryPath folder, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var prefix = bucket.FolderKey(folder);
        var told = folder;
        var isThere = folder.IsRoot;
        await foreach (var page in PagesAsync(prefix, null, cancellationToken))
        {
            if (!isThere && page.S3Objects is null or []) throw NoFolder(folder);
            isThere = true;
            foreach (var item in page.S3Objects ?? [])
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (item.Key == prefix) continue;
                var isMarker = item.Key.EndsWith('/');
                if (!bucket.TryPath(isMarker ? item.Key[..^1] : item.Key, out var path))
                {
                    Skip(folder, item.Key[prefix.Length..]);
                    continue;
                }
                var holder = isMarker ? path : path.Parent;
                foreach (var made in Between(told, holder)) yield return new Entry(made, EntryKind.Folder, 0);
                told = holder;
                if (!isMarker) yield return ToEntry(path, item);
            }
        }
    }

    // The folders from the root down to `holder` that do not hold `told` (nor are it): those not told yet.
    private static IEnumerable<EntryPath> Between(EntryPath told, EntryPath holder)
    {
        var missing = new Stack<EntryPath>();
        for (var at = holder; !told.IsWithin(at); at = at.Parent) missing.Push(at);
        return missing;
    }

    public async IAsyncEnumerable<ListObjectsV2Response> PagesAsync(
        string prefix, string? delimiter, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string? next = null;
        do
        {
            var request = new ListObjectsV2Request { Prefix = prefix, Delimiter = delimiter, ContinuationToken = next };
            var page = await bucket.ListAsync($"list '{prefix}'", request, cancellationToken);
            yield return page;
            next = page.IsTruncated == true ? page.NextContinuationToken : null;
        }
        while (next is not null);
    }

    public static DateTimeOffset? ToTime(DateTime? time) =>
        time is { } known ? new DateTimeOffset(DateTime.SpecifyKind(known.ToUniversalTime(), DateTimeKind.Utc)) : null;

    private bool TryChild(EntryPath folder, string name, out EntryPath path)
    {
        path = folder;
        if (name.Length > 0 && EntryPath.TryParse(folder.IsRoot ? name : $"{folder}/{name}", out path)) return true;
        Skip(folder, name);
        return false;
    }

    private void Skip(EntryPath folder, string name) =>
        onSkipped?.Invoke(
            new SkippedEntry(folder, NameRules.Show(name), "is a key that can't be a path in an account"));

    private static VirgaException NoFolder(EntryPath folder) =>
        new(FailureKind.NotFound, $"list '{folder}': there is no such folder");

    private static Entry ToEntry(EntryPath path, S3Object item) => new(
        path, EntryKind.File, item.Size ?? 0, ToTime(item.LastModified), S3Account.Version(item.ETag));
}
