using System.Net;
using Virga.Core;
using Virga.Protocol;
using Virga.Trust;
using Virga.Trust.Log;
using static Virga.Repository.Tests.Log.LogServiceTests;

namespace Virga.Repository.Tests.Log;

/// <summary>Repositories that follow each other, and what a follower makes of one that is damaged or lies.</summary>
public sealed class LogFollowerTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task What_is_published_at_one_reaches_all_and_comes_to_rest()
    {
        await using var one = await Fixture.StartAsync();
        await using var two = await FollowingAsync(one);
        await using var three = await FollowingAsync(two);
        // In a ring: the first follows the last.
        var listen = new IPEndPoint(IPAddress.Loopback, one.Host.Endpoint.Url.Port);
        await one.RestartAsync(options => Following(three)(options) with { Listen = listen });
        Fixture[] all = [one, two, three];
        var agents = all.Select(fixture => fixture.NewAgent()).ToList();
        foreach (var agent in agents) await PostAsync(agent);
        await NextAsync(agents[0], "One");
        await PostAsync(agents[0]);
        await SettleAsync(all);
        foreach (var fixture in all)
        {
            foreach (var agent in agents)
            {
                Assert.Equal(agent.Keys.Envelopes.Count,
                    (await ChainAtAsync(fixture, agent.Id)).Count);
            }
        }

        // Three repositories, three agents, one profile: everything once in each log.
        Assert.All(all, fixture => Assert.Equal(7, fixture.Host.Checkpoint.Head.Size));
        var sizes = all.Select(fixture => fixture.Host.Checkpoint.Note.ToText()).ToList();
        await SettleAsync(all);
        Assert.Equal(sizes, all.Select(fixture => fixture.Host.Checkpoint.Note.ToText()));
    }

    [Fact]
    public async Task A_follower_looks_again_by_itself()
    {
        await using var one = await Fixture.StartAsync();
        var agent = one.NewAgent();
        var seen = new AwaitedLog(agent.Id);
        await using var two = await Fixture.StartAsync(options => Following(one)(options) with { Log = seen });
        await PostAsync(agent);
        // Time must pass after the look that finds nothing, whenever that ends.
        while (!seen.Task.IsCompleted)
        {
            two.Time.Advance(TimeSpan.FromSeconds(5));
            await Task.WhenAny(seen.Task, Task.Delay(20)).WaitAsync(TimeSpan.FromSeconds(30));
        }

        Assert.Single(await ChainAtAsync(two, agent.Id));
    }

    [Fact]
    public async Task A_fraud_that_one_has_seen_is_known_to_all()
    {
        await using var one = await Fixture.StartAsync();
        await using var two = await FollowingAsync(one);
        var agent = one.NewAgent();
        await PostAsync(agent);
        var (left, right) = (Profile(agent, "One"), Profile(agent, "Two"));
        await agent.Client.PostChainAsync(agent.Id, [left], None);
        await SettleAsync(one, two);
        Assert.Equal(2, (await ChainAtAsync(two, agent.Id)).Count);
        await Assert.ThrowsAsync<VirgaException>(() => agent.Client.PostChainAsync(agent.Id, [right], None));
        await SettleAsync(one, two);
        var refused = await Assert.ThrowsAsync<VirgaException>(() => ChainAtAsync(two, agent.Id));
        Assert.Equal(FailureKind.Denied, refused.Kind);
    }

    [Fact]
    public async Task A_follower_goes_on_where_it_stopped_over_a_restart_and_full_bundles()
    {
        await using var one = await Fixture.StartAsync();
        await using var two = await FollowingAsync(one);
        var agent = one.NewAgent();
        for (var round = 0; round < 3; round++)
        {
            for (var i = 0; i < 150; i++) await NextAsync(agent, $"Name {round} {i}");
            await PostAsync(agent);
            await SettleAsync(one, two);
            Assert.Equal(agent.Keys.Envelopes.Count, (await WholeChainAtAsync(two, agent.Id)).Count);
            await two.RestartAsync(Following(one));
        }

        Assert.Equal(1 + 1 + 451, two.Host.Checkpoint.Head.Size);
    }

    [Fact]
    public async Task Entries_that_are_no_good_statements_are_passed_over_and_the_rest_taken_in()
    {
        await using var one = await Fixture.StartAsync();
        await using var two = await FollowingAsync(one);
        var (good, forged, late) = (one.NewAgent(), one.NewAgent(), one.NewAgent());
        var statement = Profile(forged, "Forged");
        await one.Host.DisposeAsync();
        await LogBench.ForgeAsync(one.Folder,
            [1, 2, 3], [], Entry(forged.Keys.Envelopes[0]), Entry(statement with { Signature = new byte[64] }),
            Entry(Profile(late, "Without a genesis")), Some.Bytes(1, 60_000), Entry(good.Keys.Envelopes[0]),
            Entry(Profile(good, "Good")));
        await one.RestartAsync();
        await two.RestartAsync(Following(one));
        await SettleAsync(two);
        Assert.Equal(2, (await ChainAtAsync(two, good.Id)).Count);
        Assert.Single(await ChainAtAsync(two, forged.Id));
        await Assert.ThrowsAsync<VirgaException>(() => ChainAtAsync(two, late.Id));
    }

    [Fact]
    public async Task Another_repository_at_the_address_of_one_that_was_followed_is_refused()
    {
        await using var one = await Fixture.StartAsync();
        await using var two = await FollowingAsync(one);
        await SettleAsync(two);
        var (endpoint, listen) = (one.Host.Endpoint, new IPEndPoint(IPAddress.Loopback, one.Host.Endpoint.Url.Port));
        await one.Host.DisposeAsync();
        foreach (var name in new[] { "identity.sealed", "next-key.sealed", "chain", "log/checkpoint", "repository.db" })
            File.Delete(Path.Combine(one.Folder, name));
        await one.RestartAsync(options => options with { Listen = listen });
        Assert.Equal(endpoint, one.Host.Endpoint);
        await two.RestartAsync(Following(one));
        var failure = await Assert.ThrowsAsync<VirgaException>(async () => await two.Host.DriveAsync(None));
        Assert.Equal(FailureKind.Denied, failure.Kind);
    }

    [Theory]
    [InlineData("tile/entries/000.p/4")]
    [InlineData("tile/0/000.p/4")]
    public async Task Tiles_that_were_altered_are_noticed_before_anything_is_taken_in(string file)
    {
        await using var one = await Fixture.StartAsync();
        await using var two = await FollowingAsync(one);
        var agents = Enumerable.Range(0, 3).Select(_ => one.NewAgent()).ToList();
        await PostAsync(agents[0]);
        await SettleAsync(one, two);
        foreach (var agent in agents) await PostAsync(agent);
        await ClientOf(one).PromiseAsync(Some.Hash(1), None);
        var path = Path.Combine(one.Folder, "log", file);
        var good = await File.ReadAllBytesAsync(path);
        await File.WriteAllBytesAsync(path, [.. good.Select(b => (byte)(b ^ 0x20))]);
        var failure = await Assert.ThrowsAsync<VirgaException>(async () => await two.Host.DriveAsync(None));
        Assert.Equal(FailureKind.Corrupt, failure.Kind);
        await Assert.ThrowsAsync<VirgaException>(() => ChainAtAsync(two, agents[1].Id));
        await File.WriteAllBytesAsync(path, good);
        await SettleAsync(two);
        Assert.Single(await ChainAtAsync(two, agents[1].Id));
        Assert.Empty(two.Host.Breaches);
    }

    [Fact]
    public async Task A_repository_that_begins_another_history_is_caught_and_anybody_can_check_the_proof()
    {
        await using var one = await Fixture.StartAsync();
        await using var two = await FollowingAsync(one);
        for (var i = 0; i < 3; i++) await PostAsync(one.NewAgent());
        await SettleAsync(one, two);
        // Its keys are the same, everything else is new.
        await one.Host.DisposeAsync();
        foreach (var path in Directory.GetFiles(one.Folder, "repository.db*")) File.Delete(path);
        Directory.Delete(Path.Combine(one.Folder, "log"), recursive: true);
        await one.RestartAsync();
        for (var i = 0; i < 5; i++) await PostAsync(one.NewAgent());
        await ClientOf(one).PromiseAsync(Some.Hash(1), None);
        await two.RestartAsync(Following(one));
        var failure = await Assert.ThrowsAsync<VirgaException>(async () => await two.Host.DriveAsync(None));
        Assert.Equal(FailureKind.Denied, failure.Kind);
        var breach = LogBreach.Parse(Assert.Single(two.Host.Breaches).ToText());
        Assert.Equal((LogBreachKind.Fork, one.Host.Id), (breach.Kind, breach.Verify(one.Time.GetUtcNow())));
        // It is kept, and nothing of the liar's is taken in any more.
        await two.RestartAsync(Following(one));
        failure = await Assert.ThrowsAsync<VirgaException>(async () => await two.Host.DriveAsync(None));
        Assert.Equal(FailureKind.Denied, failure.Kind);
        Assert.Single(two.Host.Breaches);
    }

    [Fact]
    public async Task A_repository_that_goes_back_is_caught()
    {
        await using var one = await Fixture.StartAsync();
        await using var two = await FollowingAsync(one);
        await PostAsync(one.NewAgent());
        await ClientOf(one).PromiseAsync(Some.Hash(1), None);
        await one.Host.DisposeAsync();
        var backup = Some.Folder();
        LogBench.Copy(one.Folder, backup);
        await one.RestartAsync();
        await PostAsync(one.NewAgent());
        await two.RestartAsync(Following(one));
        await SettleAsync(one, two);

        // An old backup, with a new signature that says it is the newest.
        await one.Host.DisposeAsync();
        Directory.Delete(one.Folder, recursive: true);
        Directory.CreateDirectory(one.Folder);
        LogBench.Copy(backup, one.Folder);
        Directory.Delete(backup, recursive: true);
        File.Delete(Path.Combine(one.Folder, "log", "checkpoint"));
        one.Time.Advance(TimeSpan.FromSeconds(60));
        await one.RestartAsync();
        await two.RestartAsync(Following(one));
        await Assert.ThrowsAsync<VirgaException>(async () => await two.Host.DriveAsync(None));
        var breach = LogBreach.Parse(Assert.Single(two.Host.Breaches).ToText());
        Assert.Equal((LogBreachKind.Rewind, one.Host.Id), (breach.Kind, breach.Verify(one.Time.GetUtcNow())));
    }

    private static byte[] Entry(SignedEnvelope envelope) => LogEntry.Of(envelope.Body, envelope.Signature);

    private static Func<RepositoryOptions, RepositoryOptions> Following(Fixture other)
    {
        var endpoint = other.Host.Endpoint;
        return options => options with { Follow = [endpoint] };
    }

    private static Task<Fixture> FollowingAsync(Fixture other) => Fixture.StartAsync(Following(other));

    /// <summary>As many rounds as the longest way that a statement can take.</summary>
    private static async Task SettleAsync(params Fixture[] fixtures)
    {
        for (var round = 0; round < fixtures.Length + 1; round++)
        {
            foreach (var fixture in fixtures)
            {
                await fixture.Host.DriveAsync(None);
                await ClientOf(fixture).PromiseAsync(Some.Hash(1), None);
            }
        }
    }

    private sealed class AwaitedLog(AgentId agent) : IStatementLog
    {
        private readonly TaskCompletionSource seen = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Task => seen.Task;

        public void Append(Storage.SqlSession sql, Hosting.AcceptedStatement statement)
        {
            if (statement.Agent == agent) seen.TrySetResult();
        }
    }

    private static Task<IReadOnlyList<SignedEnvelope>> ChainAtAsync(Fixture fixture, AgentId agent) =>
        fixture.NewAgent().Client.GetChainAsync(agent, 0, None);

    private static Task<IReadOnlyList<SignedEnvelope>> WholeChainAtAsync(Fixture fixture, AgentId agent) =>
        ClientOf(fixture).GetWholeChainAsync(agent, 100_000, None);
}
