using System.Text.Json;
using Virga.Agent.Api;
using Virga.Agent.Control;
using Virga.Agent.State;
using Virga.Core;
using Virga.Hosting;
using Virga.Storage;
using Virga.Testing;

namespace Virga.Agent.Tests;

/// <summary>The API's list of operations, its description, and its tokens.</summary>
public sealed class ApiTests
{
    [Fact]
    public async Task Every_operation_stands_in_the_list_and_is_mapped()
    {
        await using var network = await Network.StartAsync();
        var agent = await network.AgentAsync("a");
        var mapped = agent.Host.Operations.Where(o => o.Pattern.StartsWith("/control/", StringComparison.Ordinal));
        Assert.Equal(
            mapped.Select(o => $"{o.Method} {o.Pattern}").Order(),
            ApiOperations.All.Select(o => $"{o.Method} {o.Pattern}").Order());
    }

    [Fact]
    public void The_document_describes_them_all_and_refers_to_nothing_that_is_not_there()
    {
        using var document = JsonDocument.Parse(ApiDocument.Write("1.2.3"));
        var root = document.RootElement;
        Assert.Equal("3.1.0", root.GetProperty("openapi").GetString());
        var ids = new List<string>();
        foreach (var operation in ApiOperations.All)
        {
            var described = root.GetProperty("paths").GetProperty(operation.Pattern["/control".Length..])
                .GetProperty(operation.Method.ToLowerInvariant());
            ids.Add(described.GetProperty("operationId").GetString()!);
            Assert.False(string.IsNullOrEmpty(described.GetProperty("summary").GetString()));
        }
        Assert.Equal(ApiOperations.All.Count, ids.Distinct().Count());
        Assert.All(References(root), reference => Resolve(root, reference));
    }

    [Fact]
    public async Task Tokens_do_what_their_scopes_say_until_they_end()
    {
        var folder = Directory.CreateTempSubdirectory("virga-");
        var clock = new FakeTimeProvider(DateTimeOffset.FromUnixTimeSeconds(1_800_000_000));
        var random = new Seeded(1);
        try
        {
            using var data = DataFolder.Open(folder.FullName);
            using var keys = PeerKeys.LoadOrCreate(folder.FullName, clock, random.RandomBytes);
            await using var state = AgentState.Open(data, keys.DataKey, random.RandomBytes);
            var tokens = new ApiTokens(state, clock, random.RandomBytes);
            await tokens.LoadAsync(default);
            var read = await tokens.AddAsync(new TokenRequest("dashboard", ["read"], 30), default);
            var admin = await tokens.AddAsync(new TokenRequest("all", ["admin"]), default);
            Assert.StartsWith("virga_", read.Token, StringComparison.Ordinal);
            var kept = File.ReadAllText(folder.FullName + "/agent.db");
            Assert.DoesNotContain(read.Token, kept, StringComparison.Ordinal);

            await Require(read, "GET", "/control/transfers");
            await Require(admin, "POST", "/control/stop");
            await Refused(FailureKind.Denied, read, "GET", "/control/shares");
            await Refused(FailureKind.Denied, read, "POST", "/control/transfers");
            await Refused(FailureKind.Denied, read, "GET", "/control/not/in/the/list");
            Assert.Equal(clock.GetUtcNow(), tokens.List()[0].LastUsed);

            clock.Advance(TimeSpan.FromDays(30));
            await Refused(FailureKind.Unauthenticated, read, "GET", "/control/transfers");
            var again = new ApiTokens(state, clock, random.RandomBytes);
            await again.LoadAsync(default);
            tokens = again;
            await Require(admin, "GET", "/control/transfers");
            await tokens.RemoveAsync(admin.Info.Id, default);
            await Refused(FailureKind.Unauthenticated, admin, "GET", "/control/transfers");
            await Assert.ThrowsAsync<VirgaException>(
                () => tokens.AddAsync(new TokenRequest("x", ["everything"]), default));

            async Task Require(TokenAdded token, string method, string pattern) =>
                await tokens.RequireAsync("Bearer " + token.Token, method, pattern, default);

            async Task Refused(FailureKind kind, TokenAdded token, string method, string pattern) => Assert.Equal(
                kind, (await Assert.ThrowsAsync<VirgaException>(() => Require(token, method, pattern))).Kind);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static IEnumerable<string> References(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => element.EnumerateObject().SelectMany(p =>
            p.Name == "$ref" && p.Value.ValueKind == JsonValueKind.String
                ? [p.Value.GetString()!] : References(p.Value)),
        JsonValueKind.Array => element.EnumerateArray().SelectMany(References),
        _ => [],
    };

    private static void Resolve(JsonElement root, string reference)
    {
        foreach (var name in reference.Split('/').Skip(1))
        {
            if (root.ValueKind == JsonValueKind.Array)
                root = root[int.Parse(name, System.Globalization.CultureInfo.InvariantCulture)];
            else Assert.True(root.TryGetProperty(name, out root), reference);
        }
    }
}
