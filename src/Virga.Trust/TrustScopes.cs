using Virga.Core;

namespace Virga.Trust;

/// <summary>What an agent may be trusted for (spec/v1/trust.md).</summary>
[Flags]
public enum TrustScopes : byte
{
    None = 0,
    Compute = 1,
    Exchange = 2,
    Host = 4,
    Relay = 8,
    Repository = 16,
    All = 31,
}

/// <summary>The names that stand in statements, in the order of their bytes.</summary>
public static class TrustScopeNames
{
    private static readonly string[] all = ["compute", "exchange", "host", "relay", "repository"];

    public static IReadOnlyList<string> All => all;

    /// <summary>Ascending, as statements list them.</summary>
    public static IReadOnlyList<string> Of(TrustScopes scopes) =>
        [.. all.Where((_, i) => ((int)scopes >> i & 1) != 0)];

    public static bool TryParse(string name, out TrustScopes scope)
    {
        var index = Array.IndexOf(all, name);
        scope = index < 0 ? TrustScopes.None : (TrustScopes)(1 << index);
        return index >= 0;
    }

    /// <summary>One scope by its name; BadInput lists the names that there are.</summary>
    public static TrustScopes Parse(string name) => TryParse(name, out var scope)
        ? scope
        : throw new VirgaException(FailureKind.BadInput, "that is no scope of trust",
            $"The scopes are {string.Join(", ", all)}.");
}
