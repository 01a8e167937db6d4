using System.Runtime.CompilerServices;
using Virga.Accounts;
using Virga.Core;
using Node = Virga.Testing.Accounts.InMemoryStore.Node;

namespace Virga.Testing.Accounts;

/// <summary>
/// An account in memory whose traits are what the test says: order of parts, resuming, names, kept times, empty
/// folders, read-only. It keeps every promise of the contract and passes the conformance suite. Its optional abilities
/// follow its traits (resumable uploads) and <see cref="HasSymlinks"/>.
/// </summary>
public sealed class InMemoryAccount : IAbilitySource
{
    /// <summary>What a disk would declare, with small parts so that tests stay small.</summary>
    public static readonly AccountTraits DefaultTraits = new()
    {
        Adapter = "memory",
        MaxConcurrency = 8,
        SingleWriteBytesMax = 1 << 20,
        PartOrder = PartOrder.Any,
        UploadResume = UploadResume.Parts,
        PartBytesMax = 64 << 20,
        Pin = PinStrength.Strong,
        KeepsModified = true,
        KeepsEmptyFolders = true,
        KeepsExecutable = true,
    };

    private readonly InMemoryStore store;
    private readonly Abilities abilities;

    public InMemoryAccount(InMemoryStore? store = null, AccountTraits? traits = null)
    {
        this.store = store ?? new InMemoryStore();
        Traits = traits ?? DefaultTraits;
        if (!Traits.Names.KeepsNormalization) throw new ArgumentException("names are kept as they are", nameof(traits));
        abilities = new Abilities(this);
    }

    public AccountTraits Traits { get; }

    /// <summary>Whether the account holds symlinks.</summary>
    public bool HasSymlinks { get; init; } = true;

    public TAbility? FindAbility<TAbility>() where TAbility : class
    {
        if (typeof(TAbility) == typeof(IResumableUploads) && Traits.UploadResume != UploadResume.Parts) return null;
        if (typeof(TAbility) == typeof(ISymlinks) && !HasSymlinks) return null;
        return abilities as TAbility;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    public ValueTask<Entry?> StatAsync(EntryPath path, CancellationToken cancellationToken) => Do(
        () => Find(path) is { } node ? Describe(path, node) : null, cancellationToken);

    public async IAsyncEnumerable<Entry> ListAsync(
        EntryPath folder, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var entries = await Do(
            () => Find(folder) switch
            {
                { Kind: EntryKind.Folder } node =>
                    node.Children.Values.Select(child => Describe(folder.Append(child.Name), child)).ToList(),
                _ => throw NotFound(folder),
            },
            cancellationToken);
        foreach (var entry in entries)
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return entry;
        }
    }

    public ValueTask<EntryReader> ReadAsync(
        EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken) => Do(
        () =>
        {
            if (Find(path) is not { } node) throw NotFound(path);
            if (node.Kind != EntryKind.File) throw Bad($"'{path}' is no file");
            if (pin is { } expected && expected.Value != node.Version)
                throw new VirgaException(
                    FailureKind.Changed, $"'{path}' is no longer the version {expected}", "Read it again.");
            if (range.Offset < 0 || range.Length < 0 || range.Length > node.Content.Length - range.Offset)
                throw Bad($"the range {range} lies beyond the end of '{path}', which has {node.Content.Length} bytes");
            var bytes = node.Content.AsMemory((int)range.Offset, (int)range.Length);
            return new EntryReader(Describe(path, node), new MemoryReadStream(bytes));
        },
        cancellationToken);

    public ValueTask<Entry> WriteAsync(
        EntryPath path, ReadOnlyMemory<byte> content, WriteOptions options, CancellationToken cancellationToken) => Do(
        () =>
        {
            CheckTarget(path);
            if (content.Length > Traits.SingleWriteBytesMax)
                throw Bad($"{content.Length} bytes in one write; this account takes {Traits.SingleWriteBytesMax}");
            return Put(path, content.ToArray(), options);
        },
        cancellationToken);

    public ValueTask<IUpload> BeginUploadAsync(
        EntryPath path,
        long length,
        long partBytes,
        WriteOptions options,
        CancellationToken cancellationToken) => Do<IUpload>(
        () =>
        {
            CheckTarget(path);
            var upload = new InMemoryStore.Upload(
                path, PartLayout.Checked(Traits, length, partBytes), options, store.Now);
            var token = store.NextToken();
            store.Uploads.Add(token, upload);
            return new Upload(this, token, upload);
        },
        cancellationToken);

    public ValueTask CreateFolderAsync(EntryPath path, CancellationToken cancellationToken) => Do(
        () =>
        {
            if (!path.IsRoot) CheckTarget(path);
            if (Traits.KeepsEmptyFolders) MakeFolder(path);
        },
        cancellationToken);

    public ValueTask DeleteAsync(EntryPath path, CancellationToken cancellationToken) => Do(
        () =>
        {
            CheckWritable();
            if (path.IsRoot) throw Bad("the account's root can't be deleted");
            if (Find(path) is not { } node) return;
            if (node.Children.Count > 0) throw Conflict($"the folder '{path}' isn't empty");
            Remove(path, node);
            store.Use(-node.Content.Length);
        },
        cancellationToken);

    public ValueTask MoveAsync(EntryPath from, EntryPath to, CancellationToken cancellationToken) => Do(
        () =>
        {
            if (from.IsRoot) throw Bad("the account's root can't be moved");
            CheckTarget(to);
            var node = Find(from) ?? throw NotFound(from);
            if (to != from && to.IsWithin(from)) throw Bad($"'{from}' can't be moved into itself");
            var old = Find(to);
            var fitsIn = node.Kind == EntryKind.Folder && old is { Children.Count: 0 };
            if (old is { Kind: EntryKind.Folder } && old != node && !fitsIn)
                throw Conflict($"a folder stands at '{to}'");
            if (node.Kind == EntryKind.Folder && old is not null && old.Kind != EntryKind.Folder)
                throw Conflict($"a file stands at '{to}'");
            _ = MakeFolder(to.Parent);
            if (old is not null && old != node) store.Use(-old.Content.Length);
            Remove(from, node);
            node.Name = to.Name;
            MakeFolder(to.Parent).Children[Key(to.Name)] = node;
        },
        cancellationToken);

    private ValueTask CreateSymlinkAsync(EntryPath path, string target, CancellationToken cancellationToken) => Do(
        () =>
        {
            CheckTarget(path);
            if (target.Length == 0) throw Bad("the link's target is empty");
            Set(
                path,
                new Node(path.Name, EntryKind.Symlink)
                {
                    Version = store.NextVersion(), LinkTarget = target, Modified = store.Now,
                });
        },
        cancellationToken);

    private ValueTask<T> Do<T>(Func<T> action, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<T>(cancellationToken);
        try
        {
            lock (store.Sync) return ValueTask.FromResult(action());
        }
        catch (VirgaException e)
        {
            return ValueTask.FromException<T>(e);
        }
    }

    private async ValueTask Do(Action action, CancellationToken cancellationToken) => await Do(
        () =>
        {
            action();
            return true;
        },
        cancellationToken);

    private string Key(string name) => Traits.Names.IsCaseSensitive ? name : name.ToUpperInvariant();

    private Node? Find(EntryPath path)
    {
        var node = store.Root;
        foreach (var name in path.Names)
        {
            if (!node.Children.TryGetValue(Key(name), out var child)) return null;
            node = child;
        }
        return node;
    }

    private Node MakeFolder(EntryPath path)
    {
        var node = store.Root;
        foreach (var name in path.Names)
        {
            if (!node.Children.TryGetValue(Key(name), out var child))
                node.Children.Add(Key(name), child = new Node(name, EntryKind.Folder));
            if (child.Kind != EntryKind.Folder) throw Conflict($"'{name}' in '{path}' is no folder");
            node = child;
        }
        return node;
    }

    private Entry Put(EntryPath path, byte[] content, WriteOptions options)
    {
        var node = new Node(path.Name, EntryKind.File)
        {
            Content = content,
            Version = store.NextVersion(),
            Modified = Traits.KeepsModified ? options.Modified ?? store.Now : store.Now,
            IsExecutable = Traits.KeepsExecutable && options.IsExecutable,
        };
        Set(path, node);
        return Describe(path, node);
    }

    private void Set(EntryPath path, Node node)
    {
        var old = Find(path);
        if (old is { Kind: EntryKind.Folder }) throw Conflict($"a folder stands at '{path}'");
        store.Use(node.Content.Length - (old?.Content.Length ?? 0));
        MakeFolder(path.Parent).Children[Key(path.Name)] = node;
    }

    private void Remove(EntryPath path, Node node)
    {
        var folder = Find(path.Parent)!;
        folder.Children.Remove(Key(path.Name));
        if (Traits.KeepsEmptyFolders || folder.Children.Count > 0 || path.Parent.IsRoot || node == folder) return;
        Remove(path.Parent, folder);
    }

    private static Entry Describe(EntryPath path, Node node) => node.Kind == EntryKind.Folder
        ? new Entry(path, EntryKind.Folder, 0)
        : new Entry(
            path.IsRoot ? path : path.Parent.Append(node.Name),
            node.Kind,
            node.Content.Length,
            node.Modified,
            new EntryVersion(node.Version),
            node.LinkTarget,
            node.IsExecutable);

    private void CheckTarget(EntryPath path)
    {
        CheckWritable();
        if (path.IsRoot) throw Bad("the account's root is a folder");
        Traits.Names.Check(path);
    }

    private void CheckWritable()
    {
        if (Traits.IsReadOnly)
            throw new VirgaException(
                FailureKind.ReadOnly, "the account is read-only", "Choose an account that can be written.");
    }

    private static VirgaException NotFound(EntryPath path) =>
        new(FailureKind.NotFound, $"there is nothing at '{path}'");

    private static VirgaException Bad(string message) => new(FailureKind.BadInput, message);

    private static VirgaException Conflict(string message) => new(FailureKind.Conflict, message);

    private sealed class Abilities(InMemoryAccount account)
        : IResumableUploads, ISymlinks, IReportsSpace, IReadsPendingUploads
    {
        public ValueTask<IUpload> ResumeUploadAsync(
            EntryPath path,
            long length,
            long partBytes,
            WriteOptions options,
            string token,
            CancellationToken cancellationToken) =>
            account.Do<IUpload>(
                () =>
                {
                    if (!account.store.Uploads.TryGetValue(token, out var upload)
                        || upload.Path != path
                        || upload.Layout != new PartLayout(length, partBytes))
                        throw NotFound(path);
                    return new Upload(account, token, upload);
                },
                cancellationToken);

        public async IAsyncEnumerable<PendingUpload> ListUploadsAsync(
            EntryPath folder, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            var pending = await account.Do(
                () => account.store.Uploads.Where(upload => upload.Value.Path.IsWithin(folder))
                    .Select(upload => new PendingUpload(upload.Value.Path, upload.Key, upload.Value.Started)).ToList(),
                cancellationToken);
            foreach (var upload in pending) yield return upload;
        }

        public ValueTask AbortUploadAsync(PendingUpload upload, CancellationToken cancellationToken) =>
            account.Do(() => account.End(upload.Token), cancellationToken);

        public ValueTask CreateSymlinkAsync(EntryPath path, string target, CancellationToken cancellationToken) =>
            account.CreateSymlinkAsync(path, target, cancellationToken);

        public ValueTask<int> ReadPendingAsync(
            EntryPath path, string token, long offset, Memory<byte> destination, CancellationToken cancellationToken) =>
            account.Do(
                () =>
                {
                    if (!account.store.Uploads.TryGetValue(token, out var upload) || upload.Path != path)
                        throw NotFound(path);
                    destination = destination[..(int)Math.Clamp(upload.Layout.Length - offset, 0, destination.Length)];
                    destination.Span.Clear();
                    foreach (var (index, bytes) in upload.Parts)
                    {
                        var at = upload.Layout.RangeOf(index).Offset;
                        var from = Math.Max(at, offset);
                        var to = Math.Min(at + bytes.Length, offset + destination.Length);
                        if (from < to)
                            bytes.AsSpan((int)(from - at), (int)(to - from))
                                .CopyTo(destination.Span[(int)(from - offset)..]);
                    }
                    return destination.Length;
                },
                cancellationToken);

        public ValueTask<AccountSpace> GetSpaceAsync(CancellationToken cancellationToken) => account.Do(
            () => new AccountSpace(
                account.store.UsedBytes,
                account.store.CapacityBytes == long.MaxValue
                    ? null
                    : account.store.CapacityBytes - account.store.UsedBytes),
            cancellationToken);
    }

    private void End(string token)
    {
        if (store.Uploads.Remove(token, out var upload)) store.Use(-upload.Parts.Values.Sum(part => (long)part.Length));
    }

    private sealed class Upload(InMemoryAccount account, string token, InMemoryStore.Upload upload) : IUpload
    {
        private Entry? completed;

        public string? Token => account.Traits.UploadResume == UploadResume.Parts ? token : null;

        public IReadOnlyList<PartReceipt> Stored => account.Traits.PartOrder == PartOrder.Sequence
            ? [.. upload.Parts.Keys.Order().Select(index => new PartReceipt(index, $"tag-{token}-{index}"))]
            : [];

        public ValueTask<PartReceipt> WritePartAsync(
            long index, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
            account.Do(
                () =>
                {
                    account.CheckWritable();
                    upload.Layout.CheckPart(index, content.Length);
                    CheckPending();
                    if (account.Traits.PartOrder == PartOrder.Sequence && index != upload.Parts.Count)
                        throw Bad($"part {index} before part {upload.Parts.Count}: parts come in sequence");
                    account.store.Use(content.Length - (upload.Parts.GetValueOrDefault(index)?.Length ?? 0));
                    upload.Parts[index] = content.ToArray();
                    return new PartReceipt(index, $"tag-{token}-{index}");
                },
                cancellationToken);

        public ValueTask<Entry> CompleteAsync(IReadOnlyList<PartReceipt> parts, CancellationToken cancellationToken) =>
            account.Do(
            () =>
            {
                upload.Layout.CheckComplete(parts);
                if (completed is not null) return completed;
                CheckPending();
                var content = new byte[upload.Layout.Length];
                foreach (var part in parts)
                {
                    if (part.Tag != $"tag-{token}-{part.Index}" || !upload.Parts.TryGetValue(part.Index, out var bytes))
                        throw Bad($"the receipt of part {part.Index} is not this upload's");
                    bytes.CopyTo(content, upload.Layout.RangeOf(part.Index).Offset);
                }
                account.End(token);
                return completed = account.Put(upload.Path, content, upload.Options);
            },
            cancellationToken);

        public ValueTask AbortAsync(CancellationToken cancellationToken) =>
            account.Do(() => account.End(token), cancellationToken);

        public ValueTask DisposeAsync() =>
            Token is null ? account.Do(() => account.End(token), CancellationToken.None) : ValueTask.CompletedTask;

        private void CheckPending()
        {
            if (!account.store.Uploads.ContainsKey(token))
                throw new VirgaException(
                    FailureKind.NotFound, $"the upload of '{upload.Path}' isn't pending any more", "Begin it anew.");
        }
    }

    /// <summary>Hands out at most 64 KiB at once, so that nobody relies on whole reads.</summary>
    private sealed class MemoryReadStream(ReadOnlyMemory<byte> bytes) : AccountReadStream
    {
        private ReadOnlyMemory<byte> rest = bytes;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<int>(cancellationToken);
            var count = Math.Min(Math.Min(buffer.Length, rest.Length), 64 << 10);
            rest[..count].CopyTo(buffer);
            rest = rest[count..];
            return ValueTask.FromResult(count);
        }
    }
}
