using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Virga.Cli;
using Virga.EndToEnd.Harness;

namespace Virga.EndToEnd;

/// <summary>
/// A cloud is linked by the executable, survives being killed, is checked and unlinked; and of no account, of any kind,
/// does a secret show anywhere.
/// </summary>
[Trait("Needs", "server")]
public sealed class LinkTests
{
    private const string ObscuredPass = "iwZQyyXUQoGlqe2ZcSmkt8z5ZPqsY5TUXHAKItcbcJFJL_g1vRNp";

    [Fact]
    public async Task A_cloud_stays_linked_over_kills_and_is_gone_when_it_is_unlinked()
    {
        await using var scene = new Scene();
        var cloud = scene.Own(await CloudPlace.StartAsync());
        var agent = await StartAsync(scene, cloud);
        var linked = await cloud.LinkAsync(agent, "mine", "dropbox", "--client-id", CloudPlace.ClientId);
        Assert.True(linked.Exit == 0, linked + scene.Logs());
        for (var life = 0; life < 3; life++)
        {
            var checkedNow = await Executable.RunAsync(agent.DataFolder, ["account", "check", "mine"]);
            Assert.True(checkedNow.Exit == 0, checkedNow + scene.Logs());
            Assert.Contains("nothing is left behind", checkedNow.Out, StringComparison.Ordinal);
            agent.Kill();
            await agent.WaitEndedAsync();
            agent = await StartAsync(scene, cloud);
        }
        // The check before each kill renewed the token, which replaced the refresh token: none was used twice.
        Assert.Empty(cloud.Server.Refusals);

        cloud.Server.RevokeEverything();
        var revoked = await Executable.RunAsync(agent.DataFolder, ["account", "check", "mine", "--read-only"]);
        Assert.NotEqual(0, revoked.Exit);
        Assert.Contains("virga account link mine dropbox", revoked.ToString(), StringComparison.Ordinal);
        var again = await cloud.LinkAsync(agent, "mine");
        Assert.True(again.Exit == 0, again + scene.Logs());

        var secrets = new Needles([CloudPlace.ClientSecret, .. cloud.Server.Given], []);
        var unlinked = await Executable.RunAsync(agent.DataFolder, ["account", "unlink", "mine"]);
        Assert.True(unlinked.Exit == 0, unlinked + scene.Logs());
        Assert.Contains("its permission was ended", unlinked.Error, StringComparison.Ordinal);
        Assert.False(cloud.Server.HasLiveTokens);
        Assert.Equal(0, await agent.StopAsync());
        await AssertSilentAsync(secrets, scene, [linked, revoked, again, unlinked]);
    }

    [Fact]
    public async Task What_is_linked_for_reading_alone_is_never_written_to()
    {
        await using var scene = new Scene();
        var cloud = scene.Own(await CloudPlace.StartAsync());
        var agent = await StartAsync(scene, cloud);
        var linked = await cloud.LinkAsync(
            agent, "mine", "dropbox", "--read-only", "--client-id", CloudPlace.ClientId);
        Assert.True(linked.Exit == 0, linked + scene.Logs());
        Assert.DoesNotContain("files.content.write", linked.Out, StringComparison.Ordinal);
        var found = await Executable.RunAsync(agent.DataFolder, ["account", "check", "mine"]);
        Assert.True(found.Exit == 0, found + scene.Logs());
        Assert.Contains("read-only", found.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Planted_secrets_show_nowhere()
    {
        await using var scene = new Scene();
        await using var echo = await StartEchoAsync();
        var url = echo.Urls.First();
        var planted = new List<string>();
        string Plant(string text)
        {
            planted.Add(text);
            return text;
        }

        var config = scene.PathOf("rclone.conf");
        // As rclone itself would write "planted-rclone-dav-pass".
        await File.WriteAllTextAsync(
            config,
            $"[dav]\ntype = webdav\nurl = {url}\nvendor = other\nuser = ann\npass = {ObscuredPass}\n");
        Plant("planted-rclone-dav-pass");
        var samples = new Dictionary<string, (string Address, string[] Settings, (string, string)[] Secrets)>
        {
            ["disk"] = ($"disk:{scene.Folder("disk")}", [], []),
            ["s3"] = ($"s3:{url}/bucket", [],
                [("accessKey", Plant("PLANTEDACCESSKEY")), ("secretKey", Plant("planted-s3-secret/key+1")),
                    ("sessionToken", Plant("planted-s3-session-token"))]),
            ["azure"] = ($"azure:{url}/account/container", [],
                [("accountKey", Plant(Convert.ToBase64String(RandomNumberGenerator.GetBytes(64))))]),
            ["webdav"] = (url.Replace("http:", "webdav:", StringComparison.Ordinal) + "/dav", ["user=ann"],
                [("password", Plant("planted-webdav-\u00e4-password"))]),
            ["sftp"] = ("sftp://ann@" + new Uri(url).Authority + "/folder", ["hostKey=ssh-ed25519 AAAA"],
                [("password", Plant("planted-sftp-\u00e4-password"))]),
            ["rclone"] = ("rclone:dav:folder", [$"config={config}"],
                [("configPass", Plant("planted-rclone-config-pass"))]),
            ["gcs"] = ("gcs:some-bucket", [],
                [("serviceAccountKey", Plant("{\"private_key\":\"planted-gcs-key\"}"))]),
            ["b2"] = ("b2:some-bucket", [],
                [("keyId", Plant("planted-b2-key-id")), ("applicationKey", Plant("planted-b2-application-key"))]),
            ["drive"] = ("drive:folder", ["clientId=app"],
                [("clientSecret", Plant("planted-drive-secret")), ("refreshToken", Plant("planted-drive-token"))]),
            ["onedrive"] = ("onedrive:folder", ["clientId=app"],
                [("clientSecret", Plant("planted-onedrive-secret")), ("refreshToken", Plant("planted-one-token"))]),
            ["dropbox"] = ("dropbox:folder", ["clientId=app"],
                [("clientSecret", Plant("planted-dropbox-secret")), ("refreshToken", Plant("planted-refresh-token"))]),
        };
        // A kind of account that is not here has not been looked at.
        var kinds = Adapters.All.Select(a => a.Name).ToHashSet(StringComparer.Ordinal);
        Assert.Empty(kinds.Except(samples.Keys));

        var cloud = scene.Own(await CloudPlace.StartAsync());
        var outside = await scene.AgentAsync("outside", []);
        var inside = await StartAsync(scene, cloud);
        var outcomes = await Task.WhenAll(samples.Where(s => kinds.Contains(s.Key)).Select(async sample =>
        {
            // What speaks with the real names of services does so only where those lead to a fake.
            var agent = sample.Key is "dropbox" or "drive" or "onedrive" or "gcs" or "b2" ? inside : outside;
            return await TryAsync(scene, agent, sample.Key, sample.Value.Address, sample.Value.Settings,
                sample.Value.Secrets);
        }));
        var secrets = new Needles(planted.Select(p => p.Replace("{\"private_key\":\"", "").Replace("\"}", "")), []);
        await AssertProcessesSilentAsync(secrets);
        foreach (var agent in new[] { outside, inside }) Assert.Equal(0, await agent.StopAsync());
        await AssertSilentAsync(secrets, scene, [.. outcomes.SelectMany(o => o)]);
        Assert.All(outcomes.SelectMany(o => o), o => Assert.DoesNotContain("Exception", o.Error));
    }

    /// <summary>Adds an account and does with it what a person may, though nearly all of it must fail.</summary>
    private static async Task<List<Outcome>> TryAsync(
        Scene scene, PeerProcess agent, string name, string address, string[] settings, (string, string)[] secrets)
    {
        var file = scene.PathOf($"../{Path.GetFileName(scene.Root)}-{name}.secrets");
        await File.WriteAllLinesAsync(file, secrets.Select(s => $"{s.Item1}={s.Item2}"));
        try
        {
            string[] set = [.. settings.SelectMany(s => new[] { "--set", s })];
            var outcomes = new List<Outcome>
            {
                await Executable.RunAsync(
                    agent.DataFolder, ["account", "add", name, address, .. set, "--secrets-file", file]),
            };
            string[][] commands =
            [
                ["account", "list"], ["account", "list", "--json"], ["account", "check", name, "--read-only", "--json"],
                ["ls", name], ["share", $"{name}:folder", "--public"], ["account", "uploads", name], ["shares"],
                ["account", "remove", name, "--force"],
            ];
            foreach (var command in commands) outcomes.Add(await Executable.RunAsync(agent.DataFolder, command));
            return outcomes;
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static Task<PeerProcess> StartAsync(Scene scene, CloudPlace cloud) =>
        scene.StartAsync("inside", ["up", "--no-repository"], cloud.Environment, cloud.Prefix);

    /// <summary>Everything that was written: state, logs, what commands printed.</summary>
    private static async Task AssertSilentAsync(Needles secrets, Scene scene, IReadOnlyList<Outcome> outcomes)
    {
        var printed = scene.PathOf("printed");
        await File.WriteAllTextAsync(printed, string.Join("\n", outcomes));
        var found = new List<string>();
        foreach (var path in Directory.EnumerateFiles(scene.Root, "*", SearchOption.AllDirectories))
        {
            found.AddRange((await secrets.FindAsync(path)).Select(what => $"{path}: {what}"));
        }
        Assert.Empty(found);
    }

    /// <summary>The command lines of all processes, and the environment of the agents.</summary>
    private static async Task AssertProcessesSilentAsync(Needles secrets)
    {
        var found = new List<string>();
        var agents = 0;
        foreach (var folder in Directory.EnumerateDirectories("/proc").Where(f => char.IsAsciiDigit(f[6])))
        {
            try
            {
                var line = await File.ReadAllTextAsync(folder + "/cmdline");
                found.AddRange((await secrets.FindAsync(folder + "/cmdline")).Select(w => $"{line}: {w}"));
                if (!line.Contains("virga\0up", StringComparison.Ordinal)) continue;
                agents++;
                found.AddRange((await secrets.FindAsync(folder + "/environ")).Select(w => $"environ of {line}: {w}"));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It ended meanwhile.
            }
        }
        Assert.Empty(found);
        Assert.True(agents >= 2, $"{agents} agents were looked at");
    }

    /// <summary>A server that refuses everything, and repeats in its answer all that it was sent.</summary>
    private static async Task<WebApplication> StartEchoAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Run(async http =>
        {
            var sent = new StringBuilder($"{http.Request.Method} {http.Request.Path}{http.Request.QueryString}\n");
            foreach (var (name, value) in http.Request.Headers) sent.Append($"{name}: {value}\n");
            var header = http.Request.Headers.Authorization.ToString();
            // rclone's words are passed on, with whatever the server said: as far as they show what they are.
            if (http.Request.Headers.UserAgent.ToString().StartsWith("rclone", StringComparison.Ordinal))
                sent.Replace('\n', ' ');
            else if (header.StartsWith("Basic ", StringComparison.Ordinal))
                sent.Append(Encoding.UTF8.GetString(Convert.FromBase64String(header[6..])));
            http.Response.StatusCode = StatusCodes.Status403Forbidden;
            http.Response.ContentType = "text/plain; charset=utf-8";
            await http.Response.WriteAsync(sent.ToString());
        });
        await app.StartAsync();
        return app;
    }
}
