using Virga.Core;

namespace Virga.Accounts.Adapters.WebDav;

/// <summary>
/// What changed below a folder, from a server that tells (sync-collection, RFC 6578). It names paths; a thing that was
/// moved is gone at the one and there at the other.
/// </summary>
internal sealed class WebDavFeed(
    WebDavClient client, Func<EntryPath, WebDavResource, Entry> toEntry, Func<string, VirgaException> noRoot)
    : IChangeFeed
{
    private const char Separator = '\n';
    private const int NotFound = 404, Cut = 507;

    /// <summary>
    /// RFC 6578, 3.5.1, wants all members told that have a new URL; a listing costs little where a server doesn't.
    /// </summary>
    public bool TellsAllBelow => false;

    public async ValueTask<string> GetCursorAsync(EntryPath folder, CancellationToken cancellationToken)
    {
        var what = $"begin to follow '{folder}'";
        var url = client.UrlOf(folder, isFolder: true);
        await using var listing = await WebDavListing.OpenSyncAsync(client, what, url, cancellationToken);
        if (listing is not null)
        {
            await foreach (var found in listing.ReadAllAsync(cancellationToken))
            {
                if (found is { IsFolder: true, SyncToken.Length: > 0 })
                    return url.AbsoluteUri + Separator + found.SyncToken;
                throw new VirgaException(
                    FailureKind.Unsupported, $"{what}: {client.Endpoint.Name} doesn't tell changes there");
            }
        }
        throw folder.IsRoot ? noRoot(what)
            : new VirgaException(FailureKind.NotFound, $"{what}: there is no such folder");
    }

    public async ValueTask<ChangePage?> GetChangesAsync(
        EntryPath folder, string cursor, CancellationToken cancellationToken)
    {
        var what = $"ask what changed in '{folder}'";
        var url = client.UrlOf(folder, isFolder: true);
        var at = cursor.IndexOf(Separator);
        if (at < 0 || cursor[..at] != url.AbsoluteUri) return null;
        await using var listing = await WebDavListing.OpenReportAsync(
            client, what, url, cursor[(at + 1)..], cancellationToken);
        if (listing is null) return null;
        string?[] own = [.. client.Settings.Names, .. folder.Names];
        var (changes, isCut) = (new List<Change>(), false);
        await foreach (var found in listing.ReadAllAsync(cancellationToken))
        {
            var names = WebDavPaths.NamesOf(found.Href, out _);
            // A proxy that rewrites addresses lies between: what it names can't be told.
            if (names.Length < own.Length || !names.AsSpan(0, own.Length).SequenceEqual(own)) return null;
            if (names.Length > own.Length) changes.AddRange(ChangesOf(folder, names.AsSpan(own.Length), found));
            // RFC 6578, 3.6: there is more after the token that comes with it.
            else if (found.Status == Cut) isCut = true;
            else if (found.Status == NotFound) return null;
        }
        return listing.SyncToken is { Length: > 0 } token
            ? new ChangePage(changes, url.AbsoluteUri + Separator + token, isCut)
            : throw new VirgaException(
                FailureKind.Unavailable, $"{what}: {client.Endpoint.Name} doesn't say where its changes end");
    }

    private List<Change> ChangesOf(EntryPath folder, ReadOnlySpan<string?> names, WebDavResource found)
    {
        var parent = folder;
        foreach (var name in names[..^1])
        {
            if (Below(parent, name) is not { } next) return [];
            parent = next;
        }
        var holder = parent == folder ? null : parent.Value;
        if (Below(parent, names[^1]) is not { } path)
            // A name that is none: the folder's listing says so.
            return [Change.Unclear($"{parent}/{names[^1]}", holder)];
        return found.Status == NotFound || TemporaryNames.IsTemporary(path.Name)
            ? [Change.Gone(path.Value)]
            : [Change.Present(path.Value, holder, toEntry(EntryPath.Parse(path.Name), found) with { Id = path.Value })];
    }

    private static EntryPath? Below(EntryPath folder, string? name) =>
        name is not null && EntryPath.TryParse(folder.IsRoot ? name : $"{folder}/{name}", out var path)
            && path.Names.Length == folder.Names.Length + 1 ? path : null;
}
