using Virga.Accounts;
using Virga.Core;
using Virga.Core.Age;

namespace Virga.Content.Snapshots;

/// <summary>
/// One blob of the owner's: which entry it comes from and what is needed to produce its bytes again. Holds a key: never
/// logged.
/// </summary>
/// <param name="Path">In the account.</param>
/// <param name="FileKey">Null in public shares: the blob is the plain form.</param>
/// <param name="Nonce">16 bytes, the start of the payload; null in public shares.</param>
/// <param name="Tags">
/// 16 bytes for each 64 KiB of the plain form, to compare with before they leave: of a private file the chunk's
/// Poly1305 tag, of a public one the start of the chunk's Merkle root.
/// </param>
public sealed record OwnedBlob(
    BlobName Blob, EntryPath Path, EntryVersion Version, long PlainLength, AgeFileKey? FileKey, byte[]? Nonce,
    byte[] Tags)
{
    public const int TagBytes = 16;

    /// <summary>
    /// What the account's listing said of the entry; as long as it says the same, nothing is asked again.
    /// </summary>
    public ListedAs Listed { get; init; }

    /// <summary>
    /// The entry was written so shortly before it was read that a change right after would have the same version. A
    /// snapshot to come reads it again.
    /// </summary>
    public bool IsRacy { get; init; }

    /// <summary>
    /// 20 bytes a piece of the share's piece length, for a hybrid torrent (BEP 3); null where none was asked for.
    /// </summary>
    public byte[]? V1Pieces { get; init; }

    public override string ToString() => Blob.ToString();
}

/// <summary>An empty file of the owner's, so that one which is listed as before is not asked about again.</summary>
public readonly record struct EmptyFile(EntryPath Path, EntryVersion? Version, ListedAs Listed)
{
    public static EmptyFile Of(Entry entry) => new(entry.Path, entry.Version, ListedAs.Of(entry));
}

/// <summary>Metadata of an entry as listed.</summary>
/// <param name="ModifiedNs">Nanoseconds since 1970; null where the listing doesn't tell.</param>
public readonly record struct ListedAs(long? ModifiedNs, bool IsExecutable)
{
    public static ListedAs Of(Entry entry) => new(UnixTime.Nanoseconds(entry.Modified), entry.IsExecutable);
}

internal static class UnixTime
{
    private const int NanosecondsPerTick = 100;

    /// <summary>Null also where Int64 doesn't reach: before 1677 and after 2262.</summary>
    public static long? Nanoseconds(DateTimeOffset? time)
    {
        if (time is not { } at) return null;
        var ticks = (at - DateTimeOffset.UnixEpoch).Ticks;
        return Math.Abs(ticks) <= long.MaxValue / NanosecondsPerTick ? ticks * NanosecondsPerTick : null;
    }
}
