using System.Net;
using System.Security.Cryptography;
using Virga.Core;

namespace Virga.Web.Tests;

public sealed class PageServerTests
{
    private static PageOptions Options(IPEndPoint? listen = null) => new()
    {
        Listen = listen ?? new IPEndPoint(IPAddress.Loopback, 0), DataFolder = Path.GetTempPath(),
        Time = TimeProvider.System, Random = RandomNumberGenerator.Fill,
    };

    [Fact]
    public async Task The_web_server_is_loaded_when_the_first_browser_comes()
    {
        await using var page = PageServer.Start(Options());
        Assert.False(page.IsOpen);
        using var http = new HttpClient { BaseAddress = page.Url };
        Assert.Contains("Virga", await http.GetStringAsync("/"));
        Assert.True(page.IsOpen);
        using var another = new HttpClient { BaseAddress = page.Url };
        Assert.Contains("Virga", await another.GetStringAsync("/"));
    }

    [Fact]
    public async Task A_page_that_nobody_opened_stops_at_once()
    {
        var page = PageServer.Start(Options());
        await page.DisposeAsync();
        using var http = new HttpClient();
        await Assert.ThrowsAsync<HttpRequestException>(() => http.GetAsync(page.Url));
    }

    [Fact]
    public async Task A_taken_port_is_named()
    {
        await using var page = PageServer.Start(Options());
        var failure = Assert.Throws<VirgaException>(() => PageServer.Start(Options(page.Place)));
        Assert.Equal(FailureKind.InUse, failure.Kind);
        Assert.Contains($"{page.Place.Port}", failure.Message);
    }
}
