using System.Net;

namespace Virga.Transfers.Planning;

/// <summary>One figure of a price list.</summary>
/// <param name="Amount">In the list's currency; never negative.</param>
/// <param name="Date">When it held, as far as its page says; else when the page was looked at.</param>
/// <param name="Source">The page that says so, or the file of one's own that gives it.</param>
public sealed record PriceFigure(decimal Amount, DateOnly? Date, string Source, string? Note = null);

/// <summary>
/// What a storage service charges for moving data. A figure that is null is not known, which is not free.
/// </summary>
/// <param name="Id">Its name in price files: <c>aws-s3</c>.</param>
/// <param name="Hosts">Ends of the host names that it answers at.</param>
/// <param name="EgressPerGB">Out of the service, for 10^9 bytes.</param>
/// <param name="IngressPerGB">Into the service, for 10^9 bytes.</param>
/// <param name="ReadsPer1000">For 1,000 calls that read a range.</param>
/// <param name="WritesPer1000">For 1,000 calls that write a file or a part, begin or complete an upload.</param>
/// <param name="CopiesPer1000">For 1,000 calls that copy inside the service.</param>
/// <param name="CopyPerGB">Copied within one region, for 10^9 bytes.</param>
/// <param name="CopyFarPerGB">Copied to another region, for 10^9 bytes.</param>
public sealed record ServicePrice(
    string Id, string Name, IReadOnlyList<string> Hosts, PriceFigure? EgressPerGB = null,
    PriceFigure? IngressPerGB = null, PriceFigure? ReadsPer1000 = null, PriceFigure? WritesPer1000 = null,
    PriceFigure? CopiesPer1000 = null, PriceFigure? CopyPerGB = null, PriceFigure? CopyFarPerGB = null)
{
    /// <summary>Figures by their names in price files.</summary>
    public IEnumerable<(string Name, PriceFigure? Figure)> Figures =>
    [
        ("egressPerGB", EgressPerGB), ("ingressPerGB", IngressPerGB), ("readsPer1000", ReadsPer1000),
        ("writesPer1000", WritesPer1000), ("copiesPer1000", CopiesPer1000), ("copyPerGB", CopyPerGB),
        ("copyFarPerGB", CopyFarPerGB),
    ];
}

/// <summary>Where content lies, as far as prices and copies care.</summary>
/// <param name="Region">Two places of one service and region copy to each other without leaving it.</param>
public sealed record StoragePlace(ServicePrice Service, string Region)
{
    public bool IsLocal => Service.Id == PriceBook.DiskId;
}

/// <summary>The prices that a plan is made from (docs/guides/plans.md).</summary>
/// <param name="HourIsWorth">What an hour saved is worth, where the user prefers neither cheap nor fast.</param>
/// <param name="YourAgentPerGB">What the machine of the agent that receives pays for traffic that it sends.</param>
/// <param name="OwnerAgentPerGB">The same of agents that others run.</param>
/// <param name="Accounts">Accounts of which the user said at which service they are, by name.</param>
public sealed record PriceBook(
    string Currency, PriceFigure HourIsWorth, PriceFigure YourAgentPerGB, PriceFigure OwnerAgentPerGB,
    IReadOnlyDictionary<string, ServicePrice> Services, IReadOnlyDictionary<string, string> Accounts)
{
    public const string DiskId = "disk";
    public const string SelfHostedId = "self-hosted";

    /// <summary>Of which nothing is known.</summary>
    public static readonly ServicePrice Unknown = new("unknown", "a service that no price is known of", []);

    /// <summary>
    /// Where an account lies: what the user said, else by its adapter and host. Hosts of this machine and of private
    /// networks are self-hosted; every other host that no service names is unknown.
    /// </summary>
    /// <param name="account">Null for storage that is not one of this agent's accounts.</param>
    /// <param name="host">Null where the adapter doesn't tell.</param>
    public StoragePlace PlaceOf(string? account, string adapter, string? host)
    {
        var region = RegionOf(host);
        if (account is not null && Accounts.TryGetValue(account, out var said))
            return new StoragePlace(Services[said], region);
        if (adapter == "disk") return new StoragePlace(Services[DiskId], "");
        if (host is null) return new StoragePlace(Unknown, "");
        var known = Services.Values.FirstOrDefault(s => s.Hosts.Any(end => IsAt(host, end)));
        return new StoragePlace(known ?? (IsPrivate(host) ? Services[SelfHostedId] : Unknown), region);
    }

    private static bool IsAt(string host, string end) =>
        host.Equals(end, StringComparison.OrdinalIgnoreCase)
        || host.EndsWith("." + end, StringComparison.OrdinalIgnoreCase);

    /// <summary>
    /// The label behind <c>s3</c> (bucket.s3.eu-west-1.amazonaws.com, s3.us-west-004.backblazeb2.com), else the host.
    /// </summary>
    private static string RegionOf(string? host)
    {
        var labels = (host ?? "").ToLowerInvariant().Split('.');
        for (var i = 0; i < labels.Length; i++)
        {
            if (labels[i].StartsWith("s3-", StringComparison.Ordinal)) return labels[i][3..];
            if (labels[i] != "s3" || i + 1 >= labels.Length) continue;
            var next = labels[i + 1] == "dualstack" && i + 2 < labels.Length ? labels[i + 2] : labels[i + 1];
            return next is "amazonaws" ? "us-east-1" : next;
        }
        return (host ?? "").ToLowerInvariant();
    }

    private static bool IsPrivate(string host)
    {
        if (host.Equals("localhost", StringComparison.OrdinalIgnoreCase)) return true;
        if (!IPAddress.TryParse(host.Trim('[', ']'), out var address)) return false;
        if (IPAddress.IsLoopback(address)) return true;
        if (address.IsIPv6UniqueLocal || address.IsIPv6LinkLocal) return true;
        // RFC 1918.
        return address.GetAddressBytes() is [10, ..] or [192, 168, ..] or [172, >= 16 and < 32, ..]
            && address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork;
    }
}
