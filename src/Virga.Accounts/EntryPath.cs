using System.Text;
using Virga.Core;

namespace Virga.Accounts;

/// <summary>
/// A path inside an account or a share: '/'-separated names, relative to its root, which is the empty path.
/// No name is empty, ".", "..", or holds '/' or NUL; names are kept exactly as given (no normalisation).
/// Compared by the ordinal order of UTF-8 bytes.
/// </summary>
public readonly record struct EntryPath : IComparable<EntryPath>
{
    public const int MaxBytes = 4096;

    public static readonly EntryPath Root = new("", true);

    private readonly string? value;

    // Null for the root, so that it equals the default.
    private EntryPath(string value, bool _) => this.value = value.Length == 0 ? null : value;

    public string Value => value ?? "";

    public bool IsRoot => Value.Length == 0;

    /// <summary>The last name; empty for the root.</summary>
    public string Name => Value[(Value.LastIndexOf('/') + 1)..];

    /// <summary>The folder that holds it; the root's parent is the root.</summary>
    public EntryPath Parent =>
        Value.LastIndexOf('/') is var slash and >= 0 ? new EntryPath(Value[..slash], true) : Root;

    public string[] Names => IsRoot ? [] : Value.Split('/');

    public EntryPath Append(string name) => Parse(IsRoot ? name : Value + "/" + name);

    public EntryPath Append(EntryPath tail) =>
        tail.IsRoot ? this : IsRoot ? tail : Parse(Value + "/" + tail.Value);

    /// <summary>Whether this is <paramref name="folder"/> itself or lies below it.</summary>
    public bool IsWithin(EntryPath folder) =>
        folder.IsRoot || Value == folder.Value || Value.StartsWith(folder.Value + "/", StringComparison.Ordinal);

    /// <summary>The path from <paramref name="folder"/> to here; only where <see cref="IsWithin"/>.</summary>
    public EntryPath RelativeTo(EntryPath folder) =>
        folder.IsRoot
            ? this
            : Value.Length == folder.Value.Length ? Root : new EntryPath(Value[(folder.Value.Length + 1)..], true);

    /// <summary>Throws BadInput that quotes the path and says which rule it breaks.</summary>
    public static EntryPath Parse(string text) =>
        WhyInvalid(text) is { } why
            ? throw new VirgaException(FailureKind.BadInput, $"the path '{text}' {why}")
            : new EntryPath(text, true);

    public static bool TryParse(string? text, out EntryPath path)
    {
        path = Root;
        if (text is null || WhyInvalid(text) is not null) return false;
        path = new EntryPath(text, true);
        return true;
    }

    public int CompareTo(EntryPath other) =>
        Encoding.UTF8.GetBytes(Value).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(other.Value));

    public override string ToString() => Value;

    private static string? WhyInvalid(string text)
    {
        if (text.Length == 0) return null;
        if (text.Contains('\0')) return "holds a NUL character";
        if (text[0] == '/') return "starts with '/': paths are relative to the account's root";
        if (Encoding.UTF8.GetByteCount(text) > MaxBytes) return $"is longer than {MaxBytes} bytes";
        foreach (var range in text.AsSpan().Split('/'))
        {
            var name = text.AsSpan(range);
            if (name.Length == 0) return "has an empty name";
            if (name is "." or "..") return $"has the name '{name}'";
        }
        for (var i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i])) continue;
            if (i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1])) i++;
            else return "is not valid Unicode (a lone surrogate)";
        }
        return null;
    }
}
