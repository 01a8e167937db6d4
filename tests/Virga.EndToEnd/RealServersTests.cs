using System.Diagnostics;
using System.Globalization;
using System.Text;
using Virga.Agent.Control;
using Virga.EndToEnd.Harness;
using Virga.Testing;
using Xunit.Abstractions;

namespace Virga.EndToEnd;

/// <summary>
/// The main job on real servers: 2,000 files with odd names and one of 1 GiB go from Ceph's S3 gateway to Apache's
/// mod_dav, and back. rclone puts them there and compares. Nobody in the middle sees a name or a byte.
/// </summary>
[Trait("Needs", "server")]
public sealed class RealServersTests(ITestOutputHelper output)
{
    private const int FileCount = 2000;
    private const long LargeBytes = 1L << 30;
    private const string NameMark = "qvxzmarkname";
    private static readonly byte[] ContentMark = Seeded.Bytes(32, 4711);

    [Fact]
    public async Task A_folder_goes_from_S3_to_WebDAV_and_back_and_nobody_in_the_middle_learns_a_thing()
    {
        var watch = Stopwatch.StartNew();
        await using var scene = new Scene();
        var s3 = scene.Own(await S3Place.CreateAsync());
        var dav = scene.Own(await DavPlace.CreateAsync());
        var source = scene.Folder("source");
        var (names, folders) = WriteTree(source);
        Say("servers up, files written");
        await s3.RcloneAsync(
            "copy", "--checkers", "16", "--transfers", "16", "--s3-upload-concurrency", "4", source,
            $"{s3.Remote}/music");
        // S3 has no folders: an empty one is kept as an object whose key ends in '/'.
        foreach (var folder in folders) await s3.PutAsync($"music/{folder}/");
        Say("uploaded to S3 by rclone");

        var repository = await scene.RepositoryAsync();
        var a = await scene.AgentAsync("a", [repository]);
        var b = await scene.AgentAsync("b", [repository]);
        await s3.AddToAsync(a, "s3");
        await dav.AddToAsync(b, "dav");
        var ports = new[] { repository, a, b }.Select(p => new Uri(p.Endpoint.Split('!')[0]).Port);
        var capture = scene.Own(await PacketCapture.StartAsync($"/dev/shm/virga-{Guid.NewGuid():n}.pcap", ports));

        var there = await Scene.ShareAsync(a, "s3:music", b);
        Say("shared from S3");
        await GetAsync(b, there, "dav", "got");
        Say("got into WebDAV");
        var back = await Scene.ShareAsync(b, "dav:got", a);
        Say("shared from WebDAV");
        await GetAsync(a, back, "s3", "back");
        Say("got back into S3");

        var dropped = await capture.StopAsync();
        foreach (var peer in new[] { a, b, repository }) Assert.Equal(0, await peer.StopAsync());
        var captured = new FileInfo(capture.Path).Length;
        Assert.True(captured > 2 * LargeBytes,
            $"the capture has {captured:N0} bytes only, {dropped} packets were dropped");
        await CheckSecretsAsync(scene, capture.Path, names);
        Say($"no name and no content in {captured:N0} captured bytes ({dropped} packets dropped), repository and logs");

        await CheckAsync("check", "--download", "--checkers", "16", source, $"{dav.Remote}/got");
        // With the server's own eyes: empty folders, too.
        Assert.Empty(FileTree.Differences(FileTree.Hash(source), FileTree.Hash(Path.Combine(dav.Folder, "got"))));
        Say("rclone finds WebDAV equal");
        await CheckAsync("check", "--download", "--checkers", "16", source, $"{s3.Remote}/back");
        Assert.DoesNotContain("UploadId", await s3.OpenUploadsAsync(), StringComparison.Ordinal);
        Say("rclone finds S3 equal");

        void Say(string text) => output.WriteLine($"{watch.Elapsed.TotalSeconds,6:0.0} s {text}");

        async Task CheckAsync(params string[] arguments)
        {
            var outcome = await Executable.ToolAsync(
                "rclone", arguments, new Dictionary<string,
                string>(s3.Environment.Concat(dav.Environment.Where(e => e.Key != "RCLONE_CONFIG"))));
            Assert.True(outcome.Exit == 0, $"rclone {string.Join(' ', arguments)}: {outcome}");
        }

        async Task GetAsync(PeerProcess agent, string link, string account, string path)
        {
            var info = await Scene.GetAsync(agent, link, account, path);
            Assert.True(info.State == TransferState.Completed, $"{info.State}: {info.Status}\n{scene.Logs()}");
            Assert.Equal(FileCount + 1, info.FilesDone);
        }
    }

    private static async Task CheckSecretsAsync(Scene scene, string capture, List<string> names)
    {
        // The mark stands in every name; some names are looked for whole, too.
        var needles = new Needles([NameMark, .. names.Where(n => n.Length >= 16).Take(20)], [ContentMark]);
        var control = scene.PathOf("control.bin");
        await File.WriteAllBytesAsync(
            control, [.. new byte[10_000_000],
            .. Encoding.UTF8.GetBytes(Convert.ToBase64String([1, .. ContentMark, 2]))]);
        Assert.NotEmpty(await needles.FindAsync(control));

        var files = Directory.EnumerateFiles(scene["repo"].DataFolder, "*", SearchOption.AllDirectories)
            .Where(f => !f.EndsWith(".sock", StringComparison.Ordinal))
            .Concat(new[] { "repo", "a", "b" }.Select(p => scene[p].Log)).Append(capture);
        foreach (var file in files)
        {
            var found = await needles.FindAsync(file);
            Assert.True(found.Count == 0, $"{file} holds {string.Join(", ", found)}");
        }
    }

    /// <summary>Names of files, and of folders that are empty.</summary>
    private static (List<string> Names, List<string> Folders) WriteTree(string root)
    {
        string[] odd =
        [
            "ünïcode", "日本語の名前", "עברית", "🌧 rain", "two  spaces", "it's \"quoted\"", "100%", "%41%2F", "hash#tag",
                "a+b", "a&b;c", "q?uestion",
            "[brackets]{}", "back`tick", "$HOME", "semi;colon", "comma,", "equals=", "at@", "tilde~",
                "e\u0301 decomposed", "caret^|pipe", "star*", "<lt gt>",
        ];
        string[] folders = ["", "plain/", "deep/1/2/3/4/5/6/7/8/9/10/11/12/", ".hidden/", "sp ace/ü & #/", "%20/+/",
            "日本/🌧/"];
        var random = new Seeded(2);
        var names = new List<string>();
        for (var i = 0; i < FileCount; i++)
        {
            var number = i.ToString(CultureInfo.InvariantCulture);
            var stem = $"{(i % 11 == 0 ? "." : "")}{NameMark} {odd[i % odd.Length]} {number}";
            if (i % 97 == 0) stem += new string('x', 200 - Encoding.UTF8.GetByteCount(stem));
            var length = (i % 20) switch
            {
                0 => 0,
                1 => 1 + random.Next(100),
                < 16 => random.Next(16 << 10),
                < 19 => random.Next(200 << 10),
                _ => random.Next(2 << 20),
            };
            if (i == 5) length = 20 << 20;
            var name = folders[i % folders.Length] + stem;
            names.Add(Path.GetFileName(name));
            FileTree.Write(Path.Combine(root, name), length, (ulong)i, ContentMark);
        }
        FileTree.Write(Path.Combine(root, $"{NameMark} large.bin"), LargeBytes, 77, ContentMark);
        string[] empty = [$"{NameMark} empty", $"deep/1/2/{NameMark} empty too"];
        foreach (var folder in empty) Directory.CreateDirectory(Path.Combine(root, folder));
        return (names, [.. empty]);
    }
}
