using System.Globalization;
using Virga.Agent.Control;
using Virga.EndToEnd.Harness;
using Xunit.Abstractions;

namespace Virga.EndToEnd;

/// <summary>
/// A torrent of two stock seeders goes straight into a cloud: nothing of it ever lies on a disk of ours, and an agent
/// that is killed in the middle goes on. VIRGA_TORRENT_MIB makes it larger than the 256 MiB that it has by default.
/// </summary>
[Trait("Needs", "server")]
public sealed class StraightToCloudTests(ITestOutputHelper output)
{
    private const string Name = "film";
    private const long DiskMost = 50 << 20;

    private static readonly long Bytes = (long.TryParse(
        Environment.GetEnvironmentVariable("VIRGA_TORRENT_MIB"), CultureInfo.InvariantCulture, out var mebibytes)
        ? mebibytes : 256) << 20;

    /// <summary>Slow enough to be killed in the middle.</summary>
    private static readonly string Rate = $"{Bytes / 5_000_000}MB/s";

    [Fact]
    public async Task It_lands_in_S3_over_a_kill_with_next_to_nothing_on_disk()
    {
        await using var scene = new Scene();
        var place = scene.Own(await S3Place.CreateAsync());
        await LandAsync(scene, "hybrid", null, null, agent => place.AddToAsync(agent, "cloud"));

        var found = await place.RcloneAsync("hashsum", "SHA-256", "--download", $"{place.Remote}/in/{Name}");
        AssertSame(scene, found.Split('\n', StringSplitOptions.RemoveEmptyEntries).ToDictionary(
            line => line.Split("  ", 2)[1], line => line.Split("  ", 2)[0]));
        Assert.DoesNotContain("UploadId", await place.OpenUploadsAsync(), StringComparison.Ordinal);
    }

    /// <summary>Dropbox takes a file from its beginning to its end alone, in a session that goes on.</summary>
    [Fact]
    public async Task It_lands_where_parts_come_in_sequence_over_a_kill_with_next_to_nothing_on_disk()
    {
        await using var scene = new Scene();
        var place = scene.Own(await CloudPlace.StartAsync());
        await using var network = await place.JoinAsync();
        await LandAsync(scene, "v1", network.Prefix, place.Environment, async agent =>
        {
            var linked = await place.LinkAsync(agent, "cloud", "dropbox", "--client-id", CloudPlace.ClientId);
            Assert.True(linked.Exit == 0, linked + scene.Logs());
        });

        AssertSame(scene, place.Fake.Linked!.FileHashes().ToDictionary(
            file => file.Key[$"/in/{Name}/".Length..], file => file.Value));
        Assert.Equal(0, place.Fake.Linked.OpenSessions);
    }

    private async Task LandAsync(
        Scene scene, string kind, IReadOnlyList<string>? prefix, IReadOnlyDictionary<string, string>? environment,
        Func<PeerProcess, Task> addAccountAsync)
    {
        var source = scene.Folder($"seed/{Name}");
        FileTree.Write(Path.Combine(source, "film.bin"), Bytes - 5_000_001, 1);
        FileTree.Write(Path.Combine(source, "extras/making-of.bin"), 5_000_000, 2);
        FileTree.Write(Path.Combine(source, "note"), 1, 3);
        using var one = await TorrentClient.SeedAsync(scene.PathOf("seed"), Name, new { kind }, prefix);
        using var other = await TorrentClient.SeedAsync(scene.PathOf("seed"), Name, new { kind }, prefix);
        Assert.Equal(one.Magnet, other.Magnet);
        var variables = Map.Of([.. environment ?? Map.Empty, new("TMPDIR", scene.Folder("tmp"))]);

        var agent = await StartAsync();
        await using var use = new DiskUse(agent.DataFolder, scene.PathOf("tmp"));
        await addAccountAsync(agent);
        await LimitAsync(agent, Rate);
        var begun = await agent.Control.StartTorrentAsync(
            new TorrentRequest(one.Magnet, null, "cloud", "in", Peers: [one.Place, other.Place], Ratio: 0),
            CancellationToken.None);
        TransferInfo? seen = null;
        await foreach (var info in agent.Control.WatchAsync(begun.Id, CancellationToken.None))
        {
            seen = info;
            if (info.BytesDone > Bytes / 3 || info.State != TransferState.Running && info.BytesDone > 0) break;
        }
        Assert.True(seen!.State == TransferState.Running, $"{seen}\n{scene.Logs()}");
        var (written, memory) = (DiskUse.WrittenBy(agent), DiskUse.PeakMemoryOf(agent));
        agent.Kill();
        await agent.WaitEndedAsync();

        agent = await StartAsync();
        await LimitAsync(agent, "none");
        var ended = await Scene.WatchAsync(agent, begun.Id, TimeSpan.FromHours(1));
        Assert.True(ended.State == TransferState.Completed, $"{ended}\n{scene.Logs()}");
        written += DiskUse.WrittenBy(agent);
        memory = Math.Max(memory, DiskUse.PeakMemoryOf(agent));
        output.WriteLine(
            $"{Bytes:N0} bytes; the agent's folders held {use.Most:N0} at most, it had {written:N0} written to disk "
            + $"and took {memory:N0} of memory; killed at {seen.BytesDone:N0}, fetched {ended.BytesFetched:N0} "
            + "after it");
        Assert.InRange(use.Most, 1, DiskMost);
        Assert.InRange(written, 1, DiskMost);
        Assert.InRange(ended.BytesFetched, 1, Bytes * 9 / 10);

        Task<PeerProcess> StartAsync() => scene.StartAsync(
            "agent", ["up", "--no-repository", "--listen", "127.0.0.1:0"], variables, prefix);
    }

    private static async Task LimitAsync(PeerProcess agent, string rate)
    {
        var limited = await Executable.RunAsync(agent.DataFolder, ["limits", "set", "--receive", rate]);
        Assert.True(limited.Exit == 0, limited.ToString());
    }

    private static void AssertSame(Scene scene, IReadOnlyDictionary<string, string> found)
    {
        var expected = FileTree.Hash(scene.PathOf($"seed/{Name}")).Where(file => !file.Key.EndsWith('/'));
        Assert.Equal(expected, found.OrderBy(file => file.Key, StringComparer.Ordinal));
    }
}
