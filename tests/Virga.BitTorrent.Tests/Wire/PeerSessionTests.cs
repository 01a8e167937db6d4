using Virga.BitTorrent.Wire;
using Virga.BitTorrent.Wire.Extensions;
using Virga.Content.Torrents;
using Virga.Core.Merkle;

namespace Virga.BitTorrent.Tests.Wire;

public sealed class PeerSessionTests
{
    private const int Block = WireLimits.BlockBytes;

    [Fact]
    public async Task A_peer_gets_all_blocks_and_they_are_the_content()
    {
        var torrent = new MemoryTorrent((5 * MemoryTorrent.PieceBytes) + 12_345);
        await using var pair = new Pairing(torrent);
        var download = await pair.Download;
        await download.UntilAsync("pieces 6");
        download.WhenUnchoked = d => RequestAll(d, torrent.Content.Length);
        download.Session.SetInterested(true);
        for (var at = 0; at < torrent.Content.Length; at += Block)
        {
            var (piece, begin) = (at / MemoryTorrent.PieceBytes, at % MemoryTorrent.PieceBytes);
            await download.UntilAsync($"block {piece} {begin}");
            var expected = torrent.Content.AsSpan(at, Math.Min(Block, torrent.Content.Length - at));
            Assert.True(expected.SequenceEqual(download.Blocks[(piece, begin)]));
        }
        Assert.Equal(torrent.Content.Length, pair.LeechSwarm.Progress.Downloaded);
        Assert.Equal(0, download.Session.Outstanding);
    }

    [Fact]
    public async Task Who_has_but_the_hash_gets_the_metadata_and_then_knows_the_pieces()
    {
        var torrent = new MemoryTorrent(3 * MemoryTorrent.PieceBytes);
        await using var pair = new Pairing(torrent, knowsInfo: false);
        var download = await pair.Download;
        await download.UntilAsync("extensions");
        Assert.Equal(torrent.Info.Raw.Length, download.Session.Extensions.MetadataBytes);
        Assert.True(download.Session.TryRequestMetadata(0));
        Assert.True(download.Session.TryRequestMetadata(1));
        await download.UntilAsync("metadata 0 True");
        await download.UntilAsync("metadata 1 False");
        Assert.Equal(torrent.Info.Raw.ToArray(), download.Metadata[0]);
        Assert.Null(download.Session.PeerHas);
        pair.LeechSwarm.SetInfo(TorrentInfo.Parse(download.Metadata[0]));
        await download.UntilAsync("pieces 3");
    }

    [Fact]
    public async Task Hashes_come_with_their_uncles_and_prove_themselves()
    {
        var torrent = new MemoryTorrent(9 * MemoryTorrent.PieceBytes);
        await using var pair = new Pairing(torrent);
        var download = await pair.Download;
        await download.UntilAsync("pieces");
        var root = torrent.Info.Files[0].Root!.Value;
        var level = MerkleTree.PieceLevel(MemoryTorrent.PieceBytes);
        var height = MerkleTree.Height(torrent.Content.Length);
        Assert.True(download.Session.TryRequestHashes(new HashRequest(root, level, 4, 4, height - level - 1)));
        Assert.True(download.Session.TryRequestHashes(new HashRequest(default, level, 8, 4, 0)));
        await download.UntilAsync("hashes 4");
        await download.UntilAsync("hashes 8");
        var given = download.Hashes.Single(h => h.Request.Index == 4).Hashes!;
        var proof = MerkleProof.FromHashes(level, 4, 4, torrent.Content.Length, given);
        Assert.True(proof.Verify(new(root, torrent.Content.Length)));
        Assert.Null(download.Hashes.Single(h => h.Request.Index == 8).Hashes);
    }

    [Fact]
    public async Task What_a_choke_drops_is_said()
    {
        var torrent = new MemoryTorrent(2 * MemoryTorrent.PieceBytes) { ReadsWaitFor = new() };
        await using var pair = new Pairing(torrent);
        var download = await pair.Download;
        await download.UntilAsync("pieces");
        download.WhenUnchoked = d => RequestAll(d, torrent.Content.Length);
        download.Session.SetInterested(true);
        await download.UntilAsync("unchoked");
        while (pair.SeedSwarm.Sessions[0].Waiting < 7) await Task.Yield();
        pair.SeedSwarm.Sessions[0].SetChoking(true);
        await download.UntilAsync("choked");
        await download.UntilAsync($"rejected 1 {3 * Block} {Block}");
        torrent.ReadsWaitFor.SetResult();
        await download.UntilAsync("block 0 0");
        Assert.Equal(7, download.Events.Count(e => e.StartsWith("rejected", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_cancelled_request_is_not_answered_with_its_block()
    {
        var torrent = new MemoryTorrent(MemoryTorrent.PieceBytes) { ReadsWaitFor = new() };
        await using var pair = new Pairing(torrent);
        var download = await pair.Download;
        await download.UntilAsync("pieces");
        download.WhenUnchoked = d => RequestAll(d, torrent.Content.Length);
        download.Session.SetInterested(true);
        await download.UntilAsync("unchoked");
        download.Session.Cancel(0, 2 * Block);
        while (pair.SeedSwarm.Sessions[0].Waiting != 2) await Task.Yield();
        torrent.ReadsWaitFor.SetResult();
        await download.UntilAsync($"block 0 {3 * Block}");
        Assert.False(download.Blocks.ContainsKey((0, 2 * Block)));
    }

    [Fact]
    public async Task A_peer_that_says_nothing_is_left()
    {
        var time = new Virga.Testing.FakeTimeProvider();
        var (a, b) = MemoryLink.Pair();
        var torrent = new MemoryTorrent(100);
        var session = new PeerSession(a, new Swarm(torrent.Info), Pairing.Settings(1, time), null);
        var running = session.RunAsync(CancellationToken.None);
        while (!running.IsCompleted)
        {
            time.Advance(TimeSpan.FromSeconds(5));
            await Task.Yield();
        }
        Assert.Equal(PeerEndReason.TimedOut, (await running).Reason);
        await b.DisposeAsync();
    }

    [Fact]
    public async Task Another_swarm_or_ourselves_is_left()
    {
        var torrent = new MemoryTorrent(100);
        foreach (var (hash, id) in new[]
        {
            (new MemoryTorrent(100, seed: 2).Info, Pairing.Settings(2).Id), (torrent.Info, Pairing.Settings(1).Id),
        })
        {
            var (a, b) = MemoryLink.Pair();
            var session = new PeerSession(a, new Swarm(torrent.Info), Pairing.Settings(1), null);
            var running = session.RunAsync(CancellationToken.None);
            await b.SendAsync([PeerHandshake.Write(SwarmHash.OfV2(hash.InfoHashV2!.Value), id, false)], default);
            Assert.Equal(PeerEndReason.WrongSwarm, (await running).Reason);
        }
    }

    [Fact]
    public void Metadata_with_bytes_behind_its_dictionary_is_cut_where_it_ends()
    {
        var data = Virga.Testing.Seeded.Bytes(100, 3);
        byte[] message = [.. MetadataMessage.Write(MetadataKind.Data, 0, data.Length), .. data];
        var parsed = MetadataMessage.Parse(message);
        Assert.Equal(data, parsed.Data.ToArray());
    }

    private static void RequestAll(RecordingDownload download, int bytes)
    {
        for (var at = 0; at < bytes; at += Block)
        {
            Assert.True(download.Session.TryRequest(
                at / MemoryTorrent.PieceBytes, at % MemoryTorrent.PieceBytes, Math.Min(Block, bytes - at)));
        }
    }
}
