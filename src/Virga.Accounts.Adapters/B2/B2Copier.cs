using System.Text.Json.Nodes;
using Virga.Core;

namespace Virga.Accounts.Adapters.B2;

/// <summary>Moves are a copy inside the service and a hiding, file by file for folders.</summary>
internal sealed class B2Copier(B2Client client, long copyBytesMax = B2Copier.CopyBytesMax)
{
    // b2_copy_file and b2_copy_part: up to 5 GB at once.
    private const long CopyBytesMax = 5_000_000_000;

    public async Task MoveAsync(string what, EntryPath from, EntryPath to, CancellationToken cancellationToken)
    {
        if (await B2Listing.GetAsync(client, what, client.Name(from), cancellationToken) is { } file)
        {
            await RefuseFolderAsync(what, to, cancellationToken);
            await MoveFileAsync(what, file, client.Name(to), cancellationToken);
            return;
        }
        var (source, target) = (client.FolderName(from), client.FolderName(to));
        var isThere = false;
        await foreach (var page in new B2Listing(client).PagesAsync(source, null, cancellationToken))
        {
            foreach (var item in page)
            {
                if (!isThere) await RefuseAnythingAsync(what, to, cancellationToken);
                isThere = true;
                await MoveFileAsync(what, item, target + item.Name[source.Length..], cancellationToken);
            }
        }
        if (!isThere) throw new VirgaException(FailureKind.NotFound, $"{what}: '{from}' isn't there");
    }

    /// <summary>Hides the newest version: older ones stay as the bucket's lifecycle rules say.</summary>
    public async Task HideAsync(string what, string name, CancellationToken cancellationToken)
    {
        try
        {
            await client.CallAsync(
                what, "b2_hide_file", new JsonObject { ["fileName"] = name }, cancellationToken, ofBucket: true);
        }
        catch (VirgaException e) when (B2Failures.CodeOf(e) is "no_such_file" or "already_hidden")
        {
        }
    }

    private async Task MoveFileAsync(string what, B2Item item, string target, CancellationToken cancellationToken)
    {
        if (item.Length > copyBytesMax) await CopyInPartsAsync(what, item, target, cancellationToken);
        else await client.CallAsync(
            what, "b2_copy_file", new JsonObject { ["sourceFileId"] = item.Id, ["fileName"] = target },
            cancellationToken);
        await HideAsync(what, item.Name, cancellationToken);
    }

    private async Task CopyInPartsAsync(string what, B2Item item, string target, CancellationToken cancellationToken)
    {
        var begun = await client.CallAsync(
            what, "b2_start_large_file",
            new JsonObject
            {
                ["fileName"] = target, ["contentType"] = "application/octet-stream",
                ["fileInfo"] = B2Item.ToJson(item.Info),
            },
            cancellationToken, ofBucket: true);
        var id = (string?)begun["fileId"] ?? throw B2Failures.NotB2(what);
        var sums = new JsonArray();
        // More than one part holds, so there are two at least.
        var part = copyBytesMax;
        for (long at = 0; at < item.Length; at += part)
        {
            var answer = await client.CallAsync(
                what, "b2_copy_part",
                new JsonObject
                {
                    ["sourceFileId"] = item.Id, ["largeFileId"] = id, ["partNumber"] = sums.Count + 1,
                    ["range"] = $"bytes={at}-{Math.Min(at + part, item.Length) - 1}",
                },
                cancellationToken);
            sums.Add((string?)answer["contentSha1"]);
        }
        await client.CallAsync(
            what, "b2_finish_large_file", new JsonObject { ["fileId"] = id, ["partSha1Array"] = sums },
            cancellationToken);
    }

    private async Task RefuseAnythingAsync(string what, EntryPath to, CancellationToken cancellationToken)
    {
        if (await B2Listing.GetAsync(client, what, client.Name(to), cancellationToken) is not null)
            throw new VirgaException(FailureKind.Conflict, $"{what}: a file of that name is there");
        await RefuseFolderAsync(what, to, cancellationToken);
    }

    private async Task RefuseFolderAsync(string what, EntryPath to, CancellationToken cancellationToken)
    {
        var (items, _) = await B2Listing.PageAsync(
            client, what, client.FolderName(to), null, null, 1, cancellationToken);
        if (items.Count > 0) throw new VirgaException(FailureKind.Conflict, $"{what}: a folder of that name is there");
    }
}
