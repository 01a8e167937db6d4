using System.Collections.Concurrent;
using Virga.Accounts;
using Virga.Content;
using Virga.Core;
using Virga.Protocol;

namespace Virga.Transfers.Sources;

/// <summary>
/// The owner's storage itself, read by URLs that its agent signs: no byte passes through the agent. What comes is the
/// plain form; of a private share it is sealed again here, so that it is verified like everything else. Asks for new
/// URLs before the old ones end. A blob for which there is none, and any failure, is left to the agent.
/// </summary>
/// <param name="files">What the share says of each blob, by its root.</param>
/// <param name="pace">Bounds what is read; null: what bounds all.</param>
public sealed class DirectSource(
    AgentSource agent, StorageHttp storage, IReadOnlyDictionary<Hash256, SharedFile> files, TimeProvider time,
    Pace? pace = null) : ISource
{
    private const int ReadsAtOnce = 16;
    private static readonly TimeSpan RenewBefore = TimeSpan.FromSeconds(45);

    private readonly ConcurrentDictionary<Hash256, Held> urls = [];
    private readonly SemaphoreSlim asking = new(1, 1);
    private readonly Way way = new(time);

    /// <param name="Url">Null: the agent signs none for this blob.</param>
    private sealed record Held(ReadUrl? Url, DateTimeOffset Until);

    public string Name { get; } = $"{agent.Name}'s storage";

    /// <summary>Costs its owner the storage's egress once, and not the agent's as well.</summary>
    public int Rank => -1;

    public double WaitShare => way.WaitShare;

    public bool IsFar => way.IsFar;

    public async Task ReadAsync(
        Hash256 root, long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        agent.RequireAccepted();
        await PrepareAsync([root], cancellationToken);
        await ReadAsync(new ByteRange(offset, destination.Length), root, destination, cancellationToken);
    }

    public async Task ReadManyAsync(
        IReadOnlyList<BlobRange> ranges, Memory<byte> destination, CancellationToken cancellationToken)
    {
        agent.RequireAccepted();
        foreach (var page in ranges.Select(r => r.Root).Distinct().Chunk(ReadUrlsRequest.RootsMax))
            await PrepareAsync(page, cancellationToken);
        var places = new List<(BlobRange Range, Memory<byte> To)>(ranges.Count);
        foreach (var range in ranges)
        {
            places.Add((range, destination[..(int)range.Range.Length]));
            destination = destination[(int)range.Range.Length..];
        }
        var options = new ParallelOptions
        {
            MaxDegreeOfParallelism = ReadsAtOnce, CancellationToken = cancellationToken,
        };
        await Parallel.ForEachAsync(places, options, async (place, token) =>
            await ReadAsync(place.Range.Range, place.Range.Root, place.To, token));
    }

    /// <summary>Asks for the URLs that are missing or about to end.</summary>
    private async Task PrepareAsync(IReadOnlyList<Hash256> roots, CancellationToken cancellationToken)
    {
        if (Missing(roots).Count == 0) return;
        await asking.WaitAsync(cancellationToken);
        try
        {
            var missing = Missing(roots);
            if (missing.Count == 0) return;
            var answer = await agent.GetReadUrlsAsync(missing, cancellationToken);
            var until = answer.Expires - RenewBefore;
            foreach (var root in missing) urls[root] = new Held(null, until);
            foreach (var url in answer.Urls)
                if (urls.ContainsKey(url.Root)) urls[url.Root] = new Held(url, until);
        }
        finally
        {
            asking.Release();
        }
    }

    private List<Hash256> Missing(IReadOnlyList<Hash256> roots)
    {
        var now = time.GetUtcNow();
        return [.. roots.Where(root => !urls.TryGetValue(root, out var held) || held.Until <= now)];
    }

    private async Task ReadAsync(
        ByteRange range, Hash256 root, Memory<byte> destination, CancellationToken cancellationToken)
    {
        if (urls.GetValueOrDefault(root)?.Url is not { } url || !files.TryGetValue(root, out var file))
            throw new VirgaException(FailureKind.NotFound, $"{Name} gives no URL for blob {root}");
        try
        {
            await PlainForm.ReadAsync(
                file,
                (plain, to, token) => way.ReadAsync(
                    to[..(int)plain.Length],
                    (start, rest, progress) => storage.ReadAsync(
                        url, agent.Endpoint, new ByteRange(plain.Offset + start, rest.Length), rest, token, progress,
                        pace)),
                range, destination, cancellationToken);
        }
        catch (VirgaException e) when (e.Kind is FailureKind.Denied or FailureKind.Unauthenticated)
        {
            // Perhaps a clock is off, or the key was changed: the next read asks for a new URL, this one the agent.
            urls.TryRemove(root, out _);
            throw new VirgaException(FailureKind.Unavailable, e.Message, e.Advice, e);
        }
    }
}
