using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Virga.Agent.Control;

namespace Virga.Web.Tests;

/// <summary>The agent's API on the page's listener.</summary>
public sealed class ApiTests
{
    [Fact]
    public async Task Other_programs_use_the_api_with_a_token_as_far_as_its_scopes_go()
    {
        await using var fixture = await Fixture.StartAsync();
        using var control = new ControlClient(fixture.Folder("data"));
        var token = await control.AddTokenAsync(new TokenRequest("test", ["read", "accounts"], 1), default);
        using var http = fixture.Browser();

        Assert.Equal(HttpStatusCode.Unauthorized, (await http.GetAsync("/api/v1/status")).StatusCode);
        http.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", "Bearer virga_no");
        var refused = await http.GetAsync("/api/v1/status");
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        Assert.Contains("virga token add", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        http.DefaultRequestHeaders.Remove("Authorization");
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token.Token);

        var status = await http.GetAsync("/api/v1/status");
        var told = await status.Content.ReadAsStringAsync();
        Assert.Contains(fixture.Agent.Id.ToString(), told, StringComparison.Ordinal);
        var nothing = new Dictionary<string, string>();
        var add = new AccountAddRequest("a", "disk:" + fixture.Folder("a"), nothing, nothing);
        var added = await http.PostAsync("/api/v1/accounts", new StringContent(
            JsonSerializer.Serialize(add, ControlJson.Default.AccountAddRequest), Encoding.UTF8, "application/json"));
        Assert.Equal(HttpStatusCode.OK, added.StatusCode);
        Assert.Equal("[]", await http.GetStringAsync("/api/v1/accounts/a/entries?path="));
        Assert.Equal(HttpStatusCode.Forbidden, (await http.PostAsync("/api/v1/stop", null)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await http.GetAsync("/api/v1/tokens")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync("/api/v1/nothing")).StatusCode);

        await control.RemoveTokenAsync(token.Info.Id, default);
        Assert.Equal(HttpStatusCode.Unauthorized, (await http.GetAsync("/api/v1/status")).StatusCode);
        http.DefaultRequestHeaders.Authorization = null;
        using var document = JsonDocument.Parse(await http.GetStringAsync("/api/openapi.json"));
        Assert.True(document.RootElement.GetProperty("paths").TryGetProperty("/transfers/{id}/watch", out _));
    }
}
