using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Virga.EndToEnd.Harness;
using Virga.Testing.Servers;

namespace Virga.EndToEnd;

/// <summary>
/// What people and machines do wrong, with the executable: the exit code, what was wrong, and what to do about it.
/// </summary>
[Trait("Needs", "server")]
public sealed partial class BadInputTests
{
    private const int Failed = 1, Usage = 2, Denied = 4, NotFound = 5, ContentDiffers = 6, Full = 7, InTheWay = 8;

    /// <summary>
    /// A repository, the owner of a share in folder "from", and a reader with the account "disk" in folder "to".
    /// </summary>
    private sealed class Pair : IAsyncDisposable
    {
        public Scene Scene { get; } = new(inMemory: true);

        public PeerProcess Owner { get; private set; } = null!;

        public PeerProcess Reader { get; private set; } = null!;

        public static async Task<Pair> CreateAsync(int repositories = 1, params string[] owner)
        {
            var pair = new Pair();
            var all = new List<PeerProcess>();
            for (var i = 0; i < repositories; i++) all.Add(await pair.Scene.RepositoryAsync($"repo{i}"));
            pair.Owner = await pair.Scene.AgentAsync("owner", all, owner);
            pair.Reader = await pair.Scene.AgentAsync("reader", all);
            await Scene.AddDiskAsync(pair.Owner, "disk", pair.Scene.Folder("from"));
            await Scene.AddDiskAsync(pair.Reader, "disk", pair.Scene.Folder("to"));
            return pair;
        }

        public void Write(string name, long length) =>
            FileTree.Write(Path.Combine(Scene.PathOf("from"), name), length, 3);

        public Task<string> ShareAsync() => Scene.ShareAsync(Owner, "disk", Reader);

        public Task<Outcome> GetAsync(string link, string place = "disk:got") =>
            Executable.RunAsync(Reader.DataFolder, ["get", link, place]);

        public void AssertArrived(string folder = "got") => Assert.Empty(FileTree.Differences(
            FileTree.Hash(Scene.PathOf("from")), FileTree.Hash(Path.Combine(Scene.PathOf("to"), folder))));

        public ValueTask DisposeAsync() => Scene.DisposeAsync();
    }

    private static void AssertSays(Outcome outcome, int exit, params string[] words)
    {
        Assert.True(outcome.Exit == exit, $"expected exit code {exit}: {outcome}");
        foreach (var word in words)
            Assert.True((outcome.Out + outcome.Error).Contains(word, StringComparison.OrdinalIgnoreCase),
                $"expected '{word}': {outcome}");
    }

    [Fact]
    public async Task A_link_that_is_wrong_or_cut_short_is_refused()
    {
        await using var pair = await Pair.CreateAsync();
        pair.Write("a", 10);
        var link = await pair.ShareAsync();
        AssertSays(await pair.GetAsync(link[..^20]), Usage, "cut short", "copy the whole link again");
        AssertSays(await pair.GetAsync("https://example.org/"), Usage, "not a Virga link", "virga share");
        AssertSays(await pair.GetAsync(
            link.Replace("virga:1:", "virga:1:0", StringComparison.Ordinal)[..^1] + link[^1]), Usage, "mistyped",
            "copy the link again");
        AssertSays(await pair.GetAsync(link, "nowhere:got"), NotFound, "no account 'nowhere'", "Known are: disk");
    }

    [Fact]
    public async Task A_share_that_was_withdrawn_is_said_to_be_gone()
    {
        await using var pair = await Pair.CreateAsync();
        pair.Write("a", 10);
        var link = await pair.ShareAsync();
        var gone = await Executable.RunAsync(pair.Owner.DataFolder, ["unshare", link]);
        Assert.True(gone.Exit == 0, gone.ToString());
        AssertSays(await pair.GetAsync(link), NotFound, "there is no share", "withdrawn", "ask its owner");
    }

    [Fact]
    public async Task A_port_in_use_is_named()
    {
        await using var scene = new Scene();
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);
        AssertSays(
            await Executable.RunAsync(scene.PathOf("a"), ["up", "--no-repository", "--listen", $"127.0.0.1:{port}"]),
                InTheWay, port, "another port");
    }

    [Fact]
    public async Task A_data_folder_in_use_is_named_with_the_process_that_uses_it()
    {
        await using var scene = new Scene();
        await scene.AgentAsync("a", []);
        AssertSays(
            await Executable.RunAsync(scene.PathOf("a"), ["up", "--no-repository"]), InTheWay, scene.PathOf("a"),
                "in use by process", "data folder of its own");
    }

    [Fact]
    public async Task A_corrupt_database_is_left_as_it_is_and_named()
    {
        await using var scene = new Scene();
        await (await scene.AgentAsync("a", [])).StopAsync();
        var database = Path.Combine(scene.PathOf("a"), "agent.db");
        var bytes = File.ReadAllBytes(database);
        new Random(5).NextBytes(bytes.AsSpan(100));
        File.WriteAllBytes(database, bytes);
        AssertSays(await Executable.RunAsync(scene.PathOf("a"), ["up", "--no-repository"]), ContentDiffers, database,
            "backup", "Nothing was overwritten");
        Assert.Equal(bytes, File.ReadAllBytes(database));
    }

    [Fact]
    public async Task A_clock_that_is_off_by_an_hour_is_told_with_both_times()
    {
        await using var pair = await Pair.CreateAsync();
        pair.Write("a", 10);
        var link = await pair.ShareAsync();
        await pair.Reader.StopAsync();
        var late = await pair.Scene.StartAsync(
            "reader", ["up", "--no-repository", "--repository", pair.Scene["repo0"].Endpoint],
            Map.Of(("LD_PRELOAD", FakeTime()), ("FAKETIME", "+1h"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")));
        var outcome = await Executable.RunAsync(late.DataFolder, ["get", link, "disk:got"]);
        AssertSays(outcome, Failed, "our clock says", "the clock of", "set the clock that is wrong");
        var times = Times().Matches(outcome.Error).Select(m => DateTime.Parse(m.Value, CultureInfo.InvariantCulture))
            .ToList();
        Assert.InRange((times[0] - times[1]).Duration(), TimeSpan.FromMinutes(59), TimeSpan.FromMinutes(61));
    }

    [GeneratedRegex(@"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")]
    private static partial Regex Times();

    private static string FakeTime() =>
        Directory.EnumerateFiles("/usr/lib", "libfaketime.so.1", SearchOption.AllDirectories).FirstOrDefault()
        ?? throw new InvalidOperationException("libfaketime is missing: run ./test, it installs it");

    [Fact]
    public async Task A_repository_that_is_down_stops_nobody_who_knows_another_way()
    {
        await using var pair = await Pair.CreateAsync(repositories: 2);
        pair.Write("a", 100_000);
        var link = await pair.ShareAsync();
        pair.Scene["repo0"].Kill();
        // By the link's endpoint.
        Assert.Equal(0, (await pair.GetAsync(link)).Exit);
        pair.AssertArrived();
        // By the other repository alone: the owner is not where the link says any more.
        await pair.Owner.StopAsync();
        await pair.Scene.AgentAsync(
            "owner", [pair.Scene["repo0"], pair.Scene["repo1"]], "--listen",
                $"127.0.0.1:{FreePort.Take().ToString(CultureInfo.InvariantCulture)}");
        Assert.Equal(0, (await pair.GetAsync(link, "disk:again")).Exit);
        pair.AssertArrived("again");
    }

    [Fact]
    public async Task Wrong_credentials_and_missing_places_are_told_when_an_account_is_added()
    {
        await using var scene = new Scene();
        var agent = await scene.AgentAsync("a", []);
        var s3 = await SharedServers.CephAsync();
        var dav = await SharedServers.ApacheAsync();
        AssertSays(await AddAsync("disk:/srv/there is no such folder"), Failed, "there is no such folder",
            "mount the disk");
        AssertSays(
            await AddAsync($"s3:{s3["S3_ENDPOINT"]}/bucket", ("ACCESSKEY", s3["S3_ACCESS_KEY"]),
                ("SECRETKEY", "wrong")), Failed, "key");
        AssertSays(
            await AddAsync($"s3:{s3["S3_ENDPOINT"]}/no-such-bucket-here", ("ACCESSKEY", s3["S3_ACCESS_KEY"]),
                ("SECRETKEY", s3["S3_SECRET_KEY"])),
            Failed, "no-such-bucket-here");
        string[] settings = ["--set", $"user={dav["DAV_USER"]}", "--set", $"certSha256={dav["DAV_CERT_SHA256"]}"];
        var url = dav["DAV_URL"].Replace("https:", "webdavs:", StringComparison.Ordinal);
        var wrong = await AddAsync(url + "/files", settings, ("PASSWORD", "not the right one"));
        AssertSays(wrong, Failed, "password");
        Assert.DoesNotContain("not the right one", wrong.ToString(), StringComparison.Ordinal);
        AssertSays(await AddAsync(url + "/files/nothing here", settings, ("PASSWORD", dav["DAV_PASSWORD"])), Failed,
            "nothing%20here", "make the folder");

        async Task<Outcome> AddAsync(string address, params object[] more)
        {
            var options = more.OfType<string[]>().FirstOrDefault() ?? [];
            var secrets = more.OfType<(string Name, string Value)>().Select(s => ($"VIRGA_SECRET_{s.Name}", s.Value))
                .ToArray();
            var outcome = await Executable.RunAsync(
                agent.DataFolder, ["account", "add", "x", address, .. options], Map.Of(secrets));
            await Executable.RunAsync(agent.DataFolder, ["account", "remove", "x"]);
            return outcome;
        }
    }

    [Fact]
    public async Task An_account_that_is_full_or_read_only_is_told_and_the_transfer_goes_on_when_there_is_room()
    {
        await using var pair = await Pair.CreateAsync();
        for (var i = 0; i < 20; i++) pair.Write($"file {i}", 700_000);
        var link = await pair.ShareAsync();
        await using var small = await TemporaryMount.CreateAsync(pair.Scene.Folder("small"), "size=4m");
        await Scene.AddDiskAsync(pair.Reader, "small", pair.Scene.PathOf("small"));
        AssertSays(await pair.GetAsync(link, "small:got"), Full, "No space left", "free some room", "virga resume");
        await small.RemountAsync("size=64m");
        var id = (await pair.Reader.Control.TransfersAsync(CancellationToken.None))[0].Id;
        var resumed = await Executable.RunAsync(pair.Reader.DataFolder, ["resume", id]);
        Assert.True(resumed.Exit == 0, resumed.ToString());
        Assert.Empty(FileTree.Differences(
            FileTree.Hash(pair.Scene.PathOf("from")), FileTree.Hash(Path.Combine(pair.Scene.PathOf("small"), "got"))));

        await small.RemountAsync("ro");
        AssertSays(await pair.GetAsync(link, "small:other"), Denied, "read-only");
    }

    [Fact]
    public async Task A_name_that_the_target_cannot_hold_is_told_before_anything_is_moved()
    {
        await using var pair = await Pair.CreateAsync();
        await using var s3 = await S3Place.CreateAsync();
        var name = new string('n', 300);
        await s3.PutAsync("folder/" + name, "content");
        await s3.PutAsync("folder/good", "content");
        await s3.AddToAsync(pair.Owner, "s3");
        var link = await Scene.ShareAsync(pair.Owner, "s3:folder", pair.Reader);
        AssertSays(await pair.GetAsync(link), Usage, "can't hold", name[..20], "nothing was moved",
            "choose an account that can hold them");
        Assert.Empty(Directory.EnumerateFileSystemEntries(pair.Scene.PathOf("to")));
    }

    [Fact]
    public async Task An_entry_that_changes_while_it_is_read_is_told_and_all_others_arrive()
    {
        await using var proxy = new CountingProxy();
        proxy.TargetPort = FreePort.Take();
        await using var pair = await Pair.CreateAsync(
            1, "--listen", $"127.0.0.1:{proxy.TargetPort.ToString(CultureInfo.InvariantCulture)}", "--public-url",
            $"https://127.0.0.1:{proxy.Port.ToString(CultureInfo.InvariantCulture)}", "--forwarded");
        pair.Write("good", 100_000);
        pair.Write("large", 60 << 20);
        var link = await pair.ShareAsync();
        proxy.CallAt(proxy.Delivered + (20 << 20), () =>
        {
            using var file = new FileStream(
                Path.Combine(pair.Scene.PathOf("from"), "large"), FileMode.Open, FileAccess.Write);
            file.Position = 50 << 20;
            file.Write(new byte[1000]);
        });
        AssertSays(await pair.GetAsync(link), ContentDiffers, "large", "changed", "ask the owner to share again");
        Assert.True(File.Exists(Path.Combine(pair.Scene.PathOf("to"), "got", "good")));
        Assert.False(File.Exists(Path.Combine(pair.Scene.PathOf("to"), "got", "large")));
        // Shared again, it comes.
        var again = await pair.ShareAsync();
        Assert.NotEqual(link, again);
        Assert.Equal(0, (await pair.GetAsync(again, "disk:again")).Exit);
        pair.AssertArrived("again");
    }

    [Fact]
    public async Task A_backup_that_finds_no_room_is_told_and_leaves_nothing()
    {
        await using var scene = new Scene(inMemory: true);
        var agent = await scene.AgentAsync("agent", []);
        await using var small = await TemporaryMount.CreateAsync(scene.Folder("small"), "size=48k");
        var words = Map.Of(("VIRGA_BACKUP_PASSPHRASE", "five words by mere chance"));
        var file = scene.PathOf("small/agent.age");
        AssertSays(
            await Executable.RunAsync(agent.DataFolder, ["backup", file], words), Full, "no room", "on another disk");
        Assert.Empty(Directory.EnumerateFileSystemEntries(scene.PathOf("small")));
        file = scene.PathOf("agent.age");
        AssertSays(await Executable.RunAsync(agent.DataFolder, ["backup", file], words), 0);
        await agent.StopAsync();
        AssertSays(
            await Executable.RunAsync(scene.PathOf("small"), ["restore", file], words), Full, "no room",
            "restore it again");
        Assert.DoesNotContain(
            Directory.EnumerateFileSystemEntries(scene.PathOf("small")).Select(Path.GetFileName),
            name => name is not ("virga.lock" or "virga.pid"));
        await small.RemountAsync("size=40m");
        AssertSays(await Executable.RunAsync(scene.PathOf("small"), ["restore", file], words), 0, agent.Id);
    }

    /// <summary>A file system in memory of a bounded size.</summary>
    private sealed class TemporaryMount(string folder) : IAsyncDisposable
    {
        public static async Task<TemporaryMount> CreateAsync(string folder, string options)
        {
            var outcome = await Executable.ToolAsync("mount", ["-t", "tmpfs", "-o", options, "virga-e2e", folder]);
            Assert.True(outcome.Exit == 0, $"mount: {outcome}: run the tests as root");
            return new TemporaryMount(folder);
        }

        public async Task RemountAsync(string options)
        {
            var outcome = await Executable.ToolAsync("mount", ["-o", "remount," + options, folder]);
            Assert.True(outcome.Exit == 0, $"mount: {outcome}");
        }

        public async ValueTask DisposeAsync() => await Executable.ToolAsync("umount", ["-l", folder]);
    }
}
