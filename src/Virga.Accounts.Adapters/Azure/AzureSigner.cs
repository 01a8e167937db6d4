using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Virga.Accounts.Adapters.Azure;

/// <summary>
/// Shared Key signatures of requests ("Authorize with Shared Key", 2015-02-21 and later) and service SAS tokens for
/// single blobs ("Create a service SAS", 2020-12-06 and later).
/// </summary>
internal sealed class AzureSigner(string account, byte[] key)
{
    private static readonly string[] SignedHeaders =
    [
        "Content-Encoding", "Content-Language", "Content-Length", "Content-MD5", "Content-Type", "Date",
        "If-Modified-Since", "If-Match", "If-None-Match", "If-Unmodified-Since", "Range",
    ];

    /// <summary>Sets the Authorization header; every other header must be there already.</summary>
    public void Sign(HttpRequestMessage request)
    {
        var text = new StringBuilder(request.Method.Method).Append('\n');
        foreach (var name in SignedHeaders) text.Append(HeaderOf(request, name)).Append('\n');
        var ours = request.Headers.Where(h => h.Key.StartsWith("x-ms-", StringComparison.OrdinalIgnoreCase))
            .Select(h => (Name: h.Key.ToLowerInvariant(), Value: string.Join(',', h.Value)))
            .OrderBy(h => h.Name, StringComparer.Ordinal);
        foreach (var (name, value) in ours) text.Append(name).Append(':').Append(value.Trim()).Append('\n');
        text.Append('/').Append(account).Append(request.RequestUri!.AbsolutePath);
        foreach (var (name, value) in QueryOf(request.RequestUri)) text.Append('\n').Append(name).Append(':').Append(
            value);
        request.Headers.TryAddWithoutValidation("Authorization", $"SharedKey {account}:{Hash(text.ToString())}");
    }

    /// <summary>A query that reads one blob until <paramref name="expires"/>.</summary>
    public string SignRead(string container, string blob, DateTimeOffset expires, bool isTlsOnly) =>
        Sas(container, blob, "r", expires.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
            policy: "", isTlsOnly);

    /// <summary>A query for one blob, as far and as long as a stored access policy of its container says.</summary>
    public string SignByPolicy(string container, string blob, string policy, bool isTlsOnly) =>
        Sas(container, blob, permissions: "", expires: "", policy, isTlsOnly);

    private string Sas(
        string container, string blob, string permissions, string expires, string policy, bool isTlsOnly)
    {
        var protocol = isTlsOnly ? "https" : "https,http";
        string[] fields =
        [
            permissions, "", expires, $"/blob/{account}/{container}/{blob}", policy, "", protocol, AzureClient.Version,
            "b", "", "", "", "", "", "", "",
        ];
        var query = new StringBuilder($"sv={AzureClient.Version}&sr=b&spr={Uri.EscapeDataString(protocol)}");
        if (permissions.Length > 0) query.Append("&sp=").Append(permissions);
        if (expires.Length > 0) query.Append("&se=").Append(Uri.EscapeDataString(expires));
        if (policy.Length > 0) query.Append("&si=").Append(Uri.EscapeDataString(policy));
        return query.Append("&sig=").Append(Uri.EscapeDataString(Hash(string.Join('\n', fields)))).ToString();
    }

    private string Hash(string text) => Convert.ToBase64String(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text)));

    private static string HeaderOf(HttpRequestMessage request, string name)
    {
        if (name == "Content-Length")
            return request.Content?.Headers.ContentLength is { } length and > 0
                ? length.ToString(CultureInfo.InvariantCulture) : "";
        if (request.Headers.TryGetValues(name, out var values)) return string.Join(',', values);
        return request.Content?.Headers.TryGetValues(name, out values) == true ? string.Join(',', values) : "";
    }

    private static IEnumerable<(string Name, string Value)> QueryOf(Uri uri) =>
        uri.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries)
            .Select(p => p.Split('=', 2))
            .Select(p => (Uri.UnescapeDataString(p[0]).ToLowerInvariant(),
                Uri.UnescapeDataString(p.ElementAtOrDefault(1) ?? "")))
            .OrderBy(p => p.Item1, StringComparer.Ordinal);
}
