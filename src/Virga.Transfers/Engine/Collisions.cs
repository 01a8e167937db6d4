using Virga.Accounts;
using Virga.Content;
using Virga.Core;

namespace Virga.Transfers.Engine;

/// <summary>Before the first run: what stands at our paths already belongs to somebody.</summary>
/// <param name="Taken">Paths of all that stands there and is no folder.</param>
internal sealed record Collisions(List<SharedFile> Files, HashSet<string> Taken)
{
    private const int TriesMax = 10_000;
    private const int ListedMax = 10;

    /// <exception cref="VirgaException">Conflict, where the user has not said what to do.</exception>
    public static async Task<Collisions> FindAsync(TransferJob job, CancellationToken cancellationToken)
    {
        var taken = new HashSet<string>(job.Target.Traits.Names.Comparer);
        var found = new Collisions([], taken);
        if (job.Collision == CollisionPolicy.Overwrite) return found;
        try
        {
            await foreach (var entry in job.Target.WalkAsync(job.Folder, null, cancellationToken))
                if (entry.Kind != EntryKind.Folder) taken.Add(entry.Path.Value);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.NotFound && !job.Folder.IsRoot)
        {
            return found;
        }
        if (taken.Count == 0) return found;
        found.Files.AddRange(job.Content.Files.Where(f => taken.Contains(job.PathOf(f).Value)));
        if (found.Files.Count == 0 || job.Collision != CollisionPolicy.Fail) return found;
        throw new VirgaException(FailureKind.Conflict,
            $"{found.Files.Count} of {job.Content.Files.Count} files exist at the target already, nothing was moved: "
                + List([.. found.Files.Select(f => $"'{job.PathOf(f)}'")]),
            "Choose another folder, or say --on-collision skip, rename or overwrite.");
    }

    /// <summary>
    /// Names beside those that are taken, where that is what the user wants: 'a.txt' becomes 'a (2).txt'.
    /// </summary>
    public Dictionary<int, EntryPath> NewNames(TransferJob job)
    {
        var names = new Dictionary<int, EntryPath>();
        if (job.Collision != CollisionPolicy.Rename || Files.Count == 0) return names;
        var all = new HashSet<string>(Taken, Taken.Comparer);
        foreach (var entry in job.Content.Manifest.Entries) all.Add(job.Folder.Append(entry.Path).Value);
        foreach (var file in Files)
        {
            names[file.Index] = FreeName(job, file.Entry.Path, all);
            all.Add(job.Folder.Append(names[file.Index]).Value);
        }
        return names;
    }

    public static string List(List<string> items) =>
        string.Join("; ", items.Take(ListedMax))
        + (items.Count > ListedMax ? $"; and {items.Count - ListedMax} more" : "");

    private static EntryPath FreeName(TransferJob job, EntryPath path, HashSet<string> taken)
    {
        // What begins with its only dot is a name, no ending.
        var dot = path.Name.LastIndexOf('.');
        var stem = dot > 0 ? path.Name[..dot] : path.Name;
        var ending = dot > 0 ? path.Name[dot..] : "";
        for (var i = 2; i < TriesMax; i++)
        {
            var name = path.Parent.Append(EntryPath.Parse($"{stem} ({i}){ending}"));
            var there = job.Folder.Append(name);
            if (taken.Contains(there.Value)) continue;
            if (job.Target.Traits.Names.WhyNot(there) is null) return name;
            break;
        }
        throw new VirgaException(
            FailureKind.Conflict, $"there is no free name beside '{job.Folder.Append(path)}', nothing was moved",
            "Choose another folder, or say --on-collision skip or overwrite.");
    }
}
