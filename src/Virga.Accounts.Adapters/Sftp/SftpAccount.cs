using System.Runtime.CompilerServices;
using System.Text;
using Virga.Core;

namespace Virga.Accounts.Adapters.Sftp;

/// <summary>
/// A folder on an SSH server. The protocol tells a file's size and its time in whole seconds, so that the pin is weak:
/// what this account writes differs in one of them from what it replaces. Parts are written, in any order, into a file
/// beside the target, which is then moved there; the token of an upload is that file's name.
/// </summary>
internal sealed partial class SftpAccount : IAccount, IResumableUploads, IReportsSpace, IReportsSkipped, ISymlinks
{
    private const int FoldersAskedAhead = 3;
    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    private readonly SftpPool pool;
    private readonly AdapterServices services;

    public SftpAccount(SftpPool pool, AdapterServices services, IReadOnlyDictionary<string, string> extensions)
    {
        (this.pool, this.services) = (pool, services);
        Traits = new AccountTraits
        {
            Adapter = "sftp",
            MaxConcurrency = 32,
            SingleWriteBytesMax = 8 << 20,
            PartOrder = PartOrder.Any,
            UploadResume = UploadResume.Parts,
            PartBytesMin = 1,
            PartBytesMax = 64 << 20,
            Pin = PinStrength.Weak,
            KeepsModified = true,
            KeepsEmptyFolders = true,
            KeepsExecutable = true,
            // PATH_MAX of Linux, less what the account's own folder takes.
            Names = new NameRules(
                MaxNameBytes: 255, MaxPathBytes: Math.Max(255, 4000 - Encoding.UTF8.GetByteCount(pool.Settings.Folder)),
                Reserved: Reserved),
        };
        real = new RealFolders(services.Clock);
        canTellSpace = extensions.ContainsKey("statvfs@openssh.com");
    }

    private readonly bool canTellSpace;
    private readonly RealFolders real;

    public AccountTraits Traits { get; }

    public ValueTask DisposeAsync() => pool.DisposeAsync();

    public async ValueTask<Entry?> StatAsync(EntryPath path, CancellationToken cancellationToken)
    {
        if (Traits.Names.WhyNot(path) is not null) return null;
        var what = $"look at '{path}'";
        return await CallAsync(what, async connection =>
        {
            if (await LinkAboveAsync(connection, path.Parent, cancellationToken) is not null) return null;
            var attributes = await FindAsync(connection, path, cancellationToken);
            if (attributes is not { } found)
                return path.IsRoot ? throw NoRoot(what) : null;
            if (path.IsRoot) return new Entry(path, EntryKind.Folder, 0);
            var target = found.Kind == EntryKind.Symlink
                ? await await connection.PostReadLinkAsync(FullPath(path), cancellationToken)
                : null;
            return found.Kind is null ? null : ToEntry(path, found, target);
        }, cancellationToken);
    }

    public IAsyncEnumerable<Entry> ListAsync(EntryPath folder, CancellationToken cancellationToken) =>
        ListAsync(folder, null, cancellationToken);

    IAsyncEnumerable<Entry> IReportsSkipped.ListAsync(
        EntryPath folder, Action<SkippedEntry> onSkipped, CancellationToken cancellationToken) =>
        ListAsync(folder, onSkipped, cancellationToken);

    public async ValueTask<EntryReader> ReadAsync(
        EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken)
    {
        var what = $"read '{path}'";
        if (path.IsRoot)
            throw new VirgaException(FailureKind.BadInput, "the account's root is a folder: it has no bytes to read");
        if (range.Offset < 0 || range.Length < 0)
            throw new VirgaException(FailureKind.BadInput, $"can't {what}: the range {range} is none");
        return await CallAsync(what, async connection =>
        {
            await RefuseLinksAsync(what, connection, path.Parent, cancellationToken);
            // What stands there may be a link: it is looked at on the way, and never followed.
            var looking = await connection.PostLstatAsync(FullPath(path), cancellationToken);
            SftpHandle handle;
            try
            {
                handle = await connection.OpenAsync(FullPath(path), SftpOpen.Read, null, cancellationToken);
            }
            catch (SftpRefusal)
            {
                RefuseOther(what, await looking);
                throw;
            }
            var stream = new SftpReadStream(handle, range, what, isPinned: pin is not null);
            try
            {
                RefuseOther(what, await looking);
                var describing = await handle.PostFstatAsync(cancellationToken);
                await stream.FillAsync(cancellationToken);
                var found = await describing;
                var entry = ToEntry(path, found, null);
                if (pin is { } expected && expected != entry.Version) throw Changed(what);
                if (range.End > entry.Length)
                {
                    throw new VirgaException(
                        FailureKind.BadInput, $"can't {what}: the range {range} lies beyond its end at {entry.Length}");
                }
                stream.Version = entry.Version;
                return new EntryReader(entry, stream);
            }
            catch
            {
                await stream.DisposeAsync();
                throw;
            }
        }, cancellationToken);
    }

    public async ValueTask<AccountSpace> GetSpaceAsync(CancellationToken cancellationToken) => await CallAsync(
        "look how full it is",
        async connection => await connection.GetSpaceAsync(FullPath(EntryPath.Root), cancellationToken)
            ?? new AccountSpace(null, null),
        cancellationToken);

    public async ValueTask CreateSymlinkAsync(EntryPath path, string target, CancellationToken cancellationToken)
    {
        var what = $"make the link '{path}'";
        CheckName(path);
        if (target.Length == 0) throw new VirgaException(FailureKind.BadInput, $"can't {what}: its target is empty");
        var temporary = NewTemporary(path);
        await WithFolderAsync(what, path, async connection =>
        {
            await connection.LinkAsync(FullPath(temporary), target, cancellationToken);
            try
            {
                if (await FindAsync(connection, path, cancellationToken) is { Kind: EntryKind.Folder })
                    throw new VirgaException(FailureKind.Conflict, $"can't {what}: a folder of that name is there");
                await connection.RenameAsync(FullPath(temporary), FullPath(path), cancellationToken);
                real.Clear();
            }
            catch
            {
                await RemoveQuietlyAsync(connection, temporary);
                throw;
            }
            return true;
        }, cancellationToken);
    }

    private async IAsyncEnumerable<Entry> ListAsync(
        EntryPath folder, Action<SkippedEntry>? onSkipped, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var (name, attributes, target) in NamesAsync(folder, onSkipped, cancellationToken))
        {
            if (TemporaryNames.IsTemporary(name)) continue;
            if (attributes.Kind is null)
                onSkipped?.Invoke(new SkippedEntry(folder, NameRules.Show(name), "is a device, pipe or socket"));
            else yield return ToEntry(folder.Append(name), attributes, target);
        }
    }

    /// <summary>All that is in a folder, temporary files included.</summary>
    private async IAsyncEnumerable<(string Name, SftpAttributes Attributes, string? Target)> NamesAsync(
        EntryPath folder, Action<SkippedEntry>? onSkipped, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var what = $"list '{folder}'";
        var handle = await CallAsync(what, async connection =>
        {
            await RefuseLinksAsync(what, connection, folder, cancellationToken);
            try
            {
                return await connection.OpenFolderAsync(FullPath(folder), cancellationToken);
            }
            catch (SftpRefusal e) when (e.Status == SftpStatus.NoSuchFile && folder.IsRoot)
            {
                throw NoRoot(what);
            }
        }, cancellationToken);
        var asked = new Queue<Task<SftpAnswer>>();
        try
        {
            while (true)
            {
                var page = await TranslateAsync(what, async () =>
                {
                    while (asked.Count < FoldersAskedAhead)
                        asked.Enqueue(await handle.PostReadFolderAsync(cancellationToken));
                    using var answer = await asked.Dequeue();
                    return SftpCalls.NamesIn(answer) is { } names
                        ? await DescribeAsync(handle.Connection, folder, names, onSkipped, cancellationToken)
                        : null;
                });
                if (page is null) yield break;
                foreach (var item in page) yield return item;
            }
        }
        finally
        {
            foreach (var late in asked) late.Forget();
            await handle.CloseAsync();
        }
    }

    private async Task<List<(string Name, SftpAttributes Attributes, string? Target)>> DescribeAsync(
        SftpConnection connection, EntryPath folder, List<SftpName> names, Action<SkippedEntry>? onSkipped,
        CancellationToken cancellationToken)
    {
        var page = new List<(string, SftpAttributes, string?)>(names.Count);
        var links = new List<(int At, Task<string> Target)>();
        foreach (var (bytes, attributes) in names)
        {
            if (bytes is [(byte)'.'] or [(byte)'.', (byte)'.']) continue;
            if (NameOf(folder, bytes, onSkipped) is not { } name) continue;
            if (attributes.Kind == EntryKind.Symlink)
            {
                var path = FullPath(folder.Append(name));
                links.Add((page.Count, await connection.PostReadLinkAsync(path, cancellationToken)));
            }
            page.Add((name, attributes, null));
        }
        foreach (var (at, target) in links)
        {
            try
            {
                page[at] = page[at] with { Item3 = await target };
            }
            catch (SftpRefusal e) when (e.Status == SftpStatus.NoSuchFile)
            {
                // It was deleted meanwhile.
                page[at] = page[at] with { Item3 = "" };
            }
        }
        page.RemoveAll(item => item.Item3 is "");
        return page;
    }

    private static string? NameOf(EntryPath folder, byte[] bytes, Action<SkippedEntry>? onSkipped)
    {
        try
        {
            var name = StrictUtf8.GetString(bytes);
            if (EntryPath.TryParse(folder.IsRoot ? name : $"{folder}/{name}", out _)) return name;
            onSkipped?.Invoke(new SkippedEntry(folder, NameRules.Show(name), "can't be a name in an account"));
        }
        catch (DecoderFallbackException)
        {
            onSkipped?.Invoke(
                new SkippedEntry(folder, NameRules.Show(Encoding.Latin1.GetString(bytes)), "is not UTF-8"));
        }
        return null;
    }

    private async ValueTask RefuseLinksAsync(
        string what, SftpConnection connection, EntryPath folder, CancellationToken cancellationToken)
    {
        if (await LinkAboveAsync(connection, folder, cancellationToken) is { } link)
        {
            throw new VirgaException(
                FailureKind.NotFound, $"can't {what}: '{link}' is a link, and links are never followed");
        }
    }

    /// <summary>The first of a folder and all above it that is a link; null where none is.</summary>
    private async ValueTask<EntryPath?> LinkAboveAsync(
        SftpConnection connection, EntryPath folder, CancellationToken cancellationToken)
    {
        List<(EntryPath Path, Task<SftpAttributes> Found)>? looks = null;
        for (var at = folder; !real.Contains(at); at = at.Parent)
            (looks ??= []).Add((at, await connection.PostLstatAsync(FullPath(at), cancellationToken)));
        EntryPath? link = null;
        foreach (var (path, looking) in looks ?? [])
        {
            try
            {
                var found = await looking;
                if (found.Kind == EntryKind.Folder) real.Add(path);
                else if (found.Kind == EntryKind.Symlink) link = path;
            }
            catch (SftpRefusal)
            {
                // What is asked for will say so, too.
            }
        }
        return link;
    }

    private async ValueTask<SftpAttributes?> FindAsync(
        SftpConnection connection, EntryPath path, CancellationToken cancellationToken)
    {
        try
        {
            return await connection.LstatAsync(FullPath(path), cancellationToken);
        }
        catch (SftpRefusal e) when (e.Status == SftpStatus.NoSuchFile)
        {
            return null;
        }
    }

    private async ValueTask<T> CallAsync<T>(
        string what, Func<SftpConnection, Task<T>> call, CancellationToken cancellationToken)
    {
        var connection = await pool.GetAsync(cancellationToken);
        return await TranslateAsync(what, () => call(connection));
    }

    private static async ValueTask<T> TranslateAsync<T>(string what, Func<Task<T>> call)
    {
        try
        {
            return await call();
        }
        catch (SftpRefusal e)
        {
            throw SftpFailures.Of(what, e);
        }
    }

    private string FullPath(EntryPath path) => (pool.Settings.Folder, path.IsRoot) switch
    {
        (var folder, true) => folder,
        (".", _) => path.Value,
        ("/", _) => "/" + path.Value,
        var (folder, _) => $"{folder}/{path.Value}",
    };

    private static Entry ToEntry(EntryPath path, SftpAttributes found, string? target) => found.Kind switch
    {
        EntryKind.Folder => new Entry(path, EntryKind.Folder, 0),
        EntryKind.Symlink => new Entry(path, EntryKind.Symlink, 0, found.Modified, found.Version, target),
        _ => new Entry(
            path, EntryKind.File, found.Size ?? 0, found.Modified, found.Version, null, found.IsExecutable),
    };

    private static void RefuseOther(string what, SftpAttributes found)
    {
        if (found.Kind == EntryKind.File) return;
        throw new VirgaException(FailureKind.BadInput, $"can't {what}: it is no file");
    }

    private static string? Reserved(string name) =>
        TemporaryNames.IsTemporary(name) ? "is a name that Virga gives to files which are being written" : null;

    private VirgaException NoRoot(string what) => new(
        FailureKind.NotFound, $"can't {what}: there is no folder {pool.Settings.Folder} on {pool.Settings.Host}",
        "Make it there, or correct the account's address.");

    private static VirgaException Changed(string what) =>
        new(FailureKind.Changed, $"can't {what}: it is no longer the version that was asked for", "Read it again.");
}
