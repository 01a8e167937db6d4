using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Virga.Agent.Control;
using Virga.Core;
using Virga.Protocol;
using Virga.Web.Serving;
using Virga.Web.Texts;

namespace Virga.Web.SignIn;

/// <summary>
/// The first run with a backup: the file goes to the agent's API as it comes, and what is wrong with it comes back
/// with the field that it belongs to.
/// </summary>
internal static class RestoreEndpoints
{
    public const string Path = "/welcome/restore";

    /// <summary>Field: passphrase or file.</summary>
    private sealed record Refusal(string Field, string Message);

    private sealed record Answering(string Agent);

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost(Path, RestoreAsync);
        routes.MapGet(Path, WhoAsync);
    }

    private static async Task RestoreAsync(HttpContext http)
    {
        http.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = null;
        var form = new StreamContent(http.Request.Body);
        form.Headers.TryAddWithoutValidation("Content-Type", http.Request.ContentType);
        try
        {
            var restored = await http.RequestServices.GetRequiredService<ControlClient>()
                .RestoreAsync(form, Guard.SessionOf(http), http.RequestAborted);
            await http.Response.WriteAsJsonAsync(new Answering(restored.Agent), http.RequestAborted);
        }
        catch (VirgaException e)
        {
            var words = Words.Of(http);
            http.Response.StatusCode = ErrorMessage.StatusOf(e).Status;
            await http.Response.WriteAsJsonAsync(
                new Refusal(e.Kind == FailureKind.Denied ? "passphrase" : "file", e.Kind switch
                {
                    FailureKind.Denied => words["restore.wrong"],
                    FailureKind.Corrupt => words["restore.broken"],
                    FailureKind.BadInput => words["restore.none"],
                    FailureKind.Unsupported => words["restore.newer"],
                    FailureKind.Conflict => words["restore.inuse"],
                    _ => $"{e.Message} {e.Advice}",
                }),
                http.RequestAborted);
        }
        catch (Exception e) when (e is IOException or HttpRequestException or BadHttpRequestException)
        {
            http.Abort();
        }
    }

    /// <summary>Which agent answers here now: another one, once a backup has taken its place.</summary>
    private static async Task WhoAsync(HttpContext http)
    {
        try
        {
            var agent = http.RequestServices.GetRequiredService<ControlClient>();
            var status = await agent.StatusAsync(http.RequestAborted);
            await http.Response.WriteAsJsonAsync(new Answering(status.Agent), http.RequestAborted);
        }
        catch (Exception e) when (e is VirgaException or IOException or HttpRequestException or ObjectDisposedException)
        {
            // The one is going, the other not there yet.
            if (!http.Response.HasStarted) http.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        }
    }
}
