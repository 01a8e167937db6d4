using System.Buffers.Text;
using Virga.Core;

namespace Virga.Protocol;

/// <summary>
/// Where a share is opened with a browser alone (spec/v1/links.md, "Web addresses"):
/// <c>ORIGIN/s/INFOHASH#SECRET.CHECK</c>, of a public share without the fragment.
/// </summary>
public static class WebAddress
{
    public const string Place = "/s/";

    /// <param name="origin">Of the agent's page, http or https, without a trailing slash.</param>
    /// <param name="secret">Of a share of audience link; else null.</param>
    public static string Of(string origin, Hash256 infoHash, AudienceKind audience, LinkSecret? secret)
    {
        if (audience == AudienceKind.Public) return $"{origin}{Place}{infoHash}";
        var fragment = secret is null ? "" : Base64Url.EncodeToString(secret.Bytes);
        return $"{origin}{Place}{infoHash}#{fragment}.{ShareLink.CheckOf($"virga-web:1:{infoHash}#{fragment}")}";
    }
}
