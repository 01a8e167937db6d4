using System.Net;
using System.Text.RegularExpressions;
using Virga.Hosting;

namespace Virga.Agent.Tests.Pages;

/// <summary>Whatever browsers are answered where the share page is: they are told what they may do with it.</summary>
public sealed partial class ShareHeaderTests
{
    private static readonly string[] Names =
    [
        "Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy",
        "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy", "Permissions-Policy",
    ];

    [Fact]
    public async Task Every_answer_of_every_route_carries_them()
    {
        await using var network = await Network.StartAsync();
        var agent = await network.AgentAsync(
            "a",
            options => options with { SharePage = new GuestListener(new IPEndPoint(IPAddress.Loopback, 0), null) });
        await agent.AddAccountAsync("disk", network.Folder("disk"));
        await File.WriteAllTextAsync(network.PathOf("disk/a.txt"), "for all");
        var share = await agent.ShareAsync("disk", "", "public");
        var routes = agent.Host.GuestOperations.ToList();
        foreach (var known in new[] { "/", "/s/{hash}", "/s/page/{**name}", "/v1/guest/{hash}/blobs/{root}" })
            Assert.Contains(("GET", known), routes);
        var tries = routes.Append(("GET", "/nowhere")).Append(("POST", "/")).Append(("GET", "/s/page/app.js"))
            .Append(("GET", $"/v1/guest/{share.InfoHash}")).Append(("GET", $"/v1/guest/{share.InfoHash}/torrent"))
            .ToList();
        using var http = new HttpClient(new SocketsHttpHandler
        {
            SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true },
        });
        var missing = new List<string>();
        foreach (var origin in new[] { agent.Host.PageUrl!, agent.Host.Endpoint.Url })
        {
            foreach (var (method, pattern) in tries)
            {
                foreach (var value in new[] { share.InfoHash, "x" })
                {
                    using var request = new HttpRequestMessage(
                        new HttpMethod(method), new Uri(origin, ValueIn().Replace(pattern, value)));
                    using var answer = await http.SendAsync(request);
                    missing.AddRange(Names.Where(name => !answer.Headers.Contains(name))
                        .Select(name => $"{method} {request.RequestUri} ({(int)answer.StatusCode}): {name}"));
                }
            }
        }
        Assert.Empty(missing);
        // Somebody who typed the address by hand is told what is missing in it.
        Assert.Contains("<html", await http.GetStringAsync(agent.Host.PageUrl), StringComparison.Ordinal);
    }

    [GeneratedRegex(@"\{[^}]*\}")]
    private static partial Regex ValueIn();
}
