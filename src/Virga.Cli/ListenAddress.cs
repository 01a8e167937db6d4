using System.Globalization;
using System.Net;
using Virga.Core;

namespace Virga.Cli;

/// <summary>Where a peer listens, as a person types it: <c>PORT</c>, <c>:PORT</c>, <c>ADDRESS:PORT</c>,
/// <c>[::]:PORT</c>.</summary>
internal static class ListenAddress
{
    public static IPEndPoint Parse(string text)
    {
        var colon = text.LastIndexOf(':');
        var host = colon < 0 ? "127.0.0.1" : colon == 0 ? "0.0.0.0" : text[..colon];
        if (host == "localhost") host = "127.0.0.1";
        if (ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            && (host.Contains(':') ? host[0] == '[' && host[^1] == ']' : true)
            && IPAddress.TryParse(host.Trim('[', ']'), out var address))
        {
            return new IPEndPoint(address, port);
        }
        throw new VirgaException(
            FailureKind.BadInput, $"'{text}' is no address to listen on", 
            "Write ADDRESS:PORT, such as 127.0.0.1:8470, 0.0.0.0:8470 or [::]:8470.");
    }

    public static Uri ParsePublicUrl(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme == Uri.UriSchemeHttps
            && url.AbsolutePath == "/" && url.Query == ""
            ? url
            : throw new VirgaException(
                FailureKind.BadInput, $"'{text}' is no public URL",
                "Write https://HOST or https://HOST:PORT, as others reach this peer.");
}
