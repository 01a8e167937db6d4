using System.Net;
using System.Security.Cryptography;
using Virga.Accounts.Adapters.Disk;
using Virga.Agent.Control;
using Virga.Core;
using Virga.Protocol;
using Virga.Repository;
using Virga.Trust.Following;
using Virga.Trust.Log;
using Endpoint = Virga.Protocol.Endpoint;

namespace Virga.Agent.Tests;

/// <summary>Agents and the logs of the repositories that they use, one of which lies.</summary>
public sealed class LogTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task A_log_that_is_rewound_on_disk_is_caught_after_a_restart_and_others_learn_it()
    {
        await using var world = new World();
        var honest = await world.RepositoryAsync("honest");
        var bad = await world.RepositoryAsync("bad");
        await world.StopAsync("bad");
        world.Copy("bad", "bad-as-it-was");
        bad = await world.RepositoryAsync("bad");
        Endpoint[] both = [honest.Endpoint, bad.Endpoint];
        var a = await world.AgentAsync("a", both);
        var b = await world.AgentAsync("b", [honest.Endpoint]);
        for (var i = 0; i < 3; i++) await world.PostAsync($"extra {i}", bad.Endpoint);
        await UntilAsync(a, logs => logs.All(log => log is { State: "fine", Entries: > 0 }));
        Assert.Equal([honest.Id.ToString(), bad.Id.ToString()], (await LogsAsync(a)).Select(log => log.Agent));
        await world.StopAsync("a");
        // Within one second a log may say what it likes: its times are no finer.
        var second = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        while (TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() == second) await Task.Delay(20);

        var id = bad.Id.ToString();
        await world.StopAsync("bad");
        world.Restore("bad-as-it-was", "bad");
        bad = await world.RepositoryAsync("bad");
        Assert.Equal(id, bad.Id.ToString());
        await world.PostAsync("more", bad.Endpoint);

        a = await world.AgentAsync("a", both);
        var caught = await UntilAsync(a, logs => logs[1].State == "liar");
        Assert.Equal(("rewind", "fine"), (caught[1].Breach, caught[0].State));
        Assert.Contains("used no more", caught[1].Problem!, StringComparison.Ordinal);
        Assert.Contains(world.Notices, notice => notice.Contains(id, StringComparison.Ordinal));
        var status = await a.StatusAsync();
        Assert.Contains("broken its log", status.Repositories[1].Problem, StringComparison.Ordinal);

        // The other one uses it only from now on, at another address, and has never seen what it was before.
        await world.StopAsync("b");
        await UntilAsync(a, _ => honest.Logs.All.Count == 1);
        b = await world.AgentAsync("b", both);
        var learnt = await UntilAsync(b, logs => logs[1].State == "liar");
        Assert.Equal("rewind", learnt[1].Breach);

        // The proof is one for anybody, and both keep it.
        foreach (var agent in new[] { a, b })
        {
            var proof = Assert.Single(await agent.GetAsync(
                "/control/trust/evidence", ControlJson.Default.ListEvidenceInfo));
            Assert.Equal((id, "rewind", 1), (proof.Agent, proof.Kind, proof.Number));
            var whole = await agent.GetAsync("/control/trust/evidence/1", ControlJson.Default.EvidenceInfo);
            Assert.Equal(id, Evidence.Parse(Convert.FromBase64String(whole.Proof!))
                .Check(TimeProvider.System.GetUtcNow()).ToString());
        }

        // Nothing is asked of it any more, wherever it is reached: a share's link names it in vain.
        await world.StopAsync("b");
        b = await world.AgentAsync("b", both);
        Assert.Equal("liar", (await LogsAsync(b))[1].State);
        await world.StopAsync("bad");
        var elsewhere = await world.RepositoryAsync("bad", isElsewhere: true);
        Assert.Empty(await b.Host.InUse!.AllowAsync([elsewhere.Endpoint], None));
        Assert.Equal([honest.Endpoint], await b.Host.InUse.AllowAsync(both, None));
    }

    [Fact]
    public async Task Two_agents_that_are_shown_two_histories_find_out_through_an_honest_repository()
    {
        await using var world = new World();
        var honest = await world.RepositoryAsync("honest");
        var bad = await world.RepositoryAsync("bad");
        var a = await world.AgentAsync("a", [honest.Endpoint, bad.Endpoint]);
        await UntilAsync(a, logs => logs.All(log => log is { State: "fine" }));
        // The same keys, with another log: what it shows to the other.
        await world.StopAsync("bad");
        world.Copy("bad", "twin");
        foreach (var file in Directory.GetFiles(world.PathOf("twin"), "repository.db*")) File.Delete(file);
        Directory.Delete(Path.Combine(world.PathOf("twin"), "log"), true);
        var twin = await world.RepositoryAsync("twin");
        Assert.Equal(bad.Id, twin.Id);
        for (var i = 0; i < 3; i++) await world.PostAsync($"other {i}", twin.Endpoint);
        var b = await world.AgentAsync("b", [honest.Endpoint, twin.Endpoint]);
        await UntilAsync(b, logs => logs[1].State == "liar");
        await UntilAsync(a, logs => logs[1].State == "liar");
        Assert.NotNull(honest.Logs.BreachOf(bad.Id));
    }

    [Fact]
    public async Task A_proof_of_fraud_outlives_a_restart_and_can_be_handed_on()
    {
        await using var world = new World();
        var honest = await world.RepositoryAsync("honest");
        var a = await world.AgentAsync("a", [honest.Endpoint]);
        var b = await world.AgentAsync("b", []);
        var (who, proof) = LogFrauds.Make();
        var taken = await a.PostAsync(
            "/control/trust/evidence", new EvidenceBytes(Convert.ToBase64String(proof.Bytes)),
            ControlJson.Default.EvidenceBytes, ControlJson.Default.EvidenceInfo);
        Assert.Equal((who.ToString(), "two-histories", false), (taken.Agent, taken.Kind, taken.IsSettled));
        Assert.Equal("Refused", (await a.WhyAsync(who.ToString())).Standing);
        await world.StopAsync("a");
        a = await world.AgentAsync("a", [honest.Endpoint]);
        Assert.Equal("Refused", (await a.WhyAsync(who.ToString())).Standing);

        // The repository has it by now, and gives the chain out no more.
        await UntilAsync(a, _ => honest.Logs.FraudOf(who) is not null);
        await world.StopAsync("b");
        b = await world.AgentAsync("b", [honest.Endpoint]);
        await UntilAsync(b, _ => true);
        Assert.Equal("Refused", (await b.WhyAsync(who.ToString())).Standing);

        var text = await a.RefusedAsync("/control/trust/evidence", new EvidenceBytes("!"),
            ControlJson.Default.EvidenceBytes);
        Assert.Contains("not base64", text, StringComparison.Ordinal);
        text = await a.RefusedAsync("/control/trust/evidence", new EvidenceBytes("AAAA"),
            ControlJson.Default.EvidenceBytes);
        Assert.Contains("evidence", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_repository_that_is_vouched_for_is_used_until_it_is_revoked_and_an_agent_is_none()
    {
        await using var world = new World();
        var honest = await world.RepositoryAsync("honest");
        var trusted = await world.RepositoryAsync("trusted");
        var a = await world.AgentAsync("a", [honest.Endpoint]);
        var b = await world.AgentAsync("b", [honest.Endpoint]);
        var address = new AgentAddress(trusted.Id, trusted.Endpoint).ToText();
        foreach (var who in new[] { address, b.Address })
        {
            await a.PostAsync("/control/trust/vouch", new VouchRequest(who, ["repository"], 0, 30),
                ControlJson.Default.VouchRequest, ControlJson.Default.TrustResult);
        }
        var logs = await UntilAsync(a, logs => logs.Count == 2 && logs[1].State == "fine");
        Assert.Equal((trusted.Id.ToString(), true), (logs[1].Agent, logs[1].IsTrusted));
        Assert.Equal([honest.Endpoint, trusted.Endpoint], a.Host.InUse!.Now);
        await a.RevokeAsync(trusted.Id.ToString());
        await a.Host.Logs!.RoundAsync(None);
        Assert.Equal([honest.Endpoint], a.Host.InUse.Now);
    }

    private static Task<List<LogInfo>> LogsAsync(TestAgent agent) =>
        agent.GetAsync("/control/trust/logs", ControlJson.Default.ListLogInfo);

    private static async Task<List<LogInfo>> UntilAsync(TestAgent agent, Func<List<LogInfo>, bool> isSo)
    {
        const int quick = 25, most = 85;
        for (var i = 0; i < most; i++)
        {
            await agent.Host.Logs!.RoundAsync(None);
            var logs = await LogsAsync(agent);
            if (isSo(logs)) return logs;
            // Times in a log are whole seconds. Who asks on and on at this pace is refused by a repository.
            await Task.Delay(i < quick ? 200 : 2_000);
        }
        throw new TimeoutException(string.Join("; ", await LogsAsync(agent)));
    }

    private sealed class World : IAsyncDisposable
    {
        private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("virga-");
        private readonly Dictionary<string, IAsyncDisposable> running = [];
        private readonly Dictionary<string, IPEndPoint> ports = [];

        public List<string> Notices { get; } = [];

        public string PathOf(string name) => Path.Combine(root.FullName, name);

        /// <summary>A repository, at the address that it had before.</summary>
        public async Task<RepositoryHost> RepositoryAsync(string name, bool isElsewhere = false)
        {
            var listen = isElsewhere ? new IPEndPoint(IPAddress.Loopback, 0)
                : ports.GetValueOrDefault(name, new IPEndPoint(IPAddress.Loopback, 0));
            var host = await RepositoryHost.StartAsync(new RepositoryOptions
            {
                DataFolder = PathOf(name), Listen = listen, Time = TimeProvider.System,
                Random = RandomNumberGenerator.Fill,
            }, None);
            ports[name] = new IPEndPoint(IPAddress.Loopback, host.Endpoint.Url.Port);
            running[name] = host;
            return host;
        }

        public async Task<TestAgent> AgentAsync(string name, IReadOnlyList<Endpoint> repositories)
        {
            var folder = PathOf("agent-" + name);
            var host = await AgentHost.StartAsync(new AgentOptions
            {
                DataFolder = folder, Repositories = repositories, Version = "test",
                Adapters = [new DiskAdapter(RandomNumberGenerator.Fill)], Time = TimeProvider.System,
                Random = RandomNumberGenerator.Fill, Notice = Notices.Add,
            }, None);
            running[name] = host;
            return new TestAgent(host, Path.Combine(folder, AgentHost.ControlSocketName));
        }

        public async Task StopAsync(string name)
        {
            if (running.Remove(name, out var item)) await item.DisposeAsync();
        }

        /// <summary>An agent that posts its chain there, and waits until it stands in the log.</summary>
        public async Task PostAsync(string name, Endpoint repository)
        {
            var agent = await AgentAsync(name, [repository]);
            await UntilAsync(agent, logs => logs[0].Entries > 0);
            await StopAsync(name);
        }

        public void Copy(string from, string to)
        {
            foreach (var file in Directory.GetFiles(PathOf(from), "*", SearchOption.AllDirectories))
            {
                var target = Path.Combine(PathOf(to), Path.GetRelativePath(PathOf(from), file));
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                File.Copy(file, target);
            }
        }

        public void Restore(string from, string to)
        {
            Directory.Delete(PathOf(to), recursive: true);
            Copy(from, to);
        }

        

        public async ValueTask DisposeAsync()
        {
            foreach (var item in running.Values.Reverse()) await item.DisposeAsync();
            root.Delete(recursive: true);
        }
    }
}
