using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Virga.Agent.Control;
using Virga.Core;

namespace Virga.Web.Serving;

/// <summary>Files that the page's script brings in pieces, handed on to the agent's API.</summary>
internal static class UploadEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("/uploads", BeginAsync);
        routes.MapGet("/uploads/{id}", LookAsync);
        routes.MapPatch("/uploads/{id}", AppendAsync);
        routes.MapDelete("/uploads/{id}", EndAsync);
    }

    private static Task BeginAsync(HttpContext http) => AnswerAsync(http, async agent =>
    {
        var request = await http.Request.ReadFromJsonAsync(ControlJson.Default.FileUploadRequest, http.RequestAborted);
        return await agent.BeginFileUploadAsync(
            request ?? throw new VirgaException(FailureKind.BadInput, "an upload has a path and a length"),
            http.RequestAborted);
    });

    private static Task LookAsync(HttpContext http) => AnswerAsync(
        http, async agent => await agent.FileUploadAsync(IdOf(http), http.RequestAborted));

    private static Task AppendAsync(HttpContext http) => AnswerAsync(http, async agent =>
    {
        http.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = null;
        var offset = long.TryParse(
            http.Request.Query["offset"].ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var n)
            ? n : throw new VirgaException(FailureKind.BadInput, "where the bytes belong is missing");
        return await agent.AppendAsync(IdOf(http), offset, http.Request.Body, http.RequestAborted);
    });

    private static Task EndAsync(HttpContext http) => AnswerAsync(http, async agent =>
    {
        await agent.EndFileUploadAsync(IdOf(http), http.RequestAborted);
        return null;
    });

    private static string IdOf(HttpContext http) => http.Request.RouteValues["id"] as string ?? "";

    private static async Task AnswerAsync(HttpContext http, Func<ControlClient, Task<FileUploadInfo?>> ask)
    {
        try
        {
            var agent = http.RequestServices.GetRequiredService<ControlClient>();
            if (await ask(agent) is { } info)
            {
                await http.Response.WriteAsJsonAsync(
                    info, ControlJson.Default.FileUploadInfo, null, http.RequestAborted);
            }
            else
            {
                http.Response.StatusCode = StatusCodes.Status204NoContent;
            }
        }
        catch (VirgaException e)
        {
            await FileEndpoints.RefuseAsync(http, e);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            http.Abort();
        }
    }
}
