using System.Collections.Concurrent;
using System.Security.Cryptography;
using Virga.Agent.Control;
using Virga.Core;
using Virga.Core.Keys;
using Virga.Hosting;
using Virga.Protocol;
using Virga.Trust;

namespace Virga.Agent.Tests;

/// <summary>One agent asks another for a vouch; only its user's yes makes one.</summary>
public sealed class VouchRequestTests
{
    [Fact]
    public async Task A_request_is_kept_told_once_and_becomes_a_vouch_of_at_most_what_was_asked()
    {
        await using var network = await Network.StartAsync();
        var notices = new ConcurrentQueue<string>();
        var a = await network.AgentAsync("a", usesRepository: false, notices.Enqueue);
        var b = await network.AgentAsync("b", usesRepository: false);

        var asked = await b.AskAsync(a.Address, depth: 2, "Hi\u202E it's\nB", "exchange", "host");
        Assert.Equal(("Waiting", a.Id), (asked.State, asked.Agent));
        await b.AskAsync(a.Address, depth: 2, "Hi\u202E it's\nB", "exchange", "host");
        Assert.Contains(b.Id, Assert.Single(notices), StringComparison.Ordinal);
        var request = Assert.Single(await a.RequestsAsync());
        Assert.Equal(
            (b.Id, "Waiting", "Hi  it's B", 2, 30),
            (request.Agent, request.State, request.Note, request.Depth, request.Days));
        Assert.Equal(["exchange", "host"], request.Scopes);
        Assert.Equal(FingerprintWords.Of(AgentId.Parse(b.Id)), request.Code);
        Assert.Empty(request.AdmittedFor);
        Assert.Equal(1, (await a.TrustAsync()).Requests);
        Assert.Empty((await a.TrustAsync()).Vouches);

        foreach (var more in new AnswerRequest[]
        {
            new(true, ["exchange"], 3, 30), new(true, ["exchange"], 0, 31), new(true, ["relay"], 0, 1),
        })
        {
            var text = await a.RefusedAsync(
                $"/control/trust/requests/{request.Id}", more, ControlJson.Default.AnswerRequest);
            Assert.Contains("more than was asked", text, StringComparison.Ordinal);
        }
        var result = await a.AnswerAsync(request.Id, new AnswerRequest(true, ["exchange"], 0, 7, "bea"));
        Assert.Equal(b.Id, Assert.Single(result.Changes).Agent);
        var vouch = Assert.Single((await a.TrustAsync()).Vouches);
        Assert.Equal(("bea", 0), (vouch.SubjectName, vouch.Depth));
        Assert.Equal(["exchange"], vouch.Scopes);
        Assert.Equal(0, (await a.TrustAsync()).Requests);

        var outcome = Assert.Single(await b.AskedAsync());
        Assert.Equal(("Vouched", vouch.Seq, null), (outcome.State, outcome.Vouch!.Seq, outcome.Problem));
        await a.RevokeAsync(b.Id);
        outcome = Assert.Single(await b.AskedAsync());
        Assert.Equal(("Vouched", null), (outcome.State, outcome.Vouch));
    }

    [Fact]
    public async Task A_refusal_reaches_the_asker_with_its_reason_and_holds_for_a_day()
    {
        await using var network = await Network.StartAsync();
        var (a, b) = (await network.AgentAsync("a"), await network.AgentAsync("b"));
        await b.AskAsync(a.Address);
        var request = Assert.Single(await a.RequestsAsync());
        await a.AnswerAsync(request.Id, new AnswerRequest(false, [], 0, 0, null, "who are you?\e[2J"));
        var outcome = Assert.Single(await b.AskedAsync());
        Assert.Equal(("Refused", "who are you? [2J"), (outcome.State, outcome.Reason));
        Assert.Empty((await a.TrustAsync()).Vouches);
        var again = await b.RefusedAsync(
            "/control/trust/asked", new AskRequest(a.Address, ["host"], 0, 30), ControlJson.Default.AskRequest);
        Assert.Contains("refused just now", again, StringComparison.Ordinal);
        var answered = await a.RefusedAsync(
            $"/control/trust/requests/{request.Id}", new AnswerRequest(true, ["exchange"], 0, 1),
            ControlJson.Default.AnswerRequest);
        Assert.Contains("no request", answered, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_asks_for_something_else_gets_another_number_and_requests_outlive_restarts()
    {
        await using var network = await Network.StartAsync();
        var (a, b) = (await network.AgentAsync("a"), await network.AgentAsync("b"));
        await b.AskAsync(a.Address);
        var seen = Assert.Single(await a.RequestsAsync()).Id;
        await b.AskAsync(a.Address, depth: 7);
        var text = await a.RefusedAsync(
            $"/control/trust/requests/{seen}", new AnswerRequest(true, ["exchange"], 0, 30),
            ControlJson.Default.AnswerRequest);
        Assert.Contains("gets another number", text, StringComparison.Ordinal);
        a = await network.RestartAsync(a, "a");
        b = await network.RestartAsync(b, "b");
        var now = Assert.Single(await a.RequestsAsync());
        Assert.Equal((true, 7), (now.Id > seen, now.Depth));
        Assert.Equal(("Waiting", 7), (Assert.Single(await b.AskedAsync()).State, now.Depth));
    }

    [Fact]
    public async Task A_request_can_be_taken_back_or_dropped_and_finds_its_way_through_a_repository()
    {
        await using var network = await Network.StartAsync();
        var (a, b) = (await network.AgentAsync("a"), await network.AgentAsync("b"));
        for (var tries = 0; ; tries++)
        {
            // Its chain is at the repository as soon as it has announced itself there.
            if ((await a.StatusAsync()).Repositories.All(r => r.LastContact is not null)) break;
            Assert.True(tries < 500, "the agent has not announced itself");
            await Task.Delay(20);
        }
        await b.AskAsync(a.Id);
        Assert.Single(await a.RequestsAsync());
        using var takenBack = await b.SendAsync(HttpMethod.Delete, $"/control/trust/asked/{a.Id}");
        Assert.True(takenBack.IsSuccessStatusCode);
        Assert.Empty(await a.RequestsAsync());
        Assert.Empty(await b.AskedAsync());

        await b.AskAsync(a.Id);
        var id = Assert.Single(await a.RequestsAsync()).Id;
        using var dropped = await a.SendAsync(HttpMethod.Delete, $"/control/trust/requests/{id}");
        Assert.True(dropped.IsSuccessStatusCode);
        Assert.Empty(await a.RequestsAsync());
        var outcome = Assert.Single(await b.AskedAsync());
        Assert.Equal("Waiting", outcome.State);
        Assert.Contains("no longer kept there", outcome.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_asker_who_is_admitted_already_comes_with_its_chain()
    {
        await using var network = await Network.StartAsync();
        var (a, b, c) = (
            await network.AgentAsync("a"), await network.AgentAsync("b"), await network.AgentAsync("c"));
        await VouchAsync(a, b, depth: 1);
        await VouchAsync(b, c, depth: 0);
        await c.AskAsync(a.Address, 0, null, "host");
        var request = Assert.Single(await a.RequestsAsync());
        // What b said since its chain was last looked at is seen two seconds later at most.
        for (var tries = 0; tries < 100 && request.AdmittedFor.Count == 0; tries++)
        {
            await Task.Delay(50);
            request = Assert.Single(await a.RequestsAsync());
        }
        Assert.Equal(["exchange"], request.AdmittedFor);
        Assert.Equal([b.Id, c.Id], request.Chain.Select(link => link.Subject));
    }

    [Fact]
    public async Task A_vouch_made_in_another_way_answers_too_and_who_is_ruled_out_is_forgotten()
    {
        await using var network = await Network.StartAsync();
        var (a, b, c) = (
            await network.AgentAsync("a"), await network.AgentAsync("b"), await network.AgentAsync("c"));
        await b.AskAsync(a.Address, 0, null, "exchange", "host");
        await c.AskAsync(a.Address);
        await VouchAsync(a, b, depth: 0);
        await a.SetAsync("refused", c.Id, true);
        var left = Assert.Single(await a.RequestsAsync());
        Assert.Equal((b.Id, "Vouched"), (left.Agent, left.State));
        Assert.Equal("Vouched", Assert.Single(await b.AskedAsync()).State);
    }

    [Fact]
    public async Task Own_vouches_are_listed_also_for_roots_and_for_those_that_are_refused()
    {
        await using var network = await Network.StartAsync();
        var (a, b, c) = (
            await network.AgentAsync("a"), await network.AgentAsync("b"), await network.AgentAsync("c"));
        await VouchAsync(a, b, depth: 0);
        await VouchAsync(a, c, depth: 1);
        await a.SetAsync("roots", b.Address, true);
        await a.SetAsync("refused", c.Id, true);
        Assert.Equal(
            [(b.Id, 0), (c.Id, 1)], (await a.TrustAsync()).Vouches.Select(v => (v.Subject, v.Depth)));
        await a.RevokeAsync(c.Id);
        Assert.Equal(b.Id, Assert.Single((await a.TrustAsync()).Vouches).Subject);
    }

    [Fact]
    public async Task Nobody_asks_for_themselves_nor_for_what_makes_no_sense()
    {
        await using var network = await Network.StartAsync();
        var (a, b) = (await network.AgentAsync("a"), await network.AgentAsync("b"));
        foreach (var (request, says) in new[]
        {
            (new AskRequest(b.Address, ["exchange"], 0, 30), "this agent itself"),
            (new AskRequest(a.Address, [], 0, 30), "names no scope"),
            (new AskRequest(a.Address, ["everything"], 0, 30), "no scope of trust"),
            (new AskRequest(a.Address, ["host"], 8, 30), "a depth of 8"),
            (new AskRequest(a.Address, ["host"], 0, 1_831), "1831 days"),
            (new AskRequest(a.Address, ["host"], 0, 1, new string('x', 281)), "281 characters"),
            (new AskRequest(a.Id[..^1], ["host"], 0, 1), "agent"),
            (new AskRequest("nobody", ["host"], 0, 1), "neither a name"),
        })
        {
            var text = await b.RefusedAsync("/control/trust/asked", request, ControlJson.Default.AskRequest);
            Assert.Contains(says, text, StringComparison.Ordinal);
        }
        Assert.Empty(await a.RequestsAsync());
    }

    [Fact]
    public async Task Bad_requests_of_strangers_are_refused_and_nothing_is_kept()
    {
        await using var network = await Network.StartAsync();
        var a = await network.AgentAsync("a");
        using var stranger = new Stranger(network, "stranger");
        var good = new VouchAsk(TrustScopes.Exchange, 0, 30, "hello").Encode();
        foreach (var (body, says) in new[]
        {
            ("garbage"u8.ToArray(), "vouch request"),
            (Array.Empty<byte>(), "vouch request"),
            (new VouchAsk(TrustScopes.Exchange, 0, 30, new string('x', 281)).Encode(), "longer than 280"),
            (new VouchAsk(TrustScopes.None, 0, 30, null).Encode(), "names no scope"),
            (new VouchAsk(TrustScopes.Exchange, 8, 30, null).Encode(), "depth"),
            (new VouchAsk(TrustScopes.Exchange, 0, 0, null).Encode(), "days"),
            ([.. good[..^1], .. "1:xi1ee"u8], "field"),
        })
        {
            var refused = await Assert.ThrowsAsync<VirgaException>(() => stranger.AskAsync(a, body));
            Assert.Equal(FailureKind.BadInput, refused.Kind);
            Assert.Contains(says, refused.Message, StringComparison.Ordinal);
        }
        var forged = await Assert.ThrowsAsync<VirgaException>(() => stranger.AskAsync(a, good, isForged: true));
        Assert.Equal((FailureKind.Unauthenticated, ErrorCode.BadSignature), (forged.Kind, ErrorCode.Of(forged)));
        var other = await Assert.ThrowsAsync<VirgaException>(
            () => stranger.AskAsync(a, good, expected: stranger.Id));
        Assert.Equal(FailureKind.Unauthenticated, other.Kind);
        Assert.Empty(await a.RequestsAsync());

        await a.SetAsync("refused", stranger.Id.ToString(), true);
        var denied = await Assert.ThrowsAsync<VirgaException>(() => stranger.AskAsync(a, good));
        Assert.Equal(FailureKind.Denied, denied.Kind);
        Assert.Empty(await a.RequestsAsync());
    }

    [Fact]
    public async Task A_flood_from_one_address_is_throttled()
    {
        await using var network = await Network.StartAsync();
        var a = await network.AgentAsync("a");
        var strangers = Enumerable.Range(0, 21).Select(i => new Stranger(network, $"stranger-{i}")).ToList();
        var ask = new VouchAsk(TrustScopes.Exchange, 7, 1_830, null).Encode();
        // The first request of an unknown agent is refused until its chain was posted, and counts, too.
        var taken = 0;
        VirgaException? refused = null;
        foreach (var stranger in strangers)
        {
            try
            {
                await stranger.AskAsync(a, ask);
                taken++;
            }
            catch (VirgaException e)
            {
                refused = e;
                break;
            }
        }
        Assert.Equal(FailureKind.Throttled, refused!.Kind);
        Assert.True(refused.RetryAfter > TimeSpan.FromSeconds(60), refused.Message);
        Assert.InRange(taken, 5, 20);
        Assert.Equal(taken, (await a.RequestsAsync()).Count);
        Assert.Empty((await a.TrustAsync()).Vouches);
        foreach (var stranger in strangers) stranger.Dispose();
    }

    private static Task<TrustResult> VouchAsync(TestAgent issuer, TestAgent subject, int depth) => issuer.PostAsync(
        "/control/trust/vouch", new VouchRequest(subject.Address, ["exchange"], depth, 30),
        ControlJson.Default.VouchRequest, ControlJson.Default.TrustResult);

    /// <summary>Keys, and what can be sent with them.</summary>
    private sealed class Stranger(Network network, string name) : IDisposable
    {
        private readonly PeerKeys keys = PeerKeys.LoadOrCreate(
            network.Folder(name), TimeProvider.System, RandomNumberGenerator.Fill);
        private readonly PeerHttp http = new(TimeProvider.System, RandomNumberGenerator.Fill);

        public AgentId Id => keys.Id;

        public async Task AskAsync(
            TestAgent agent, byte[] body, bool isForged = false, AgentId? expected = null)
        {
            var self = isForged
                ? new PeerIdentity(
                    keys.Id, SigningKey.FromSeed(RandomNumberGenerator.GetBytes(32)), keys.Identity.SealIdentity)
                : keys.Identity;
            var client = new AgentClient(http, agent.Host.Endpoint, self, () => keys.Envelopes, expected);
            await client.AskForVouchAsync(body, CancellationToken.None);
        }

        public void Dispose()
        {
            keys.Dispose();
            http.Dispose();
        }
    }
}
