using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Virga.BitTorrent.Downloads;
using Virga.BitTorrent.Seeding;
using Virga.BitTorrent.Wire;
using Virga.BitTorrent.Wire.Extensions;
using Virga.Content.Torrents;
using Virga.Protocol;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Downloads;

/// <summary>Peers over real connections, some of which mean no good.</summary>
public sealed class HostilePeersTests
{
    [Fact]
    public async Task Wrong_bytes_from_one_of_ten_peers_get_it_banned_and_the_rest_unharmed()
    {
        var torrent = MadeTorrent.V1(64 << 10, 3 << 20, 1_234_567);
        await using var peers = new WirePeers();
        // Piece 7 is with the liar alone until it is found out, so that it is asked for something.
        for (var i = 0; i < 10; i++) peers.Add(torrent, lies: i == 4, has: i == 4 ? null : static piece => piece != 7);

        await using var download = peers.Download(torrent, torrent.Info);
        var content = new byte[torrent.Row.Length];
        var read = download.Scheduler!.ReadAsync(0, content, CancellationToken.None);
        while (download.Bans.Count == 0) await Task.Yield();
        download.Trust(peers.Add(torrent));
        await read;

        Assert.Equal(torrent.Row, content);
        Assert.StartsWith(peers.Places[4].ToString(), Assert.Single(download.Bans));
        Assert.All(Enumerable.Range(0, 10), i => Assert.Equal(i == 4, download.IsBanned(peers.Places[i])));
    }

    [Fact]
    public async Task Metadata_with_another_hash_is_refused_and_taken_from_somebody_else()
    {
        var torrent = MadeTorrent.V1(64 << 10, 1 << 20);
        using var liar = new TcpListener(IPAddress.Loopback, 0);
        liar.Start();
        using var stop = new CancellationTokenSource();
        var lying = LieAsync(liar, torrent, stop.Token);
        await using var peers = new WirePeers();
        peers.Places.Add((IPEndPoint)liar.LocalEndpoint);
        await using var download = peers.Download(torrent, info: null);
        while (download.Bans.Count == 0) await Task.Yield();
        Assert.StartsWith($"{liar.LocalEndpoint} sent metadata with the hash", Assert.Single(download.Bans));

        peers.Add(torrent);
        download.Trust(peers.Places[^1]);

        var info = await download.GetInfoAsync(CancellationToken.None);
        Assert.Equal(torrent.Info.InfoHashV1, info.InfoHashV1);
        await stop.CancelAsync();
        await lying;
    }

    /// <summary>
    /// Says to whoever comes that it has metadata, and sends some that is another's: on a slow machine a connection may
    /// be given up and made again.
    /// </summary>
    private static async Task LieAsync(TcpListener listener, MadeTorrent torrent, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                using var client = await listener.AcceptTcpClientAsync(cancellationToken);
                await LieAsync(client, torrent, cancellationToken);
            }
            catch (Exception e) when (e is IOException or OperationCanceledException)
            {
                // It was told to go away, or nobody else comes.
            }
        }
    }

    private static async Task LieAsync(TcpClient client, MadeTorrent torrent, CancellationToken cancellationToken)
    {
        const int bytes = 100;
        await using var stream = client.GetStream();
        var hello = new byte[PeerHandshake.ByteCount];
        await stream.ReadExactlyAsync(hello, cancellationToken);
        await stream.WriteAsync(PeerHandshake.Write(
            new SwarmHash(torrent.Info.InfoHashV1), new PeerId(new Seeded(99).RandomBytes), false, hasV2: false),
            cancellationToken);
        await SendAsync(0, $"d1:md11:ut_metadatai3ee13:metadata_sizei{bytes}ee", []);
        await SendAsync(
            ExtensionHandshake.OurMetadataId, $"d8:msg_typei1e5:piecei0e10:total_sizei{bytes}ee", new byte[bytes]);
        var rest = new byte[1000];
        while (await stream.ReadAsync(rest, cancellationToken) > 0)
        {
            await SendAsync(
                ExtensionHandshake.OurMetadataId, $"d8:msg_typei1e5:piecei0e10:total_sizei{bytes}ee",
                new byte[bytes]);
        }

        async Task SendAsync(int id, string head, byte[] data)
        {
            var message = new byte[6 + head.Length + data.Length];
            BinaryPrimitives.WriteInt32BigEndian(message, message.Length - 4);
            (message[4], message[5]) = (20, (byte)id);
            Encoding.ASCII.GetBytes(head, message.AsSpan(6));
            data.CopyTo(message, 6 + head.Length);
            await stream.WriteAsync(message, cancellationToken);
        }
    }

    [Fact]
    public async Task Who_opens_a_connection_and_says_nothing_holds_up_nobody()
    {
        var torrent = MadeTorrent.V2(64 << 10, 1 << 20);
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        await using var peers = new WirePeers();
        peers.Places.Add((IPEndPoint)silent.LocalEndpoint);
        peers.Add(torrent);

        await using var download = peers.Download(torrent, torrent.Info);
        var content = new byte[torrent.Row.Length];
        await download.Scheduler!.ReadAsync(0, content, CancellationToken.None);

        Assert.Equal(torrent.Row, content);
    }
}

/// <summary>Peers of our own, each with a listener of its own, that serve made-up torrents.</summary>
internal sealed class WirePeers : IAsyncDisposable
{
    private readonly List<IAsyncDisposable> owned = [];

    public List<IPEndPoint> Places { get; } = [];

    /// <param name="lies">Every block has a wrong byte.</param>
    /// <param name="has">Which pieces it has; null: all.</param>
    public IPEndPoint Add(MadeTorrent torrent, bool lies = false, Func<int, bool>? has = null)
    {
        var swarm = new Swarm(torrent.Info)
        {
            Upload = new SomePieces(
                new SeedUpload(
                    torrent.Layout, torrent.Layers, new RowSource(torrent, lies),
                    new SeedCache(SeedCache.BytesMaxDefault)),
                torrent.Layout.PieceCount, has ?? (static _ => true)),
        };
        swarm.Choker = new Choker(swarm, TimeProvider.System, new Seeded(3).RandomBytes);
        var listener = Listen(swarm, (ulong)Places.Count + 10);
        owned.Add(listener);
        Places.Add(listener.LocalEndPoint);
        return listener.LocalEndPoint;
    }

    public static PeerListener Listen(Swarm swarm, ulong seed) => PeerListener.Start(
        new IPEndPoint(IPAddress.Loopback, 0), Settings(seed),
        (asked, _) => ValueTask.FromResult(swarm.Hashes.Contains(asked) ? swarm : null), () => swarm.Hashes,
        new Seeded(4).RandomBytes, static _ => { });

    public static MagnetLink LinkOf(MadeTorrent torrent) => new()
    {
        InfoHashV1 = torrent.Info.InfoHashV1 is { } v1 ? new SwarmHash(v1) : null,
        InfoHashV2 = torrent.Info.InfoHashV2,
    };

    public TorrentDownload Download(MadeTorrent torrent, TorrentInfo? info)
    {
        var download = new TorrentDownload(
            LinkOf(torrent), info, Settings(1), AddressRules.PublicOnly, new Seeded(2).RandomBytes);
        download.Start([], Places);
        if (info is not null) download.Begin(torrent.Layers, static _ => true, 1 << 20);
        return download;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var item in owned) await item.DisposeAsync();
    }

    public static PeerSettings Settings(ulong seed) => new(
        TimeProvider.System, new PeerId(new Seeded(seed).RandomBytes), new Pace(TimeProvider.System));

    private sealed class SomePieces(SeedUpload all, int count, Func<int, bool> has) : IUploadSide
    {
        public int HeldPieces => Enumerable.Range(0, count).Count(has);

        public bool Has(int piece) => has(piece);

        public void Expect(int piece) => all.Expect(piece);

        public ValueTask<UploadBlock> ReadAsync(
            int piece, int begin, int length, CancellationToken cancellationToken) =>
            all.ReadAsync(piece, begin, length, cancellationToken);

        public ValueTask<ReadOnlyMemory<byte>?> HashesAsync(
            HashRequest request, CancellationToken cancellationToken) => all.HashesAsync(request, cancellationToken);
    }

    private sealed class RowSource(MadeTorrent torrent, bool lies) : ISeedSource
    {
        public ValueTask ReadAsync(
            int file, long offset, Memory<byte> destination, CancellationToken cancellationToken)
        {
            torrent.Files[file].AsMemory((int)offset, destination.Length).CopyTo(destination);
            if (lies)
                for (var i = 0; i < destination.Length; i += 1000) destination.Span[i] ^= 1;
            return ValueTask.CompletedTask;
        }
    }
}
