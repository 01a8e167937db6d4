using Virga.Agent.Control;
using Virga.EndToEnd.Harness;
using Virga.Testing.Servers;

namespace Virga.EndToEnd;

/// <summary>
/// Accounts on real servers, with the executable: the whole check, and what an rclone configuration becomes.
/// </summary>
[Trait("Needs", "server")]
public sealed class AccountTests
{
    [Fact]
    public async Task The_whole_check_passes_on_every_real_server_and_leaves_nothing_behind()
    {
        await using var scene = new Scene();
        var s3 = scene.Own(await S3Place.CreateAsync());
        var dav = scene.Own(await DavPlace.CreateAsync());
        var agent = await scene.AgentAsync("agent", []);
        await s3.AddToAsync(agent, "s3");
        await dav.AddToAsync(agent, "dav");
        await Scene.AddDiskAsync(agent, "disk", scene.Folder("disk"));
        await AddRcloneAsync(scene, agent);
        foreach (var name in new[] { "s3", "dav", "disk", "remote" })
        {
            var found = await Executable.RunAsync(agent.DataFolder, ["account", "check", name]);
            Assert.True(found.Exit == 0, $"{name}: {found}{scene.Logs()}");
            Assert.Contains("nothing is left behind", found.Out, StringComparison.Ordinal);
            Assert.Contains("/s", found.Out, StringComparison.Ordinal);
            Assert.Empty(await agent.Control.EntriesAsync(name, "", CancellationToken.None));
            if (name != "remote") Assert.Empty(await agent.Control.UploadsAsync(name, CancellationToken.None));
        }
        Assert.DoesNotContain("UploadId", await s3.OpenUploadsAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_configuration_of_rclone_becomes_accounts_that_work()
    {
        await using var scene = new Scene();
        var server = await SharedServers.CephAsync();
        var s3 = scene.Own(await S3Place.CreateAsync());
        var agent = await scene.AgentAsync("agent", []);
        var config = scene.PathOf("rclone.conf");
        await File.WriteAllTextAsync(
            config,
            $"""
            [Ceph Work]
            type = s3
            provider = Ceph
            endpoint = {server["S3_ENDPOINT"]}
            access_key_id = {server["S3_ACCESS_KEY"]}
            secret_access_key = {server["S3_SECRET_KEY"]}

            [pictures]
            type = alias
            remote = {scene.Folder("pictures")}

            [both]
            type = union
            upstreams = {scene.Folder("one")} {scene.Folder("two")}

            """);
        var bucket = s3.Remote["s3:".Length..];
        var imported = await Executable.RunAsync(
            agent.DataFolder,
            [
                "account", "import", config, "--select", $"Ceph Work:{bucket}", "--select", "pictures",
                "--select", "both",
            ]);
        Assert.True(imported.Exit == 0, imported.ToString());
        Assert.DoesNotContain(server["S3_SECRET_KEY"], imported.ToString(), StringComparison.Ordinal);
        var accounts = await agent.Control.AccountsAsync(CancellationToken.None);
        Assert.Equal(["disk", "rclone", "s3"], accounts.Select(a => a.Adapter).Order(StringComparer.Ordinal));
        foreach (var account in accounts)
        {
            var found = await Executable.RunAsync(agent.DataFolder, ["account", "check", account.Name]);
            Assert.True(found.Exit == 0, $"{account}: {found}{scene.Logs()}");
        }
        var again = await Executable.RunAsync(
            agent.DataFolder, ["account", "import", config, "--select", "pictures", "--json"]);
        Assert.Contains("\"there\"", again.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_agent_with_a_locked_key_starts_with_its_secret_and_never_without()
    {
        await using var scene = new Scene();
        var first = await scene.AgentAsync("agent", []);
        await Scene.AddDiskAsync(first, "disk", scene.Folder("disk"));
        Assert.Equal(0, await first.StopAsync());
        var passphrase = scene.PathOf("passphrase");
        await File.WriteAllTextAsync(passphrase, "planted pass phrase\n");
        File.SetUnixFileMode(passphrase, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var locked = await Executable.RunAsync(
            first.DataFolder, ["key", "lock", "--new-passphrase-file", passphrase]);
        Assert.True(locked.Exit == 0, locked.ToString());

        var without = await Executable.RunAsync(first.DataFolder, ["up", "--no-repository"]);
        Assert.Equal(4, without.Exit);
        Assert.Contains("VIRGA_PASSPHRASE_FILE", without.Error, StringComparison.Ordinal);
        var credentials = scene.Folder("credentials");
        var credential = Path.Combine(credentials, "virga-passphrase");
        File.Copy(passphrase, credential);
        var again = await scene.StartAsync(
            "agent", ["up", "--no-repository"], Map.Of(("CREDENTIALS_DIRECTORY", credentials)));
        Assert.Single(await again.Control.AccountsAsync(CancellationToken.None));
    }

    private static async Task AddRcloneAsync(Scene scene, PeerProcess agent)
    {
        var config = scene.PathOf("plain.conf");
        await File.WriteAllTextAsync(config, $"[here]\ntype = alias\nremote = {scene.Folder("remote")}\n");
        await agent.Control.AddAccountAsync(
            new AccountAddRequest("remote", "rclone:here:", Map.Of(("config", config)), Map.Empty),
            CancellationToken.None);
    }
}
