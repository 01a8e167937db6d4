namespace Virga.Content;

/// <summary>
/// Orders by UTF-8 bytes without encoding: UTF-16 code units compare as their code points do, but for surrogates, which
/// stand for code points above all others.
/// </summary>
public static class Utf8Order
{
    /// <summary>Whole paths as byte strings: the manifest's order.</summary>
    public static int Compare(ReadOnlySpan<char> a, ReadOnlySpan<char> b)
    {
        var at = a.CommonPrefixLength(b);
        if (at == a.Length || at == b.Length) return a.Length.CompareTo(b.Length);
        return Rank(a[at]).CompareTo(Rank(b[at]));
    }

    /// <summary>
    /// Paths name by name, a folder before what its name is a beginning of: the order of a torrent's file tree.
    /// </summary>
    public static int CompareNames(ReadOnlySpan<char> a, ReadOnlySpan<char> b)
    {
        var at = a.CommonPrefixLength(b);
        if (at == a.Length || at == b.Length) return a.Length.CompareTo(b.Length);
        return NameRank(a[at]).CompareTo(NameRank(b[at]));
    }

    private static int NameRank(char unit) => unit == '/' ? 0 : Rank(unit);

    private static int Rank(char unit) => char.IsSurrogate(unit) ? unit + 0x10000 : unit;
}
