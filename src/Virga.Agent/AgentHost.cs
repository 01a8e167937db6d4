using Virga.Accounts;
using Virga.Core;
using Virga.Protocol;

namespace Virga.Agent;

/// <summary>Settings of a running agent.</summary>
public sealed record AgentOptions
{
    /// <summary>Holds state, keys, journal and control socket; made when missing. One agent at a time.</summary>
    public required string DataFolder { get; init; }

    /// <summary>Address and port for other agents; port 0 takes a free one.</summary>
    public System.Net.IPEndPoint Listen { get; init; } = new(System.Net.IPAddress.Loopback, 0);

    /// <summary>How others reach this agent, where that isn't <see cref="Listen"/> (behind a proxy or a name).</summary>
    public Uri? PublicUrl { get; init; }

    public IReadOnlyList<Endpoint> Repositories { get; init; } = [];

    public required IReadOnlyList<IAccountAdapter> Adapters { get; init; }

    public required TimeProvider Time { get; init; }

    public required RandomBytes Random { get; init; }

    public string Version { get; init; } = "";
}

/// <summary>A running agent: composes accounts, shares and transfers behind one HTTP service.</summary>
public sealed class AgentHost : IAsyncDisposable
{
    public AgentId Id => throw new NotImplementedException();

    public Endpoint Endpoint => throw new NotImplementedException();

    /// <summary>Opens the data folder, starts listening, resumes transfers, announces.</summary>
    public static Task<AgentHost> StartAsync(AgentOptions options, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Completes when somebody asked the agent to stop over the control socket.</summary>
    public Task StopRequested => throw new NotImplementedException();

    /// <summary>Stops gracefully: no new requests, running answers are finished within a bound, transfers are left resumable.</summary>
    public ValueTask DisposeAsync() => throw new NotImplementedException();
}
