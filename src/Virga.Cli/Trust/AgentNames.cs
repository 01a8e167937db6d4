using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Core;
using Virga.Protocol;

namespace Virga.Cli.Trust;

/// <summary>Somebody a command is about.</summary>
/// <param name="Wire">What the running agent is told: the address where one was given, else the AgentId.</param>
internal sealed record Target(AgentId Id, string Wire);

/// <summary>Who is who, as the user calls them.</summary>
internal sealed class AgentNames(TrustInfo info)
{
    /// <summary>An AgentId, an address, or a name that the user gave.</summary>
    /// <exception cref="VirgaException">BadInput: a mistyped id or address; NotFound: no such name.</exception>
    public Target Find(string who)
    {
        if (TryAddress(who) is { } address) return address;
        var found = info.Names.Where(n => n.Value.Equals(who, StringComparison.OrdinalIgnoreCase)).ToList();
        if (found.Count > 1) found = [.. found.Where(n => n.Value == who)];
        return found.Count == 1 ? new Target(AgentId.Parse(found[0].Key), found[0].Key) : throw new VirgaException(
            FailureKind.NotFound, $"you call nobody '{Display.Fit(who, 60)}'",
            "Give what `virga id` prints there, or see `virga trust list`.");
    }

    /// <summary>Null where it is no id or address at all, and so may be a name.</summary>
    public static Target? TryAddress(string who)
    {
        if (!who.Trim().StartsWith("virga1", StringComparison.OrdinalIgnoreCase)) return null;
        var address = AgentAddress.Parse(who);
        return new Target(address.Id, address.ToText());
    }

    public string? NameOf(string agent) =>
        agent == info.Agent ? "you" : info.Names.TryGetValue(agent, out var name) ? name : null;

    /// <summary>By the user; else a proof of fraud does.</summary>
    public bool IsRefused(string agent) => info.Refused.Contains(agent, StringComparer.Ordinal);

    /// <summary>The name and the start of the id: <c>bob (virga1qxy2..)</c>; made harmless.</summary>
    public string Label(string agent, string? name = null) => Label(agent, NameOf(agent) ?? name, Display.Short(agent));

    /// <summary>The name and the whole id.</summary>
    public string FullLabel(string agent) => Label(agent, NameOf(agent), agent);

    private static string Label(string agent, string? name, string shown) =>
        Display.Safe(string.IsNullOrEmpty(name) || name == agent ? shown : $"{Display.Fit(name, 40)} ({shown})");
}
