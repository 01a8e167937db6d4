using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Virga.Agent;
using Virga.Agent.Api;

namespace Virga.Web.Serving;

/// <summary>
/// The agent's local API for other programs, with tokens (docs/reference/control-api.md). What comes is handed to the
/// agent over its control socket, and what it answers comes back as it is: the agent itself decides what a token may
/// do. Nothing is handed on without a token, since who opens that socket without one may do everything.
/// </summary>
internal static class ApiEndpoints
{
    private const string Scheme = "Bearer ";
    private const int BodyBytesMax = 64 << 20;

    public static void Map(IEndpointRouteBuilder routes, PageOptions options)
    {
        // Part of the web server, and gone with it.
        var agent = new HttpMessageInvoker(new SocketsHttpHandler
        {
            ConnectCallback = (_, token) => ConnectAsync(options.DataFolder, token),
            AllowAutoRedirect = false, UseCookies = false,
        });
        routes.MapGet("/api/openapi.json", http =>
        {
            http.Response.ContentType = "application/json";
            return http.Response.WriteAsync(ApiDocument.Write(options.Version), http.RequestAborted);
        }).AllowAnonymous();
        string[] methods =
            [HttpMethods.Get, HttpMethods.Post, HttpMethods.Put, HttpMethods.Patch, HttpMethods.Delete];
        routes.MapMethods(ApiDocument.Place + "/{**path}", methods, http => ForwardAsync(http, agent))
            .AllowAnonymous();
    }

    private static async Task ForwardAsync(HttpContext http, HttpMessageInvoker agent)
    {
        var token = http.Request.Headers.Authorization.ToString();
        if (!token.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            http.Response.Headers.WWWAuthenticate = "Bearer";
            await RefuseAsync(
                http, StatusCodes.Status401Unauthorized, "Unauthenticated", "the API takes a token",
                "Make one with `virga token add`, and send it as 'Authorization: Bearer virga_...'.");
            return;
        }
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = BodyBytesMax;
        var place = http.Request.Path.ToUriComponent()[ApiDocument.Place.Length..];
        var asked = new Uri("http://control/control" + place + http.Request.QueryString.ToUriComponent());
        if (!asked.AbsolutePath.StartsWith("/control/", StringComparison.Ordinal))
        {
            await RefuseAsync(
                http, StatusCodes.Status404NotFound, "NotFound", "there is nothing here", "See /api/openapi.json.");
            return;
        }
        using var message = new HttpRequestMessage(new HttpMethod(http.Request.Method), asked);
        message.Headers.TryAddWithoutValidation("Authorization", token);
        if (http.Request.ContentLength is not (null or 0) || http.Request.Headers.TransferEncoding.Count > 0)
        {
            message.Content = new StreamContent(http.Request.Body);
            message.Content.Headers.TryAddWithoutValidation("Content-Type", http.Request.ContentType);
            if (http.Request.ContentLength is { } length) message.Content.Headers.ContentLength = length;
        }
        try
        {
            using var answer = await agent.SendAsync(message, http.RequestAborted);
            await AnswerAsync(http, answer);
        }
        catch (HttpRequestException) when (!http.Response.HasStarted)
        {
            await RefuseAsync(
                http, StatusCodes.Status503ServiceUnavailable, "Unavailable", "the agent is stopping", "Try again.");
        }
    }

    private static async Task AnswerAsync(HttpContext http, HttpResponseMessage answer)
    {
        var response = http.Response;
        response.StatusCode = (int)answer.StatusCode;
        response.ContentType = answer.Content.Headers.ContentType?.ToString();
        response.ContentLength = answer.Content.Headers.ContentLength;
        if (answer.Headers.RetryAfter is { } wait) response.Headers.RetryAfter = wait.ToString();
        response.Headers.CacheControl = "no-store";
        await using var body = await answer.Content.ReadAsStreamAsync(http.RequestAborted);
        var buffer = new byte[16 << 10];
        // What is followed as it happens goes on at once.
        for (int read; (read = await body.ReadAsync(buffer, http.RequestAborted)) > 0;)
        {
            await response.Body.WriteAsync(buffer.AsMemory(0, read), http.RequestAborted);
            await response.Body.FlushAsync(http.RequestAborted);
        }
    }

    private static Task RefuseAsync(HttpContext http, int status, string kind, string message, string advice)
    {
        http.Response.StatusCode = status;
        return http.Response.WriteAsJsonAsync(
            new Agent.Control.ControlError(kind, message, advice), Agent.Control.ControlJson.Default.ControlError,
            cancellationToken: http.RequestAborted);
    }

    private static async ValueTask<Stream> ConnectAsync(string dataFolder, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            var place = Path.Combine(dataFolder, AgentHost.ControlSocketName);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(place), cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
