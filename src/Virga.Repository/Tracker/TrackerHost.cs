using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Virga.BitTorrent.Trackers.Server;
using Virga.Core;
using Virga.Hosting;

namespace Virga.Repository.Tracker;

/// <summary>What a repository's tracker for ordinary BitTorrent clients is told.</summary>
public sealed record TrackerOptions
{
    /// <summary>
    /// Where it listens, over HTTP and over UDP on the same port; one for IPv4 and one for IPv6 share their swarms.
    /// Port 0 takes a free one.
    /// </summary>
    public required IReadOnlyList<IPEndPoint> Listen { get; init; }

    public TrackerServerLimits Limits { get; init; } = new();

    /// <summary>Connections over HTTP; clients close theirs after each answer.</summary>
    public PeerLimits Connections { get; init; } = new() { ConnectionsMax = 4_000, ConnectionsPerAddressMax = 64 };
}

/// <summary>
/// The tracker of a repository, for ordinary BitTorrent clients: announces and scrapes over HTTP and UDP, swarms in
/// memory. It knows nothing of Virga's own announces, nor they of it.
/// </summary>
public sealed class TrackerHost : IAsyncDisposable
{
    private static readonly TimeSpan SweepEvery = TimeSpan.FromMinutes(1);

    private readonly SwarmTable table;
    private readonly HttpAnswers http;
    private readonly UdpAnswers udp;
    private readonly List<PlainServer> plain = [];
    private readonly List<UdpTrackerServer> datagrams = [];
    private readonly Meter meter = new("Virga.Repository.Tracker");
    private readonly ITimer sweeper;

    private TrackerHost(TrackerOptions options, TimeProvider time, RandomBytes random)
    {
        table = new SwarmTable(options.Limits, time, random);
        http = new HttpAnswers(table);
        udp = new UdpAnswers(table, time, random);
        meter.CreateObservableGauge("virga.tracker.swarms", () => table.Swarms, "{swarm}", "Swarms known");
        meter.CreateObservableGauge("virga.tracker.peers", () => table.PeerCount, "{peer}", "Peers of all swarms");
        Count("virga.tracker.announces", "Announces answered", () => http.Announces, () => udp.Announces);
        Count("virga.tracker.scrapes", "Scrapes answered", () => http.Scrapes, () => udp.Scrapes);
        Count("virga.tracker.refusals", "Requests refused in words", () => http.Refusals, () => udp.Refusals);
        sweeper = time.CreateTimer(_ => table.Sweep(), null, SweepEvery, SweepEvery);

        void Count(string name, string what, Func<long> overHttp, Func<long> overUdp) =>
            meter.CreateObservableCounter(name, () => new Measurement<long>[]
            {
                new(overHttp(), new KeyValuePair<string, object?>("protocol", "http")),
                new(overUdp(), new KeyValuePair<string, object?>("protocol", "udp")),
            }, "{request}", what);
    }

    /// <summary>Where it listens, with the ports that were taken.</summary>
    public IReadOnlyList<IPEndPoint> Places => [.. plain.Select(server => server.Place)];

    public int Swarms => table.Swarms;

    public int Peers => table.PeerCount;

    /// <exception cref="VirgaException">InUse, Denied or BadInput where it can't listen.</exception>
    public static async Task<TrackerHost> StartAsync(
        TrackerOptions options, TimeProvider time, RandomBytes random, ILoggerProvider? logger,
        CancellationToken cancellationToken)
    {
        var host = new TrackerHost(options, time, random);
        try
        {
            foreach (var place in options.Listen)
            {
                var server = await PlainServer.StartAsync(
                    place, options.Connections, host.AnswerAsync, logger, cancellationToken);
                host.plain.Add(server);
                host.datagrams.Add(UdpTrackerServer.Start(server.Place, host.udp));
            }

            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var server in datagrams) await server.DisposeAsync();
        foreach (var server in plain) await server.DisposeAsync();
        await sweeper.DisposeAsync();
        meter.Dispose();
    }

    private Task AnswerAsync(HttpContext context)
    {
        var response = context.Response;
        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var room = response.BodyWriter.GetSpan(HttpAnswers.AnswerBytesMax);
        var bytes = HttpMethods.IsGet(context.Request.Method) && context.Connection.RemoteIpAddress is { } from
            ? http.Answer(target, from, room) : 0;
        response.ContentType = "text/plain";
        if (bytes == 0)
        {
            response.StatusCode = StatusCodes.Status404NotFound;
            return response.WriteAsync(
                "This is a BitTorrent tracker: GET /announce and /scrape.\n", context.RequestAborted);
        }

        response.ContentLength = bytes;
        response.BodyWriter.Advance(bytes);
        return Task.CompletedTask;
    }
}
