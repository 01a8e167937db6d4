using Microsoft.AspNetCore.Http;

namespace Virga.Hosting;

/// <summary>
/// <c>/health/live</c>: the process answers. <c>/health/ready</c> and <c>/health</c>: it can do its work. 200 or 503,
/// one word of text; over the network and over the control socket.
/// </summary>
internal static class Health
{
    public static void Map(PeerRoutes routes, PeerServerOptions options)
    {
        routes.Everywhere("GET", "/health/live", context => AnswerAsync(context, true));
        routes.Everywhere("GET", "/health/ready", context => AnswerAsync(context, options.IsReady()));
        routes.Everywhere("GET", "/health", context => AnswerAsync(context, options.IsReady()));
    }

    private static Task AnswerAsync(HttpContext context, bool isWell)
    {
        context.Response.StatusCode = isWell ? 200 : 503;
        context.Response.ContentType = "text/plain";
        return context.Response.WriteAsync(isWell ? "ok\n" : "not ready\n", context.RequestAborted);
    }
}
