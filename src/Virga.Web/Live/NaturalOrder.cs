namespace Virga.Web.Live;

/// <summary>Names as people sort them: without regard to case, and 9 before 10.</summary>
internal sealed class NaturalOrder : IComparer<string>
{
    public static NaturalOrder Instance { get; } = new();

    public int Compare(string? x, string? y)
    {
        ReadOnlySpan<char> a = x, b = y;
        var (i, j) = (0, 0);
        while (i < a.Length && j < b.Length)
        {
            if (char.IsAsciiDigit(a[i]) && char.IsAsciiDigit(b[j]))
            {
                var first = Digits(a, ref i);
                var second = Digits(b, ref j);
                var byNumber = first.Length != second.Length ? first.Length.CompareTo(second.Length)
                    : first.SequenceCompareTo(second);
                if (byNumber != 0) return byNumber;
                continue;
            }
            var byCharacter = char.ToUpperInvariant(a[i]).CompareTo(char.ToUpperInvariant(b[j]));
            if (byCharacter != 0) return byCharacter;
            (i, j) = (i + 1, j + 1);
        }
        var byLength = (a.Length - i).CompareTo(b.Length - j);
        return byLength != 0 ? byLength : string.CompareOrdinal(x, y);
    }

    /// <summary>A run of digits, without zeros before it.</summary>
    private static ReadOnlySpan<char> Digits(ReadOnlySpan<char> text, ref int from)
    {
        var start = from;
        while (from < text.Length && char.IsAsciiDigit(text[from])) from++;
        return text[start..from].TrimStart('0');
    }
}
