using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Virga.Core;

namespace Virga.Hosting;

/// <summary>
/// Plain HTTP/1.1 without TLS, routes or bodies, for protocols of others that know nothing else: many short GETs of
/// strangers. Connections are bounded as those of <see cref="PeerServer"/>.
/// </summary>
public sealed class PlainServer : IAsyncDisposable
{
    /// <summary>What may be asked in one line and its headers: a tracker's scrape of 74 swarms has 5 KiB.</summary>
    private const int RequestBytesMax = 8 << 10;

    private readonly WebApplication application;

    private PlainServer(WebApplication application, IPEndPoint place)
    {
        this.application = application;
        Place = place;
    }

    /// <summary>Where it listens.</summary>
    public IPEndPoint Place { get; }

    /// <param name="place">Port 0 takes a free one.</param>
    /// <param name="answer">Called for each request; must not throw.</param>
    /// <exception cref="VirgaException">As <see cref="PeerServer.StartAsync"/>.</exception>
    public static async Task<PlainServer> StartAsync(
        IPEndPoint place, PeerLimits limits, RequestDelegate answer, ILoggerProvider? logger,
        CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = 0;
            kestrel.Limits.MaxRequestLineSize = RequestBytesMax;
            kestrel.Limits.MaxRequestHeadersTotalSize = RequestBytesMax;
            kestrel.Limits.MaxRequestHeaderCount = 32;
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
            kestrel.Limits.KeepAliveTimeout = TimeSpan.FromSeconds(10);
            var gate = new ConnectionGate(limits);
            kestrel.Listen(place, listen =>
            {
                listen.Protocols = HttpProtocols.Http1;
                listen.Use(next => connection => gate.RunAsync(connection, next));
            });
        });
        builder.Services.AddSingleton<IHostLifetime, PeerServer.NoLifetime>();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = limits.Drain);
        if (logger is not null) builder.Logging.AddProvider(logger);
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        var application = builder.Build();
        try
        {
            application.Run(answer);
            await PeerServer.ListenAsync(application, [place], cancellationToken);
            var port = new Uri(application.Urls.First()).Port;
            return new PlainServer(application, new IPEndPoint(place.Address, port));
        }
        catch
        {
            await application.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await application.StopAsync(CancellationToken.None);
        await application.DisposeAsync();
    }
}
