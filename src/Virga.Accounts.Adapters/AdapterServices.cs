using System.Net;
using System.Security.Cryptography.X509Certificates;
using Virga.Core;

namespace Virga.Accounts.Adapters;

/// <summary>What an adapter needs from the process it runs in.</summary>
/// <param name="Clock">For timeouts.</param>
/// <param name="Random">For the names of temporary entries.</param>
public sealed record AdapterServices(TimeProvider Clock, RandomBytes Random)
{
    /// <summary>How long a request may go without any byte moving before it is given up as Timeout.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Where services with names of their own are reached instead; null for where they really are.</summary>
    public ServiceRoute? Route { get; init; }

    /// <summary>Lower-case hexadecimal of <paramref name="bytes"/> random bytes.</summary>
    internal string RandomHex(int bytes)
    {
        Span<byte> buffer = stackalloc byte[bytes];
        Random(buffer);
        return Convert.ToHexStringLower(buffer);
    }
}

/// <summary>Leads all names to one place, where a private authority alone vouches for them: a fake service.</summary>
public sealed record ServiceRoute(IPEndPoint EndPoint, X509Certificate2 Authority);
