using System.Diagnostics;
using System.Text.Json;
using Virga.Agent.Control;

namespace Virga.Cli.Tests;

/// <summary>The import with the rclone that is installed, which writes, encrypts and opens the configuration.</summary>
[Trait("Needs", "server")]
public sealed class ImportCommandTests : IAsyncLifetime
{
    private readonly List<AccountAddRequest> added = [];
    private FakeAgent agent = null!;

    private string Config => Path.Combine(agent.DataFolder, "rclone.conf");

    public async Task InitializeAsync()
    {
        agent = await FakeAgent.StartAsync();
        agent.Answer(
            "GET /control/accounts", [new AccountInfo("nas", "disk", "disk:/srv/data")],
            ControlJson.Default.ListAccountInfo);
        agent.Routes["POST /control/accounts"] = async http =>
        {
            var request = await FakeAgent.BodyAsync(http, ControlJson.Default.AccountAddRequest);
            lock (added) added.Add(request);
            await http.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(
                new AccountInfo(request.Name, "x", request.Address), ControlJson.Default.AccountInfo));
        };
        await RcloneAsync("config", "create", "Work Files", "s3", "provider=Ceph", "endpoint=https://s3.example.org",
            "access_key_id=AK", "secret_access_key=planted-key");
        await RcloneAsync("config", "create", "next", "webdav", "url=https://cloud.example.org/dav", "vendor=other",
            "user=ann", "pass=planted-pass", "--obscure");
        await RcloneAsync("config", "create", "nas", "alias", "remote=/srv/other");
        await RcloneAsync("config", "create", "old", "alias", "remote=/srv/data");
    }

    public async Task DisposeAsync() => await agent.DisposeAsync();

    private async Task RcloneAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("rclone", arguments)
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
            Environment = { ["RCLONE_CONFIG"] = Config },
        };
        using var process = Process.Start(start)
            ?? throw new InvalidOperationException("rclone is not installed: run ./test, which installs it");
        var words = await process.StandardError.ReadToEndAsync();
        await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, words);
    }

    private Task<Run> ImportAsync(Setting setting, params string[] more) =>
        Run.OfAsync(setting, ["account", "import", Config, .. more, "--data", agent.DataFolder]);

    private static void AssertSilent(Run run) =>
        Assert.DoesNotContain("planted", run.Out + run.Error, StringComparison.Ordinal);

    [Fact]
    public async Task All_remotes_become_accounts_with_names_that_are_valid_and_free()
    {
        var run = await ImportAsync(new Setting());
        Assert.Equal(0, run.Exit);
        Assert.Equal(["nas-2", "next", "work-files"], added.Select(a => a.Name).Order(StringComparer.Ordinal));
        Assert.Equal("disk:/srv/other", added.Single(a => a.Name == "nas-2").Address);
        Assert.Equal("rclone:Work Files:", added.Single(a => a.Name == "work-files").Address);
        Assert.Equal("planted-pass", added.Single(a => a.Name == "next").Secrets["password"]);
        // What is an account already is not added again.
        Assert.Contains("there", run.Out.Split('\n').Single(l => l.StartsWith("old", StringComparison.Ordinal)),
            StringComparison.Ordinal);
        AssertSilent(run);
    }

    [Fact]
    public async Task A_dry_run_adds_nothing_and_a_selection_takes_a_bucket()
    {
        var dry = await ImportAsync(new Setting(), "--dry-run", "--select", "Work Files:bucket/photos");
        Assert.Equal(0, dry.Exit);
        Assert.Contains("work-files-photos", dry.Out, StringComparison.Ordinal);
        Assert.Contains("s3:https://s3.example.org/bucket/photos", dry.Out, StringComparison.Ordinal);
        Assert.Empty(added);
        var real = await ImportAsync(new Setting(), "--json", "--select", "Work Files:bucket/photos");
        Assert.Equal("planted-key", Assert.Single(added).Secrets["secretKey"]);
        Assert.Contains("\"added\"", real.Out, StringComparison.Ordinal);
        AssertSilent(real);
        var unknown = await ImportAsync(new Setting(), "--select", "nothing");
        Assert.Equal(ExitCode.Of(Core.FailureKind.NotFound), unknown.Exit);
    }

    [Fact]
    public async Task An_encrypted_configuration_is_opened_by_rclone_with_a_password_that_is_asked_for()
    {
        await EncryptAsync("planted-config-pass");
        var wrong = await ImportAsync(new Setting { Typed = "planted-wrong" });
        Assert.Equal(ExitCode.Of(Core.FailureKind.Unauthenticated), wrong.Exit);
        AssertSilent(wrong);
        var none = await ImportAsync(new Setting());
        Assert.Equal(ExitCode.Usage, none.Exit);
        Assert.Empty(added);
        var typed = await ImportAsync(new Setting { Typed = "planted-config-pass" }, "--select", "Work Files");
        Assert.Equal(0, typed.Exit);
        var through = Assert.Single(added);
        Assert.Equal((Config, "planted-config-pass"), (through.Settings["config"], through.Secrets["configPass"]));
        var given = await ImportAsync(
            new Setting { Variables = { ["RCLONE_CONFIG_PASS"] = "planted-config-pass" } }, "--dry-run");
        Assert.Equal(0, given.Exit);
        AssertSilent(typed);
        AssertSilent(given);
    }

    [Fact]
    public async Task Clouds_become_accounts_of_our_own_also_from_an_encrypted_configuration()
    {
        const string token = "token={\"access_token\":\"planted-a\",\"token_type\":\"Bearer\","
            + "\"refresh_token\":\"planted-refresh\",\"expiry\":\"2026-01-01T00:00:00Z\"}";
        string[][] remotes =
        [
            ["gd", "drive", "client_id=me", "client_secret=planted-client", "scope=drive", token],
            ["plain", "drive", "scope=drive", token],
            ["drop", "dropbox", "client_id=me", token],
            ["one", "onedrive", "client_id=me", token, "drive_id=b1", "drive_type=personal"],
            ["cloud", "google cloud storage", "client_id=me", "project_number=7", token],
            ["back", "b2", "account=0012", "key=planted-b2"],
            ["blob", "azureblob", "account=acme", "key=" + Convert.ToBase64String(new byte[64])],
            ["box", "sftp", "host=box.example.org", "user=ann", "pass=planted-pass", "--obscure"],
        ];
        foreach (var remote in remotes) await RcloneAsync(["config", "create", "--non-interactive", .. remote]);
        await EncryptAsync("planted-config-pass");
        var run = await ImportAsync(
            new Setting { Typed = "planted-config-pass" }, "--select", "gd:Photos", "--select", "plain", "--select",
            "drop", "--select", "one", "--select", "cloud:my-bucket", "--select", "back:bucket-1", "--select",
            "blob:photos", "--select", "box:files");
        Assert.True(run.Exit == 0, run.Out + run.Error);
        Assert.Equal(
            [
                "azure:https://acme.blob.core.windows.net/photos", "b2:bucket-1", "drive:Photos", "dropbox:",
                "gcs:my-bucket", "onedrive:", "rclone:plain:", "sftp://ann@box.example.org/~/files",
            ],
            added.Select(a => a.Address).Order(StringComparer.Ordinal));
        Assert.Contains(
            "rclone's own client", run.Out.Split('\n').Single(l => l.StartsWith("plain", StringComparison.Ordinal)),
            StringComparison.Ordinal);
        Assert.Equal("planted-refresh", added.Single(a => a.Address == "drive:Photos").Secrets["refreshToken"]);
        Assert.Equal("planted-pass", added.Single(a => a.Address.StartsWith("sftp", StringComparison.Ordinal))
            .Secrets["password"]);
        AssertSilent(run);
    }

    [Fact]
    public async Task What_can_not_be_imported_says_why()
    {
        var missing = await Run.OfAsync("account", "import", "/nowhere/rclone.conf", "--data", agent.DataFolder);
        Assert.Equal(ExitCode.Of(Core.FailureKind.NotFound), missing.Exit);
        var both = await ImportAsync(new Setting(), "--rclone");
        Assert.Equal(ExitCode.Usage, both.Exit);
        var program = await ImportAsync(new Setting(), "--rclone-binary", "no-such-rclone");
        Assert.Contains("no program 'no-such-rclone'", program.Error, StringComparison.Ordinal);
    }

    /// <summary>
    /// rclone sets a password only in a conversation on a terminal, which script (of Debian's base) makes.
    /// </summary>
    private async Task EncryptAsync(string password)
    {
        var start = new ProcessStartInfo("script", ["-qec", "rclone config", "/dev/null"])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true,
            RedirectStandardError = true, Environment = { ["RCLONE_CONFIG"] = Config },
        };
        using var process = Process.Start(start)!;
        var complaints = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEndAsync();
        await process.StandardInput.WriteAsync($"s\na\n{password}\n{password}\nq\nq\n");
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        Assert.StartsWith("# Encrypted", await File.ReadAllTextAsync(Config), StringComparison.Ordinal);
        await complaints;
        await output;
    }
}
