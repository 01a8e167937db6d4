using System.Text.Json.Nodes;

namespace Virga.Testing.Fakes.Drive;

/// <summary>
/// The parameter <c>fields</c> (developers.google.com/drive/api/guides/fields-parameter): what is not asked for is not
/// told.
/// </summary>
internal sealed class DriveFields
{
    private readonly Dictionary<string, DriveFields> inner = new(StringComparer.Ordinal);

    public static DriveFields Parse(string text)
    {
        var at = 0;
        var fields = Parse(text, ref at);
        return at == text.Length ? fields : throw DriveProblem.Parameter(text[at..]);
    }

    private static DriveFields Parse(string text, ref int at)
    {
        var fields = new DriveFields();
        while (true)
        {
            var start = at;
            while (at < text.Length && (char.IsAsciiLetterOrDigit(text[at]) || text[at] is '*' or '_')) at++;
            if (at == start) throw DriveProblem.Parameter(text);
            var name = text[start..at];
            if (at < text.Length && text[at] == '(')
            {
                at++;
                fields.Add(name, Parse(text, ref at));
                if (at == text.Length || text[at] != ')') throw DriveProblem.Parameter(text);
                at++;
            }
            else if (at < text.Length && text[at] == '/')
            {
                at++;
                // One path: what follows the comma is beside it, not below.
                var end = text.IndexOf(',', at) is var comma and >= 0 ? comma : text.Length;
                var rest = 0;
                fields.Add(name, Parse(text[at..end], ref rest));
                at = end;
            }
            else
            {
                fields.Add(name, new DriveFields());
            }
            if (at == text.Length || text[at] != ',') return fields;
            at++;
        }
    }

    private void Add(string name, DriveFields below)
    {
        if (!inner.TryAdd(name, below))
            foreach (var (key, value) in below.inner) inner[name].inner[key] = value;
    }

    public bool Asks(string name) => inner.ContainsKey(name) || inner.ContainsKey("*");

    public JsonNode? Choose(JsonNode? node)
    {
        if (inner.Count == 0 || inner.ContainsKey("*")) return node?.DeepClone();
        return node switch
        {
            JsonArray array => new JsonArray([.. array.Select(Choose)]),
            JsonObject value => new JsonObject(value.Where(p => inner.ContainsKey(p.Key))
                .Select(p => KeyValuePair.Create(p.Key, inner[p.Key].Choose(p.Value)))),
            _ => node?.DeepClone(),
        };
    }
}
