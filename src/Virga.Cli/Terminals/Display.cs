using System.Globalization;
using System.Text;

namespace Virga.Cli.Terminals;

/// <summary>How values look to people.</summary>
internal static class Display
{
    /// <summary>
    /// A name or a message from outside, made harmless: control characters, direction overrides, invisible formatting
    /// and broken surrogates are shown as <c>\n</c>, <c>\t</c> or <c>\u{202E}</c> and can't move the cursor or turn
    /// the text around.
    /// </summary>
    public static string Safe(string text)
    {
        var start = 0;
        while (start < text.Length && text[start] is >= ' ' and < '\x7F') start++;
        if (start == text.Length) return text;

        var safe = new StringBuilder(text.Length + 16).Append(text, 0, start);
        for (var i = start; i < text.Length;)
        {
            if (!Rune.TryGetRuneAt(text, i, out var rune))
            {
                safe.Append(CultureInfo.InvariantCulture, $"\\u{{{(int)text[i++]:X}}}");
                continue;
            }
            i += rune.Utf16SequenceLength;
            if (IsHarmless(rune)) safe.Append(rune.ToString());
            else safe.Append(Escape(rune));
        }
        return safe.ToString();
    }

    /// <summary>1.2 GiB, 110 MiB, 0 B: at most four characters of number.</summary>
    public static string Bytes(long bytes)
    {
        if (bytes < 1024) return bytes.ToString(CultureInfo.InvariantCulture) + " B";
        string[] units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        double value = bytes;
        var unit = -1;
        do
        {
            value /= 1024;
            unit++;
        }
        while (value >= 999.5 && unit < units.Length - 1);
        return value.ToString(value < 9.95 ? "0.0" : "0", CultureInfo.InvariantCulture) + " " + units[unit];
    }

    public static string Rate(double bytesPerSecond) => Bytes((long)bytesPerSecond) + "/s";

    /// <summary>9 s, 2 min 5 s, 1 h 3 min, 4 d 2 h.</summary>
    public static string Duration(TimeSpan time)
    {
        var seconds = (long)Math.Max(0, Math.Round(time.TotalSeconds));
        return seconds switch
        {
            < 60 => $"{seconds} s",
            < 3600 => $"{seconds / 60} min" + (seconds % 60 == 0 ? "" : $" {seconds % 60} s"),
            < 86400 => $"{seconds / 3600} h" + (seconds / 60 % 60 == 0 ? "" : $" {seconds / 60 % 60} min"),
            _ => $"{seconds / 86400} d" + (seconds / 3600 % 24 == 0 ? "" : $" {seconds / 3600 % 24} h"),
        };
    }

    /// <summary>Seconds with a tenth below ten: how long something took.</summary>
    public static string Took(TimeSpan time) => time.TotalSeconds < 10
        ? time.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture) + " s"
        : Duration(time);

    public static string Count(long count, string one, string many) =>
        count.ToString("#,0", CultureInfo.InvariantCulture) + " " + (count == 1 ? one : many);

    public static string Files(long count) => Count(count, "file", "files");

    public static string Moment(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);

    /// <summary>The first characters of an id, enough to tell it from others on a screen.</summary>
    public static string Short(string id) => id.StartsWith("virga1", StringComparison.Ordinal)
        ? (id.Length > 14 ? id[..14] + ".." : id)
        : id.Length > 12 ? id[..12] : id;

    /// <summary>Columns that a text takes on the screen.</summary>
    public static int Columns(string text)
    {
        var columns = 0;
        foreach (var rune in text.EnumerateRunes()) columns += Columns(rune);
        return columns;
    }

    /// <summary>Cut to a number of columns; an ellipsis says so.</summary>
    public static string Fit(string text, int columns)
    {
        if (Columns(text) <= columns) return text;
        var fitted = new StringBuilder();
        var used = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            if (used + Columns(rune) > columns - 1) break;
            used += Columns(rune);
            fitted.Append(rune.ToString());
        }
        return columns > 0 ? fitted + "…" : "";
    }

    /// <summary>
    /// Breaks a line between words, and indents what follows. A word that is too long stays whole; colours take no
    /// room.
    /// </summary>
    public static string Wrap(string line, int columns, int indent)
    {
        if (ShownColumns(line) <= columns) return line;
        var start = line.TakeWhile(c => c == ' ').Count();
        var wrapped = new StringBuilder().Append(' ', start);
        var (used, isFirst) = (start, true);
        foreach (var word in line[start..].Split(' '))
        {
            var needs = ShownColumns(word);
            if (!isFirst && used + 1 + needs > columns)
            {
                wrapped.Append('\n').Append(' ', indent);
                used = indent;
            }
            else if (!isFirst)
            {
                wrapped.Append(' ');
                used++;
            }
            wrapped.Append(word);
            used += needs;
            isFirst = false;
        }
        return wrapped.ToString();
    }

    private static int ShownColumns(string text)
    {
        var columns = Columns(text);
        for (var at = text.IndexOf('\e'); at >= 0; at = text.IndexOf('\e', at + 1))
            columns -= text.IndexOf('m', at) is var end and > 0 ? Columns(text[at..(end + 1)]) : 0;
        return columns;
    }

    private static int Columns(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format => 0,
        _ => IsWide(rune.Value) ? 2 : 1,
    };

    /// <summary>
    /// East Asian wide and emoji blocks (Unicode Standard Annex 11), roughly: good enough for columns.
    /// </summary>
    private static bool IsWide(int value) => value is
        (>= 0x1100 and <= 0x115F) or (>= 0x2E80 and <= 0x303E) or (>= 0x3041 and <= 0x33FF) or (>= 0x3400 and <= 0x4DBF)
        or (>= 0x4E00 and <= 0x9FFF) or (>= 0xA000 and <= 0xA4CF) or (>= 0xAC00 and <= 0xD7A3)
        or (>= 0xF900 and <= 0xFAFF)
        or (>= 0xFE30 and <= 0xFE6F) or (>= 0xFF00 and <= 0xFF60) or (>= 0xFFE0 and <= 0xFFE6)
        or (>= 0x1F300 and <= 0x1F64F) or (>= 0x1F900 and <= 0x1F9FF) or (>= 0x20000 and <= 0x3FFFD);

    /// <summary>Joiners are kept: scripts and emoji need them, and they move nothing.</summary>
    private static bool IsHarmless(Rune rune) => rune.Value is 0x200C or 0x200D || Rune.GetUnicodeCategory(rune) is not
        (UnicodeCategory.Control or UnicodeCategory.Format
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned);

    private static string Escape(Rune rune) => rune.Value switch
    {
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        0x1B => "\\e",
        var value => $"\\u{{{value:X}}}",
    };
}
