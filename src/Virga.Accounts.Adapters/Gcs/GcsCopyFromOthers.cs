using System.Text.Json.Nodes;
using Virga.Core;

namespace Virga.Accounts.Adapters.Gcs;

/// <summary>
/// Copies objects that others have opened to this service account (Objects: rewrite), bound to the generation that was
/// shared. The service tells its hashes, which are compared with those of that generation.
/// </summary>
internal sealed class GcsCopyFromOthers(GcsClient client, GcsAccount account, ServiceAccountKey key)
    : WholeFileCopies("Google Cloud Storage", account, client.Services)
{
    public const string ServiceName = "gcs";

    // IAM, "Access change propagation": usually within two minutes, perhaps seven and more.
    private static readonly TimeSpan OpensWithin = TimeSpan.FromMinutes(3), LookFirst = TimeSpan.FromSeconds(2),
        LookLast = TimeSpan.FromSeconds(20);

    public override string Service => ServiceName;

    public override ValueTask<string> GetPrincipalAsync(CancellationToken cancellationToken) =>
        ValueTask.FromResult(key.Mail);

    public override async ValueTask<Entry> CopyAsync(
        CopySource source, EntryPath path, WriteOptions options, CancellationToken cancellationToken)
    {
        var what = $"copy to '{path}' inside the service";
        account.Traits.CheckTarget(path);
        var named = GcsCopySource.Parse(what, source);
        var began = client.Services.Clock.GetTimestamp();
        for (var wait = LookFirst; ; wait = wait * 2 < LookLast ? wait * 2 : LookLast)
        {
            try
            {
                var made = await client.RewriteAsync(
                    what, (source.Container, named.Name, source.Pin.Value), client.Name(path),
                    GcsMetadata.Of(options), cancellationToken);
                return GcsItem.From(made).ToEntry(path);
            }
            catch (VirgaException e) when (e.Kind == FailureKind.NotFound && !GcsFailures.IsOfBucket(e))
            {
                throw new VirgaException(FailureKind.Changed, $"{what}: what the owner has opened is gone", null, e);
            }
            catch (VirgaException e) when (e.Kind == FailureKind.Denied)
            {
                if (client.Services.Clock.GetElapsedTime(began) > OpensWithin)
                {
                    throw new VirgaException(
                        FailureKind.Denied, $"{what}: the owner's bucket doesn't let {key.Mail} read it", null, e);
                }
            }
            // What was opened a moment ago is not known everywhere yet.
            await Task.Delay(wait, client.Services.Clock, cancellationToken);
        }
    }

    public override async ValueTask<bool?> CompareAsync(
        CopySource source, Entry copy, CancellationToken cancellationToken)
    {
        var what = $"compare the copy '{copy.Path}'";
        var named = GcsCopySource.Parse(what, source);
        var told = await client.GetAsync(what, client.Name(copy.Path), cancellationToken);
        if (told is null || told.Generation != copy.Version?.Value) return false;
        // Objects that were put together of parts have no MD5.
        if (named.Md5.Length > 0 && told.Md5 is { } md5) return md5 == named.Md5;
        return named.Crc32C is { } sum && told.Crc32C is { } own ? own == sum : null;
    }
}

/// <summary>How an owner names an object: its hashes and its name (spec/v1/copies.md).</summary>
/// <param name="Md5">In Base64; "" where the service tells none.</param>
internal readonly record struct GcsCopySource(string Md5, uint? Crc32C, string Name)
{
    public static CopySource Of(string bucket, GcsItem item) => new(
        bucket, $"{item.Md5}:{item.Crc32C?.ToString("x8", null)}:{item.Name}", new EntryVersion(item.Generation));

    public static GcsCopySource Parse(string what, CopySource source)
    {
        var parts = source.Name.Split(':', 3);
        uint? sum = null;
        var isGood = parts is [_, _, { Length: > 0 }] && GcsSettings.IsBucketName(source.Container)
            && source.Pin.Value.Length > 0 && !source.Pin.Value.AsSpan().ContainsAnyExceptInRange('0', '9');
        if (isGood && parts[1].Length > 0)
        {
            isGood = uint.TryParse(
                parts[1], System.Globalization.NumberStyles.AllowHexSpecifier, null, out var parsed);
            sum = parsed;
        }
        return isGood ? new GcsCopySource(parts[0], sum, parts[2]) : throw new VirgaException(
            FailureKind.BadInput, $"{what}: the owner named no object of Google Cloud Storage");
    }
}
