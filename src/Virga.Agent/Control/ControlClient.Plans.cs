using System.Net.Http.Json;

namespace Virga.Agent.Control;

/// <summary>The routes about plans and prices.</summary>
public sealed partial class ControlClient
{
    public Task<PlanInfo> PlanAsync(PlanRequest request, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Post, "/control/plan", JsonContent.Create(request, ControlJson.Default.PlanRequest),
        ControlJson.Default.PlanInfo, cancellationToken);

    public Task<PricesInfo> PricesAsync(CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, "/control/prices", null, ControlJson.Default.PricesInfo, cancellationToken);

    public Task<PricesInfo> SetPricesAsync(PricesRequest request, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Put, "/control/prices", JsonContent.Create(request, ControlJson.Default.PricesRequest),
        ControlJson.Default.PricesInfo, cancellationToken);
}
