using System.Globalization;
using System.Text;

namespace Virga.Protocol;

/// <summary>
/// Text that others wrote, made safe to show: no control or formatting characters, bounded. Never markup.
/// </summary>
public static class PeerText
{
    public static string Clean(string text, int maxChars)
    {
        var clean = new StringBuilder(Math.Min(text.Length, maxChars) + 3);
        foreach (var rune in text.EnumerateRunes())
        {
            if (clean.Length >= maxChars) return clean.Append("...").ToString();
            if (IsShown(rune)) clean.Append(rune.ToString());
            else if (clean.Length > 0 && clean[^1] != ' ') clean.Append(' ');
        }
        return clean.ToString().TrimEnd();
    }

    // Format characters include those that turn the direction of writing round and those that take no room:
    // with them a message could show something other than it says.
    private static bool IsShown(Rune rune) => Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse
        or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
}
