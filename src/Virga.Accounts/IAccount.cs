using Virga.Core;

namespace Virga.Accounts;

/// <summary>
/// One storage account (a bucket, a Drive, a folder on disk), seen from its root. Safe to use from many tasks at once,
/// as many as its traits say. Every method throws only <see cref="VirgaException"/> (or OperationCanceledException):
/// NotFound, Denied, Unauthenticated, Full, ReadOnly, Changed, Conflict, Throttled (with RetryAfter), Unavailable,
/// Timeout. What only some accounts can do is an extra interface below, never a method that throws.
/// </summary>
public interface IAccount : IAsyncDisposable
{
    AccountTraits Traits { get; }

    /// <summary>Null when there is nothing at that path. The root is always a folder.</summary>
    ValueTask<Entry?> StatAsync(EntryPath path, CancellationToken cancellationToken);

    /// <summary>
    /// The entries directly in a folder, in any order, page by page. NotFound when the folder isn't there (accounts
    /// without real folders may list nothing instead). Symlinks are listed as such, never followed. Virga's own
    /// temporary entries are left out.
    /// </summary>
    IAsyncEnumerable<Entry> ListAsync(EntryPath folder, CancellationToken cancellationToken);

    /// <summary>
    /// Opens a range of a file for reading. With a pin, the bytes are those of that version, or it throws Changed, at
    /// the latest when the stream ends. A range beyond the end is BadInput.
    /// </summary>
    ValueTask<EntryReader> ReadAsync(
        EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken);

    /// <summary>
    /// Writes a whole file of at most <see cref="AccountTraits.SingleWriteBytesMax"/> bytes, replacing what was there,
    /// all or nothing. Makes missing folders. The content belongs to the caller again when the task ends.
    /// </summary>
    ValueTask<Entry> WriteAsync(
        EntryPath path, ReadOnlyMemory<byte> content, WriteOptions options, CancellationToken cancellationToken);

    /// <summary>
    /// Begins a file that is written in parts of <paramref name="partBytes"/> (the last may be shorter). Nothing shows
    /// at the path until <see cref="IUpload.CompleteAsync"/>. Makes missing folders.
    /// </summary>
    ValueTask<IUpload> BeginUploadAsync(
        EntryPath path, long length, long partBytes, WriteOptions options, CancellationToken cancellationToken);

    /// <summary>Makes a folder and its missing parents; done when it is there already.</summary>
    ValueTask CreateFolderAsync(EntryPath path, CancellationToken cancellationToken);

    /// <summary>
    /// Deletes a file, a symlink or an empty folder; done when nothing is there. Conflict for a folder with content.
    /// </summary>
    ValueTask DeleteAsync(EntryPath path, CancellationToken cancellationToken);

    /// <summary>Moves a file, symlink or folder, replacing a file at the new path.</summary>
    ValueTask MoveAsync(EntryPath from, EntryPath to, CancellationToken cancellationToken);
}

/// <param name="Modified">Time to keep with the file, where <see cref="AccountTraits.KeepsModified"/>.</param>
public sealed record WriteOptions(DateTimeOffset? Modified = null, bool IsExecutable = false)
{
    public static readonly WriteOptions Default = new();
}

/// <summary>Proof that a part is stored; what the account needs to put the file together.</summary>
/// <param name="Index">From 0.</param>
/// <param name="Tag">The account's own mark for the part (an ETag); may be empty.</param>
public readonly record struct PartReceipt(long Index, string Tag);

/// <summary>
/// A file being written in parts. Parts may be written at once where the traits say Any; otherwise one after the other,
/// in order. Disposing without completing or aborting leaves a resumable upload to be resumed, and ends one that can't
/// be.
/// </summary>
public interface IUpload : IAsyncDisposable
{
    /// <summary>
    /// What <see cref="IResumableUploads.ResumeUploadAsync"/> needs; null where nothing survives the process.
    /// </summary>
    string? Token { get; }

    /// <summary>
    /// Parts that a resumed upload of order Sequence holds already: those can't be written again, whether or not a
    /// receipt of them was kept. Empty in order Any, and in a new upload.
    /// </summary>
    IReadOnlyList<PartReceipt> Stored => [];

    /// <summary>
    /// Stores one part. Writing a part again replaces it (order Any). When the task ends without error the part is
    /// stored as durably as the account can. The content belongs to the caller again when the task ends.
    /// </summary>
    ValueTask<PartReceipt> WritePartAsync(
        long index, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    /// <summary>Puts the parts together under the path, all or nothing, and returns the entry.</summary>
    ValueTask<Entry> CompleteAsync(IReadOnlyList<PartReceipt> parts, CancellationToken cancellationToken);

    /// <summary>Ends the upload and removes all that it stored.</summary>
    ValueTask AbortAsync(CancellationToken cancellationToken);
}

/// <summary>An upload that was begun and neither completed nor aborted.</summary>
public sealed record PendingUpload(EntryPath Path, string Token, DateTimeOffset? Started)
{
    /// <summary>
    /// What a process left that was killed while it wrote: nobody writes it any more, and what it was for isn't known.
    /// <see cref="Path"/> is then its own, beside its target's.
    /// </summary>
    public bool IsAbandoned { get; init; }
}

/// <summary>
/// Optional: uploads that another process can go on with. Declared by <see cref="UploadResume.Parts"/>.
/// </summary>
public interface IResumableUploads
{
    /// <summary>Goes on with an upload; NotFound when the account has ended it.</summary>
    ValueTask<IUpload> ResumeUploadAsync(
        EntryPath path,
        long length,
        long partBytes,
        WriteOptions options,
        string token,
        CancellationToken cancellationToken);

    /// <summary>Uploads pending at or below a folder, so that orphans can be found and ended.</summary>
    IAsyncEnumerable<PendingUpload> ListUploadsAsync(EntryPath folder, CancellationToken cancellationToken);

    /// <summary>Ends a pending upload and removes all that it stored; done when it is gone already.</summary>
    ValueTask AbortUploadAsync(PendingUpload upload, CancellationToken cancellationToken);
}

/// <summary>
/// Optional: an account where what an upload has stored so far can be read back at no cost, before it is completed.
/// </summary>
public interface IReadsPendingUploads
{
    /// <summary>
    /// Reads bytes of parts that are stored, up to the destination's length; less only at the file's end. NotFound when
    /// no such upload is pending. What was not stored yet may come as anything: the caller verifies all of it.
    /// </summary>
    /// <param name="token">Of the upload: <see cref="IUpload.Token"/>.</param>
    ValueTask<int> ReadPendingAsync(
        EntryPath path, string token, long offset, Memory<byte> destination, CancellationToken cancellationToken);
}

/// <summary>Optional: lists everything below a folder at once, cheaper than folder by folder.</summary>
public interface IRecursiveListing
{
    /// <param name="onSkipped">
    /// Called for things that are no entries, as by <see cref="IReportsSkipped"/>, while the listing is read.
    /// </param>
    IAsyncEnumerable<Entry> ListAllAsync(
        EntryPath folder, Action<SkippedEntry>? onSkipped, CancellationToken cancellationToken);
}

/// <summary>Optional: an account that holds symbolic links.</summary>
public interface ISymlinks
{
    /// <summary>
    /// Makes a link, replacing a file or link that is there. The target is kept as given and never followed.
    /// </summary>
    ValueTask CreateSymlinkAsync(EntryPath path, string target, CancellationToken cancellationToken);
}

/// <param name="UsedBytes">Null where unknown.</param>
/// <param name="FreeBytes">Null where unknown or unlimited.</param>
public sealed record AccountSpace(long? UsedBytes, long? FreeBytes);

/// <summary>A URL that reads one version of one file for whoever has it. A bearer secret: never logged.</summary>
/// <param name="IfMatch">The If-Match header without which the URL is refused; null where it needs none.</param>
/// <param name="CertSha256">The server's certificate where it is self-signed.</param>
public sealed record SignedReadUrl(Uri Url, string? IfMatch, Hash256? CertSha256)
{
    public override string ToString() => $"a signed URL at {Url.Host}";
}

/// <summary>
/// Optional: an account whose service reads a file to whoever has a URL that was signed for it. Only where versions
/// are strong pins: the URL must read the pinned version and no other.
/// </summary>
public interface ISignedReadUrls
{
    /// <summary>Signs without asking the service; whether the file is still there shows when it is read.</summary>
    /// <param name="lifetime">After which the service refuses the URL; at most seven days.</param>
    ValueTask<SignedReadUrl> SignReadAsync(
        EntryPath path, EntryVersion pin, TimeSpan lifetime, CancellationToken cancellationToken);

    /// <summary>
    /// The same for readers that know nothing of us and send no header. Bound to the version where the service has that
    /// in the URL; elsewhere it reads whatever stands there while it lives: the caller looks before, and only gives it
    /// out where the owner accepted that.
    /// </summary>
    async ValueTask<Uri> SignBareReadAsync(
        EntryPath path, EntryVersion pin, TimeSpan lifetime, CancellationToken cancellationToken) =>
        (await SignReadAsync(path, pin, lifetime, cancellationToken)).Url;
}

/// <summary>Optional: an account that knows how full it is.</summary>
public interface IReportsSpace
{
    ValueTask<AccountSpace> GetSpaceAsync(CancellationToken cancellationToken);
}
