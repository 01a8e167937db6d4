using Virga.Core;

namespace Virga.Accounts.Adapters.Azure;

/// <summary>
/// Copies inside the storage account, and moves, which are a copy and a deletion, entry by entry for folders.
/// </summary>
internal sealed class AzureCopier(AzureClient client)
{
    private static readonly TimeSpan PollFirst = TimeSpan.FromMilliseconds(100), PollMost = TimeSpan.FromSeconds(5);

    // Copy Blob: a copy that has not ended after two weeks fails; within one account it is a matter of seconds.
    private static readonly TimeSpan PollLimit = TimeSpan.FromMinutes(30);

    public async Task MoveAsync(string what, EntryPath from, EntryPath to, CancellationToken cancellationToken)
    {
        using (var file = await client.HeadAsync(what, client.Name(from), cancellationToken))
        {
            if (file is not null && AzureAccount.ToEntry(from, file).Kind == EntryKind.File)
            {
                await RefuseFolderAsync(what, to, cancellationToken);
                await MoveBlobAsync(
                    what, client.Name(from), client.Name(to), AzureAccount.VersionOf(file), cancellationToken);
                return;
            }
        }
        var (source, target) = (client.FolderName(from), client.FolderName(to));
        var isThere = false;
        await foreach (var page in new AzureListing(client).PagesAsync(source, null, cancellationToken))
        {
            foreach (var item in page.Items)
            {
                if (!isThere) await RefuseAnythingAsync(what, to, cancellationToken);
                isThere = true;
                await MoveBlobAsync(
                    what, item.Name, target + item.Name[source.Length..], AzureAccount.Version(item.ETag),
                    cancellationToken);
            }
        }
        if (!isThere) throw new VirgaException(FailureKind.NotFound, $"{what}: '{from}' isn't there");
        await client.DeleteAsync(what, client.Name(from), cancellationToken);
    }

    /// <summary>Copies a blob with its metadata, replacing what was there, and returns the copy's version.</summary>
    /// <param name="pin">The source's; null for whatever it is.</param>
    public async Task<EntryVersion> CopyAsync(
        string what, string source, string target, EntryVersion? pin, CancellationToken cancellationToken)
    {
        var request = client.Request(HttpMethod.Put, target);
        request.Headers.Add("x-ms-copy-source", client.UrlOf(source, client.Settings.Sas ?? ""));
        if (pin is { } wanted) request.Headers.Add("x-ms-source-if-match", wanted.Value);
        using var answer = await client.SendAsync(what, request, cancellationToken);
        return StatusOf(answer) == "success"
            ? AzureAccount.VersionOf(answer)
            : await PollAsync(what, target, IdOf(answer), cancellationToken);
    }

    private async Task<EntryVersion> PollAsync(
        string what, string target, string? id, CancellationToken cancellationToken)
    {
        var clock = client.Services.Clock;
        var began = clock.GetTimestamp();
        for (var wait = PollFirst; ; wait = wait * 2 < PollMost ? wait * 2 : PollMost)
        {
            await Task.Delay(wait, clock, cancellationToken);
            using var head = await client.HeadAsync(what, target, cancellationToken);
            if (head is null || IdOf(head) != id)
                throw new VirgaException(FailureKind.Changed, $"{what}: it was changed at the same moment");
            switch (StatusOf(head))
            {
                case "success":
                    return AzureAccount.VersionOf(head);
                case "pending" when clock.GetElapsedTime(began) < PollLimit:
                    break;
                case "pending":
                    throw new VirgaException(FailureKind.Timeout, $"{what}: the service's copy doesn't end");
                default:
                    throw new VirgaException(FailureKind.Unavailable, $"{what}: the service's copy failed");
            }
        }
    }

    private async Task MoveBlobAsync(
        string what, string source, string target, EntryVersion version, CancellationToken cancellationToken)
    {
        await CopyAsync(what, source, target, version, cancellationToken);
        await client.DeleteAsync(what, source, cancellationToken);
    }

    private async Task RefuseAnythingAsync(string what, EntryPath to, CancellationToken cancellationToken)
    {
        using var head = await client.HeadAsync(what, client.Name(to), cancellationToken);
        if (head is not null) throw new VirgaException(FailureKind.Conflict, $"{what}: a file of that name is there");
        await RefuseFolderAsync(what, to, cancellationToken);
    }

    private async Task RefuseFolderAsync(string what, EntryPath to, CancellationToken cancellationToken)
    {
        var page = await client.ListAsync(what, client.FolderName(to), null, null, 1, cancellationToken);
        if (page.Items.Count > 0)
            throw new VirgaException(FailureKind.Conflict, $"{what}: a folder of that name is there");
    }

    private static string? StatusOf(HttpResponseMessage answer) => HeaderOf(answer, "x-ms-copy-status");

    private static string? IdOf(HttpResponseMessage answer) => HeaderOf(answer, "x-ms-copy-id");

    private static string? HeaderOf(HttpResponseMessage answer, string name) =>
        answer.Headers.TryGetValues(name, out var values) ? values.First() : null;
}
