using System.Globalization;
using System.Text;
using Virga.Core;

namespace Virga.Protocol;

internal enum SfKind { Integer, String, Token, Bytes, Boolean }

/// <summary>
/// A bare item of RFC 9651 section 3.3: integer, string, token, byte sequence or boolean. No others are used.
/// </summary>
internal readonly record struct SfBare(SfKind Kind, long Integer, string? Text, byte[]? Bytes)
{
    public static SfBare Of(long value) => new(SfKind.Integer, value, null, null);

    public static SfBare Of(string value) => new(SfKind.String, 0, value, null);

    public static SfBare Of(byte[] value) => new(SfKind.Bytes, 0, null, value);

    public static SfBare Token(string value) => new(SfKind.Token, 0, value, null);

    public static SfBare Of(bool value) => new(SfKind.Boolean, value ? 1 : 0, null, null);

    public bool IsTrue => Kind == SfKind.Boolean && Integer == 1;
}

/// <summary>Ordered parameters, each key once (section 3.1.2).</summary>
internal sealed class SfParameters : List<(string Key, SfBare Value)>
{
    public SfBare? Find(string key)
    {
        foreach (var (name, value) in this)
        {
            if (name == key) return value;
        }
        return null;
    }

    /// <summary>A later value replaces the earlier one in its place (section 4.2.3.2).</summary>
    public void Set(string key, SfBare value)
    {
        var index = FindIndex(pair => pair.Key == key);
        if (index < 0) Add((key, value));
        else this[index] = (key, value);
    }
}

internal sealed record SfItem(SfBare Value, SfParameters Parameters);

/// <summary>A member of a dictionary: an item, or an inner list where <see cref="Items"/> is set.</summary>
internal sealed record SfMember(SfBare Value, IReadOnlyList<SfItem>? Items, SfParameters Parameters);

/// <summary>An ordered dictionary, each key once (section 3.2).</summary>
internal sealed class SfDictionary : List<(string Key, SfMember Member)>
{
    public SfMember? Find(string key)
    {
        foreach (var (name, member) in this)
        {
            if (name == key) return member;
        }
        return null;
    }
}

/// <summary>
/// Structured field values (RFC 9651) as far as HTTP message signatures need them: dictionaries, inner lists,
/// parameters, items. Decimals, dates and display strings are refused. Strict and bounded: the caller says how much may
/// come.
/// </summary>
internal ref struct StructuredFieldParser
{
    private readonly ReadOnlySpan<char> input;
    private readonly int maxValues;
    private int position, values;

    private StructuredFieldParser(ReadOnlySpan<char> input, int maxValues)
    {
        this.input = input;
        this.maxValues = maxValues;
    }

    /// <summary>A field's value; several lines of it are joined with ", " before.</summary>
    public static SfDictionary ParseDictionary(string text, int maxChars = 8_192, int maxValues = 256)
    {
        var parser = new StructuredFieldParser(Bounded(text, maxChars), maxValues);
        parser.SkipSpaces();
        var dictionary = parser.ReadDictionary();
        return dictionary;
    }

    public static SfItem ParseItem(string text, int maxChars = 8_192, int maxValues = 256)
    {
        var parser = new StructuredFieldParser(Bounded(text, maxChars), maxValues);
        parser.SkipSpaces();
        var item = parser.ReadItem();
        parser.SkipSpaces();
        if (!parser.IsAtEnd) throw parser.Bad("something follows the item");
        return item;
    }

    private readonly bool IsAtEnd => position >= input.Length;

    private readonly char Current => position < input.Length ? input[position] : '\0';

    private static ReadOnlySpan<char> Bounded(string text, int maxChars) => text.Length <= maxChars
        ? text
        : throw new VirgaException(
            FailureKind.BadInput, $"structured field: {text.Length} characters are more than the {maxChars} allowed");

    private SfDictionary ReadDictionary()
    {
        var dictionary = new SfDictionary();
        var places = new Dictionary<string, int>(StringComparer.Ordinal);
        while (!IsAtEnd)
        {
            var key = ReadKey();
            var member = Take('=') ? ReadMember() : new SfMember(SfBare.Of(true), null, ReadParameters());
            if (places.TryGetValue(key, out var place)) dictionary[place] = (key, member);
            else
            {
                places.Add(key, dictionary.Count);
                dictionary.Add((key, member));
            }
            SkipOptionalWhitespace();
            if (IsAtEnd) break;
            if (!Take(',')) throw Bad("a comma is expected");
            SkipOptionalWhitespace();
            if (IsAtEnd) throw Bad("it ends with a comma");
        }
        return dictionary;
    }

    private SfMember ReadMember()
    {
        if (Current == '(') return ReadInnerList();
        var item = ReadItem();
        return new SfMember(item.Value, null, item.Parameters);
    }

    private SfMember ReadInnerList()
    {
        position++;
        var items = new List<SfItem>();
        while (true)
        {
            SkipSpaces();
            if (Take(')')) return new SfMember(default, items, ReadParameters());
            if (IsAtEnd) throw Bad("an inner list has no end");
            items.Add(ReadItem());
            if (Current is not (' ' or ')')) throw Bad("a space or ')' is expected in an inner list");
        }
    }

    private SfItem ReadItem()
    {
        var value = ReadBare();
        return new SfItem(value, ReadParameters());
    }

    private SfParameters ReadParameters()
    {
        var parameters = new SfParameters();
        while (Take(';'))
        {
            SkipSpaces();
            var key = ReadKey();
            parameters.Set(key, Take('=') ? ReadBare() : SfBare.Of(true));
        }
        return parameters;
    }

    private string ReadKey()
    {
        var start = position;
        if (Current is not (>= 'a' and <= 'z' or '*')) throw Bad("a key is expected");
        while (Current is >= 'a' and <= 'z' or >= '0' and <= '9' or '_' or '-' or '.' or '*') position++;
        return input[start..position].ToString();
    }

    private SfBare ReadBare()
    {
        if (++values > maxValues) throw Bad($"it holds more than {maxValues} values");
        return Current switch
        {
            '-' or (>= '0' and <= '9') => SfBare.Of(ReadInteger()),
            '"' => SfBare.Of(ReadString()),
            ':' => SfBare.Of(ReadBytes()),
            '?' => SfBare.Of(ReadBoolean()),
            '*' => SfBare.Token(ReadToken()),
            var c when char.IsAsciiLetter(c) => SfBare.Token(ReadToken()),
            '@' or '%' => throw Bad("dates and display strings are not used here"),
            _ => throw Bad("a value is expected"),
        };
    }

    private long ReadInteger()
    {
        const int mostDigits = 15;
        var start = position;
        if (Current == '-') position++;
        var digits = position;
        while (char.IsAsciiDigit(Current)) position++;
        if (Current == '.') throw Bad("decimals are not used here");
        if (position - digits is 0 or > mostDigits) throw Bad("an integer has 1 to 15 digits");
        return long.Parse(input[start..position], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
    }

    private string ReadString()
    {
        position++;
        var text = new StringBuilder();
        while (!IsAtEnd)
        {
            var c = input[position++];
            if (c == '"') return text.ToString();
            if (c == '\\')
            {
                c = Current;
                if (c is not ('"' or '\\')) throw Bad("a string escapes what needs no escape");
                position++;
            }
            else if (c is < ' ' or > '~') throw Bad("a string holds a character that is not printable ASCII");
            text.Append(c);
        }
        throw Bad("a string has no end");
    }

    private string ReadToken()
    {
        var start = position++;
        while (char.IsAsciiLetterOrDigit(Current)
            || (Current != '\0' && "!#$%&'*+-.^_`|~:/".Contains(Current, StringComparison.Ordinal))) position++;
        return input[start..position].ToString();
    }

    private byte[] ReadBytes()
    {
        var end = input[(position + 1)..].IndexOf(':');
        if (end < 0) throw Bad("a byte sequence has no end");
        var text = input.Slice(position + 1, end);
        var bytes = new byte[text.Length / 4 * 3];
        // One form only: no spaces, padding in full, and no bits set behind the last byte.
        if (text.ContainsAny(" \t\r\n") || !Convert.TryFromBase64Chars(text, bytes, out var count)
            || !text.SequenceEqual(Convert.ToBase64String(bytes.AsSpan(0, count))))
            throw Bad("a byte sequence is not base64");
        position += end + 2;
        return bytes[..count];
    }

    private bool ReadBoolean()
    {
        position++;
        var value = Current;
        if (value is not ('0' or '1')) throw Bad("a boolean is ?0 or ?1");
        position++;
        return value == '1';
    }

    private bool Take(char expected)
    {
        if (IsAtEnd || Current != expected) return false;
        position++;
        return true;
    }

    private void SkipSpaces()
    {
        while (Current == ' ') position++;
    }

    private void SkipOptionalWhitespace()
    {
        while (Current is ' ' or '\t') position++;
    }

    private readonly VirgaException Bad(string what) =>
        new(FailureKind.BadInput, $"structured field: {what} (at character {position})", Wire.FormatAdvice);
}

/// <summary>Writes structured field values in their one canonical form (RFC 9651 section 4.1).</summary>
internal static class StructuredFieldWriter
{
    public static string Write(SfDictionary dictionary)
    {
        var text = new StringBuilder();
        foreach (var (key, member) in dictionary)
        {
            if (text.Length > 0) text.Append(", ");
            text.Append(RequireKey(key));
            if (member is { Items: null, Value.IsTrue: true })
            {
                Write(text, member.Parameters);
                continue;
            }
            text.Append('=');
            Write(text, member);
        }
        return text.ToString();
    }

    public static string Write(SfMember member)
    {
        var text = new StringBuilder();
        Write(text, member);
        return text.ToString();
    }

    public static string Write(SfItem item)
    {
        var text = new StringBuilder();
        Write(text, item);
        return text.ToString();
    }

    private static void Write(StringBuilder text, SfMember member)
    {
        if (member.Items is not { } items)
        {
            Write(text, new SfItem(member.Value, member.Parameters));
            return;
        }
        text.Append('(');
        for (var i = 0; i < items.Count; i++)
        {
            if (i > 0) text.Append(' ');
            Write(text, items[i]);
        }
        text.Append(')');
        Write(text, member.Parameters);
    }

    private static void Write(StringBuilder text, SfItem item)
    {
        Write(text, item.Value);
        Write(text, item.Parameters);
    }

    private static void Write(StringBuilder text, SfParameters parameters)
    {
        foreach (var (key, value) in parameters)
        {
            text.Append(';').Append(RequireKey(key));
            if (value.IsTrue) continue;
            text.Append('=');
            Write(text, value);
        }
    }

    private static void Write(StringBuilder text, SfBare value)
    {
        switch (value.Kind)
        {
            case SfKind.Integer:
                if (Math.Abs(value.Integer) > 999_999_999_999_999)
                    throw new ArgumentException("an integer has at most 15 digits", nameof(value));
                text.Append(value.Integer);
                break;
            case SfKind.String:
                WriteString(text, value.Text!);
                break;
            case SfKind.Token:
                text.Append(RequireToken(value.Text!));
                break;
            case SfKind.Bytes:
                text.Append(':').Append(Convert.ToBase64String(value.Bytes!)).Append(':');
                break;
            default:
                text.Append(value.IsTrue ? "?1" : "?0");
                break;
        }
    }

    private static void WriteString(StringBuilder text, string value)
    {
        text.Append('"');
        foreach (var c in value)
        {
            if (c is < ' ' or > '~') throw new ArgumentException("a string holds printable ASCII only", nameof(value));
            if (c is '"' or '\\') text.Append('\\');
            text.Append(c);
        }
        text.Append('"');
    }

    private static string RequireKey(string key)
    {
        var isKey = key.Length > 0 && key[0] is >= 'a' and <= 'z' or '*'
            && key.All(c => c is >= 'a' and <= 'z' or >= '0' and <= '9' or '_' or '-' or '.' or '*');
        return isKey ? key : throw new ArgumentException("not a key", nameof(key));
    }

    private static string RequireToken(string token)
    {
        var isToken = token.Length > 0 && (char.IsAsciiLetter(token[0]) || token[0] == '*')
            && token.All(c =>
                char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~:/".Contains(c, StringComparison.Ordinal));
        return isToken ? token : throw new ArgumentException("not a token", nameof(token));
    }
}
