using Virga.Core;

namespace Virga.Accounts.Tests;

/// <summary>Does nothing; has no optional ability.</summary>
internal class NoAbilities : IAccount
{
    public AccountTraits Traits { get; } = new() { Adapter = "stub" };

    public ValueTask<Entry?> StatAsync(EntryPath path, CancellationToken cancellationToken) => default;

    public IAsyncEnumerable<Entry> ListAsync(EntryPath folder, CancellationToken cancellationToken) =>
        AsyncEnumerable.Empty<Entry>();

    public ValueTask<EntryReader> ReadAsync(
        EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken) =>
        throw new VirgaException(FailureKind.NotFound, "stub");

    public ValueTask<Entry> WriteAsync(
        EntryPath path, ReadOnlyMemory<byte> content, WriteOptions options, CancellationToken cancellationToken) =>
        throw new VirgaException(FailureKind.ReadOnly, "stub");

    public ValueTask<IUpload> BeginUploadAsync(
        EntryPath path, long length, long partBytes, WriteOptions options, CancellationToken cancellationToken) =>
        throw new VirgaException(FailureKind.ReadOnly, "stub");

    public ValueTask CreateFolderAsync(EntryPath path, CancellationToken cancellationToken) => default;

    public ValueTask DeleteAsync(EntryPath path, CancellationToken cancellationToken) => default;

    public ValueTask MoveAsync(EntryPath from, EntryPath to, CancellationToken cancellationToken) => default;

    public ValueTask DisposeAsync() => default;
}

/// <summary>Has every optional ability that there is: a new one is added here and in AccountDecorator.</summary>
internal sealed class AllAbilities
    : NoAbilities, IResumableUploads, IRecursiveListing, IReportsSkipped, ISymlinks, IReportsSpace, ISignedReadUrls,
        ICopyGrants, ICopyFromOthers, IReadsPendingUploads, IChangeFeed
{
    public ValueTask<IUpload> ResumeUploadAsync(
        EntryPath path,
        long length,
        long partBytes,
        WriteOptions options,
        string token,
        CancellationToken cancellationToken) =>
        throw new VirgaException(FailureKind.NotFound, "stub");

    public IAsyncEnumerable<PendingUpload> ListUploadsAsync(EntryPath folder, CancellationToken cancellationToken) =>
        AsyncEnumerable.Empty<PendingUpload>();

    public ValueTask AbortUploadAsync(PendingUpload upload, CancellationToken cancellationToken) => default;

    public IAsyncEnumerable<Entry> ListAllAsync(
        EntryPath folder, Action<SkippedEntry>? onSkipped, CancellationToken cancellationToken) =>
        AsyncEnumerable.Empty<Entry>();

    public IAsyncEnumerable<Entry> ListAsync(
        EntryPath folder,
        Action<SkippedEntry> onSkipped,
        CancellationToken cancellationToken) => AsyncEnumerable.Empty<Entry>();

    public ValueTask CreateSymlinkAsync(EntryPath path, string target, CancellationToken cancellationToken) => default;

    public ValueTask<AccountSpace> GetSpaceAsync(CancellationToken cancellationToken) => default;

    public ValueTask<int> ReadPendingAsync(
        EntryPath path, string token, long offset, Memory<byte> destination, CancellationToken cancellationToken) =>
        throw new VirgaException(FailureKind.NotFound, "stub");

    public ValueTask<SignedReadUrl> SignReadAsync(
        EntryPath path, EntryVersion pin, TimeSpan lifetime, CancellationToken cancellationToken) =>
        throw new VirgaException(FailureKind.NotFound, "stub");

    public bool TellsAllBelow => true;

    public ValueTask<string> GetCursorAsync(EntryPath folder, CancellationToken cancellationToken) => new("stub");

    public ValueTask<ChangePage?> GetChangesAsync(
        EntryPath folder, string cursor, CancellationToken cancellationToken) => default;

    public string Service => "stub";

    public long CopyBytesMax => 0;

    public ValueTask<IReadOnlyList<CopySource?>> ChangeAsync(
        IReadOnlyList<string> close, CopyOpening? open, CancellationToken cancellationToken) => new([]);

    public ValueTask<string> GetPrincipalAsync(CancellationToken cancellationToken) => new("stub");

    public ValueTask<Entry> CopyAsync(
        CopySource source, EntryPath path, WriteOptions options, CancellationToken cancellationToken) =>
        throw new VirgaException(FailureKind.NotFound, "stub");

    public long PartBytesFor(CopySource source, long length) => 1;

    public ValueTask<PartReceipt> CopyPartAsync(
        CopySource source, EntryPath path, string token, long index, long partBytes, long length,
        CancellationToken cancellationToken) =>
        throw new VirgaException(FailureKind.NotFound, "stub");

    public ValueTask<bool?> CompareAsync(CopySource source, Entry copy, CancellationToken cancellationToken) => default;
}
