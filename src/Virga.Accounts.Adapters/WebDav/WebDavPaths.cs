using System.Buffers;
using System.Text;
using Virga.Core;

namespace Virga.Accounts.Adapters.WebDav;

/// <summary>URLs of entries, and the names in hrefs.</summary>
internal static class WebDavPaths
{
    private static readonly UriCreationOptions AsGiven = new() { DangerousDisablePathAndQueryCanonicalization = true };
    private static readonly UTF8Encoding StrictUtf8 = new(
        encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>
    /// The URL of an entry, every name encoded by itself, so that '%', '?', '..' and the like stay what they are.
    /// </summary>
    public static Uri UrlOf(WebDavSettings settings, EntryPath path, bool isFolder)
    {
        var text = new StringBuilder(settings.Url.GetLeftPart(UriPartial.Authority));
        foreach (var name in settings.Names) text.Append('/').Append(Uri.EscapeDataString(name));
        foreach (var name in path.Names) text.Append('/').Append(Uri.EscapeDataString(name));
        if (isFolder || (path.IsRoot && settings.Names.Length == 0)) text.Append('/');
        return new Uri(text.ToString(), AsGiven);
    }

    /// <summary>
    /// The names in an href (RFC 4918, 8.3: a path or an absolute URL, encoded in whichever way). A name that isn't
    /// UTF-8 or holds NUL comes as null, with its escapes for people in <paramref name="shown"/>.
    /// </summary>
    public static string?[] NamesOf(string href, out string shown)
    {
        var at = href.IndexOf("://", StringComparison.Ordinal);
        var path = href;
        if (at >= 0 && href.AsSpan(0, at).IndexOf('/') < 0)
        {
            var slash = href.IndexOf('/', at + 3);
            path = slash < 0 ? "/" : href[slash..];
        }
        var names = path.Trim('/').Split('/', StringSplitOptions.RemoveEmptyEntries);
        shown = names.Length == 0 ? "" : names[^1];
        return [.. names.Select(Decode)];
    }

    private static string? Decode(string encoded)
    {
        var bytes = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(encoded.Length));
        try
        {
            var count = 0;
            for (var i = 0; i < encoded.Length; i++)
            {
                if (encoded[i] == '%' && i + 2 < encoded.Length && char.IsAsciiHexDigit(encoded[i + 1])
                    && char.IsAsciiHexDigit(encoded[i + 2]))
                {
                    bytes[count++] = Convert.ToByte(encoded.Substring(i + 1, 2), 16);
                    i += 2;
                    continue;
                }
                var chars = char.IsHighSurrogate(encoded[i]) && i + 1 < encoded.Length ? 2 : 1;
                count += Encoding.UTF8.GetBytes(encoded, i, chars, bytes, count);
                i += chars - 1;
            }
            var name = StrictUtf8.GetString(bytes, 0, count);
            return name.Contains('\0', StringComparison.Ordinal) ? null : name;
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }
}
