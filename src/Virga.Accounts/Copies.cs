using Virga.Core;

namespace Virga.Accounts;

/// <summary>An entry of somebody else's account as its service names it, for a copy inside that service.</summary>
/// <param name="Container">A bucket, a drive; may be empty where a name alone is enough.</param>
/// <param name="Name">A key, an id, a copy reference, a signed URL: perhaps a bearer secret, and never logged.</param>
/// <param name="Pin">The version that was shared: another one is not to be copied.</param>
public sealed record CopySource(string Container, string Name, EntryVersion Pin)
{
    public override string ToString() => $"a source in '{Container}'";
}

/// <summary>Entries that are opened to one principal for a while.</summary>
/// <param name="Id">32 lower-case hexadecimal digits; names the opening when it is closed.</param>
/// <param name="Principal">Who may read them, in the form of the service (spec/v1/copies.md).</param>
/// <param name="Expires">The service itself refuses from then on, where it can.</param>
public sealed record CopyOpening(
    string Id, string Principal, DateTimeOffset Expires, IReadOnlyList<(EntryPath Path, EntryVersion Pin)> Entries);

/// <summary>
/// Optional: an account that can let another account of its service copy entries, without their bytes leaving the
/// service: by a policy, by sharing a file, by handing out a reference.
/// </summary>
public interface ICopyGrants
{
    /// <summary>Names the service: accounts that tell the same one may copy among themselves.</summary>
    string Service { get; }

    /// <summary>
    /// Closes openings (also such as are not there) and opens others, in one change. Calls for one service must not
    /// overlap. Nobody else's permissions are touched. With nothing to do it only tries whether it could.
    /// </summary>
    /// <param name="close">Ids of openings.</param>
    /// <returns>
    /// For each entry what the other needs; null for those that can't be opened, or not in this change.
    /// </returns>
    /// <exception cref="VirgaException">
    /// Denied or Unsupported: this service does not do it. Full: no room for any of them as long as others stand open.
    /// </exception>
    ValueTask<IReadOnlyList<CopySource?>> ChangeAsync(
        IReadOnlyList<string> close, CopyOpening? open, CancellationToken cancellationToken);
}

/// <summary>
/// Optional: an account that takes copies of entries that somebody else on its service has opened to it. No byte of
/// them passes through this process.
/// </summary>
public interface ICopyFromOthers
{
    /// <inheritdoc cref="ICopyGrants.Service"/>
    string Service { get; }

    /// <summary>Longest entry that <see cref="CopyAsync"/> takes; longer ones are copied in parts.</summary>
    long CopyBytesMax { get; }

    /// <summary>Who this account is to its service, for others to open their entries to.</summary>
    ValueTask<string> GetPrincipalAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Copies a whole entry, replacing what was there, all or nothing. Changed when it is no longer the pinned version;
    /// Denied when it isn't open to this account. The returned length is -1 where the service didn't tell it.
    /// </summary>
    ValueTask<Entry> CopyAsync(
        CopySource source, EntryPath path, WriteOptions options, CancellationToken cancellationToken);

    /// <summary>Length of the parts in which to copy an entry, so that its copy can be compared if possible.</summary>
    long PartBytesFor(CopySource source, long length);

    /// <summary>
    /// Fills a part of an upload that was begun with parts of <paramref name="partBytes"/>; fails as
    /// <see cref="CopyAsync"/> does.
    /// </summary>
    /// <param name="token">The upload's.</param>
    ValueTask<PartReceipt> CopyPartAsync(
        CopySource source, EntryPath path, string token, long index, long partBytes, long length,
        CancellationToken cancellationToken);

    /// <summary>
    /// What the service's own hashes say of a copy: the same as the pinned entry, another, or (null) nothing. It says
    /// nothing of what is in either.
    /// </summary>
    ValueTask<bool?> CompareAsync(CopySource source, Entry copy, CancellationToken cancellationToken);
}
