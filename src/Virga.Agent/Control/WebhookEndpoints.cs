using System.Globalization;
using Microsoft.AspNetCore.Http;
using Virga.Agent.Notices;
using Virga.Core;
using Virga.Hosting;

namespace Virga.Agent.Control;

/// <summary>The local API's part about webhooks.</summary>
internal sealed class WebhookEndpoints(Webhooks webhooks)
{
    public void Map(PeerRoutes routes)
    {
        routes.Control("GET", "/control/webhooks", async http => await ControlEndpoints.JsonAsync(
            http, await webhooks.DescribeAsync(http.RequestAborted), ControlJson.Default.ListWebhookInfo));
        routes.Control("POST", "/control/webhooks", async http =>
        {
            var request = await ControlEndpoints.BodyAsync(http, ControlJson.Default.WebhookRequest);
            var added = await webhooks.AddAsync(request, http.RequestAborted);
            await ControlEndpoints.JsonAsync(http, added, ControlJson.Default.WebhookAdded);
        });
        routes.Control("DELETE", "/control/webhooks/{id}", async http =>
        {
            await webhooks.RemoveAsync(Id(http), http.RequestAborted);
            http.Response.StatusCode = StatusCodes.Status204NoContent;
        });
        routes.Control("POST", "/control/webhooks/{id}/test", async http =>
        {
            await webhooks.TestAsync(Id(http), http.RequestAborted);
            http.Response.StatusCode = StatusCodes.Status204NoContent;
        });
    }

    private static long Id(HttpContext http) =>
        long.TryParse(
            (string?)http.Request.RouteValues["id"], NumberStyles.None, CultureInfo.InvariantCulture, out var id)
            ? id
            : throw new VirgaException(
                FailureKind.BadInput, "a webhook is named by its number", "See them with: virga webhook list");
}
