using System.Globalization;
using Microsoft.AspNetCore.Http;
using Virga.Accounts;
using Virga.Agent.Uploads;
using Virga.Core;
using Virga.Hosting;

namespace Virga.Agent.Control;

/// <summary>The local API's part about files that come in pieces.</summary>
internal sealed class FileUploadEndpoints(FileUploads uploads)
{
    private const string Place = "/control/file-uploads";

    public void Map(PeerRoutes routes)
    {
        routes.Control("GET", Place, http => ControlEndpoints.JsonAsync(
            http, uploads.List().ConvertAll(FileUploads.InfoOf), ControlJson.Default.ListFileUploadInfo));
        routes.Control("POST", Place, async http =>
        {
            var request = await ControlEndpoints.BodyAsync(http, ControlJson.Default.FileUploadRequest);
            var upload = await uploads.BeginAsync(
                request.Account, EntryPath.Parse(request.Path), request.Length, request.Key ?? "",
                http.RequestAborted);
            await upload.FindOffsetAsync(http.RequestAborted);
            await AnswerAsync(http, upload);
        });
        routes.Control("GET", Place + "/{id}", async http =>
        {
            var upload = uploads.Get(http.RouteText("id"));
            await upload.FindOffsetAsync(http.RequestAborted);
            await AnswerAsync(http, upload);
        });
        routes.Control("PATCH", Place + "/{id}", async http =>
        {
            if (!long.TryParse(
                http.Request.Query["offset"].ToString(), NumberStyles.None, CultureInfo.InvariantCulture,
                out var offset))
            {
                throw new VirgaException(
                    FailureKind.BadInput, "where the bytes belong is missing", "Say from which byte: ?offset=0");
            }
            var upload = uploads.Get(http.RouteText("id"));
            await upload.AppendAsync(offset, http.Request.Body, http.RequestAborted);
            await AnswerAsync(http, upload);
        });
        routes.Control("DELETE", Place + "/{id}", async http =>
        {
            await uploads.EndAsync(http.RouteText("id"), http.RequestAborted);
            http.Response.StatusCode = StatusCodes.Status204NoContent;
        });
    }

    private static Task AnswerAsync(HttpContext http, FileUpload upload) =>
        ControlEndpoints.JsonAsync(http, FileUploads.InfoOf(upload), ControlJson.Default.FileUploadInfo);
}
