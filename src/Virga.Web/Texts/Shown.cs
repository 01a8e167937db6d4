using System.Globalization;
using System.Text;

namespace Virga.Web.Texts;

/// <summary>
/// Names from outside, as they may be shown: what turns text around, takes no room or moves a cursor is spelled out, so
/// that <c>cod.exe</c> doesn't pass for <c>exe.doc</c>. Markup is escaped by Razor.
/// </summary>
public static class Shown
{
    public static string Name(string? name)
    {
        if (name is null) return "";
        if (name.All(IsPlain)) return name;
        var text = new StringBuilder(name.Length);
        foreach (var rune in name.EnumerateRunes())
        {
            if (IsHarmless(rune)) text.Append(rune);
            else text.Append(CultureInfo.InvariantCulture, $"[U+{rune.Value:X4}]");
        }
        return text.ToString();
    }

    private static bool IsPlain(char c) => c is >= ' ' and < '\x7f';

    private static bool IsHarmless(Rune rune) => Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator
        or UnicodeCategory.ParagraphSeparator or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned)
        && rune.Value is not (0xFFFD or 0x3164 or 0x115F or 0x1160 or 0x2800);
}
