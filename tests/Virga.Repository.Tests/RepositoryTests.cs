using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Virga.Core;
using Virga.Protocol;
using Virga.Testing;
using Virga.Trust;
using Endpoint = Virga.Protocol.Endpoint;

namespace Virga.Repository.Tests;

public sealed class RepositoryTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task What_one_agent_announces_another_finds_and_can_check()
    {
        await using var fixture = await Fixture.StartAsync();
        var (sender, receiver) = (fixture.NewAgent(), fixture.NewAgent());
        Hash256[] hashes = [Some.Hash(1), Some.Hash(2), Some.Hash(3)];
        var expires = await sender.Client.AnnounceAsync(hashes, [TestAgent.Home], TimeSpan.FromHours(1), None);
        Assert.Equal(fixture.Time.GetUtcNow().AddHours(1), expires);

        var envelope = Assert.Single(await receiver.Client.LookUpAsync(hashes[1], None));
        var announce = Announce.Parse(envelope.Body);
        var chain = Sigchain.Check(
            (await receiver.Client.GetChainAsync(announce.Agent, 0, None)).Select(e => (e.Body, e.Signature)),
            fixture.Time.GetUtcNow());
        Assert.Equal(sender.Id, chain.Id);
        Assert.True(envelope.Verify(chain.SigningKey, Announce.SignatureType));
        Assert.Equal(TestAgent.Home, Assert.Single(announce.Endpoints));
        Assert.Empty(await receiver.Client.LookUpAsync(Some.Hash(9), None));
    }

    [Fact]
    public async Task Announces_end_when_they_expire_and_renewing_keeps_them()
    {
        await using var fixture = await Fixture.StartAsync();
        var agent = fixture.NewAgent();
        var hash = Some.Hash(1);
        await agent.Client.AnnounceAsync([hash, Some.Hash(2)], [TestAgent.Home], TimeSpan.FromSeconds(600), None);
        fixture.Time.Advance(TimeSpan.FromSeconds(200));
        await agent.Client.AnnounceAsync([hash], [TestAgent.Home], TimeSpan.FromSeconds(600), None);
        fixture.Time.Advance(TimeSpan.FromSeconds(399));
        Assert.Single(await agent.Client.LookUpAsync(Some.Hash(2), None));
        fixture.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Empty(await agent.Client.LookUpAsync(Some.Hash(2), None));
        Assert.Single(await agent.Client.LookUpAsync(hash, None));
        fixture.Time.Advance(TimeSpan.FromSeconds(200));
        Assert.Empty(await agent.Client.LookUpAsync(hash, None));
    }

    [Fact]
    public async Task The_endpoints_of_the_newest_announce_hold_for_all()
    {
        await using var fixture = await Fixture.StartAsync();
        var agent = fixture.NewAgent();
        var moved = new Endpoint(new Uri("https://192.0.2.8:4433"), Some.Hash(8));
        await agent.Client.AnnounceAsync([Some.Hash(1)], [TestAgent.Home], TimeSpan.FromHours(2), None);
        fixture.Time.Advance(TimeSpan.FromSeconds(5));
        await agent.Client.AnnounceAsync([Some.Hash(2)], [moved], TimeSpan.FromHours(1), None);
        var found = Announce.Parse(Assert.Single(await agent.Client.LookUpAsync(Some.Hash(1), None)).Body);
        Assert.Equal(moved, Assert.Single(found.Endpoints));
        fixture.Time.Advance(TimeSpan.FromHours(1));
        found = Announce.Parse(Assert.Single(await agent.Client.LookUpAsync(Some.Hash(1), None)).Body);
        Assert.Equal(TestAgent.Home, Assert.Single(found.Endpoints));
    }

    [Fact]
    public async Task A_withdraw_takes_back_only_ones_own_and_only_what_it_names()
    {
        await using var fixture = await Fixture.StartAsync();
        var (one, two) = (fixture.NewAgent(), fixture.NewAgent());
        Hash256[] hashes = [Some.Hash(1), Some.Hash(2)];
        await one.Client.AnnounceAsync(hashes, [TestAgent.Home], TimeSpan.FromHours(1), None);
        await two.Client.AnnounceAsync(hashes, [TestAgent.Home], TimeSpan.FromHours(1), None);
        Assert.Equal(1, await one.Client.WithdrawAsync([hashes[0], Some.Hash(7)], None));
        Assert.Equal(two.Id, Announce.Parse(Assert.Single(await one.Client.LookUpAsync(hashes[0], None)).Body).Agent);
        Assert.Equal(2, (await one.Client.LookUpAsync(hashes[1], None)).Count);
        await one.Client.AnnounceAsync([hashes[0]], [TestAgent.Home], TimeSpan.FromHours(1), None);
        Assert.Equal(2, (await one.Client.LookUpAsync(hashes[0], None)).Count);
    }

    [Fact]
    public async Task A_feed_moves_forward_only()
    {
        await using var fixture = await Fixture.StartAsync();
        var agent = fixture.NewAgent();
        Assert.Null(await agent.Client.GetFeedAsync(agent.Id, "photos", None));
        Assert.Equal(5, await agent.Client.PutFeedAsync("photos", Some.Hash(1), 5, None));
        Assert.Equal(5, await agent.Client.PutFeedAsync("photos", Some.Hash(1), 5, None));
        foreach (var version in new[] { 5, 4 })
        {
            var refused = await Assert.ThrowsAsync<VirgaException>(() =>
                agent.Client.PutFeedAsync("photos", Some.Hash(2), version, None));
            Assert.Equal(FailureKind.Conflict, refused.Kind);
        }

        Assert.Equal(6, await agent.Client.PutFeedAsync("photos", Some.Hash(2), 6, None));
        var feed = (await agent.Client.GetFeedAsync(agent.Id, "photos", None))!;
        Assert.True(feed.Verify(agent.Keys.Chain.SigningKey, Feed.SignatureType));
        Assert.Equal(Some.Hash(2), Feed.Parse(feed.Body).Share);
    }

    [Fact]
    public async Task A_restart_keeps_chains_and_feeds_and_the_identity_and_forgets_announces()
    {
        await using var fixture = await Fixture.StartAsync();
        var agent = fixture.NewAgent();
        await agent.Client.AnnounceAsync([Some.Hash(1)], [TestAgent.Home], TimeSpan.FromHours(1), None);
        await agent.Client.PutFeedAsync("photos", Some.Hash(1), 1, None);
        var (id, certificate) = (fixture.Host.Id, fixture.Host.Endpoint.Certificate);
        await fixture.RestartAsync();
        Assert.Equal(id, fixture.Host.Id);
        Assert.Equal(certificate, fixture.Host.Endpoint.Certificate);
        Assert.Single(await agent.Client.GetChainAsync(agent.Id, 0, None));
        Assert.NotNull(await agent.Client.GetFeedAsync(agent.Id, "photos", None));
        Assert.Empty(await agent.Client.LookUpAsync(Some.Hash(1), None));
    }

    [Fact]
    public async Task Accepted_statements_are_logged_once_each_in_order()
    {
        var log = new RecordingLog();
        await using var fixture = await Fixture.StartAsync(options => options with { Log = log });
        var (one, two) = (fixture.NewAgent(), fixture.NewAgent());
        await one.Client.PostChainAsync(one.Id, one.Keys.Envelopes, None);
        await two.Client.PostChainAsync(two.Id, two.Keys.Envelopes, None);
        await one.Keys.AppendStatementAsync(StatementType.Profile, StatementWriter.ProfileBody("One"), None);
        await one.Client.PostChainAsync(one.Id, one.Keys.Envelopes, None);
        await one.Client.PostChainAsync(one.Id, one.Keys.Envelopes, None);
        Assert.Equal([(one.Id, 0L), (two.Id, 0L), (one.Id, 1L)], log.Seen);
    }

    [Fact]
    public async Task The_control_socket_tells_the_state_and_stops_the_repository()
    {
        await using var fixture = await Fixture.StartAsync();
        var agent = fixture.NewAgent();
        await agent.Client.AnnounceAsync([Some.Hash(1), Some.Hash(2)], [TestAgent.Home], TimeSpan.FromHours(1), None);
        using var control = fixture.ControlClient();
        var info = await control.GetFromJsonAsync("/control/status", RepositoryJson.Default.RepositoryInfo);
        Assert.Equal(fixture.Host.Id.ToString(), info!.Repository);
        Assert.Equal(2, info.Announced);
        Assert.Equal(1, info.Announcers);
        Assert.Contains("virga_repository_announced", await control.GetStringAsync("/metrics"),
            StringComparison.Ordinal);
        Assert.False(fixture.Host.StopRequested.IsCompleted);
        using var stop = await control.PostAsync("/control/stop", null);
        Assert.Equal(HttpStatusCode.Accepted, stop.StatusCode);
        await fixture.Host.StopRequested;
    }

    [Fact]
    public async Task A_second_repository_in_the_same_folder_is_told_who_holds_it()
    {
        await using var fixture = await Fixture.StartAsync();
        var options = new RepositoryOptions { DataFolder = fixture.Folder, Time = fixture.Time, Random = _ => { } };
        var failure = await Assert.ThrowsAsync<VirgaException>(() => RepositoryHost.StartAsync(options, None));
        Assert.Equal(FailureKind.InUse, failure.Kind);
    }

    [Fact]
    public async Task A_corrupt_database_is_told_and_left_alone()
    {
        await using var fixture = await Fixture.StartAsync();
        await fixture.Host.DisposeAsync();
        var file = Path.Combine(fixture.Folder, "repository.db");
        await File.WriteAllTextAsync(file, "garbage, and no database of any kind");
        var failure = await Assert.ThrowsAsync<VirgaException>(() => fixture.RestartAsync());
        Assert.Equal(FailureKind.Corrupt, failure.Kind);
        Assert.Contains(file, failure.Message, StringComparison.Ordinal);
        Assert.Equal("garbage, and no database of any kind", await File.ReadAllTextAsync(file));
        File.Delete(file);
        await fixture.RestartAsync();
    }

    [Fact]
    public async Task Two_repositories_live_in_one_process()
    {
        await using var first = await Fixture.StartAsync();
        await using var second = await Fixture.StartAsync(options => options with { IsEmbedded = true });
        var agent = second.NewAgent();
        await agent.Client.AnnounceAsync([Some.Hash(1)], [TestAgent.Home], TimeSpan.FromHours(1), None);
        Assert.Empty(await first.NewAgent().Client.LookUpAsync(Some.Hash(1), None));
        Assert.Single(await agent.Client.LookUpAsync(Some.Hash(1), None));
        Assert.False(File.Exists(Path.Combine(second.Folder, "control.sock")));
    }

    private sealed class RecordingLog : IStatementLog
    {
        public List<(AgentId, long)> Seen { get; } = [];

        public void Append(Storage.SqlSession sql, Hosting.AcceptedStatement statement) =>
            Seen.Add((statement.Agent, statement.Seq));
    }
}
