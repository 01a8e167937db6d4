using Virga.Agent.Control;
using Virga.EndToEnd.Harness;

namespace Virga.EndToEnd;

/// <summary>Backups that a person takes from the page, or gives to it.</summary>
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
        Assert.False(fresh.ReadLog().Contains("error Microsoft", StringComparison.Ordinal), fresh.ReadLog());
        Assert.DoesNotContain(Passphrase, fresh.ReadLog() + old.ReadLog(), StringComparison.Ordinal);
    }
}
