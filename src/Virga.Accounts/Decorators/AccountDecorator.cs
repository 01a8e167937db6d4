using Virga.Core;

namespace Virga.Accounts.Decorators;

/// <summary>What an account is asked to do; the names of the metering's operations.</summary>
public enum AccountOperation
{
    Stat,
    List,
    Read,
    Write,
    BeginUpload,
    ResumeUpload,
    WritePart,
    CompleteUpload,
    AbortUpload,
    ListUploads,
    CreateFolder,
    Delete,
    Move,
    CreateSymlink,
    GetSpace,
    SignRead,
    OpenCopies,
    GetPrincipal,
    Copy,
    CopyPart,
    CompareCopy,
    ReadPending,
    GetCursor,
    GetChanges,
}

/// <param name="Path">Of the entry or folder; the root where there is none.</param>
/// <param name="Bytes">That the call sends to the account.</param>
public readonly record struct AccountCall(AccountOperation Operation, EntryPath Path, long Bytes = 0);

/// <summary>
/// Base of the accounts around an account. Every method of the account, of its uploads and of its optional abilities
/// comes through one of three doors: <see cref="CallAsync"/>, <see cref="ListAsync{T}"/> and <see cref="ReadAsync"/>.
/// </summary>
public abstract class AccountDecorator(IAccount inner) : IAbilitySource
{
    public virtual AccountTraits Traits => Inner.Traits;

    protected IAccount Inner { get; } = inner;

    /// <summary>A call with one answer. The action may be run more than once where that is safe.</summary>
    protected abstract ValueTask<T> CallAsync<T>(
        AccountCall call, Func<CancellationToken, ValueTask<T>> action, CancellationToken cancellationToken);

    /// <summary>A listing, which may be begun again; <paramref name="key"/> tells one item from another.</summary>
    protected abstract IAsyncEnumerable<T> ListAsync<T>(
        AccountCall call,
        Func<CancellationToken, IAsyncEnumerable<T>> list,
        Func<T, string> key,
        CancellationToken cancellationToken);

    public abstract ValueTask<EntryReader> ReadAsync(
        EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken);

    protected virtual ValueTask<Entry> CompleteAsync(
        AccountCall call, IUpload upload, IReadOnlyList<PartReceipt> parts, CancellationToken cancellationToken) =>
        CallAsync(call, token => upload.CompleteAsync(parts, token), cancellationToken);

    public virtual ValueTask MoveAsync(EntryPath from, EntryPath to, CancellationToken cancellationToken) =>
        DoAsync(
            new AccountCall(AccountOperation.Move, from), token => Inner.MoveAsync(from, to, token), cancellationToken);

    public ValueTask<Entry?> StatAsync(EntryPath path, CancellationToken cancellationToken) =>
        CallAsync(
            new AccountCall(AccountOperation.Stat, path), token => Inner.StatAsync(path, token), cancellationToken);

    public IAsyncEnumerable<Entry> ListAsync(EntryPath folder, CancellationToken cancellationToken) => ListEntriesAsync(
        folder, token => Inner.ListAsync(folder, token), cancellationToken);

    public ValueTask<Entry> WriteAsync(
        EntryPath path,
        ReadOnlyMemory<byte> content,
        WriteOptions options,
        CancellationToken cancellationToken) => CallAsync(
        new AccountCall(AccountOperation.Write, path, content.Length),
        token => Inner.WriteAsync(path, content, options, token),
        cancellationToken);

    public ValueTask<IUpload> BeginUploadAsync(
        EntryPath path,
        long length,
        long partBytes,
        WriteOptions options,
        CancellationToken cancellationToken) => CallAsync(
        new AccountCall(AccountOperation.BeginUpload, path),
        async token => Wrap(
            await Inner.BeginUploadAsync(path, length, partBytes, options, token),
            new UploadTerms(path, length, partBytes, options)),
        cancellationToken);

    public ValueTask CreateFolderAsync(EntryPath path, CancellationToken cancellationToken) => DoAsync(
        new AccountCall(AccountOperation.CreateFolder, path),
        token => Inner.CreateFolderAsync(path, token),
        cancellationToken);

    public ValueTask DeleteAsync(EntryPath path, CancellationToken cancellationToken) => DoAsync(
        new AccountCall(AccountOperation.Delete, path), token => Inner.DeleteAsync(path, token), cancellationToken);

    public virtual async ValueTask DisposeAsync()
    {
        await Inner.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>An ability that isn't known here is handed out as it is: better than to hide it.</summary>
    public TAbility? FindAbility<TAbility>() where TAbility : class
    {
        var ability = Inner.Find<TAbility>();
        return ability is null ? null : (TAbility?)Wrap(typeof(TAbility), ability);
    }

    private object Wrap(Type kind, object ability) => kind switch
    {
        _ when kind == typeof(IResumableUploads) => new ResumableUploads(this, (IResumableUploads)ability),
        _ when kind == typeof(IRecursiveListing) => new RecursiveListing(this, (IRecursiveListing)ability),
        _ when kind == typeof(IReportsSkipped) => new ReportsSkipped(this, (IReportsSkipped)ability),
        _ when kind == typeof(ISymlinks) => new Symlinks(this, (ISymlinks)ability),
        _ when kind == typeof(ISignedReadUrls) => new SignedReadUrls(this, (ISignedReadUrls)ability),
        _ when kind == typeof(ICopyGrants) => new CopyGrants(this, (ICopyGrants)ability),
        _ when kind == typeof(ICopyFromOthers) => new CopyFromOthers(this, (ICopyFromOthers)ability),
        _ when kind == typeof(IReadsPendingUploads) => new ReadsPendingUploads(this, (IReadsPendingUploads)ability),
        _ when kind == typeof(IChangeFeed) => new ChangeFeed(this, (IChangeFeed)ability),
        _ when kind == typeof(IReportsSpace) => new ReportsSpace(this, (IReportsSpace)ability),
        _ => ability,
    };

    /// <summary>An upload of the inner account, before its calls come through the doors.</summary>
    private protected virtual IUpload Take(IUpload upload, UploadTerms terms) => upload;

    private IUpload Wrap(IUpload upload, UploadTerms terms) =>
        new Upload(this, terms.Path, terms.Length, Take(upload, terms));

    protected async ValueTask DoAsync(
        AccountCall call,
        Func<CancellationToken, ValueTask> action,
        CancellationToken cancellationToken) => await CallAsync(
        call,
        async token =>
        {
            await action(token);
            return true;
        },
        cancellationToken);

    private IAsyncEnumerable<Entry> ListEntriesAsync(
        EntryPath folder, Func<CancellationToken, IAsyncEnumerable<Entry>> list, CancellationToken cancellationToken) =>
        ListAsync(new AccountCall(AccountOperation.List, folder), list, entry => entry.Path.Value, cancellationToken);

    private sealed class Upload(AccountDecorator owner, EntryPath path, long length, IUpload inner) : IUpload
    {
        public string? Token => inner.Token;

        public IReadOnlyList<PartReceipt> Stored => inner.Stored;

        public ValueTask<PartReceipt> WritePartAsync(
            long index, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
            owner.CallAsync(
                new AccountCall(AccountOperation.WritePart, path, content.Length),
                token => inner.WritePartAsync(index, content, token),
                cancellationToken);

        public ValueTask<Entry> CompleteAsync(IReadOnlyList<PartReceipt> parts, CancellationToken cancellationToken) =>
            owner.CompleteAsync(
                new AccountCall(AccountOperation.CompleteUpload, path, length), inner, parts, cancellationToken);

        public ValueTask AbortAsync(CancellationToken cancellationToken) =>
            owner.DoAsync(new AccountCall(AccountOperation.AbortUpload, path), inner.AbortAsync, cancellationToken);

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }

    private sealed class ResumableUploads(AccountDecorator owner, IResumableUploads inner) : IResumableUploads
    {
        public ValueTask<IUpload> ResumeUploadAsync(
            EntryPath path,
            long length,
            long partBytes,
            WriteOptions options,
            string token,
            CancellationToken cancellationToken) =>
            owner.CallAsync(
                new AccountCall(AccountOperation.ResumeUpload, path),
                async cancel => owner.Wrap(
                    await inner.ResumeUploadAsync(path, length, partBytes, options, token, cancel),
                    new UploadTerms(path, length, partBytes, options)),
                cancellationToken);

        public IAsyncEnumerable<PendingUpload> ListUploadsAsync(
            EntryPath folder, CancellationToken cancellationToken) =>
            owner.ListAsync(
                new AccountCall(AccountOperation.ListUploads, folder),
                token => inner.ListUploadsAsync(folder, token),
                upload => $"{upload.Token}/{upload.Path}",
                cancellationToken);

        public ValueTask AbortUploadAsync(PendingUpload upload, CancellationToken cancellationToken) => owner.DoAsync(
            new AccountCall(AccountOperation.AbortUpload, upload.Path),
            token => inner.AbortUploadAsync(upload, token),
            cancellationToken);
    }

    private sealed class RecursiveListing(AccountDecorator owner, IRecursiveListing inner) : IRecursiveListing
    {
        public IAsyncEnumerable<Entry> ListAllAsync(
            EntryPath folder, Action<SkippedEntry>? onSkipped, CancellationToken cancellationToken)
        {
            var report = onSkipped is null ? null : Once(onSkipped);
            return owner.ListEntriesAsync(
                folder, token => inner.ListAllAsync(folder, report, token), cancellationToken);
        }
    }

    /// <summary>A listing that is begun again meets the same things again.</summary>
    private static Action<SkippedEntry> Once(Action<SkippedEntry> onSkipped)
    {
        var seen = new HashSet<SkippedEntry>();
        return skipped =>
        {
            if (seen.Add(skipped)) onSkipped(skipped);
        };
    }

    private sealed class ReportsSkipped(AccountDecorator owner, IReportsSkipped inner) : IReportsSkipped
    {
        public IAsyncEnumerable<Entry> ListAsync(
            EntryPath folder, Action<SkippedEntry> onSkipped, CancellationToken cancellationToken)
        {
            var report = Once(onSkipped);
            return owner.ListEntriesAsync(folder, token => inner.ListAsync(folder, report, token), cancellationToken);
        }
    }

    private sealed class Symlinks(AccountDecorator owner, ISymlinks inner) : ISymlinks
    {
        public ValueTask CreateSymlinkAsync(EntryPath path, string target, CancellationToken cancellationToken) =>
            owner.DoAsync(
            new AccountCall(AccountOperation.CreateSymlink, path),
            token => inner.CreateSymlinkAsync(path, target, token),
            cancellationToken);
    }

    private sealed class SignedReadUrls(AccountDecorator owner, ISignedReadUrls inner) : ISignedReadUrls
    {
        public ValueTask<SignedReadUrl> SignReadAsync(
            EntryPath path, EntryVersion pin, TimeSpan lifetime, CancellationToken cancellationToken) =>
            owner.CallAsync(
                new AccountCall(AccountOperation.SignRead, path),
                token => inner.SignReadAsync(path, pin, lifetime, token), cancellationToken);

        public ValueTask<Uri> SignBareReadAsync(
            EntryPath path, EntryVersion pin, TimeSpan lifetime, CancellationToken cancellationToken) =>
            owner.CallAsync(
                new AccountCall(AccountOperation.SignRead, path),
                token => inner.SignBareReadAsync(path, pin, lifetime, token), cancellationToken);
    }

    private sealed class CopyGrants(AccountDecorator owner, ICopyGrants inner) : ICopyGrants
    {
        public string Service => inner.Service;

        public ValueTask<IReadOnlyList<CopySource?>> ChangeAsync(
            IReadOnlyList<string> close, CopyOpening? open, CancellationToken cancellationToken) =>
            owner.CallAsync(
                new AccountCall(AccountOperation.OpenCopies, EntryPath.Root),
                token => inner.ChangeAsync(close, open, token), cancellationToken);
    }

    private sealed class CopyFromOthers(AccountDecorator owner, ICopyFromOthers inner) : ICopyFromOthers
    {
        public string Service => inner.Service;

        public long CopyBytesMax => inner.CopyBytesMax;

        public ValueTask<string> GetPrincipalAsync(CancellationToken cancellationToken) => owner.CallAsync(
            new AccountCall(AccountOperation.GetPrincipal, EntryPath.Root), inner.GetPrincipalAsync,
            cancellationToken);

        public ValueTask<Entry> CopyAsync(
            CopySource source, EntryPath path, WriteOptions options, CancellationToken cancellationToken) =>
            owner.CallAsync(
                new AccountCall(AccountOperation.Copy, path),
                token => inner.CopyAsync(source, path, options, token), cancellationToken);

        public long PartBytesFor(CopySource source, long length) => inner.PartBytesFor(source, length);

        public ValueTask<PartReceipt> CopyPartAsync(
            CopySource source, EntryPath path, string token, long index, long partBytes, long length,
            CancellationToken cancellationToken) =>
            owner.CallAsync(
                new AccountCall(AccountOperation.CopyPart, path),
                cancel => inner.CopyPartAsync(source, path, token, index, partBytes, length, cancel),
                cancellationToken);

        public ValueTask<bool?> CompareAsync(CopySource source, Entry copy, CancellationToken cancellationToken) =>
            owner.CallAsync(
                new AccountCall(AccountOperation.CompareCopy, copy.Path),
                token => inner.CompareAsync(source, copy, token), cancellationToken);
    }

    private sealed class ReadsPendingUploads(AccountDecorator owner, IReadsPendingUploads inner)
        : IReadsPendingUploads
    {
        public ValueTask<int> ReadPendingAsync(
            EntryPath path, string token, long offset, Memory<byte> destination,
            CancellationToken cancellationToken) =>
            owner.CallAsync(
                new AccountCall(AccountOperation.ReadPending, path),
                cancel => inner.ReadPendingAsync(path, token, offset, destination, cancel), cancellationToken);
    }

    private sealed class ChangeFeed(AccountDecorator owner, IChangeFeed inner) : IChangeFeed
    {
        public bool TellsAllBelow => inner.TellsAllBelow;

        public ValueTask<string> GetCursorAsync(EntryPath folder, CancellationToken cancellationToken) =>
            owner.CallAsync(
                new AccountCall(AccountOperation.GetCursor, folder),
                token => inner.GetCursorAsync(folder, token), cancellationToken);

        public ValueTask<ChangePage?> GetChangesAsync(
            EntryPath folder, string cursor, CancellationToken cancellationToken) =>
            owner.CallAsync(
                new AccountCall(AccountOperation.GetChanges, folder),
                token => inner.GetChangesAsync(folder, cursor, token), cancellationToken);
    }

    private sealed class ReportsSpace(AccountDecorator owner, IReportsSpace inner) : IReportsSpace
    {
        public ValueTask<AccountSpace> GetSpaceAsync(CancellationToken cancellationToken) => owner.CallAsync(
            new AccountCall(AccountOperation.GetSpace, EntryPath.Root), inner.GetSpaceAsync, cancellationToken);
    }
}
