using Virga.Accounts;
using Virga.Core;

namespace Virga.Content.Snapshots;

/// <summary>
/// Makes an immutable snapshot of a file or folder of an account, reading each byte once (spec/v1/content.md). Holds no
/// state: one instance serves many snapshots at once.
/// </summary>
/// <param name="random">Makes the keys.</param>
/// <param name="time">Tells whether an entry was written just now, so that its version says little.</param>
public sealed class Snapshotter(RandomBytes random, TimeProvider time)
{
    /// <summary>
    /// NotFound when nothing is at the path; Changed, naming the entry, when one changes again and again while it is
    /// read; BadInput when the folder can't be a share. Otherwise as the account throws. Nothing is kept of a snapshot
    /// that fails.
    /// </summary>
    public async Task<SnapshotResult> CreateAsync(
        IAccount account, EntryPath path, SnapshotOptions options, IProgress<SnapshotProgress>? progress,
        CancellationToken cancellationToken)
    {
        if (options.IsPrivate && options.Readers.Count == 0)
            throw new VirgaException(FailureKind.BadInput, "a private share needs at least one reader",
                "Name an agent, or share by link.");
        var run = new SnapshotRun(account, path, options, random, time, progress);
        return await run.CreateAsync(cancellationToken);
    }
}
