using Virga.Accounts;
using Virga.Core;

namespace Virga.Content.Snapshots;

/// <summary>Makes an immutable snapshot of a file or folder of an account, reading each byte once (spec/v1/content.md).</summary>
public sealed class Snapshotter(RandomBytes random, TimeProvider time)
{
    public Task<SnapshotResult> CreateAsync(
        IAccount account, EntryPath path, SnapshotOptions options, IProgress<SnapshotProgress>? progress,
        CancellationToken cancellationToken) => throw new NotImplementedException(random.Method.Name + time.LocalTimeZone.Id);
}
