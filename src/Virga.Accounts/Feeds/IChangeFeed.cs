namespace Virga.Accounts;

/// <summary>
/// Optional: an account whose service tells what changed below a folder, so that nobody has to list all of it again.
/// Things are named by <see cref="Entry.Id"/>, since a service may tell of a moved folder and of nothing in it.
/// </summary>
public interface IChangeFeed
{
    /// <summary>
    /// Whether of a folder that comes (is made, moved here or restored) all that it holds is told, too. Where false the
    /// caller lists it.
    /// </summary>
    bool TellsAllBelow { get; }

    /// <summary>
    /// A cursor that stands for now: what changes below the folder from here on is told after it. Who lists the folder
    /// takes the cursor before. Text that may be stored for as long as one likes; no secret. NotFound when there is no
    /// such folder.
    /// </summary>
    ValueTask<string> GetCursorAsync(EntryPath folder, CancellationToken cancellationToken);

    /// <summary>
    /// The next page of what changed after a cursor, in the order in which it is to be applied. Asking again with the
    /// same cursor tells the same and perhaps more. Null when the service can't tell: the cursor is too old or none of
    /// the service's, or another folder stands at the path now. The folder is then to be listed afresh.
    /// </summary>
    /// <param name="folder">For which the cursor was given.</param>
    ValueTask<ChangePage?> GetChangesAsync(EntryPath folder, string cursor, CancellationToken cancellationToken);
}

/// <param name="Cursor">Stands after these changes.</param>
/// <param name="HasMore">Whether there are more by now; only the last page's cursor is worth storing.</param>
public sealed record ChangePage(IReadOnlyList<Change> Changes, string Cursor, bool HasMore);

/// <summary>What became of one thing. It may be told more than once, and of things outside of the folder.</summary>
public sealed class Change
{
    private Change(string id, string? parentId, Entry? entry, bool isGone) =>
        (Id, ParentId, Entry, IsGone) = (id, parentId, entry, isGone);

    /// <summary>As <see cref="Entry.Id"/>.</summary>
    public string Id { get; }

    /// <summary>Id of the folder that it lies in now; null for the folder that is followed.</summary>
    public string? ParentId { get; }

    /// <summary>As it is now, its version included; its path is its name alone.</summary>
    public Entry? Entry { get; }

    /// <summary>It is nowhere any more, and neither is what lay below it.</summary>
    public bool IsGone { get; }

    /// <summary>It is there, new, changed or moved.</summary>
    public static Change Present(string id, string? parentId, Entry entry) => new(id, parentId, entry, false);

    public static Change Gone(string id) => new(id, null, null, true);

    /// <summary>The feed can't tell what it is now, or it is no entry: a listing of its folder tells.</summary>
    public static Change Unclear(string id, string? parentId) => new(id, parentId, null, false);
}
