using System.Net;
using Virga.EndToEnd.Harness;
using Virga.Testing.Servers;

namespace Virga.EndToEnd;

/// <summary>
/// A public share whose owner lets others read the storage: stock clients take it from the storage itself, which the
/// agent's web seed sends them to. The storage is Ceph's S3 gateway behind TLS.
/// </summary>
[Trait("Needs", "server")]
public sealed class CloudWebSeedTests
{
    private const int LargeBytes = 5_000_003, OddBytes = 1_200_000;

    /// <summary>Of the answers to questions about the files, not of their content.</summary>
    private const int TalkBytesMost = 64 << 10;

    [Theory]
    [InlineData("aria2")]
    [InlineData("libtorrent")]
    public async Task No_byte_of_content_passes_through_the_agent(string client)
    {
        await using var scene = new Scene();
        var ceph = await SharedServers.CephAsync();
        // libtorrent asks without the port: as at a real service, there must be none to name.
        var id = Environment.ProcessId;
        var address = new IPAddress([127, (byte)(100 + (id >> 16)), (byte)(id >> 8), (byte)id]);
        await using var front = new TlsFront(new Uri(ceph["S3_ENDPOINT"]), client == "libtorrent" ? address : null);
        var bucket = scene.Own(await S3Place.CreateAsync());
        FileTree.Write(Path.Combine(scene.Folder("source"), "large.bin"), LargeBytes, 1);
        FileTree.Write(Path.Combine(scene.Folder("source/sub"), "odd ü+%name.bin"), OddBytes, 2);
        await bucket.RcloneAsync("copy", scene.PathOf("source"), $"{bucket.Remote}/talks");
        var owner = await scene.AgentAsync("owner", []);
        await owner.Control.AddAccountAsync(
            new Agent.Control.AccountAddRequest(
                "s3", $"s3:{front.Url.AbsoluteUri}{bucket.Remote["s3:".Length..]}",
                Map.Of(("certSha256", front.CertSha256)),
                Map.Of(("accessKey", ceph["S3_ACCESS_KEY"]), ("secretKey", ceph["S3_SECRET_KEY"]))),
            CancellationToken.None);
        var (hybrid, v1) = (scene.PathOf("hybrid.torrent"), scene.PathOf("v1.torrent"));
        var shared = await Executable.RunAsync(
            owner.DataFolder,
            ["share", "s3:talks", "--public", "--hybrid", "--direct", "--torrent", hybrid, "--torrent-v1", v1]);
        Assert.True(shared.Exit == 0, shared.ToString());
        var (before, target) = (front.OtherBytes, scene.Folder("got"));

        if (client == "aria2")
        {
            var got = await Executable.ToolAsync("aria2c", [
                "--no-conf", "--dir=" + target, "--seed-time=0", "--check-certificate=false", "--enable-dht=false",
                "--enable-dht6=false", "--bt-enable-lpd=false", "--file-allocation=none", v1,
            ]);
            Assert.True(got.Exit == 0, got.ToString());
        }
        else
        {
            // On loopback it would take no URL with a query from anybody.
            using var got = await TorrentClient.TakeAsync(
                hybrid, target, new { settings = new { validate_https_trackers = false, ssrf_mitigation = false } });
        }

        foreach (var file in new[] { "large.bin", "sub/odd ü+%name.bin" })
        {
            Assert.Equal(
                await File.ReadAllBytesAsync(Path.Combine(scene.PathOf("source"), file)),
                await File.ReadAllBytesAsync(Path.Combine(target, "talks", file)));
        }
        Assert.InRange(front.SignedBytes, LargeBytes + OddBytes, long.MaxValue);
        Assert.InRange(front.OtherBytes - before, 0, TalkBytesMost);
    }
}
