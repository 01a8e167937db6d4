using System.Globalization;
using Microsoft.AspNetCore.Http;
using Virga.Agent.Control;
using Virga.Core;
using Virga.Hosting;

namespace Virga.Agent.Api;

/// <summary>The local API's part about tokens, and its description.</summary>
internal sealed class TokenEndpoints(ApiTokens tokens, string version)
{
    public void Map(PeerRoutes routes)
    {
        routes.Control("GET", "/control/tokens", http =>
            ControlEndpoints.JsonAsync(http, tokens.List(), ControlJson.Default.ListTokenInfo));
        routes.Control("POST", "/control/tokens", async http =>
        {
            var request = await ControlEndpoints.BodyAsync(http, ControlJson.Default.TokenRequest);
            var added = await tokens.AddAsync(request, http.RequestAborted);
            await ControlEndpoints.JsonAsync(http, added, ControlJson.Default.TokenAdded);
        });
        routes.Control("DELETE", "/control/tokens/{id}", async http =>
        {
            if (!long.TryParse(http.RouteText("id"), NumberStyles.None, CultureInfo.InvariantCulture, out var id))
                throw new VirgaException(
                    FailureKind.BadInput, "a token is named by its number", "See them with: virga token list");
            await tokens.RemoveAsync(id, http.RequestAborted);
            http.Response.StatusCode = StatusCodes.Status204NoContent;
        });
        routes.Control("GET", "/control/openapi.json", async http =>
        {
            http.Response.ContentType = "application/json";
            await http.Response.WriteAsync(ApiDocument.Write(version), http.RequestAborted);
        });
    }
}
