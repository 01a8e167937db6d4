using System.Globalization;
using Microsoft.AspNetCore.Http;
using Virga.Agent.Transfers;
using Virga.Core;
using Virga.Hosting;

namespace Virga.Agent.Control;

/// <summary>The local API's part about uploads that are pending in accounts.</summary>
internal sealed class UploadEndpoints(PendingUploads uploads)
{
    private const string Path = "/control/accounts/{name}/uploads";
    private const long SecondsMax = 100L * 365 * 24 * 3_600;

    public void Map(PeerRoutes routes)
    {
        routes.Control("GET", Path, async http => await ControlEndpoints.JsonAsync(
            http, await uploads.ListAsync(Name(http), http.RequestAborted), ControlJson.Default.ListUploadInfo));
        routes.Control("DELETE", Path, async http =>
        {
            var ended = await uploads.EndAsync(Name(http), Age(http), http.RequestAborted);
            await ControlEndpoints.JsonAsync(http, ended, ControlJson.Default.ListUploadInfo);
        });
    }

    private static string Name(HttpContext http) => (string)http.Request.RouteValues["name"]!;

    private static TimeSpan Age(HttpContext http) =>
        long.TryParse(
            http.Request.Query["seconds"].ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            && seconds <= SecondsMax
            ? TimeSpan.FromSeconds(seconds)
            : throw new VirgaException(
                FailureKind.BadInput, "how old an upload must be is missing", "Give it in seconds: ?seconds=604800");
}
