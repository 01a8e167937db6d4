using Virga.Accounts;
using Virga.Content;

namespace Virga.Transfers.Swarm;

/// <summary>
/// Told of what a transfer has verified and stored, so that it can be passed on. Called from many tasks at once; must
/// be quick.
/// </summary>
public interface IReceivedPieces
{
    /// <summary>An upload of a file goes on.</summary>
    /// <param name="token">Null where nothing of it can be found by others.</param>
    /// <param name="stored">Parts that are there already.</param>
    void Begun(SharedFile file, EntryPath path, string? token, long partBytes, IReadOnlyList<PartReceipt> stored);

    /// <summary>Whole pieces of the file's blob that were verified; the memory is the caller's.</summary>
    void Verified(SharedFile file, long offset, ReadOnlySpan<byte> data);

    void Stored(SharedFile file, long part);

    /// <summary>The whole file stands in the target.</summary>
    void Completed(SharedFile file, EntryPath path);
}
