using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace Virga.Accounts;

/// <summary>Tells names that differ only in how their letters are composed: "é" as one character, or as two.</summary>
public static class UnicodeNames
{
    // The Unicode Standard, 3.12, "Hangul Syllable Decomposition".
    private const int HangulFirst = 0xAC00, HangulCount = 11_172, LeadFirst = 0x1100, VowelFirst = 0x1161,
        TailBefore = 0x11A7, VowelCount = 21, TailCount = 28;

    private static readonly FrozenDictionary<int, string> Table = ReadTable();

    /// <summary>
    /// The same text for all texts that are canonically the same (NFC, NFD and between), for comparing alone. Marks on
    /// one letter are put into one order, also those few whose order the standard lets count.
    /// </summary>
    public static string Decomposed(string text)
    {
        if (Ascii.IsValid(text)) return text;
        var runes = new List<Rune>(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            var syllable = rune.Value - HangulFirst;
            if (Table.TryGetValue(rune.Value, out var parts)) runes.AddRange(parts.EnumerateRunes());
            else if (syllable is >= 0 and < HangulCount) AddHangul(runes, syllable);
            else runes.Add(rune);
        }
        var decomposed = new StringBuilder(text.Length * 2);
        for (var i = 0; i < runes.Count;)
        {
            var end = i + 1;
            while (end < runes.Count && IsMark(runes[end])) end++;
            decomposed.Append(runes[i].ToString());
            foreach (var mark in runes[(i + 1)..end].Order()) decomposed.Append(mark.ToString());
            i = end;
        }
        return decomposed.ToString();
    }

    private static bool IsMark(Rune rune) => Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark;

    private static void AddHangul(List<Rune> runes, int syllable)
    {
        runes.Add(new Rune(LeadFirst + (syllable / (VowelCount * TailCount))));
        runes.Add(new Rune(VowelFirst + (syllable % (VowelCount * TailCount) / TailCount)));
        if (syllable % TailCount is > 0 and var tail) runes.Add(new Rune(TailBefore + tail));
    }

    private static FrozenDictionary<int, string> ReadTable()
    {
        var table = new Dictionary<int, string>();
        var text = Decompositions.Table.AsSpan();
        while (text.Length > 0)
        {
            Rune.DecodeFromUtf16(text, out var rune, out var units);
            var count = text[units] - '0';
            table.Add(rune.Value, text.Slice(units + 1, count).ToString());
            text = text[(units + 1 + count)..];
        }
        return table.ToFrozenDictionary();
    }
}
