using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Virga.Agent.Control;
using Virga.Core.Bencoding;
using Virga.EndToEnd.Harness;

namespace Virga.EndToEnd;

/// <summary>Files that a person gives to the page, or takes from it: backups and torrents.</summary>
public sealed partial class PageTests
{
    private const string Passphrase = "five words by mere chance";

    [Fact]
    public async Task A_backup_is_downloaded_and_becomes_an_agent_in_anothers_first_run()
    {
        await using var scene = new Scene(inMemory: true);
        var repository = await scene.RepositoryAsync();
        var old = await scene.AgentAsync("old", [repository]);
        await File.WriteAllTextAsync(Path.Combine(scene.Folder("nas/in"), "a.txt"), "still here");
        await Scene.AddDiskAsync(old, "nas", scene.PathOf("nas"));
        ShareInfo? shared = null;
        await foreach (var told in old.Control.ShareAsync(new ShareRequest("nas", "in", "link", []), default))
            shared = told.Result ?? shared;
        var file = scene.PathOf("agent.age");
        var values = new Dictionary<string, object>
        {
            ["agent"] = new { link = await LinkAsync(old), password = Password }, ["file"] = file,
            ["passphrase"] = Passphrase, ["step"] = "download",
        };
        await DriveAsync(scene, "backup.mjs", values);
        await old.StopAsync();

        var bytes = await File.ReadAllBytesAsync(file);
        await File.WriteAllBytesAsync(scene.PathOf("cut.age"), bytes[..^100]);
        var fresh = await scene.AgentAsync("fresh", [repository]);
        Assert.NotEqual(old.Id, fresh.Id);
        values["agent"] = new { link = await LinkAsync(fresh), password = Password };
        values["cut"] = scene.PathOf("cut.age");
        values["step"] = "restore";
        await DriveAsync(scene, "backup.mjs", values);
        Assert.Equal(old.Id, (await fresh.Control.StatusAsync(default)).Agent);
        Assert.Equal(shared!.InfoHash, Assert.Single(await fresh.Control.SharesAsync(default)).InfoHash);
        // Who has the link gets it from there.
        var reader = await scene.AgentAsync("reader", [repository]);
        await Scene.AddDiskAsync(reader, "cloud", scene.Folder("cloud"));
        Assert.Equal(
            TransferState.Completed, (await Scene.GetAsync(reader, shared.Link!, "cloud", "got")).State);
        Assert.Equal("still here", await File.ReadAllTextAsync(scene.PathOf("cloud/got/a.txt")));
        // It stops as one that was never restarted in its process, and starts again in its place.
        Assert.Equal(0, await fresh.StopAsync());
        Assert.DoesNotContain(Passphrase, fresh.ReadLog() + old.ReadLog(), StringComparison.Ordinal);
    }

    /// <summary>From a web seed alone: no peer and no tracker is needed.</summary>
    [Fact]
    public async Task A_torrent_file_is_looked_into_and_brought_over()
    {
        await using var scene = new Scene(inMemory: true);
        var album = scene.Folder("web/album");
        FileTree.Write(Path.Combine(album, "one.flac"), 300_000, 1);
        FileTree.Write(Path.Combine(album, "two.flac"), 200_001, 2);
        FileTree.Write(Path.Combine(album, "cover.jpg"), 70_000, 3);
        await using var seed = await WebSeedAsync(scene.PathOf("web"));
        var torrent = scene.PathOf("album.torrent");
        await File.WriteAllBytesAsync(
            torrent, TorrentOf(album, ["one.flac", "two.flac", "cover.jpg"], seed.Urls.First() + "/"));
        var agent = await scene.AgentAsync("agent", [], "--torrent-local");
        await Scene.AddDiskAsync(agent, "cloud", scene.Folder("cloud"));
        scene.Folder("cloud/music");
        await DriveAsync(scene, "torrent.mjs", new Dictionary<string, object>
        {
            ["agent"] = new { link = await LinkAsync(agent), password = Password }, ["torrent"] = torrent,
        });
        File.Delete(Path.Combine(album, "cover.jpg"));
        Assert.Empty(FileTree.Differences(FileTree.Hash(album), FileTree.Hash(scene.PathOf("cloud/music/album"))));
    }

    private static async Task<WebApplication> WebSeedAsync(string folder)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var application = builder.Build();
        application.MapGet(
            "/{**path}", (string path) => Results.File(Path.Combine(folder, path), enableRangeProcessing: true));
        await application.StartAsync();
        return application;
    }

    /// <summary>A torrent of form v1, as clients make it of a folder.</summary>
    private static byte[] TorrentOf(string folder, string[] names, string seed)
    {
        const int piece = 1 << 15;
        var content = names.SelectMany(name => File.ReadAllBytes(Path.Combine(folder, name))).ToArray();
        return BencodeWriter.Encode(w =>
        {
            w.StartDictionary().Key("info").StartDictionary().Key("files").StartList();
            foreach (var name in names)
            {
                w.StartDictionary().Key("length").Integer(new FileInfo(Path.Combine(folder, name)).Length)
                    .Key("path").StartList().Text(name).End().End();
            }
            w.End().Key("name").Text(Path.GetFileName(folder)).Key("piece length").Integer(piece).Key("pieces")
                .Bytes(content.Chunk(piece).SelectMany(SHA1.HashData).ToArray()).End().Key("url-list").Text(seed).End();
        });
    }
}
