using Virga.Agent.Control;

namespace Virga.Cli.Tests;

public sealed class AccountCommandTests : IAsyncLifetime
{
    private const string Address = "s3:https://s3.example.org/bucket/folder";

    private FakeAgent agent = null!;
    private AccountAddRequest? asked;

    public async Task InitializeAsync()
    {
        agent = await FakeAgent.StartAsync();
        agent.Routes["POST /control/accounts"] = async http =>
        {
            asked = await FakeAgent.BodyAsync(http, ControlJson.Default.AccountAddRequest);
            await Results(http, new AccountInfo(asked.Name, "s3", asked.Address));
        };
        agent.Answer(
            "POST /control/accounts/nas/check", new CheckResult(
                true, [new CheckStep("list", true, null, null, 12)], 5L << 30),
            ControlJson.Default.CheckResult);
    }

    public async Task DisposeAsync() => await agent.DisposeAsync();

    [Fact]
    public async Task Add_sends_settings_and_secrets_from_the_environment_and_checks()
    {
        var run = await AddAsync(new Setting
        {
            Variables = { ["VIRGA_SECRET_ACCESSKEY"] = "AK", ["VIRGA_SECRET_SECRETKEY"] = "SK" },
        }, "--set", "region=eu");
        Assert.Equal(0, run.Exit);
        Assert.Equal(("nas", Address, "eu"), (asked!.Name, asked.Address, asked.Settings["region"]));
        Assert.Equal(("AK", "SK"), (asked.Secrets["accessKey"], asked.Secrets["secretKey"]));
        Assert.Contains("ok       list", run.Out, StringComparison.Ordinal);
        Assert.Contains("5.0 GiB free", run.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("SK", run.Out + run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_person_is_asked_for_what_is_missing()
    {
        var run = await AddAsync(new Setting { Typed = "typed" });
        Assert.Equal(0, run.Exit);
        Assert.Equal(("typed", "typed"), (asked!.Secrets["accessKey"], asked.Secrets["secretKey"]));
        Assert.Contains("secretKey (", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("typed", run.Out + run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Standard_input_and_a_file_give_secrets()
    {
        var file = Path.Combine(agent.DataFolder, "secrets");
        await File.WriteAllTextAsync(file, "# keys\naccessKey=from file\n");
        var run = await AddAsync(
            new Setting { Input = "from input\n" }, "--secret", "secretKey=-", "--secrets-file", file);
        Assert.Equal(0, run.Exit);
        Assert.Equal(("from file", "from input"), (asked!.Secrets["accessKey"], asked.Secrets["secretKey"]));
    }

    [Theory]
    [InlineData("--secret", "secretKey=hunter2")]
    [InlineData("--secret", "secretKey=-", "--secret", "accessKey=-")]
    [InlineData("--secret", "nonsense")]
    [InlineData("--secrets-file", "/nowhere/secrets")]
    public async Task Secrets_that_come_the_wrong_way_are_refused(params string[] more)
    {
        var run = await AddAsync(new Setting(), more);
        Assert.NotEqual(0, run.Exit);
        Assert.Null(asked);
        Assert.DoesNotContain("hunter2", run.Out + run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_terminal_a_missing_secret_is_named_with_all_ways_to_give_it()
    {
        var run = await AddAsync(new Setting(), "--secret", "accessKey");
        Assert.Equal(ExitCode.Usage, run.Exit);
        Assert.Contains("VIRGA_SECRET_ACCESSKEY", run.Error, StringComparison.Ordinal);
        Assert.Null(asked);
    }

    [Fact]
    public async Task A_failed_check_says_which_step_and_what_to_do()
    {
        agent.Answer(
            "POST /control/accounts/nas/check?probe=full",
            new CheckResult(
                false, [new CheckStep("list", true, null, null, 1),
                    new CheckStep("write", false, "access denied", "Allow PutObject.", 2)], null),
            ControlJson.Default.CheckResult);
        var run = await Run.OfAsync("account", "check", "nas", "--data", agent.DataFolder);
        Assert.Equal(ExitCode.Failed, run.Exit);
        Assert.Contains("problem  write: access denied", run.Out, StringComparison.Ordinal);
        Assert.Contains("write failed\n       Allow PutObject.", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_check_shows_what_was_found_and_how_fast()
    {
        agent.Answer(
            "POST /control/accounts/nas/check?probe=read-only",
            new CheckResult(
                true, [new CheckStep("list", true, "3 entries in the root", null, 12),
                    new CheckStep("read", true, null, null, 100, 5 << 20)], null),
            ControlJson.Default.CheckResult);
        var run = await Run.OfAsync("account", "check", "nas", "--read-only", "--data", agent.DataFolder);
        Assert.Equal(0, run.Exit);
        Assert.Contains("list: 3 entries in the root  12 ms", run.Out, StringComparison.Ordinal);
        Assert.Contains("read  100 ms, 5.0 MiB/s", run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_relative_folder_becomes_absolute()
    {
        await Run.OfAsync(new Setting { Variables = { ["HOME"] = "/home/ann" } }, "account", "add", "nas",
            "disk:~/data", "--data", agent.DataFolder);
        Assert.Equal("disk:/home/ann/data", asked!.Address);
        await Run.OfAsync("account", "add", "nas", "disk:data", "--data", agent.DataFolder);
        Assert.Equal("disk:" + Path.Combine(Environment.CurrentDirectory, "data"), asked.Address);
    }

    private Task<Run> AddAsync(Setting setting, params string[] more) =>
        Run.OfAsync(setting, ["account", "add", "nas", Address, .. more, "--data", agent.DataFolder]);

    private static async Task Results(Microsoft.AspNetCore.Http.HttpContext http, AccountInfo added) =>
        await http.Response.Body.WriteAsync(
            System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(added, ControlJson.Default.AccountInfo));
}
