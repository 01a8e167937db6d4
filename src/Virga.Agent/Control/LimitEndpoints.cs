using Virga.Agent.Transfers;
using Virga.Hosting;

namespace Virga.Agent.Control;

/// <summary>The local API's part about limits.</summary>
internal sealed class LimitEndpoints(LimitKeeper limits)
{
    public void Map(PeerRoutes routes)
    {
        routes.Control("GET", "/control/limits", http =>
            ControlEndpoints.JsonAsync(http, limits.Describe(), ControlJson.Default.LimitsInfo));
        routes.Control("PUT", "/control/limits", async http =>
        {
            var request = await ControlEndpoints.BodyAsync(http, ControlJson.Default.LimitsRequest);
            var set = await limits.SetAsync(request, http.RequestAborted);
            await ControlEndpoints.JsonAsync(http, set, ControlJson.Default.LimitsInfo);
        });
    }
}
