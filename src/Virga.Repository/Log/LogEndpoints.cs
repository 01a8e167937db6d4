using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;
using Virga.Core;
using Virga.Hosting;
using Virga.Trust.Log;

namespace Virga.Repository.Log;

/// <summary>The requests of spec/v1/log.md.</summary>
internal sealed class LogEndpoints(TransparencyLog log, WitnessStore witness, PeerKeys keys)
{
    public void Map(PeerRoutes routes)
    {
        routes.Public("GET", "/v1/log/checkpoint", CheckpointAsync, RequestClass.Read);
        routes.Public("GET", "/v1/log/tile/{**rest}", TileAsync, RequestClass.Read);
        routes.Public("GET", "/v1/log/promises/{leaf}", PromiseAsync);
        routes.Public("POST", "/v1/witness/add-checkpoint", AddCheckpointAsync);
    }

    private Task CheckpointAsync(HttpContext context)
    {
        context.Response.Headers.CacheControl = "no-cache";
        return AnswerAsync(context, 200, "text/plain; charset=utf-8", log.Current.Note.Encode());
    }

    private async Task TileAsync(HttpContext context)
    {
        var path = "tile/" + context.RouteText("rest");
        var data = await log.ReadAsync(path, context.RequestAborted) ?? throw new VirgaException(FailureKind.NotFound,
            "the log has no such tile", "Fetch the checkpoint anew, and the full tile instead of a partial one.");
        context.Response.Headers.CacheControl = "public, max-age=31536000, immutable";
        await AnswerAsync(context, 200, "application/octet-stream", data);
    }

    private async Task PromiseAsync(HttpContext context)
    {
        var leaf = context.RouteHash("leaf");
        var promise = await log.FindAsync(leaf, context.RequestAborted) ?? throw new VirgaException(
            FailureKind.NotFound, $"no entry of the log has the leaf hash {leaf}",
            "Post the statement to this repository first.");
        context.Response.Headers.CacheControl = "no-cache";
        await AnswerAsync(context, 200, "text/plain; charset=utf-8",
            promise.Sign(keys.Identity.SigningKey).Encode());
    }

    private async Task AddCheckpointAsync(HttpContext context)
    {
        var body = await context.ReadBodyAsync(AddCheckpoint.BytesMax, context.RequestAborted);
        var (answer, cosignature) = await witness.AddAsync(body, context.RequestAborted);
        await (answer.Status switch
        {
            200 => AnswerAsync(context, 200, "text/plain; charset=utf-8", Encoding.UTF8.GetBytes(cosignature!)),
            409 => AnswerAsync(context, 409, "text/x.tlog.size",
                Encoding.ASCII.GetBytes(answer.Size.ToString(CultureInfo.InvariantCulture) + "\n")),
            _ => AnswerAsync(context, answer.Status, "text/plain; charset=utf-8", []),
        });
    }

    private static async Task AnswerAsync(HttpContext context, int status, string type, byte[] body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = type;
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body, context.RequestAborted);
    }
}
