using System.Text;
using Virga.Agent.Shares;
using Virga.Agent.State;
using Virga.BitTorrent;
using Virga.BitTorrent.Dht;
using Virga.BitTorrent.Downloads;
using Virga.Core;
using Virga.Core.Keys;
using Virga.Storage;

namespace Virga.Agent.Torrents;

/// <summary>
/// This agent's feeds in the DHT (BEP 46), for BitTorrent clients: each names the newest public share that it was
/// pointed at, by the v1 info-hash of its hybrid torrent, and is given to the DHT again before that forgets it. The key
/// that signs them is for nothing else: it tells nobody which agent it is.
/// </summary>
internal sealed class PublishedFeeds : IDisposable
{
    /// <summary>Nodes keep an item for two hours (BEP 44).</summary>
    private static readonly TimeSpan PutEvery = TimeSpan.FromMinutes(50);

    /// <summary>Where nobody took one.</summary>
    private static readonly TimeSpan AgainAfter = TimeSpan.FromSeconds(30);

    private readonly ShareService shares;
    private readonly TorrentHub hub;
    private readonly AgentOptions options;
    private readonly SigningKey key;
    private readonly SemaphoreSlim wake = new(0);
    private readonly Dictionary<string, (SwarmHash Torrent, long Version, long At)> put = [];

    public PublishedFeeds(ShareService shares, TorrentHub hub, AgentState state, AgentOptions options)
    {
        this.shares = shares;
        this.hub = hub;
        this.options = options;
        key = LoadKey(state, options.Random);
    }

    /// <summary>Shares or feeds came or went.</summary>
    public void Changed() => wake.Release();

    /// <summary>For BitTorrent clients; null where the agent puts none into the DHT.</summary>
    public string? MagnetOf(string feed) => hub is { Dht: not null, Listens: not null }
        ? new MagnetLink { Feed = TorrentFeed.Of(key.PublicKey, Encoding.UTF8.GetBytes(feed)) }.ToText() : null;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (hub.Dht is not { } dht || hub.Listens is null) return;
        while (true)
        {
            var isTaken = true;
            foreach (var (feed, torrent, version) in await shares.PublicFeedsAsync(cancellationToken))
            {
                if (put.TryGetValue(feed, out var before) && (before.Torrent, before.Version) == (torrent, version)
                    && options.Time.GetElapsedTime(before.At) < PutEvery) continue;
                var item = DhtItem.Sign(key, Encoding.UTF8.GetBytes(feed), version, DhtItem.FeedValue(torrent));
                if (await dht.PutAsync(item, cancellationToken) > 0)
                    put[feed] = (torrent, version, options.Time.GetTimestamp());
                else isTaken = false;
            }
            using var early = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            await Task.WhenAny(
                Task.Delay(isTaken ? PutEvery : AgainAfter, options.Time, early.Token), wake.WaitAsync(early.Token));
            await early.CancelAsync();
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    public void Dispose()
    {
        key.Dispose();
        wake.Dispose();
    }

    private static SigningKey LoadKey(AgentState state, RandomBytes random)
    {
        var path = state.FeedKeyPath;
        if (File.Exists(path)) return SigningKey.FromSeed(state.ReadSealed(path).Span);
        var seed = new byte[SigningKey.SeedBytes];
        random(seed);
        SealedFile.Write(path, state.Key, seed, random);
        return SigningKey.FromSeed(seed);
    }
}
