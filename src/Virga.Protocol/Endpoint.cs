using Virga.Core;
using Virga.Core.Bencoding;

namespace Virga.Protocol;

/// <summary>
/// Where a peer is reached, and the SHA-256 of its DER certificate where it is self-signed (spec/v1/sigchain.md).
/// Text form: the origin, and where there is a certificate <c>!</c> and its 64 hexadecimal digits.
/// </summary>
/// <param name="Url">An https origin: see <see cref="HttpsOrigin"/>.</param>
public sealed record Endpoint(Uri Url, Hash256? Certificate)
{
    /// <summary>The origin alone, as messages name the peer.</summary>
    public string Origin => HttpsOrigin.ToText(Url);

    public string ToText() => Certificate is { } certificate ? $"{Origin}!{certificate}" : Origin;

    public override string ToString() => ToText();

    /// <summary>
    /// What a person may type: with or without <c>https://</c> and a trailing slash.
    /// BadInput says what an endpoint looks like.
    /// </summary>
    public static Endpoint FromUser(string text)
    {
        text = text.Trim();
        if (!text.Contains("://", StringComparison.Ordinal)) text = "https://" + text;
        var mark = text.IndexOf('!', StringComparison.Ordinal);
        var (url, pin) = mark < 0 ? (text, null) : (text[..mark], text[(mark + 1)..]);
        if (Uri.TryCreate(url, UriKind.Absolute, out var uri) && HttpsOrigin.IsOrigin(uri))
        {
            var endpoint = pin is null ? new Endpoint(uri, null)
                : Hash256.TryParse(pin, out var hash) ? new Endpoint(uri, hash) : null;
            if (endpoint is not null && TryParse(endpoint.ToText(), out _)) return endpoint;
        }
        throw new VirgaException(FailureKind.BadInput, $"'{PeerText.Clean(text, 100)}' is not an endpoint",
            "An endpoint is https://HOST:PORT, with ! and 64 digits behind it where its certificate is self-signed.");
    }

    /// <summary>The text form, exactly.</summary>
    internal static bool TryParse(string text, out Endpoint endpoint)
    {
        endpoint = null!;
        var mark = text.IndexOf('!', StringComparison.Ordinal);
        if (!HttpsOrigin.TryParse(mark < 0 ? text : text[..mark], out var url)) return false;
        Hash256? certificate = null;
        if (mark >= 0)
        {
            if (!Hash256.TryParse(text.AsSpan(mark + 1), out var hash)) return false;
            certificate = hash;
        }
        endpoint = new Endpoint(url, certificate);
        return endpoint.ToText() == text;
    }

    internal static void Write(BencodeWriter writer, IEnumerable<Endpoint> endpoints)
    {
        writer.StartList();
        foreach (var endpoint in endpoints)
        {
            writer.StartDictionary();
            if (endpoint.Certificate is { } certificate) writer.Key("cert").Hash(certificate);
            writer.Key("url").Text(endpoint.Origin).End();
        }
        writer.End();
    }

    internal static IReadOnlyList<Endpoint> Read(BencodeDictionary dictionary, string key, int maxItems, string what)
    {
        var endpoints = new List<Endpoint>();
        foreach (var item in dictionary.Dictionaries(key, maxItems))
        {
            item.AllowOnly("cert", "url");
            var text = item.Text("url", HttpsOrigin.MaxChars);
            if (!HttpsOrigin.TryParse(text, out var url))
                throw Wire.Bad($"{what}: '{PeerText.Clean(text, 100)}' is not an https origin in its one form");
            endpoints.Add(new Endpoint(url, item.OptionalHash("cert")));
        }
        return endpoints;
    }
}
