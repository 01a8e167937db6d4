using Virga.Agent.Planning;
using Virga.Agent.Transfers;
using Virga.Hosting;

namespace Virga.Agent.Control;

/// <summary>The local API for plans and prices (docs/reference/control-api.md).</summary>
internal sealed class PlanEndpoints(TransferService transfers, PlanService plans)
{
    public void Map(PeerRoutes routes)
    {
        routes.Control("POST", "/control/plan", async http =>
        {
            var request = await ControlEndpoints.BodyAsync(http, ControlJson.Default.PlanRequest);
            var plan = await transfers.PlanAsync(request, http.RequestAborted);
            await ControlEndpoints.JsonAsync(http, plan, ControlJson.Default.PlanInfo);
        });
        routes.Control("PUT", "/control/prices", async http =>
        {
            var request = await ControlEndpoints.BodyAsync(http, ControlJson.Default.PricesRequest);
            await plans.ChangePricesAsync(request.Changes ?? [], http.RequestAborted);
            var prices = await plans.DescribePricesAsync(http.RequestAborted);
            await ControlEndpoints.JsonAsync(http, prices, ControlJson.Default.PricesInfo);
        });
        routes.Control("GET", "/control/prices", async http =>
        {
            var prices = await plans.DescribePricesAsync(http.RequestAborted);
            await ControlEndpoints.JsonAsync(http, prices, ControlJson.Default.PricesInfo);
        });
    }
}
