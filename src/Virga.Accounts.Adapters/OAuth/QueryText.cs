namespace Virga.Accounts.Adapters.OAuth;

/// <summary>The parameters of a redirect's query.</summary>
internal static class QueryText
{
    /// <summary>Null where a name stands there twice: no honest server sends that (RFC 6749, 3.1).</summary>
    public static Dictionary<string, string>? Parse(string query)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var pair in query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = pair.IndexOf('=');
            var name = Decode(equals < 0 ? pair : pair[..equals]);
            if (!values.TryAdd(name, equals < 0 ? "" : Decode(pair[(equals + 1)..]))) return null;
        }
        return values;
    }

    public static string Encode(IEnumerable<KeyValuePair<string, string>> values) =>
        string.Join('&', values.Select(v => $"{Uri.EscapeDataString(v.Key)}={Uri.EscapeDataString(v.Value)}"));

    private static string Decode(string text) => Uri.UnescapeDataString(text.Replace('+', ' '));
}
