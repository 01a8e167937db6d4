using Microsoft.AspNetCore.Http;
using Virga.Hosting;

namespace Virga.Agent.Control;

/// <summary>The local API's part about accounts that are linked by their service's consent.</summary>
internal sealed class LinkEndpoints(AccountLinks links)
{
    public void Map(PeerRoutes routes)
    {
        routes.Control("POST", "/control/links", async http =>
        {
            var request = await ControlEndpoints.BodyAsync(http, ControlJson.Default.LinkRequest);
            await ControlEndpoints.StreamAsync(
                http, ControlJson.Default.LinkEvent,
                report => links.LinkAsync(request, i => report(new LinkEvent(i, null, null)), http.RequestAborted),
                e => new LinkEvent(null, null, e));
        });
        routes.Control("POST", "/control/links/{id}/code", async http =>
        {
            var code = await ControlEndpoints.BodyAsync(http, ControlJson.Default.LinkCode);
            links.Paste(http.RouteText("id"), code.Text);
            http.Response.StatusCode = StatusCodes.Status204NoContent;
        });
    }
}
