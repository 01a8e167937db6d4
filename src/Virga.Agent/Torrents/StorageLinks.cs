using Virga.Content.Snapshots;
using Virga.Core;

namespace Virga.Agent.Torrents;

/// <summary>
/// Signed URLs of public files for clients that know nothing of us. Most ask for one file in many ranges: what was
/// signed is given out again for a while, so that the storage is not asked each time. Safe for many threads.
/// </summary>
internal sealed class StorageLinks(TimeProvider time, Action<string> log)
{
    /// <summary>
    /// libtorrent keeps the URL that it was sent to, and does not come back when it has ended: long enough for large
    /// files.
    /// </summary>
    internal static readonly TimeSpan Lifetime = TimeSpan.FromHours(1);

    /// <summary>After which the storage is asked again whether what stands there is what was shared.</summary>
    private static readonly TimeSpan FreshFor = TimeSpan.FromMinutes(1);

    private const int KeptMost = 4096;

    private readonly Lock gate = new();
    private readonly Dictionary<(ShareReader Reader, Hash256 Root), (Uri Url, long At)> kept = [];

    /// <summary>Null where the storage can't be asked now: then it is read here, which tells why.</summary>
    public async ValueTask<Uri?> FindAsync(ShareReader reader, Hash256 root, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (kept.TryGetValue((reader, root), out var known) && time.GetElapsedTime(known.At) < FreshFor)
                return known.Url;
        }
        try
        {
            var began = time.GetTimestamp();
            if (await reader.SignBareReadAsync(root, Lifetime, cancellationToken) is not { } url) return null;
            lock (gate)
            {
                // Old ones hold readers of shares that may be withdrawn.
                foreach (var (key, link) in kept.Where(k => time.GetElapsedTime(k.Value.At) >= FreshFor).ToList())
                    kept.Remove(key);
                if (kept.Count < KeptMost) kept[(reader, root)] = (url, began);
            }
            return url;
        }
        catch (VirgaException e)
        {
            log($"share {reader.Index.InfoHash}: no URL of its storage: {e.Message}");
            return null;
        }
    }
}
