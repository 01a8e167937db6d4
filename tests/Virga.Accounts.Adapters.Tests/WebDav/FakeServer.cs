using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Virga.Accounts.Adapters.WebDav;

namespace Virga.Accounts.Adapters.Tests.WebDav;

/// <summary>
/// A server on loopback that answers as a test says, for servers that can't be had here and for those that lie.
/// </summary>
internal sealed class FakeServer : IAsyncDisposable
{
    private readonly WebApplication app;

    private FakeServer(WebApplication app) => this.app = app;

    public string Url => app.Urls.First();

    public static async Task<FakeServer> StartAsync(Func<HttpContext, Task> answer, string classes = "1, 2")
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var built = builder.Build();
        built.Run(async context =>
        {
            if (context.Request.Method == "OPTIONS") context.Response.Headers["DAV"] = classes;
            else await answer(context);
        });
        await built.StartAsync();
        return new FakeServer(built);
    }

    public ValueTask<IAccount> OpenAsync(
        AdapterServices? services = null, string path = "/dav", params (string, string)[] settings)
    {
        var adapter = new WebDavAdapter(services ?? TestServices.Real);
        return adapter.OpenAsync(
            adapter.ParseAddress(
                Url.Replace("http:", "webdav:", StringComparison.Ordinal) + path, TestServices.Map(settings),
                TestServices.None),
            default);
    }

    public static async Task MultistatusAsync(HttpContext context, string xml)
    {
        context.Response.StatusCode = 207;
        context.Response.ContentType = "application/xml";
        await context.Response.WriteAsync(xml);
    }

    public async ValueTask DisposeAsync() => await app.DisposeAsync();
}
