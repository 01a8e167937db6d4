using System.Net;
using System.Text;
using System.Text.RegularExpressions;

namespace Virga.Web.Tests;

/// <summary>Whatever the page answers, and whoever asks: browsers are told what they may do with it.</summary>
public sealed partial class HeaderTests
{
    private static readonly string[] Names =
    [
        "Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy",
        "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy", "Permissions-Policy", "Cache-Control",
    ];

    [Fact]
    public async Task Every_answer_of_every_route_carries_them()
    {
        await using var fixture = await Fixture.StartAsync();
        var (owner, _) = await fixture.SetUpAsync();
        using var nobody = fixture.Browser();
        using (owner)
        {
            var routes = fixture.Page.Routes.ToList();
            foreach (var known in new[] { "/", "/files", "/welcome/restore", "/a/{**name}", "/raw/{account}" })
                Assert.Contains(routes, r => "/" + r.Pattern.TrimStart('/') == known);
            var missing = new List<string>();
            var tries = routes.Append(("GET", "/nowhere/at/all")).Append(("DELETE", "/files"))
                .Append(("GET", "/a/virga.css")).Append(("GET", "/api/v1/status"));
            // What ends the session comes last.
            foreach (var (method, pattern) in tries.OrderBy(t => t.Item2 == "/sign-out"))
            {
                foreach (var (browser, who) in new[] { (nobody, "nobody"), (owner, "owner") })
                {
                    using var request = new HttpRequestMessage(new HttpMethod(method), PathOf(pattern));
                    if (method is "POST" or "PUT" or "PATCH")
                        request.Content = new StringContent("{}", Encoding.UTF8, "application/json");
                    using var answer = await browser.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
                    // Nothing is made of an answer that has failed by a fault of ours, and there is to be none.
                    missing.AddRange(Names.Where(name => !answer.Headers.Contains(name))
                        .Select(name => $"{method} {pattern} ({who}, {(int)answer.StatusCode}): {name}"));
                }
            }
            Assert.Empty(missing);
        }
    }

    [Fact]
    public async Task Other_names_and_other_sites_are_told_so_too()
    {
        await using var fixture = await Fixture.StartAsync();
        using var browser = fixture.Browser();
        using var other = new HttpRequestMessage(HttpMethod.Get, "/") { Headers = { Host = "evil.example" } };
        using var site = new HttpRequestMessage(HttpMethod.Post, "/sign-in");
        site.Headers.Add("Origin", "https://evil.example");
        foreach (var request in new[] { other, site })
        {
            using var answer = await browser.SendAsync(request);
            Assert.True(answer.StatusCode is HttpStatusCode.MisdirectedRequest or HttpStatusCode.Forbidden);
            Assert.All(Names, name => Assert.True(answer.Headers.Contains(name), name));
        }
    }

    /// <summary>With something in each place.</summary>
    private static string PathOf(string pattern) => "/" + ValueIn().Replace(pattern, "x").TrimStart('/');

    [GeneratedRegex(@"\{[^}]*\}")]
    private static partial Regex ValueIn();
}
