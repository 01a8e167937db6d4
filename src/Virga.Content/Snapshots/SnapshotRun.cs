using Virga.Accounts;
using Virga.Accounts.Feeds;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Core.Age;
using Virga.Core.Merkle;

namespace Virga.Content.Snapshots;

/// <summary>One snapshot in the making: list, choose the piece length, hash, put together.</summary>
internal sealed class SnapshotRun(
    IAccount account, EntryPath sharedPath, SnapshotOptions options, RandomBytes random, TimeProvider time,
    IProgress<SnapshotProgress>? progress)
{
    private const int TriesMax = 3;
    private const int ParallelMax = 16;

    /// <summary>
    /// An entry modified less than this before it is read may be modified again without its time telling (git calls
    /// such entries racily clean). Two seconds is the coarsest clock of a file system.
    /// </summary>
    private static readonly TimeSpan RacyAge = TimeSpan.FromSeconds(2);

    private readonly List<(string Path, string Reason)> skipped = [];
    private readonly SnapshotTotals totals = new(progress);
    private readonly Dictionary<string, Known> known = [];
    private readonly Dictionary<EmptyFile, ManifestEntry> knownEmpty = [];

    /// <summary>Entries that turned out not to be as they were listed.</summary>
    private readonly HashSet<EntryPath> moved = [];
    private FolderListing? listing;
    private AgeIdentity? identity;

    public async Task<SnapshotResult> CreateAsync(CancellationToken token)
    {
        LoadPrevious();
        if (options.IsPrivate) identity ??= AgeIdentity.Generate(random);
        var (entries, isSingleFile) = await ListAsync(token);
        totals.Seen(entries.Count(static entry => entry.Kind == EntryKind.File));
        var pieceBytes = ChoosePieceBytes(entries);
        var taken = await TakeAllAsync(entries, pieceBytes, isSingleFile, token);
        var index = Build([.. taken.OfType<Taken>()], pieceBytes, isSingleFile);
        totals.Report();
        return new SnapshotResult(index, totals.Current, skipped) { Listing = await ToKeepAsync(token) };
    }

    /// <summary>What the previous snapshot knows of each path in the account, where it may be used.</summary>
    private void LoadPrevious()
    {
        if (options.Previous is not { } previous || options.NewKeys) return;
        if (previous.IsPrivate != options.IsPrivate || previous.SharedPath != sharedPath) return;
        identity = previous.Manifest.ShareIdentity;
        var blobs = previous.Blobs.ToDictionary(static blob => blob.Path.Value);
        var empties = previous.Empties.ToDictionary(static empty => empty.Path.Value);
        foreach (var entry in previous.Manifest.Entries)
        {
            if (entry.Root is null)
            {
                if (empties.Count > 0 && empties.TryGetValue(sharedPath.Append(entry.Path).Value, out var empty)
                    && entry is { Kind: EntryKind.File, Size: 0 })
                    knownEmpty[empty] = entry;
                continue;
            }
            // A shared file stands in the manifest under its name, a shared folder's files under their paths from it.
            if (blobs.TryGetValue(sharedPath.Append(entry.Path).Value, out var blob)
                || blobs.TryGetValue(sharedPath.Value, out blob))
                known[blob.Path.Value] = new Known(entry, blob, previous.Layers[blob.Blob.Root].ToArray(),
                    previous.Info.PieceBytes);
        }
    }

    private async Task<(List<Entry> Entries, bool IsSingleFile)> ListAsync(CancellationToken token)
    {
        var top = await account.StatAsync(sharedPath, token)
            ?? throw new VirgaException(FailureKind.NotFound, $"there is nothing at '{sharedPath}' to share",
                "Check the path.");
        if (top.Kind == EntryKind.Symlink)
            throw new VirgaException(FailureKind.BadInput, $"'{sharedPath}' is a symbolic link",
                "Share what it points to.");
        if (top.Kind == EntryKind.File) return ([top], true);
        listing = await FolderFollowing.LookAsync(
            account, top with { Path = sharedPath }, options.Listing, time.GetUtcNow(), ContentLimits.EntriesMax,
            token);
        foreach (var entry in listing.Skipped)
        {
            var folder = entry.Folder.RelativeTo(sharedPath);
            skipped.Add((folder.IsRoot ? entry.ShownName : $"{folder}/{entry.ShownName}", entry.Reason));
        }
        var found = listing.Entries.ToList();
        // Where nobody could follow it, nobody needs it any more.
        if (!listing.CanBeFollowed) listing = null;
        found.Sort(static (a, b) => Utf8Order.Compare(a.Path.Value, b.Path.Value));
        return (WithoutDoubles(found).Where(CanHold).ToList(), false);
    }

    /// <summary>
    /// What the next snapshot may begin with. Whatever changes during this one a right feed tells of; where it doesn't,
    /// all is listed the next time.
    /// </summary>
    private async Task<FolderListing?> ToKeepAsync(CancellationToken token)
    {
        if (listing is null) return null;
        if (!listing.IsFollowed || moved.Count == 0) return listing;
        var top = await account.StatAsync(sharedPath, token);
        if (top is not { Kind: EntryKind.Folder }) return null;
        var now = await FolderFollowing.LookAsync(
            account, top with { Path = sharedPath }, listing, time.GetUtcNow(), ContentLimits.EntriesMax, token);
        var then = listing.Entries.Where(entry => moved.Contains(entry.Path))
            .ToDictionary(entry => entry.Path, entry => entry.Version);
        var isStillTold = now.Entries.Any(
            entry => then.TryGetValue(entry.Path, out var version) && version == entry.Version);
        return now.IsFollowed && !isStillTold ? listing : null;
    }

    /// <summary>
    /// Some accounts hold a file and a folder of one name. A share can't; the folder stays, for what is in it.
    /// </summary>
    private List<Entry> WithoutDoubles(List<Entry> sorted)
    {
        var folders = new HashSet<string>();
        foreach (var entry in sorted)
        {
            if (entry.Kind == EntryKind.Folder) folders.Add(entry.Path.Value);
            for (var above = entry.Path.Parent; !above.IsRoot && folders.Add(above.Value); above = above.Parent)
            {
            }
        }
        var kept = new List<Entry>(sorted.Count);
        foreach (var entry in sorted)
        {
            if (entry.Kind != EntryKind.Folder && folders.Contains(entry.Path.Value))
                Skip(entry, "has the same name as a folder");
            else if (kept.Count == 0 || kept[^1].Path != entry.Path) kept.Add(entry);
        }
        return kept;
    }

    private bool CanHold(Entry entry)
    {
        var path = entry.Path.RelativeTo(sharedPath);
        if (entry.Kind == EntryKind.Symlink && entry.LinkTarget is null or "")
            return Skip(entry, "is a link whose target is unknown");
        if (options.IsPrivate) return true;
        if (path.Names.Length > ShareInfoFormat.NamesMax)
            return Skip(entry,
                $"has more than {ShareInfoFormat.NamesMax} names in its path; only a private share can hold it");
        if (entry.LinkTarget is not null && SymlinkTargets.LeadsOutside(path, entry.LinkTarget))
            return Skip(entry, "is a link that leads out of the folder; only a private share can hold it");
        return true;
    }

    private bool Skip(Entry entry, string reason)
    {
        var path = entry.Path.RelativeTo(sharedPath);
        lock (skipped) skipped.Add((path.IsRoot ? entry.Path.Name : path.Value, reason));
        return false;
    }

    private int ChoosePieceBytes(List<Entry> entries)
    {
        var lengths = entries.Where(static entry => entry.Kind == EntryKind.File && entry.Length > 0)
            .Select(entry => BlobLength(entry.Length)).ToList();
        if (lengths.Count > 0 && lengths.Max() > ContentLimits.BlobBytesMax)
            throw new VirgaException(FailureKind.BadInput,
                $"a file is longer than {ContentLimits.BlobBytesMax >> 40} TiB", "Share it in parts.");
        var byRule = ContentLimits.PieceBytesFor(lengths);
        return known.Count > 0 && options.Previous!.Info.PieceBytes is var previous
            && ContentLimits.MayKeep(previous, byRule) ? previous : byRule;
    }

    /// <summary>
    /// Whether a file that grew while the folder was shared still goes with the piece length that was chosen.
    /// </summary>
    private bool Fits(long plainBytes, int pieceBytes) =>
        plainBytes <= ContentLimits.BlobBytesMax
            && ContentLimits.PieceBytesFor([BlobLength(plainBytes)]) <= 4L * pieceBytes;

    private long BlobLength(long plainBytes) => options.IsPrivate ? AgePayload.SealedLength(plainBytes) : plainBytes;

    private async Task<Taken?[]> TakeAllAsync(
        List<Entry> entries, int pieceBytes, bool isSingleFile, CancellationToken token)
    {
        var taken = new Taken?[entries.Count];
        var hasher = new EntryHasher(
            account, pieceBytes, totals.Read,
            options.HasV1 ? length => new V1Hasher(length, pieceBytes, padsLast: !isSingleFile) : null);
        var parallel = new ParallelOptions
        {
            MaxDegreeOfParallelism = Math.Clamp(account.Traits.MaxConcurrency, 1, ParallelMax),
            CancellationToken = token,
        };
        await Parallel.ForEachAsync(Enumerable.Range(0, entries.Count), parallel, async (at, cancelled) =>
        {
            var entry = entries[at];
            taken[at] = entry.Kind switch
            {
                EntryKind.File when entry.Length > 0 => await TakeFileAsync(hasher, entry, pieceBytes, cancelled),
                EntryKind.File => await TakeEmptyAsync(hasher, entry, pieceBytes, cancelled),
                EntryKind.Folder => new Taken(NewEntry(entry, UnixTime.Nanoseconds(entry.Modified), null), null, []),
                _ => new Taken(NewEntry(entry, null, null), null, []),
            };
        });
        return taken;
    }

    /// <summary>Listings of some accounts don't tell the times that were kept with a file.</summary>
    private async Task<Taken?> TakeEmptyAsync(EntryHasher hasher, Entry listed, int pieceBytes, CancellationToken token)
    {
        var asListed = EmptyFile.Of(listed);
        if (knownEmpty.TryGetValue(asListed, out var before))
        {
            totals.Unchanged();
            return new Taken(before, null, [], asListed);
        }
        var entry = listed;
        if (!account.Traits.ListsMetadata)
        {
            if (await account.StatAsync(listed.Path, token) is not { Kind: EntryKind.File } told)
            {
                Moved(listed);
                Skip(listed, "was removed while the folder was shared");
                return null;
            }
            if (told.Length > 0) return await TakeFileAsync(hasher, told, pieceBytes, token);
            entry = told;
        }
        totals.Hashed();
        return new Taken(NewEntry(entry, UnixTime.Nanoseconds(entry.Modified), null), null, [], asListed);
    }

    private void Moved(Entry listed)
    {
        lock (moved) moved.Add(listed.Path);
    }

    private async Task<Taken?> TakeFileAsync(EntryHasher hasher, Entry listed, int pieceBytes, CancellationToken token)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await TryTakeFileAsync(hasher, listed, pieceBytes, token);
            }
            catch (VirgaException failure) when (failure.Kind is FailureKind.Changed or FailureKind.NotFound)
            {
                if (attempt == TriesMax) throw Changing(listed, failure);
                Moved(listed);
            }
            var now = await account.StatAsync(listed.Path, token);
            if (now is null && listed.Path != sharedPath)
            {
                Skip(listed, "was removed while the folder was shared");
                return null;
            }
            if (now is not { Kind: EntryKind.File } || !Fits(now.Length, pieceBytes)) throw Changing(listed, null);
            if (now.Length == 0) return new Taken(NewEntry(now, UnixTime.Nanoseconds(now.Modified), null), null, []);
            listed = now;
        }
    }

    private async Task<Taken> TryTakeFileAsync(EntryHasher hasher, Entry listed, int pieceBytes,
        CancellationToken token)
    {
        if (known.TryGetValue(listed.Path.Value, out var before) && before.Blob.Version == listed.Version
            && before.Blob.PlainLength == listed.Length)
        {
            var isSure = account.Traits.Pin == PinStrength.Strong || !before.Blob.IsRacy;
            var isComplete = !options.HasV1 || before.Blob.V1Pieces is not null;
            if (isSure && isComplete && before.PieceBytes == pieceBytes) return await KeepAsync(listed, before, token);
            // Sealed again under the same key: only to compare, and given up at the first difference. Nothing of it
            // leaves.
            var readAt = time.GetUtcNow();
            var again = await hasher.HashAsync(listed, before.Seal, before.Blob.Tags, token);
            if (again is not null) return Take(listed, again, readAt);
        }
        var began = time.GetUtcNow();
        var seal = identity is null ? null : FileSeal.Create(identity.Recipient, random);
        return Take(listed, (await hasher.HashAsync(listed, seal, token))!, began);
    }

    private async Task<Taken> KeepAsync(Entry listed, Known before, CancellationToken token)
    {
        totals.Unchanged();
        if (ListedAs.Of(listed) == before.Blob.Listed) return new Taken(before.Entry, before.Blob, before.PieceLayer);
        // The bytes are the same; its time or mode is not.
        var entry = await account.StatAsync(listed.Path, token);
        if (entry is null || entry.Version != listed.Version)
            throw new VirgaException(FailureKind.Changed, $"'{listed.Path}' changed");
        var modified = UnixTime.Nanoseconds(entry.Modified);
        var kept = before.Entry with { ModifiedNs = modified, IsExecutable = entry.IsExecutable };
        return new Taken(kept, before.Blob with { Listed = ListedAs.Of(listed) }, before.PieceLayer);
    }

    private Taken Take(Entry listed, HashedEntry hashed, DateTimeOffset readAt)
    {
        totals.Hashed();
        var modified = hashed.Entry.Modified ?? listed.Modified;
        var isRacy = account.Traits.Pin == PinStrength.Weak && !(readAt - (listed.Modified ?? modified) >= RacyAge);
        var blob = new OwnedBlob(hashed.Blob, listed.Path, listed.Version!.Value, listed.Length, hashed.Seal?.Key,
            hashed.Seal?.Nonce, hashed.Tags)
        {
            Listed = ListedAs.Of(listed),
            IsRacy = isRacy,
            V1Pieces = hashed.V1Pieces,
        };
        var entry = NewEntry(listed with { IsExecutable = listed.IsExecutable || hashed.Entry.IsExecutable },
            UnixTime.Nanoseconds(modified), hashed);
        return new Taken(entry, blob, hashed.PieceLayer);
    }

    private ManifestEntry NewEntry(Entry entry, long? modifiedNs, HashedEntry? hashed)
    {
        var path = entry.Path == sharedPath ? EntryPath.Parse(entry.Path.Name) : entry.Path.RelativeTo(sharedPath);
        return new ManifestEntry(path, entry.Kind, entry.Kind == EntryKind.File ? entry.Length : 0, modifiedNs,
            entry.Kind == EntryKind.File && entry.IsExecutable, hashed?.Blob.Root, hashed?.Seal?.Header,
            entry.Kind == EntryKind.Symlink ? entry.LinkTarget : null)
        {
            Nonce = hashed?.Seal?.Nonce,
        };
    }

    private OwnerIndex Build(IReadOnlyList<Taken> taken, int pieceBytes, bool isSingleFile)
    {
        var manifest = new Manifest(identity, taken.Select(static one => one.Entry).ToList());
        var layers = new Dictionary<Hash256, byte[]>();
        var blobs = new List<OwnedBlob>();
        var empties = taken.Where(one => one.Empty is not null).Select(one => one.Empty!.Value).ToList();
        foreach (var one in taken)
        {
            if (one.Blob is null) continue;
            blobs.Add(one.Blob);
            if (one.PieceLayer.Length > 0) layers[one.Blob.Blob.Root] = one.PieceLayer;
        }
        return options.IsPrivate
            ? BuildPrivate(manifest, blobs, empties, layers, pieceBytes)
            : BuildPublic(manifest, blobs, empties, layers, pieceBytes, isSingleFile);
    }

    private OwnerIndex BuildPrivate(Manifest manifest, List<OwnedBlob> blobs, List<EmptyFile> empties,
        Dictionary<Hash256, byte[]> layers, int pieceBytes)
    {
        var sealedManifest = manifest.Seal(options.Readers, random);
        var hasher = new BlobHasher(pieceBytes);
        hasher.Append(sealedManifest);
        var (name, layer) = hasher.Finish();
        var files = new List<TorrentFile> { new([ShareContent.BlobFileName(0)], name.Length, name.Root) };
        var seen = new HashSet<Hash256>(blobs.Count);
        foreach (var blob in blobs.Select(static blob => blob.Blob))
        {
            if (seen.Add(blob.Root))
                files.Add(new TorrentFile([ShareContent.BlobFileName(files.Count)], blob.Length, blob.Root));
        }
        layers[name.Root] = layer;
        var info = TorrentInfo.Create(ShareContent.PrivateName, pieceBytes, files, isSingleFile: false);
        return new OwnerIndex(info, PieceLayers.Create(layers), sharedPath, manifest, sealedManifest, blobs)
        {
            Empties = empties,
        };
    }

    private OwnerIndex BuildPublic(Manifest manifest, List<OwnedBlob> blobs, List<EmptyFile> empties,
        Dictionary<Hash256, byte[]> layers, int pieceBytes, bool isSingleFile)
    {
        if (blobs.Count == 0)
        {
            throw new VirgaException(FailureKind.BadInput,
                $"'{sharedPath}' holds no byte of content, and a public share is a torrent, which must",
                "Share it privately, or put something into it.");
        }
        var files = manifest.Entries.Where(static entry => entry.Kind != EntryKind.Folder)
            .Select(static entry => new TorrentFile(
            entry.Path.Names, entry.Size, entry.Root, entry.IsExecutable,
            SymlinkTarget: entry.LinkTarget is null ? null : SymlinkTargets.Names(entry.LinkTarget))).ToList();
        var name = isSingleFile ? manifest.Entries[0].Path.Value : options.Name ?? sharedPath.Name;
        var info = TorrentInfo.Create(name.Length == 0 ? "share" : name, pieceBytes, files, isSingleFile);
        return new OwnerIndex(info, PieceLayers.Create(layers), sharedPath, manifest, null, blobs)
        {
            Empties = empties,
        };
    }

    private static VirgaException Changing(Entry entry, Exception? inner) => new(FailureKind.Changed,
        $"'{entry.Path}' changes while it is being shared",
        "Wait until nothing writes to it, then share again; or share a copy of it.", inner);

    /// <summary>An entry of the snapshot to be.</summary>
    private sealed record Taken(ManifestEntry Entry, OwnedBlob? Blob, byte[] PieceLayer, EmptyFile? Empty = null);

    /// <summary>An entry of the snapshot before.</summary>
    private sealed record Known(ManifestEntry Entry, OwnedBlob Blob, byte[] PieceLayer, int PieceBytes)
    {
        public FileSeal? Seal => Blob.FileKey is { } key ? new FileSeal(key, Blob.Nonce!, Entry.Header!) : null;
    }
}
