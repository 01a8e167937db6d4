using System.IO.Pipelines;
using Virga.Accounts;
using Virga.Core;

namespace Virga.Content.Snapshots;

/// <summary>
/// Produces ranges of a share's blobs from the owner's account, sealing on the fly. Every read is pinned; no byte leaves that
/// differs from what was shared. Safe for many ranges at once; memory is a few chunks a range.
/// </summary>
public sealed class ShareReader(OwnerIndex index, IAccount account)
{
    public OwnerIndex Index { get; } = index;

    private readonly IAccount account = account;

    /// <summary>
    /// Writes exactly the bytes of a range of a blob to <paramref name="output"/> and flushes as it goes.
    /// NotFound for a root that isn't of this share, BadInput for a range outside of the blob, Changed when the entry changed.
    /// </summary>
    public ValueTask CopyRangeAsync(Hash256 root, ByteRange range, PipeWriter output, CancellationToken cancellationToken) =>
        throw new NotImplementedException(account.GetType().Name);
}
