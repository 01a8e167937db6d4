using Virga.Core;
using Virga.Hosting;

namespace Virga.Agent.Control;

/// <summary>The local API's way to the page for browsers.</summary>
internal sealed class PageEndpoints(Func<Func<CancellationToken, Task<Uri>>?> link)
{
    public void Map(PeerRoutes routes) => routes.Control("POST", "/control/page/link", async http =>
    {
        var make = link() ?? throw new VirgaException(
            FailureKind.NotFound, "this agent has no page", "Start it without --no-page.");
        var url = await make(http.RequestAborted);
        await ControlEndpoints.JsonAsync(
            http, new PageLinkInfo(url.AbsoluteUri), ControlJson.Default.PageLinkInfo);
    });
}
