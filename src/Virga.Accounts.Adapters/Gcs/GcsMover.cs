using Virga.Core;

namespace Virga.Accounts.Adapters.Gcs;

/// <summary>Moves are a rewrite inside the service and a deletion, object by object for folders.</summary>
internal sealed class GcsMover(GcsClient client)
{
    public async Task MoveAsync(string what, EntryPath from, EntryPath to, CancellationToken cancellationToken)
    {
        if (await client.GetAsync(what, client.Name(from), cancellationToken) is { } file)
        {
            await RefuseFolderAsync(what, to, cancellationToken);
            await MoveObjectAsync(what, file, client.Name(to), cancellationToken);
            return;
        }
        var (source, target) = (client.FolderName(from), client.FolderName(to));
        var isThere = false;
        await foreach (var page in new GcsListing(client).PagesAsync(source, null, cancellationToken))
        {
            foreach (var item in page.Items)
            {
                if (!isThere) await RefuseAnythingAsync(what, to, cancellationToken);
                isThere = true;
                await MoveObjectAsync(what, item, target + item.Name[source.Length..], cancellationToken);
            }
        }
        if (!isThere) throw new VirgaException(FailureKind.NotFound, $"{what}: '{from}' isn't there");
    }

    private async Task MoveObjectAsync(string what, GcsItem item, string target, CancellationToken cancellationToken)
    {
        await client.RewriteAsync(
            what, (client.Settings.Bucket, item.Name, item.Generation), target, null, cancellationToken);
        await client.CallAsync(
            what, HttpMethod.Delete, $"{client.JsonUrl(item.Name)}?ifGenerationMatch={item.Generation}", null,
            cancellationToken);
    }

    private async Task RefuseAnythingAsync(string what, EntryPath to, CancellationToken cancellationToken)
    {
        if (await client.GetAsync(what, client.Name(to), cancellationToken) is not null)
            throw new VirgaException(FailureKind.Conflict, $"{what}: a file of that name is there");
        await RefuseFolderAsync(what, to, cancellationToken);
    }

    private async Task RefuseFolderAsync(string what, EntryPath to, CancellationToken cancellationToken)
    {
        var page = await client.ListAsync(what, client.FolderName(to), null, null, 1, cancellationToken);
        if (page.Items.Count > 0)
            throw new VirgaException(FailureKind.Conflict, $"{what}: a folder of that name is there");
    }
}
