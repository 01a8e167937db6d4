using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Virga.Web.Serving;

/// <summary>The web server behind the page.</summary>
internal static class PageHost
{
    private static readonly TimeSpan Drain = TimeSpan.FromSeconds(2);

    public static async Task<WebApplication> StartAsync(
        PageOptions options, IPEndPoint place, AcceptedConnections connections, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(
            new WebApplicationOptions { ContentRootPath = options.DataFolder });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => Configure(kestrel, place));
        builder.Services.AddSingleton<IConnectionListenerFactory>(connections);
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = Drain);
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton(options.Time);
        if (options.Logger is { } logger) builder.Logging.AddProvider(logger);
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        var application = builder.Build();
        try
        {
            application.UseRouting();
            Map(application, options);
            await application.StartAsync(cancellationToken);
            return application;
        }
        catch
        {
            await application.DisposeAsync();
            throw;
        }
    }

    private static void Map(WebApplication application, PageOptions options)
    {
        application.MapGet("/", static http =>
        {
            http.Response.ContentType = "text/html; charset=utf-8";
            return http.Response.WriteAsync("<!doctype html><html lang=en><title>Virga</title>", http.RequestAborted);
        });
        options.Map?.Invoke(application);
    }

    private static void Configure(KestrelServerOptions kestrel, IPEndPoint place)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(15);
        kestrel.Limits.MaxRequestHeaderCount = 64;
        kestrel.Listen(place, listen => listen.Protocols = HttpProtocols.Http1);
    }

    /// <summary>Signals are the command line's business.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
