using System.Buffers;
using System.Text;
using Virga.Core;

namespace Virga.Accounts.Adapters.WebDav;

/// <summary>URLs of entries, names in hrefs, and the names of uploads that are under way.</summary>
internal static class WebDavPaths
{
    private const string Prefix = ".virga-", Suffix = ".part";
    private const int TokenChars = 32, NameBytesMax = 255;

    private static readonly UriCreationOptions AsGiven = new() { DangerousDisablePathAndQueryCanonicalization = true };
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The URL of an entry, every name encoded by itself, so that '%', '?', '..' and the like stay what they are.</summary>
    public static Uri UrlOf(WebDavSettings settings, EntryPath path, bool isFolder)
    {
        var text = new StringBuilder(settings.Url.GetLeftPart(UriPartial.Authority));
        foreach (var name in settings.Names) text.Append('/').Append(Uri.EscapeDataString(name));
        foreach (var name in path.Names) text.Append('/').Append(Uri.EscapeDataString(name));
        if (isFolder || (path.IsRoot && settings.Names.Length == 0)) text.Append('/');
        return new Uri(text.ToString(), AsGiven);
    }

    /// <summary>
    /// The names in an href (RFC 4918, 8.3: a path or an absolute URL, encoded in whichever way). A name that isn't UTF-8 or
    /// holds NUL comes as null, with its escapes for people in <paramref name="shown"/>.
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
                if (encoded[i] == '%' && i + 2 < encoded.Length && char.IsAsciiHexDigit(encoded[i + 1]) && char.IsAsciiHexDigit(encoded[i + 2]))
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

    /// <summary>
    /// The name of a new upload's file, beside its target: it holds the target's name, so that whoever finds it later knows what
    /// it was. A name that would get too long is cut; then only its beginning is known.
    /// </summary>
    public static string NewTemporary(AdapterServices services, string name)
    {
        var room = NameBytesMax - Prefix.Length - TokenChars - 1 - Suffix.Length;
        var kept = new StringBuilder();
        foreach (var rune in name.EnumerateRunes())
        {
            room -= rune.Utf8SequenceLength;
            if (room < 0) break;
            kept.Append(rune.ToString());
        }
        return $"{Prefix}{services.RandomHex(TokenChars / 2)}-{kept}{Suffix}";
    }

    /// <summary>The target's name in that of an upload's file; null for other names.</summary>
    public static string? TargetOf(string temporary)
    {
        const int start = 40;
        return temporary.Length > start + Suffix.Length && IsTemporary(temporary) && temporary[start - 1] == '-'
            ? temporary[start..^Suffix.Length]
            : null;
    }

    /// <summary>Whether a name is one that Virga gives to files which are being written.</summary>
    public static bool IsTemporary(string name) =>
        name.Length >= Prefix.Length + TokenChars + Suffix.Length
        && name.StartsWith(Prefix, StringComparison.Ordinal)
        && name.EndsWith(Suffix, StringComparison.Ordinal)
        && !name.AsSpan(Prefix.Length, TokenChars).ContainsAnyExcept("0123456789abcdef")
        && name[Prefix.Length + TokenChars] is '-' or '.';
}
