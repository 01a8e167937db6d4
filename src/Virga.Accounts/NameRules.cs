using System.Globalization;
using System.Text;
using Virga.Core;

namespace Virga.Accounts;

/// <summary>Which names an account can hold.</summary>
/// <param name="MaxNameBytes">Of one name, in UTF-8.</param>
/// <param name="MaxPathBytes">Of a whole path, in UTF-8.</param>
/// <param name="Forbidden">Characters that no name may hold, beside '/' and NUL.</param>
/// <param name="IsCaseSensitive">False: two names that differ only in case are one.</param>
/// <param name="AllowsTrailingDotOrSpace">Whether a name may end in '.' or ' '.</param>
/// <param name="AllowsControl">Whether U+0001 to U+001F and U+007F may occur.</param>
/// <param name="KeepsNormalization">False: names that differ only in Unicode normalisation are one.</param>
/// <param name="Reserved">Says why a single name is the account's own and can't be used; null where it can.</param>
public sealed record NameRules(
    int MaxNameBytes = 255,
    int MaxPathBytes = 4096,
    string Forbidden = "",
    bool IsCaseSensitive = true,
    bool AllowsTrailingDotOrSpace = true,
    bool AllowsControl = true,
    bool KeepsNormalization = true,
    Func<string, string?>? Reserved = null)
{
    /// <summary>Null when the account can hold the path, else the reason, which quotes the offending name.</summary>
    public string? WhyNot(EntryPath path)
    {
        foreach (var name in path.Names)
        {
            if (WhyNotName(name) is { } why) return $"the name '{Show(name)}' {why}";
        }
        var bytes = Encoding.UTF8.GetByteCount(path.Value);
        return bytes > MaxPathBytes
            ? $"the path '{Show(path.Value)}' has {bytes} bytes, and this account takes at most {MaxPathBytes}"
            : null;
    }

    /// <summary>What two paths have in common that are one in the account, for comparing alone.</summary>
    public string Key(string path)
    {
        var key = KeepsNormalization ? path : UnicodeNames.Decomposed(path);
        return IsCaseSensitive ? key : key.ToUpperInvariant();
    }

    /// <summary>Takes paths for one that the account takes for one.</summary>
    public IEqualityComparer<string> Comparer =>
        KeepsNormalization
            ? IsCaseSensitive ? StringComparer.Ordinal : StringComparer.OrdinalIgnoreCase
            : new KeyComparer(this);

    /// <summary>Why two paths with one <see cref="Key"/> are one in the account.</summary>
    public string WhyOne(string a, string b) => !IsCaseSensitive && a.Equals(b, StringComparison.OrdinalIgnoreCase)
        ? "it does not tell upper from lower case"
        : "they differ only in how accents are put onto letters (Unicode normalisation), which it does not tell";

    /// <summary>Throws BadInput with the reason where the account can't hold the path.</summary>
    public void Check(EntryPath path)
    {
        if (WhyNot(path) is { } why)
            throw new VirgaException(
                FailureKind.BadInput, why, "Rename it, or choose an account that can hold such names.");
    }

    /// <summary>
    /// A name for people: control characters are written as escapes, so that a terminal or log can't be tricked.
    /// </summary>
    public static string Show(string name)
    {
        if (!name.Any(char.IsControl)) return name;
        var shown = new StringBuilder(name.Length + 8);
        foreach (var c in name)
        {
            if (char.IsControl(c)) shown.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            else shown.Append(c);
        }
        return shown.ToString();
    }

    private string? WhyNotName(string name)
    {
        var bytes = Encoding.UTF8.GetByteCount(name);
        if (bytes > MaxNameBytes) return $"has {bytes} bytes, and this account takes at most {MaxNameBytes}";
        var forbidden = name.AsSpan().IndexOfAny(Forbidden);
        if (forbidden >= 0) return $"holds '{Show(name[forbidden].ToString())}', which this account can't keep";
        if (!AllowsControl && name.FirstOrDefault(IsAsciiControl) is var c and not '\0')
            return $"holds the control character U+{(int)c:X4}, which this account can't keep";
        if (!AllowsTrailingDotOrSpace && name[^1] is '.' or ' ')
            return $"ends in '{name[^1]}', which this account can't keep";
        return Reserved?.Invoke(name);
    }

    private static bool IsAsciiControl(char c) => c is > '\0' and < ' ' or '\u007f';

    private sealed class KeyComparer(NameRules rules) : IEqualityComparer<string>
    {
        public bool Equals(string? x, string? y) => x is null || y is null ? x == y : rules.Key(x) == rules.Key(y);

        public int GetHashCode(string text) => rules.Key(text).GetHashCode(StringComparison.Ordinal);
    }
}
