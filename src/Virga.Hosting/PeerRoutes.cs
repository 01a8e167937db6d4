using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Virga.Hosting;

/// <summary>How requests to an endpoint are counted, by the asker's address.</summary>
public enum RequestClass
{
    /// <summary>As <see cref="PeerLimits.Address"/> allows.</summary>
    Ordinary,

    /// <summary>Carries a grant, which the endpoint checks; as <see cref="PeerLimits.Reads"/> allows.</summary>
    Read,

    /// <summary>Asks for a person's time; as <see cref="PeerLimits.Rare"/> allows.</summary>
    Rare,

    /// <summary>Never refused: a balancer's question whether we are alive.</summary>
    Free,
}

/// <summary>
/// Where a peer says which requests it answers. What is mapped for the network is never reachable over the control
/// socket and the other way round: every request carries the listener that it came in by, which nothing in the request
/// can change. Patterns are those of ASP.NET Core's routing. Failures are thrown; see <see cref="PeerServer"/>.
/// </summary>
public sealed class PeerRoutes
{
    private readonly IEndpointRouteBuilder routes;
    private readonly SignedRequestReader signatures;

    internal PeerRoutes(IEndpointRouteBuilder routes, SignedRequestReader signatures)
    {
        this.routes = routes;
        this.signatures = signatures;
    }

    /// <summary>Anybody on the network may ask.</summary>
    public void Public(string method, string pattern, Func<HttpContext, Task> answer,
        RequestClass requests = RequestClass.Ordinary) =>
        Map(method, pattern, new EndpointPolicy(Listener.Network, requests), new RequestDelegate(answer));

    /// <summary>Anybody, over the network and where pages for people are served.</summary>
    public void Guest(string method, string pattern, Func<HttpContext, Task> answer,
        RequestClass requests = RequestClass.Ordinary) =>
        Map(method, pattern, new EndpointPolicy(Listener.Network | Listener.Guests, requests),
            new RequestDelegate(answer));

    /// <summary>
    /// Only agents with a signature that holds: the body is read whole (at most 1 MiB), the chain is known, nothing is
    /// replayed.
    /// </summary>
    public void Signed(string method, string pattern, Func<SignedRequest, Task> answer,
        RequestClass requests = RequestClass.Ordinary) =>
        Map(method, pattern, new EndpointPolicy(Listener.Network, requests),
            async context => await answer(await signatures.ReadAsync(context)));

    /// <summary>
    /// Only who may open the control socket: the user that runs the peer. Unlimited body, failures as JSON.
    /// </summary>
    public void Control(string method, string pattern, Func<HttpContext, Task> answer) =>
        Map(method, pattern, new EndpointPolicy(Listener.Control, RequestClass.Free), new RequestDelegate(answer));

    /// <summary>Answered on all listeners, and never refused for its rate.</summary>
    internal void Everywhere(string method, string pattern, Func<HttpContext, Task> answer) =>
        Map(method, pattern, new EndpointPolicy(Listener.Any, RequestClass.Free), new RequestDelegate(answer));

    private void Map(string method, string pattern, EndpointPolicy policy, RequestDelegate answer) =>
        routes.MapMethods(pattern, [method], answer).WithMetadata(policy);
}

[Flags]
internal enum Listener
{
    None = 0,
    Network = 1,
    Control = 2,
    Guests = 4,
    Any = Network | Control | Guests,
}

/// <param name="Listeners">Where the endpoint is reached.</param>
internal sealed record EndpointPolicy(Listener Listeners, RequestClass Requests);

/// <summary>Set on the connection by the listener that accepted it.</summary>
internal sealed record ListenerFeature(Listener Listener);
