using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Virga.Core;

namespace Virga.Accounts.Adapters.Sftp;

internal sealed partial class SftpAccount
{
    private const uint FileMode = 0x1B6, ExecutableMode = 0x1FF;

    public async ValueTask<Entry> WriteAsync(
        EntryPath path, ReadOnlyMemory<byte> content, WriteOptions options, CancellationToken cancellationToken)
    {
        var what = $"write '{path}'";
        CheckName(path);
        if (content.Length > Traits.SingleWriteBytesMax)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"can't {what}: {content.Length} bytes are too many for a single write");
        }
        var temporary = NewTemporary(path);
        return await WithFolderAsync(what, path, async connection =>
        {
            var handle = await CreateAsync(connection, temporary, options);
            try
            {
                try
                {
                    await handle.WriteAllAsync(0, content, cancellationToken);
                }
                catch (SftpRefusal e) when (e.Status == SftpStatus.Failure)
                {
                    throw await WhyNotWrittenAsync(what, connection, content.Length, e, cancellationToken);
                }
                return await ReplaceAsync(what, handle, temporary, path, options, cancellationToken);
            }
            catch
            {
                await handle.CloseAsync();
                await RemoveQuietlyAsync(connection, temporary);
                throw;
            }
        }, cancellationToken);
    }

    public async ValueTask<IUpload> BeginUploadAsync(
        EntryPath path, long length, long partBytes, WriteOptions options, CancellationToken cancellationToken)
    {
        var what = $"begin to write '{path}'";
        CheckName(path);
        var layout = PartLayout.Checked(Traits, length, partBytes);
        var temporary = NewTemporary(path);
        return await WithFolderAsync<IUpload>(what, path, async connection =>
        {
            if (canTellSpace && await connection.GetSpaceAsync(FullPath(path.Parent), cancellationToken) is
                { FreeBytes: { } free } && free < length) throw Full(what, length, free);
            cancellationToken.ThrowIfCancellationRequested();
            return new Upload(
                this, path, temporary, layout, options, await CreateAsync(connection, temporary, options));
        }, cancellationToken);
    }

    public async ValueTask<IUpload> ResumeUploadAsync(
        EntryPath path, long length, long partBytes, WriteOptions options, string token,
        CancellationToken cancellationToken)
    {
        var what = $"go on writing '{path}'";
        var layout = PartLayout.Checked(Traits, length, partBytes);
        var temporary = path.Parent.Append(CheckedToken(token));
        return await CallAsync<IUpload>(what, async connection =>
            await FindAsync(connection, temporary, cancellationToken) is { Kind: EntryKind.File }
                ? new Upload(this, path, temporary, layout, options, null)
                : throw UploadEnded(what), cancellationToken);
    }

    public async IAsyncEnumerable<PendingUpload> ListUploadsAsync(
        EntryPath folder, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var folders = new Stack<EntryPath>([folder]);
        while (folders.TryPop(out var at))
        {
            await using var names = NamesAsync(at, null, cancellationToken).GetAsyncEnumerator(cancellationToken);
            while (await MoveNextAsync(names))
            {
                var (name, attributes, _) = names.Current;
                if (attributes.Kind == EntryKind.Folder) folders.Push(at.Append(name));
                else if (TemporaryNames.TargetOf(name) is { } target && EntryPath.TryParse(target, out _))
                    yield return new PendingUpload(at.Append(target), name, attributes.Modified);
            }
        }
    }

    public async ValueTask AbortUploadAsync(PendingUpload upload, CancellationToken cancellationToken) =>
        await RemoveTemporaryAsync(
            $"end the upload of '{upload.Path}'", upload.Path.Parent.Append(CheckedToken(upload.Token)),
            cancellationToken);

    public async ValueTask CreateFolderAsync(EntryPath path, CancellationToken cancellationToken)
    {
        if (path.IsRoot) return;
        CheckName(path);
        var what = $"make the folder '{path}'";
        await CallAsync(what, async connection =>
        {
            await RefuseLinksAsync(what, connection, path.Parent, cancellationToken);
            await MakeFolderAsync(what, connection, path, cancellationToken);
            return true;
        }, cancellationToken);
    }

    public async ValueTask DeleteAsync(EntryPath path, CancellationToken cancellationToken)
    {
        var what = $"delete '{path}'";
        if (path.IsRoot) throw new VirgaException(FailureKind.BadInput, "the account's root can't be deleted");
        await CallAsync(what, async connection =>
        {
            if (await LinkAboveAsync(connection, path.Parent, cancellationToken) is not null) return true;
            try
            {
                if (await FindAsync(connection, path, cancellationToken) is not { } found) return true;
                real.Clear();
                if (found.Kind != EntryKind.Folder)
                {
                    await connection.RemoveAsync(FullPath(path), cancellationToken);
                    return true;
                }
                await connection.RemoveFolderAsync(FullPath(path), cancellationToken);
            }
            catch (SftpRefusal e) when (e.Status == SftpStatus.NoSuchFile)
            {
            }
            catch (SftpRefusal e) when (e.Status == SftpStatus.Failure)
            {
                await foreach (var (name, _, _) in NamesAsync(path, null, cancellationToken))
                {
                    throw new VirgaException(
                        FailureKind.Conflict, $"can't {what}: the folder holds '{NameRules.Show(name)}'",
                        "Delete what is in it first.");
                }
                throw;
            }
            return true;
        }, cancellationToken);
    }

    public async ValueTask MoveAsync(EntryPath from, EntryPath to, CancellationToken cancellationToken)
    {
        var what = $"move '{from}' to '{to}'";
        if (from.IsRoot || to.IsRoot)
            throw new VirgaException(FailureKind.BadInput, $"can't {what}: the account's root stays where it is");
        CheckName(to);
        await WithFolderAsync(what, to, async connection =>
        {
            await RefuseLinksAsync(what, connection, from.Parent, cancellationToken);
            var source = await FindAsync(connection, from, cancellationToken)
                ?? throw new VirgaException(FailureKind.NotFound, $"can't {what}: '{from}' isn't there");
            if (from == to) return true;
            if (to.IsWithin(from))
                throw new VirgaException(FailureKind.BadInput, $"can't {what}: a folder can't be moved into itself");
            var target = await FindAsync(connection, to, cancellationToken);
            if (target is { Kind: EntryKind.Folder } || (target is not null && source.Kind == EntryKind.Folder))
            {
                var there = target.Value.Kind == EntryKind.Folder ? "folder" : "file";
                throw new VirgaException(FailureKind.Conflict, $"can't {what}: a {there} of that name is there");
            }
            await connection.RenameAsync(FullPath(from), FullPath(to), cancellationToken);
            real.Clear();
            return true;
        }, cancellationToken);
    }

    /// <summary>Not to be cancelled in the middle: a file might be made that nobody knows of.</summary>
    private Task<SftpHandle> CreateAsync(SftpConnection connection, EntryPath temporary, WriteOptions options) =>
        connection.OpenAsync(
            FullPath(temporary), SftpOpen.Write | SftpOpen.Create | SftpOpen.Exclusive, ModeOf(options),
            CancellationToken.None);

    /// <summary>Sets what is to be kept, and puts the file in its place, all or nothing.</summary>
    private async Task<Entry> ReplaceAsync(
        string what, SftpHandle handle, EntryPath temporary, EntryPath path, WriteOptions options,
        CancellationToken cancellationToken)
    {
        var connection = handle.Connection;
        var setting = options.Modified is { } time
            ? await handle.PostSetAsync(null, time, cancellationToken)
            : Task.CompletedTask;
        var describing = await handle.PostFstatAsync(cancellationToken);
        var looking = await connection.PostLstatAsync(FullPath(path), cancellationToken);
        await setting;
        var made = await describing;
        SftpAttributes? old = null;
        try
        {
            old = await looking;
        }
        catch (SftpRefusal e) when (e.Status == SftpStatus.NoSuchFile)
        {
        }
        if (old is { Kind: EntryKind.Folder })
            throw new VirgaException(FailureKind.Conflict, $"can't {what}: a folder of that name is there");
        if (options.Modified is null && old?.Version == made.Version)
        {
            // Two contents of one length within a second would be one version.
            var later = made.Modified!.Value.AddSeconds(1);
            await await handle.PostSetAsync(null, later, cancellationToken);
            made = made with { ModifiedSeconds = made.ModifiedSeconds + 1 };
        }
        await handle.CloseAsync();
        await connection.RenameAsync(FullPath(temporary), FullPath(path), cancellationToken);
        return ToEntry(path, made, null);
    }

    /// <summary>Runs it, and, where folders are missing on the way to the path, makes them and runs it again.</summary>
    private ValueTask<T> WithFolderAsync<T>(
        string what, EntryPath path, Func<SftpConnection, Task<T>> call, CancellationToken cancellationToken) =>
        CallAsync(what, async connection =>
        {
            await RefuseLinksAsync(what, connection, path.Parent, cancellationToken);
            try
            {
                return await call(connection);
            }
            catch (SftpRefusal e) when (e.Status == SftpStatus.NoSuchFile)
            {
                await MakeFolderAsync(what, connection, path.Parent, cancellationToken);
                return await call(connection);
            }
        }, cancellationToken);

    private async Task MakeFolderAsync(
        string what, SftpConnection connection, EntryPath path, CancellationToken cancellationToken)
    {
        if (path.IsRoot)
        {
            if (await FindAsync(connection, path, cancellationToken) is null) throw NoRoot(what);
            return;
        }
        try
        {
            await connection.MakeFolderAsync(FullPath(path), cancellationToken);
            real.Add(path);
            return;
        }
        catch (SftpRefusal e) when (e.Status == SftpStatus.Failure)
        {
            // What stands there already, be it that another made it at this moment.
            if (await FindAsync(connection, path, cancellationToken) is not { } there) throw;
            if (there.Kind == EntryKind.Folder) return;
            throw new VirgaException(FailureKind.Conflict, $"can't {what}: '{path}' is a file, not a folder");
        }
        catch (SftpRefusal e) when (e.Status == SftpStatus.NoSuchFile)
        {
            for (var above = path.Parent; !above.IsRoot; above = above.Parent)
            {
                if (await FindAsync(connection, above, cancellationToken) is not { } there) continue;
                if (there.Kind == EntryKind.Folder) break;
                throw new VirgaException(FailureKind.Conflict, $"can't {what}: '{above}' is a file, not a folder");
            }
        }
        await MakeFolderAsync(what, connection, path.Parent, cancellationToken);
        await MakeFolderAsync(what, connection, path, cancellationToken);
    }

    private async ValueTask RemoveTemporaryAsync(
        string what, EntryPath temporary, CancellationToken cancellationToken) => await CallAsync(
        what,
        async connection =>
        {
            try
            {
                await connection.RemoveAsync(FullPath(temporary), cancellationToken);
            }
            catch (SftpRefusal e) when (e.Status == SftpStatus.NoSuchFile)
            {
            }
            return true;
        },
        cancellationToken);

    private async Task RemoveQuietlyAsync(SftpConnection connection, EntryPath temporary)
    {
        try
        {
            await connection.RemoveAsync(FullPath(temporary), CancellationToken.None);
        }
        catch (Exception e) when (e is SftpRefusal or VirgaException)
        {
            // What made it fail is what the caller has to know.
        }
    }

    /// <summary>The protocol has no word for a full disk: whether it is one is asked for.</summary>
    private async Task<Exception> WhyNotWrittenAsync(
        string what, SftpConnection connection, long bytes, SftpRefusal refusal, CancellationToken cancellationToken)
    {
        if (!canTellSpace) return refusal;
        var space = await connection.GetSpaceAsync(FullPath(EntryPath.Root), cancellationToken);
        return space?.FreeBytes is { } free && free < bytes ? Full(what, bytes, free) : refusal;
    }

    private EntryPath NewTemporary(EntryPath path) => path.Parent.Append(TemporaryNames.New(services, path.Name));

    private void CheckName(EntryPath path)
    {
        if (path.IsRoot) throw new VirgaException(FailureKind.BadInput, "the account's root is a folder");
        Traits.Names.Check(path);
    }

    private static async ValueTask<bool> MoveNextAsync<T>(IAsyncEnumerator<T> names)
    {
        try
        {
            return await names.MoveNextAsync();
        }
        catch (VirgaException e) when (e.Kind == FailureKind.NotFound)
        {
            // It was deleted meanwhile.
            return false;
        }
    }

    private static string CheckedToken(string token) =>
        TemporaryNames.IsTemporary(token) && !token.Contains('/', StringComparison.Ordinal)
            ? token
            : throw new VirgaException(
                FailureKind.BadInput, $"'{NameRules.Show(token)}' is no token of an upload to an SFTP account");

    private static uint ModeOf(WriteOptions options) => options.IsExecutable ? ExecutableMode : FileMode;

    private VirgaException Full(string what, long bytes, long free) => new(
        FailureKind.Full,
        $"can't {what}: it has {bytes:N0} bytes, and {pool.Settings.Host} has {free:N0} free",
        "Free some room there, or choose another account.");

    private static VirgaException UploadEnded(string what) =>
        new(FailureKind.NotFound, $"can't {what}: the upload has ended", "Begin the upload anew.");

    private sealed class Upload : IUpload
    {
        private readonly SftpAccount account;
        private readonly EntryPath path;
        private readonly EntryPath temporary;
        private readonly PartLayout layout;
        private readonly WriteOptions options;
        private readonly ConcurrentDictionary<SftpConnection, Task<SftpHandle>> handles = [];
        private Entry? completed;

        public Upload(
            SftpAccount account, EntryPath path, EntryPath temporary, PartLayout layout, WriteOptions options,
            SftpHandle? handle)
        {
            (this.account, this.path, this.temporary) = (account, path, temporary);
            (this.layout, this.options) = (layout, options);
            if (handle is not null) handles[handle.Connection] = Task.FromResult(handle);
        }

        public string? Token => temporary.Name;

        public async ValueTask<PartReceipt> WritePartAsync(
            long index, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
        {
            var what = $"write part {index} of '{path}'";
            layout.CheckPart(index, content.Length);
            return await account.CallAsync(what, async connection =>
            {
                var handle = await HandleAsync(what, connection, cancellationToken);
                try
                {
                    await handle.WriteAllAsync(layout.RangeOf(index).Offset, content, cancellationToken);
                    await handle.SyncAsync(cancellationToken);
                }
                catch (SftpRefusal e) when (e.Status == SftpStatus.Failure)
                {
                    throw await account.WhyNotWrittenAsync(what, connection, content.Length, e, cancellationToken);
                }
                return new PartReceipt(index, "");
            }, cancellationToken);
        }

        public async ValueTask<Entry> CompleteAsync(
            IReadOnlyList<PartReceipt> parts, CancellationToken cancellationToken)
        {
            var what = $"complete '{path}'";
            layout.CheckComplete(parts);
            if (completed is not null) return completed;
            return await account.CallAsync(what, async connection =>
            {
                var handle = await HandleAsync(what, connection, cancellationToken);
                try
                {
                    completed = await account.ReplaceAsync(
                        what, handle, temporary, path, options, cancellationToken);
                }
                catch (SftpRefusal e) when (e.Status == SftpStatus.NoSuchFile)
                {
                    throw UploadEnded(what);
                }
                handles.TryRemove(connection, out _);
                await CloseAsync();
                return completed;
            }, cancellationToken);
        }

        public async ValueTask AbortAsync(CancellationToken cancellationToken)
        {
            if (completed is not null) return;
            await CloseAsync();
            await account.RemoveTemporaryAsync($"end the upload of '{path}'", temporary, cancellationToken);
        }

        public ValueTask DisposeAsync() => new(CloseAsync());

        /// <summary>Each connection opens the file once.</summary>
        private async Task<SftpHandle> HandleAsync(
            string what, SftpConnection connection, CancellationToken cancellationToken)
        {
            var handle = handles.GetOrAdd(
                connection,
                c => c.OpenAsync(account.FullPath(temporary), SftpOpen.Write, null, CancellationToken.None));
            try
            {
                return await handle.WaitAsync(cancellationToken);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                handles.TryRemove(KeyValuePair.Create(connection, handle));
                throw e is SftpRefusal { Status: SftpStatus.NoSuchFile } ? UploadEnded(what) : e;
            }
        }

        private async Task CloseAsync()
        {
            foreach (var handle in handles.Values)
                if (handle.IsCompletedSuccessfully) await (await handle).CloseAsync();
            handles.Clear();
        }
    }
}
