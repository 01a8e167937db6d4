namespace Virga.Accounts.Adapters.Azure;

/// <summary>What names the service inside which accounts copy among each other (spec/v1/copies.md).</summary>
internal static class AzureService
{
    private static readonly (string Name, string Suffix)[] Clouds =
    [
        ("azure", ".blob.core.windows.net"),
        ("azure-cn", ".blob.core.chinacloudapi.cn"),
        ("azure-us-gov", ".blob.core.usgovcloudapi.net"),
    ];

    /// <summary>All accounts of one of Microsoft's clouds are one service; elsewhere it is the host and port.</summary>
    public static string NameOf(AzureSettings settings) => settings.Service ?? NameOf(settings.Endpoint);

    /// <summary>
    /// Whether a URL that somebody else gave is one of a blob at this service: nothing else is handed to it.
    /// </summary>
    public static bool IsAt(AzureSettings settings, string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "https" or "http"
        && uri.UserInfo.Length == 0 && uri.Fragment.Length == 0
        && (settings.Service is not null || NameOf(uri) == NameOf(settings.Endpoint));

    private static string NameOf(Uri url)
    {
        foreach (var (name, suffix) in Clouds)
            if (url.Host.EndsWith(suffix, StringComparison.OrdinalIgnoreCase)) return name;
        return "azure:" + (url.IsDefaultPort ? url.Host : url.Authority).ToLowerInvariant();
    }
}
