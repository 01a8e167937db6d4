using Virga.Core;

namespace Virga.Agent.Api;

/// <summary>What a token may do.</summary>
[Flags]
internal enum ApiScope
{
    None = 0,

    /// <summary>Look at everything but links, which hold the keys of shares.</summary>
    Read = 1,

    /// <summary>Bring in, plan, pause, cancel, compare.</summary>
    Transfer = 2,

    /// <summary>Share, withdraw, see links.</summary>
    Share = 4,

    /// <summary>Add, link, check and remove accounts.</summary>
    Accounts = 8,

    /// <summary>Vouch, revoke, answer requests.</summary>
    Trust = 16,

    /// <summary>All of it, and what is left: limits, webhooks, tokens, signing in, stopping.</summary>
    Admin = 32,
}

internal static class ApiScopes
{
    public const string Names = "read, transfer, share, accounts, trust, admin";

    private static readonly (string Name, ApiScope Scope)[] All =
    [
        .. Enum.GetValues<ApiScope>().Where(s => s != ApiScope.None).Select(s => (s.ToString().ToLowerInvariant(), s)),
    ];

    public static ApiScope Parse(IReadOnlyList<string> names)
    {
        var scopes = ApiScope.None;
        foreach (var name in names)
        {
            var (_, scope) = All.FirstOrDefault(s => s.Name == name);
            scopes |= scope != ApiScope.None ? scope
                : throw new VirgaException(FailureKind.BadInput, $"'{name}' is no scope", $"There are {Names}.");
        }
        return scopes != ApiScope.None ? scopes
            : throw new VirgaException(FailureKind.BadInput, "a token has a scope at least", $"There are {Names}.");
    }

    public static List<string> NamesOf(ApiScope scopes) =>
        [.. All.Where(s => scopes.HasFlag(s.Scope)).Select(s => s.Name)];
}
