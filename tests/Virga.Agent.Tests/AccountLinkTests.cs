using System.Text;
using System.Text.Json;
using Virga.Accounts.Adapters;
using Virga.Agent.Control;
using Virga.Agent.State;
using Virga.Hosting;
using Virga.Storage;
using Virga.Testing;
using Virga.Testing.Fakes.OAuth;

namespace Virga.Agent.Tests;

/// <summary>Accounts are linked, linked anew and unlinked over the local API; tokens stay in the agent.</summary>
public sealed class AccountLinkTests : IAsyncLifetime
{
    private readonly FakeTimeProvider clock = new(DateTimeOffset.UtcNow);
    private AuthorizationServer server = null!;
    private Network network = null!;
    private TestAgent agent = null!;

    public async Task InitializeAsync()
    {
        server = CloudyAdapter.NewServer(clock);
        await server.StartAsync();
        network = new Network();
        network.MoreAdapters.Add(new CloudyAdapter(
            server, new AdapterServices(clock, System.Security.Cryptography.RandomNumberGenerator.Fill)));
        agent = await network.AgentAsync("ann", usesRepository: false);
    }

    public async Task DisposeAsync()
    {
        await network.DisposeAsync();
        await server.DisposeAsync();
    }

    private static async Task VisitAsync(string url)
    {
        using var browser = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        using var answer = await browser.GetAsync(url);
    }

    private static LinkRequest Request(
        string name = "mine", string? address = "cloudy:photos", string way = "browser") => new(
        name, address, way, new Dictionary<string, string> { ["clientId"] = CloudyAdapter.ClientId },
        new Dictionary<string, string> { ["clientSecret"] = CloudyAdapter.ClientSecret });

    private async Task<AccountInfo> LinkAsync(LinkRequest? request = null)
    {
        var end = await agent.LinkAsync(request ?? Request(), i => VisitAsync(i.Url));
        Assert.True(end.Result is not null, end.Error?.Message);
        return end.Result;
    }

    private async Task<(bool IsGood, string Text)> ListAsync(string name = "mine")
    {
        using var answer = await agent.SendAsync(HttpMethod.Get, $"/control/accounts/{name}/entries?path=");
        return (answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_linked_account_works_and_is_still_linked_after_restarts()
    {
        Assert.Equal(new AccountInfo("mine", "cloudy", "cloudy:photos"), await LinkAsync());
        for (var restarts = 0; restarts < 3; restarts++)
        {
            var (isGood, text) = await ListAsync();
            Assert.True(isGood, text);
            // Each start renews, which replaces the refresh token: the newest has to be what was stored.
            agent = await network.RestartAsync(agent, "ann");
        }
        Assert.Empty(server.Refusals);
    }

    [Fact]
    public async Task Neither_token_nor_secret_stands_in_the_database()
    {
        await LinkAsync();
        await ListAsync();
        await network.StopAsync(agent);
        foreach (var file in Directory.EnumerateFiles(network.PathOf("agent-ann"), "*", SearchOption.AllDirectories))
        {
            var text = Encoding.Latin1.GetString(await File.ReadAllBytesAsync(file));
            Assert.DoesNotContain("refresh-", text, StringComparison.Ordinal);
            Assert.DoesNotContain("access-", text, StringComparison.Ordinal);
            Assert.DoesNotContain(CloudyAdapter.ClientSecret, text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task By_paste_the_code_comes_back_over_the_local_api()
    {
        var end = await agent.LinkAsync(Request(way: "paste"), async i =>
        {
            using var browser = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false });
            using var answer = await browser.GetAsync(i.Url);
            using var taken = await agent.SendAsync(
                HttpMethod.Post, $"/control/links/{i.Id}/code",
                new StringContent(JsonSerializer.Serialize(
                    new LinkCode(answer.Headers.Location!.AbsoluteUri), ControlJson.Default.LinkCode)));
            Assert.True(taken.IsSuccessStatusCode);
        });
        Assert.Equal("mine", end.Result?.Name);
        var late = await agent.WhyRefusedAsync(
            "/control/links/0011/code", new LinkCode("x"), ControlJson.Default.LinkCode);
        Assert.Equal("NotFound", late.Kind);
    }

    [Fact]
    public async Task A_link_that_was_revoked_says_so_and_can_be_linked_anew()
    {
        await LinkAsync();
        server.RevokeEverything();
        var (isGood, text) = await ListAsync();
        Assert.False(isGood);
        Assert.Contains("virga account link mine cloudy", text, StringComparison.Ordinal);
        var none = new Dictionary<string, string>();
        await LinkAsync(new LinkRequest("mine", null, "browser", none, none));
        Assert.True((await ListAsync()).IsGood);
    }

    [Fact]
    public async Task What_can_not_be_linked_is_told_before_the_user_is_asked()
    {
        await LinkAsync();
        await agent.AddAccountAsync("nas", network.Folder("nas"));
        async Task<ControlError> RefusedAsync(LinkRequest request)
        {
            var end = await agent.LinkAsync(request, _ => throw new InvalidOperationException("was asked"));
            return end.Error!;
        }

        Assert.Equal("Conflict", (await RefusedAsync(Request(address: "cloudy:elsewhere"))).Kind);
        Assert.Equal("BadInput", (await RefusedAsync(Request(name: "nas", address: "cloudy:"))).Kind);
        Assert.Equal("NotFound", (await RefusedAsync(Request(name: "new", address: null))).Kind);
        Assert.Equal("BadInput", (await RefusedAsync(Request(name: "No Name"))).Kind);
        Assert.Equal("BadInput", (await RefusedAsync(Request(name: "new", way: "telegraph"))).Kind);
        Assert.Equal("Unsupported", (await RefusedAsync(Request(name: "new", way: "device"))).Kind);
        var disk = await RefusedAsync(Request(name: "new", address: "disk:/srv"));
        Assert.Contains("is not linked, but added", disk.Message, StringComparison.Ordinal);
        Assert.Contains("cloudy", (await RefusedAsync(Request(name: "new", address: "drivel"))).Advice);
        var clientless = Request(name: "new") with { Settings = new Dictionary<string, string>() };
        Assert.Contains("clientId", (await RefusedAsync(clientless)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_goes_away_meanwhile_leaves_nothing_behind()
    {
        using var leaving = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => agent.LinkAsync(Request(), _ => leaving.CancelAsync(), leaving.Token));
        Assert.Equal(0, (await agent.StatusAsync()).Accounts);
        Assert.False(server.HasLiveTokens);
    }

    [Fact]
    public async Task Removing_an_account_ends_its_tokens_at_the_service()
    {
        await LinkAsync();
        Assert.True(server.HasLiveTokens);
        var removed = await agent.RemoveAccountAsync("mine");
        Assert.Equal("revoked", removed.Tokens);
        Assert.False(server.HasLiveTokens);
        Assert.Equal(0, (await agent.StatusAsync()).Accounts);
        await agent.AddAccountAsync("nas", network.Folder("nas"));
        Assert.Equal("none", (await agent.RemoveAccountAsync("nas")).Tokens);
    }

    [Fact]
    public async Task What_was_sealed_of_a_removed_account_is_overwritten()
    {
        await LinkAsync();
        await network.StopAsync(agent);
        var box = await BoxAsync(network.PathOf("agent-ann"));
        var path = Path.Combine(network.PathOf("agent-ann"), "agent.db");
        Assert.True((await File.ReadAllBytesAsync(path)).AsSpan().IndexOf(box) >= 0);
        agent = await network.AgentAsync("ann", usesRepository: false);
        await agent.RemoveAccountAsync("mine");
        await network.StopAsync(agent);
        foreach (var file in Directory.EnumerateFiles(network.PathOf("agent-ann"), "agent.db*"))
            Assert.Equal(-1, (await File.ReadAllBytesAsync(file)).AsSpan().IndexOf(box));
    }

    /// <summary>The sealed secrets, as they lie in the file.</summary>
    private static async Task<byte[]> BoxAsync(string path)
    {
        using var folder = DataFolder.Open(path);
        using var keys = PeerKeys.LoadOrCreate(
            path, TimeProvider.System, System.Security.Cryptography.RandomNumberGenerator.Fill);
        await using var state = AgentState.Open(
            folder, keys.DataKey, System.Security.Cryptography.RandomNumberGenerator.Fill);
        return (await state.Database.ReadAsync(
            db => db.First("SELECT secrets FROM accounts", row => row.Bytes(0)), CancellationToken.None))!;
    }

    [Fact]
    public async Task An_account_whose_service_does_not_answer_stays_unless_forced()
    {
        await LinkAsync();
        await server.DisposeAsync();
        using var refused = await agent.SendAsync(HttpMethod.Delete, "/control/accounts/mine");
        Assert.False(refused.IsSuccessStatusCode);
        Assert.Contains("--force", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(1, (await agent.StatusAsync()).Accounts);
        var removed = await agent.RemoveAccountAsync("mine", force: true);
        Assert.Equal(("failed", "https://cloudy.example/consents"), (removed.Tokens, removed.Page));
        Assert.Equal(0, (await agent.StatusAsync()).Accounts);
    }
}
