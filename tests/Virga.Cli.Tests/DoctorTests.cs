using System.Text.Json;
using Virga.Agent.Control;
using Virga.Core;

namespace Virga.Cli.Tests;

public sealed class DoctorTests
{
    [Fact]
    public async Task Without_an_agent_the_machine_is_examined_and_the_agent_is_the_problem()
    {
        var run = await Run.OfAsync("doctor", "--json", "--data", "/nowhere/virga");
        Assert.Equal(ExitCode.Failed, run.Exit);
        var findings = JsonSerializer.Deserialize(run.Out, CliJson.Default.ListFinding)!;
        Assert.Contains(findings, f => f is { What: "libcrypto", Ok: true });
        Assert.Contains(findings, f => f is { What: "hashing", Ok: true });
        var problem = Assert.Single(findings, f => !f.Ok);
        Assert.Equal(("agent", "no agent runs on /nowhere/virga"), (problem.What, problem.Message));
        Assert.Contains("virga up", problem.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_wrong_around_an_agent_is_named_with_what_to_do()
    {
        await using var agent = await FakeAgent.StartAsync();
        agent.Answer("GET /control/status", Samples.Status, ControlJson.Default.AgentStatus);
        agent.Answer(
            "GET /control/accounts", [new AccountInfo("nas", "disk", "disk:/a")], ControlJson.Default.ListAccountInfo);
        agent.Answer(
            "GET /control/trust/logs",
            [new LogInfo("https://liar.example.org", Samples.Status.Agent, null, false, 12, Samples.Start, 0, null,
                "liar", "rewind", "it has broken its log", null)],
            ControlJson.Default.ListLogInfo);
        agent.Fail(
            "POST /control/accounts/nas/check", FailureKind.Denied, "the password is wrong", "Add it anew.", 403);
        File.SetUnixFileMode(agent.DataFolder, (UnixFileMode)0b111_101_101);
        var run = await Run.OfAsync("doctor", "--data", agent.DataFolder);
        Assert.Equal(ExitCode.Failed, run.Exit);
        Assert.Contains(
            $"problem  data folder: {agent.DataFolder} can be read by other users", run.Out, StringComparison.Ordinal);
        Assert.Contains($"chmod 700 {agent.DataFolder}", run.Out, StringComparison.Ordinal);
        Assert.Contains("problem  endpoint: ", run.Out, StringComparison.Ordinal);
        Assert.Contains("problem  repository: ", run.Out, StringComparison.Ordinal);
        Assert.Contains(
            "problem  account nas: the password is wrong\n         Add it anew.", run.Out, StringComparison.Ordinal);
        Assert.Contains(
            "problem  log: https://liar.example.org: PROVEN LIAR (rewind)", run.Out, StringComparison.Ordinal);
        Assert.EndsWith("5 problems\n", run.Error, StringComparison.Ordinal);
    }
}
