using System.Diagnostics;
using Virga.Agent.Control;

namespace Virga.Cli.Tests;

public sealed class CompletionTests : IAsyncLifetime
{
    private FakeAgent agent = null!;

    public async Task InitializeAsync()
    {
        agent = await FakeAgent.StartAsync();
        agent.Answer(
            "GET /control/accounts", [new AccountInfo("nas", "disk", "disk:/a"),
                new AccountInfo("cloud", "s3", "s3:x")],
            ControlJson.Default.ListAccountInfo);
        agent.Answer(
            "GET /control/accounts/nas/entries?path=photos",
            [
                new EntryInfo("photos/2024", "folder", 0, null, null), new EntryInfo(
                    "photos/2025", "folder", 0, null, null),
                new EntryInfo("photos/20th.jpg", "file", 5, null, null),
            ],
            ControlJson.Default.ListEntryInfo);
        agent.Answer("GET /control/transfers", [Samples.Transfer("7f3a", TransferState.Running)],
            ControlJson.Default.ListTransferInfo);
        agent.Answer("GET /control/shares", [Samples.Share], ControlJson.Default.ListShareInfo);
    }

    public async Task DisposeAsync() => await agent.DisposeAsync();

    [Theory]
    [InlineData("virga acc", "account")]
    [InlineData("virga account ch", "check")]
    [InlineData("virga account check n", "nas")]
    [InlineData("virga get --on", "--on-collision")]
    [InlineData("virga get link c", "cloud:")]
    [InlineData("virga get link nas:photos/202", "nas:photos/2024/ nas:photos/2025/")]
    [InlineData("virga share nas:photos/", "nas:photos/2024/ nas:photos/2025/ nas:photos/20th.jpg")]
    [InlineData("virga cancel ", "7f3a")]
    [InlineData("virga completion ", "bash fish zsh")]
    [InlineData("virga --data /nowhere shar", "share shares")]
    [InlineData("virga --data /nowhere cancel ", "")]
    public async Task Words_are_completed(string line, string expected)
    {
        var run = await Run.OfAsync(
            new Setting { Variables = { ["VIRGA_DATA"] = agent.DataFolder } }, "__complete", line);
        Assert.Equal(0, run.Exit);
        Assert.Equal(expected, string.Join(' ', run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
    }

    [Fact]
    public async Task Without_an_agent_commands_are_still_completed()
    {
        var run = await Run.OfAsync("__complete", "virga --data /nowhere get link --");
        Assert.Equal((0, ""), (run.Exit, run.Error));
        Assert.Contains("--detach", run.Out, StringComparison.Ordinal);
    }

    /// <summary>A real bash loads the script and completes as at a tab key.</summary>
    [Theory]
    [InlineData("virga unsh", "unshare")]
    [InlineData("virga get link nas:photos/2025", "photos/2025/")]
    [InlineData("virga account rem", "remove")]
    public async Task Bash_completes(string line, string expected)
    {
        var script = $$"""
            export PATH="{{AppContext.BaseDirectory}}:$PATH" VIRGA_DATA="{{agent.DataFolder}}"
            export DOTNET_ROOT="${DOTNET_ROOT:-{{RuntimeRoot}}}"
            source <(virga completion bash)
            COMP_LINE='{{line}}' COMP_POINT=${#COMP_LINE} COMP_WORDS=(virga)
            COMP_POINT=${#COMP_LINE}
            # It waits a second for the agent, which a machine under load can take.
            for _ in 1 2 3 4 5; do _virga; [[ -n ${COMPREPLY[0]-} ]] && break; done
            printf '%s\n' "${COMPREPLY[@]}"
            complete -p virga >/dev/null && echo registered
            """;
        using var bash = Process.Start(new ProcessStartInfo("bash", ["-c", script])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
        })!;
        var error = bash.StandardError.ReadToEndAsync();
        var output = await bash.StandardOutput.ReadToEndAsync();
        await bash.WaitForExitAsync();
        Assert.Equal($"{expected}\nregistered\n", output);
        Assert.Equal("", await error);
    }

    internal static string RuntimeRoot =>
        Path.GetFullPath(
            Path.Combine(System.Runtime.InteropServices.RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
}
