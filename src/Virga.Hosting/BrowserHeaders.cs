using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Virga.Hosting;

/// <summary>
/// What browsers may do with an answer, wherever one may come: on the listener for pages, and on the network's with
/// what guests are answered there, refusals and paths that lead nowhere included. An endpoint that has said it already
/// is left as it is.
/// </summary>
internal static class BrowserHeaders
{
    private static readonly (string Name, string Value)[] Headers =
    [
        ("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
        ("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"), ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Opener-Policy", "same-origin"), ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ];

    public static void Use(IApplicationBuilder application) => application.Use((context, next) =>
    {
        if (context.Features.Get<ListenerFeature>()?.Listener != Listener.Control)
            context.Response.OnStarting(static state => AddAsync((HttpContext)state), context);
        return next(context);
    });

    private static Task AddAsync(HttpContext context)
    {
        var isForAgents = context.Features.Get<ListenerFeature>()?.Listener != Listener.Guests
            && context.GetEndpoint()?.Metadata.GetMetadata<EndpointPolicy>() is { Listeners: Listener.Network };
        if (isForAgents) return Task.CompletedTask;
        foreach (var (name, value) in Headers) context.Response.Headers.TryAdd(name, value);
        return Task.CompletedTask;
    }
}
