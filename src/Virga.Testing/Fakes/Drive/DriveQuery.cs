using System.Text;

namespace Virga.Testing.Fakes.Drive;

/// <summary>
/// The search language of files.list (developers.google.com/drive/api/guides/ref-search-terms), as far as file stores
/// use it; anything else is refused as the service refuses what it doesn't know.
/// </summary>
internal sealed class DriveQuery
{
    private readonly List<string> tokens = [];
    private int at;
    private string rootId = "";

    private DriveQuery(string text)
    {
        for (var i = 0; i < text.Length;)
        {
            if (char.IsWhiteSpace(text[i])) i++;
            else if (text[i] == '\'') tokens.Add(Quoted(text, ref i));
            else if (text[i] is '(' or ')' or '=' or '{' or '}') tokens.Add(text[i++].ToString());
            else if (text[i] == '!' && i + 1 < text.Length && text[i + 1] == '=')
            {
                tokens.Add("!=");
                i += 2;
            }
            else
            {
                var start = i;
                while (i < text.Length && char.IsAsciiLetterOrDigit(text[i])) i++;
                if (i == start) throw Bad();
                tokens.Add(text[start..i]);
            }
        }
    }

    /// <param name="isTrashed">Whether an item or a folder above it is in the bin.</param>
    public static Func<DriveItem, bool> Parse(string text, string rootId, Func<DriveItem, bool> isTrashed)
    {
        if (text.Length == 0) return _ => true;
        var query = new DriveQuery(text) { rootId = rootId };
        var filter = query.Or(isTrashed);
        return query.at == query.tokens.Count ? filter : throw Bad();
    }

    // A literal keeps its quote in front, to be told from a word.
    private static string Quoted(string text, ref int i)
    {
        var literal = new StringBuilder("'");
        for (i++; i < text.Length && text[i] != '\''; i++)
        {
            if (text[i] == '\\' && ++i == text.Length) throw Bad();
            literal.Append(text[i]);
        }
        if (i++ >= text.Length) throw Bad();
        return literal.ToString();
    }

    private Func<DriveItem, bool> Or(Func<DriveItem, bool> isTrashed)
    {
        var left = And(isTrashed);
        while (Take("or"))
        {
            var (a, b) = (left, And(isTrashed));
            left = item => a(item) || b(item);
        }
        return left;
    }

    private Func<DriveItem, bool> And(Func<DriveItem, bool> isTrashed)
    {
        var left = Term(isTrashed);
        while (Take("and"))
        {
            var (a, b) = (left, Term(isTrashed));
            left = item => a(item) && b(item);
        }
        return left;
    }

    private Func<DriveItem, bool> Term(Func<DriveItem, bool> isTrashed)
    {
        if (Take("not"))
        {
            var inner = Term(isTrashed);
            return item => !inner(item);
        }
        if (Take("("))
        {
            var inner = Or(isTrashed);
            return Take(")") ? inner : throw Bad();
        }
        var first = Next();
        if (first.StartsWith('\''))
        {
            if (!Take("in") || !Take("parents")) throw Bad();
            return item => item.Parent == (first == "'root" ? rootId : first[1..]);
        }
        if (first == "appProperties")
        {
            string key, held;
            if (!Take("has") || !Take("{") || !Take("key") || !Take("=") || !(key = Next()).StartsWith('\'')
                || !Take("and") || !Take("value") || !Take("=") || !(held = Next()).StartsWith('\'') || !Take("}"))
                throw Bad();
            return item => item.AppProperties.TryGetValue(key[1..], out var own) && own == held[1..];
        }
        var isEqual = Take("=") || (Take("!=") ? false : throw Bad());
        var value = Next();
        return first switch
        {
            // "=" doesn't look at case in names.
            "name" when value.StartsWith('\'') =>
                item => item.Name.Equals(value[1..], StringComparison.OrdinalIgnoreCase) == isEqual,
            "mimeType" when value.StartsWith('\'') => item => (item.MimeType == value[1..]) == isEqual,
            "trashed" when value is "true" or "false" => item => (isTrashed(item) == (value == "true")) == isEqual,
            "sharedWithMe" when value is "true" or "false" =>
                item => ((!item.IsOwned && item.Parent is null) == (value == "true")) == isEqual,
            _ => throw Bad(),
        };
    }

    private bool Take(string word)
    {
        if (at >= tokens.Count || tokens[at] != word) return false;
        at++;
        return true;
    }

    private string Next() => at < tokens.Count ? tokens[at++] : throw Bad();

    private static DriveProblem Bad() => DriveProblem.Invalid("Invalid Value");
}
