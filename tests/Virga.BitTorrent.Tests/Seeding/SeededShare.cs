using System.Net;
using Virga.Accounts;
using Virga.BitTorrent.Seeding;
using Virga.BitTorrent.Tests.Utp;
using Virga.BitTorrent.Wire;
using Virga.Content.Snapshots;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Protocol;
using Virga.Testing;
using Virga.Testing.Accounts;

namespace Virga.BitTorrent.Tests.Seeding;

/// <summary>A public share in memory that is served to peers on loopback.</summary>
internal sealed class SeededShare : IAsyncDisposable
{
    private readonly List<SeedUpload> uploads = [];
    private readonly List<Choker> chokers = [];
    private readonly Dictionary<SwarmHash, Swarm> swarms = [];

    private readonly UtpPlace utp;

    private SeededShare(OwnerIndex index, InMemoryAccount account)
    {
        Index = index;
        Reader = new ShareReader(index, account);
        Cache = new SeedCache(SeedCache.BytesMaxDefault);
        var settings = new PeerSettings(
            TimeProvider.System, new PeerId(new Seeded(9).RandomBytes), new Pace(TimeProvider.System));
        (Listener, utp) = UtpPlace.Beside(place => PeerListener.Start(
            place, settings,
            (hash, _) => new ValueTask<Swarm?>(swarms.GetValueOrDefault(hash)), () => swarms.Keys,
            new Seeded(4).RandomBytes, Log.Add));
        Listener.Add(utp.Node);
        Serve(index.Info);
    }

    public OwnerIndex Index { get; }

    public ShareReader Reader { get; }

    public SeedCache Cache { get; }

    public PeerListener Listener { get; }

    public List<string> Log { get; } = [];

    public string Peer => Listener.LocalEndPoint.ToString();

    public Swarm this[SwarmHash hash] => swarms[hash];

    /// <summary>Files by their paths below the shared folder; one path without folder shares the file itself.</summary>
    public static async Task<SeededShare> CreateAsync(
        IReadOnlyDictionary<string, byte[]> files, bool isFile = false, PinStrength pin = PinStrength.Strong,
        bool hasV1 = false)
    {
        var account = new InMemoryAccount(traits: InMemoryAccount.DefaultTraits with
        {
            Pin = pin, SingleWriteBytesMax = 1 << 30,
        });
        foreach (var (path, content) in files)
            await account.WriteAsync(EntryPath.Parse("data/" + path), content, WriteOptions.Default, default);
        var shared = isFile ? EntryPath.Parse("data/" + files.Keys.Single()) : EntryPath.Parse("data");
        var made = await new Snapshotter(new Seeded(1).RandomBytes, TimeProvider.System).CreateAsync(
            account, shared, new SnapshotOptions(false, []) { HasV1 = hasV1 }, null, default);
        return new SeededShare(made.Index, account);
    }

    public void Serve(TorrentInfo info)
    {
        var swarm = new Swarm(info);
        var upload = new SeedUpload(
            swarm.Layout!, Index.Layers, new ShareSeedSource(Reader, info), Cache);
        var choker = new Choker(swarm, TimeProvider.System, new Seeded(3).RandomBytes);
        (swarm.Upload, swarm.Choker) = (upload, choker);
        uploads.Add(upload);
        chokers.Add(choker);
        foreach (var hash in swarm.Hashes) swarms[hash] = swarm;
    }

    public async ValueTask DisposeAsync()
    {
        await Listener.DisposeAsync();
        await utp.DisposeAsync();
        foreach (var choker in chokers) choker.Dispose();
        foreach (var upload in uploads) upload.Dispose();
        Assert.Equal(0, Cache.Bytes);
    }
}
