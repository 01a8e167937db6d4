using Virga.Core;

namespace Virga.Accounts.Adapters;

/// <summary>What the URL-like addresses of accounts have in common.</summary>
internal static class AddressParser
{
    /// <summary>Scheme http or https, host, port and path; no user, query or fragment, each refused by name.</summary>
    public static Uri ParseUrl(string address, string url, string form)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https")
            || uri.Host.Length == 0)
            throw new VirgaException(
                FailureKind.BadInput, $"'{WithoutUser(address)}' is not an account's address", form);
        if (uri.UserInfo.Length > 0)
        {
            throw new VirgaException(
                FailureKind.BadInput,
                $"the address '{WithoutUser(address)}' holds a user or password",
                "Give them as settings and secrets of the account: an address is shown and logged. " + form);
        }
        if (uri.Query.Length > 0 || uri.Fragment.Length > 0)
        {
            throw new VirgaException(
                FailureKind.BadInput,
                $"the address '{address}' has a '?' or '#'",
                "Write %3F or %23 for one that is part of a name. " + form);
        }
        return uri;
    }

    /// <summary>The names in a URL's path, decoded; empty ones at either end are left out.</summary>
    public static string[] PathNames(Uri uri) =>
        [.. uri.AbsolutePath.Trim('/').Split(
            '/', StringSplitOptions.RemoveEmptyEntries).Select(Uri.UnescapeDataString)];

    public static string EncodePath(string path) => string.Join('/', path.Split('/').Select(Uri.EscapeDataString));

    public static Dictionary<string, string> With(
        IReadOnlyDictionary<string, string> settings, params ReadOnlySpan<(string Name, string Value)> more)
    {
        var all = new Dictionary<string, string>(settings, StringComparer.Ordinal);
        foreach (var (name, value) in more)
            if (value.Length > 0) all[name] = value;
        return all;
    }

    private static string WithoutUser(string address)
    {
        var at = address.LastIndexOf('@');
        var scheme = address.IndexOf("//", StringComparison.Ordinal);
        return at < 0
            ? address
            : string.Concat(scheme < 0 || scheme > at ? "" : address.AsSpan(0, scheme + 2), "...", address.AsSpan(at));
    }
}
