using System.Diagnostics.CodeAnalysis;

namespace Virga.Core;

/// <summary>
/// Where a peer is reached: an <c>https</c> origin in the ASCII form of RFC 6454 section 6.2, such as
/// <c>https://virga.example:8443</c>. Lower case, no path, no user, port 443 left out (spec/v1/sigchain.md).
/// </summary>
public static class HttpsOrigin
{
    public const int MaxChars = 300;

    /// <summary>True only for text that is exactly in the one form.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out Uri? origin)
    {
        origin = null;
        if (text is null || text.Length > MaxChars || !System.Text.Ascii.IsValid(text)) return false;
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || !IsOrigin(uri) || ToText(uri) != text) return false;
        origin = uri;
        return true;
    }

    /// <summary>Whether the URL names an origin and nothing more.</summary>
    public static bool IsOrigin(Uri url) =>
        url.IsAbsoluteUri && url.Scheme == Uri.UriSchemeHttps && url.UserInfo.Length == 0 && url.AbsolutePath == "/"
        && url.Query.Length == 0 && url.Fragment.Length == 0 && url.IdnHost.Length > 0;

    public static string ToText(Uri origin)
    {
        var host = origin.HostNameType == UriHostNameType.Dns ? origin.IdnHost : origin.Host;
        return origin.IsDefaultPort ? $"https://{host}" : $"https://{host}:{origin.Port}";
    }
}
