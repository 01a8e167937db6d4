using System.Text;

namespace Virga.Accounts.Adapters;

/// <summary>Names of files that are being written, beside their targets, on services that show every file.</summary>
internal static class TemporaryNames
{
    private const string Prefix = ".virga-", Suffix = ".part";
    private const int TokenChars = 32, NameBytesMax = 255;

    /// <summary>
    /// The name of a new upload's file, beside its target: it holds the target's name, so that whoever finds it later
    /// knows what it was. A name that would get too long is cut; then only its beginning is known.
    /// </summary>
    public static string New(AdapterServices services, string name)
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
