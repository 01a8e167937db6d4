using System.Net;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using Virga.Accounts;
using Virga.Agent.State;
using Virga.Core;

namespace Virga.Web;

/// <summary>Where and with what the page is served.</summary>
public sealed record PageOptions
{
    /// <summary>Address and port for browsers; port 0 takes a free one.</summary>
    public required IPEndPoint Listen { get; init; }

    /// <summary>Of the agent whose page it is: its control socket lies there.</summary>
    public required string DataFolder { get; init; }

    /// <summary>How the agent's user signs in.</summary>
    public required SignInTable SignIn { get; init; }

    /// <summary>How browsers reach it where a proxy stands before it; null where none does.</summary>
    public Uri? PublicUrl { get; init; }

    /// <summary>Whether browsers reach it by https, so that cookies go no other way.</summary>
    internal bool IsSecure => PublicUrl?.Scheme == Uri.UriSchemeHttps;

    /// <summary>The kinds of accounts that can be added, for its forms.</summary>
    public IReadOnlyList<IAccountAdapter> Adapters { get; init; } = [];

    public required TimeProvider Time { get; init; }

    public required RandomBytes Random { get; init; }

    public ILoggerProvider? Logger { get; init; }

    public string Version { get; init; } = "";

    /// <summary>
    /// Called when the last open page is gone, two minutes after its connection at the latest, and what was kept for
    /// it.
    /// </summary>
    public Action? Emptied { get; init; }

    /// <summary>Maps what others serve on the same listener. Called when the first browser comes.</summary>
    public Action<IEndpointRouteBuilder>? Map { get; init; }
}
