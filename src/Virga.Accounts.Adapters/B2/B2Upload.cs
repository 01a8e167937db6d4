using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using Virga.Core;

namespace Virga.Accounts.Adapters.B2;

/// <summary>
/// A large file ("Large files"), whose id is the token and stays its id when it is finished; the tag of a part is its
/// SHA-1. A large file has two parts at least: one of a single part is stored under a name of its own, and copied to
/// where it belongs when it is complete. Its token begins with 's'.
/// </summary>
internal sealed class B2Upload(
    B2Client client, EntryPath path, PartLayout layout, WriteOptions options, string token) : IUpload
{
    public const string StagingFolder = ".virga-uploads";

    private const string SinglePrefix = "s-", PathName = "virga_path", TokenName = "virga_upload";

    private readonly ConcurrentBag<B2UploadUrl> urls = [];

    public string? Token => token;

    private bool IsSingle => token.StartsWith(SinglePrefix, StringComparison.Ordinal);

    public static string StagingPrefix(B2Client client) => $"{client.Settings.Prefix}{StagingFolder}/";

    private string Staging => StagingPrefix(client) + token;

    public static async Task<B2Upload> BeginAsync(
        B2Client client, EntryPath path, PartLayout layout, WriteOptions options, CancellationToken cancellationToken)
    {
        if (layout.Count == 1)
        {
            // Nothing is stored yet, but whether anything could be shows now.
            var (_, _) = await B2Listing.PageAsync(
                client, $"begin to write '{path}'", client.Name(path), null, null, 1, cancellationToken);
            return new B2Upload(client, path, layout, options, SinglePrefix + client.Services.RandomHex(16));
        }
        var what = $"begin to write '{path}'";
        var answer = await client.CallAsync(
            what, "b2_start_large_file",
            new JsonObject
            {
                ["fileName"] = client.Name(path), ["contentType"] = "application/octet-stream",
                ["fileInfo"] = B2Item.ToJson(B2Item.InfoOf(options)),
            },
            cancellationToken, ofBucket: true);
        return new B2Upload(
            client, path, layout, options, (string?)answer["fileId"] ?? throw B2Failures.NotB2(what));
    }

    public async ValueTask<PartReceipt> WritePartAsync(
        long index, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var what = $"write part {index} of '{path}'";
        layout.CheckPart(index, content.Length);
        if (IsSingle)
        {
            var info = B2Item.InfoOf(options);
            info[PathName] = path.Value;
            info[TokenName] = token;
            var stored = await PutAsync(client, what, Staging, content, info, cancellationToken);
            return new PartReceipt(index, stored.Id);
        }
        try
        {
            await client.UploadAsync(
                what, urls, NewUrlAsync, content,
                r => r.Headers.Add("X-Bz-Part-Number", (index + 1).ToString(CultureInfo.InvariantCulture)),
                cancellationToken);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.BadInput)
        {
            if (await IsPendingAsync(what, cancellationToken)) throw;
            throw Ended(what, e);
        }
        return new PartReceipt(index, B2Client.Sha1(content.Span));

        Task<B2UploadUrl> NewUrlAsync() => client.NewUrlAsync(
            what, "b2_get_upload_part_url", new JsonObject { ["fileId"] = token }, false, cancellationToken);
    }

    /// <summary>Writes a whole file.</summary>
    public static async Task<B2Item> PutAsync(
        B2Client client, string what, string name, ReadOnlyMemory<byte> content,
        IReadOnlyDictionary<string, string> info, CancellationToken cancellationToken)
    {
        var stored = await client.UploadAsync(
            what, null,
            () => client.NewUrlAsync(what, "b2_get_upload_url", [], true, cancellationToken), content,
            request =>
            {
                request.Headers.Add("X-Bz-File-Name", AddressParser.EncodePath(name));
                request.Content!.Headers.TryAddWithoutValidation("Content-Type", "application/octet-stream");
                foreach (var (key, value) in info)
                    request.Headers.Add($"X-Bz-Info-{key}", Uri.EscapeDataString(value));
            },
            cancellationToken);
        return B2Item.From(stored);
    }

    public async ValueTask<Entry> CompleteAsync(IReadOnlyList<PartReceipt> parts, CancellationToken cancellationToken)
    {
        var what = $"complete '{path}'";
        layout.CheckComplete(parts);
        try
        {
            if (IsSingle) return await CompleteSingleAsync(what, parts[0].Tag, cancellationToken);
            var sums = new JsonArray([.. parts.OrderBy(p => p.Index).Select(p => (JsonNode?)p.Tag)]);
            var answer = await client.CallAsync(
                what, "b2_finish_large_file", new JsonObject { ["fileId"] = token, ["partSha1Array"] = sums },
                cancellationToken);
            return B2Item.From(answer).ToEntry(path);
        }
        // Finished already, by a call whose answer got lost or by a process that died before it wrote that down?
        catch (VirgaException e) when (e.Kind is FailureKind.BadInput or FailureKind.NotFound)
        {
            if (await FindCompletedAsync(what, cancellationToken) is { } there) return there;
            if (e.Kind == FailureKind.BadInput && await IsPendingAsync(what, cancellationToken)) throw;
            throw Ended(what, e);
        }
    }

    private async Task<Entry> CompleteSingleAsync(string what, string id, CancellationToken cancellationToken)
    {
        var info = B2Item.InfoOf(options);
        info[TokenName] = token;
        var copy = await client.CallAsync(
            what, "b2_copy_file",
            new JsonObject
            {
                ["sourceFileId"] = id, ["fileName"] = client.Name(path), ["metadataDirective"] = "REPLACE",
                ["contentType"] = "application/octet-stream", ["fileInfo"] = B2Item.ToJson(info),
            },
            cancellationToken);
        await RemoveAsync(what, id, cancellationToken);
        return B2Item.From(copy).ToEntry(path);
    }

    /// <summary>Whether the service still knows the upload.</summary>
    public async ValueTask<bool> IsPendingAsync(string what, CancellationToken cancellationToken)
    {
        if (IsSingle) return await B2Listing.GetAsync(client, what, Staging, cancellationToken) is not null;
        try
        {
            await client.CallAsync(
                what, "b2_list_parts", new JsonObject { ["fileId"] = token, ["maxPartCount"] = 1 }, cancellationToken);
            return true;
        }
        catch (VirgaException e) when (e.Kind is FailureKind.BadInput or FailureKind.NotFound)
        {
            return false;
        }
    }

    /// <summary>The entry at the path, if this upload made it; null otherwise.</summary>
    public async ValueTask<Entry?> FindCompletedAsync(string what, CancellationToken cancellationToken) =>
        await B2Listing.GetAsync(client, what, client.Name(path), cancellationToken) is { } item
            && (item.Id == token || item.Info.GetValueOrDefault(TokenName) == token) ? item.ToEntry(path) : null;

    public async ValueTask AbortAsync(CancellationToken cancellationToken)
    {
        var what = $"end the upload of '{path}'";
        if (IsSingle)
        {
            if (await B2Listing.GetAsync(client, what, Staging, cancellationToken) is { } staged)
                await RemoveAsync(what, staged.Id, cancellationToken);
            return;
        }
        try
        {
            await client.CallAsync(
                what, "b2_cancel_large_file", new JsonObject { ["fileId"] = token }, cancellationToken);
        }
        catch (VirgaException e) when (e.Kind is FailureKind.NotFound or FailureKind.BadInput)
        {
            if (await IsPendingAsync(what, cancellationToken)) throw;
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>What a staged file is for; null for other files.</summary>
    public static EntryPath? PathOf(B2Item staged) =>
        staged.Info.TryGetValue(PathName, out var text) && EntryPath.TryParse(text, out var path) ? path : null;

    private Task RemoveAsync(string what, string id, CancellationToken cancellationToken) => client.CallAsync(
        what, "b2_delete_file_version", new JsonObject { ["fileName"] = Staging, ["fileId"] = id }, cancellationToken);

    private static VirgaException Ended(string what, Exception inner) => new(
        FailureKind.NotFound, $"{what}: the service has ended the upload", "Begin the upload anew.", inner);
}
