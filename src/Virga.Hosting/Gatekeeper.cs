using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Virga.Core;

namespace Virga.Hosting;

/// <summary>
/// Stands between routing and the endpoints: the listener must be the endpoint's own, and the asker within its rate.
/// </summary>
internal sealed class Gatekeeper(PeerServerOptions options)
{
    private static readonly Histogram<double> Seconds =
        Telemetry.Meter.CreateHistogram<double>("virga.requests", "s", "Requests answered");

    private readonly RequestLimiter<ClientAddress> ordinary = new(options.Limits.Address, options.Time);
    private readonly RequestLimiter<ClientAddress> reads = new(options.Limits.Reads, options.Time);
    private readonly RequestLimiter<ClientAddress> rare = new(options.Limits.Rare, options.Time);

    public static VirgaException NotFound() =>
        new(FailureKind.NotFound, "there is nothing here",
            "Check the address, and whether both sides run the same version.");

    public async Task RunAsync(HttpContext context, RequestDelegate next)
    {
        var policy = context.GetEndpoint()?.Metadata.GetMetadata<EndpointPolicy>();
        var listener = context.Features.Get<ListenerFeature>()?.Listener ?? Listener.Network;
        if (listener != Listener.Control)
        {
            var address = ClientAddress.Of(context.Connection.RemoteIpAddress);
            // Paths that lead nowhere count as well.
            var wait = policy?.Requests switch
            {
                RequestClass.Read => reads.TryAcquire(address),
                RequestClass.Rare => rare.TryAcquire(address),
                RequestClass.Free => TimeSpan.Zero,
                _ => ordinary.TryAcquire(address),
            };
            Refusals.RequireRate(wait, "this address");
        }

        if (policy is null || !policy.Listeners.HasFlag(listener)) throw NotFound();
        if (listener == Listener.Control && options.RequireToken is { } require
            && context.Request.Headers.Authorization is { Count: > 0 } authorization)
        {
            var pattern = (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "";
            await require(authorization.ToString(), context.Request.Method, pattern, context.RequestAborted);
        }
        if (listener == Listener.Control
            && context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } body)
            body.MaxRequestBodySize = null;
        var begun = options.Time.GetTimestamp();
        try
        {
            await next(context);
        }
        finally
        {
            Seconds.Record(
                options.Time.GetElapsedTime(begun).TotalSeconds,
                new KeyValuePair<string, object?>("listener", listener.ToString()));
        }
    }
}
