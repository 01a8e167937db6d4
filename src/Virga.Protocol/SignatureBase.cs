using System.Text;
using Virga.Core;

namespace Virga.Protocol;

/// <summary>The parts of an HTTP message that a signature may cover (RFC 9421 section 2).</summary>
/// <param name="Path">As on the request line, encoded.</param>
/// <param name="Query">With its '?', or empty.</param>
/// <param name="Fields">
/// All values of a header, by its lower-case name, in the order of their lines; empty where there is none.
/// </param>
internal sealed record SignedMessage(
    string? Method, string? Scheme, string? Authority, string? Path, string? Query, int? Status,
    Func<string, IReadOnlyList<string>> Fields);

/// <summary>
/// Builds signature bases (RFC 9421 section 2.5) over any components: derived ones, header fields, members of
/// dictionaries (<c>;key</c>) and byte-wise wrapped fields (<c>;bs</c>). What a profile allows is decided above this.
/// </summary>
internal static class SignatureBase
{
    /// <param name="covered">The member of Signature-Input: the components and the signature's parameters.</param>
    public static byte[] Build(SfMember covered, SignedMessage message)
    {
        var text = new StringBuilder();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var component in covered.Items ?? throw Wire.Bad("signature: its input is not a list of components"))
        {
            var identifier = StructuredFieldWriter.Write(component);
            if (component.Value.Kind != SfKind.String)
                throw Wire.Bad($"signature: component {identifier} is not a string");
            if (!seen.Add(identifier)) throw Wire.Bad($"signature: component {identifier} stands twice");
            var value = ValueOf(component, identifier, message);
            if (value.AsSpan().ContainsAny('\r', '\n') || !Ascii.IsValid(value))
                throw Wire.Bad($"signature: the value of {identifier} is not one line of ASCII");
            text.Append(identifier).Append(": ").Append(value).Append('\n');
        }
        text.Append("\"@signature-params\": ").Append(StructuredFieldWriter.Write(covered));
        return Encoding.ASCII.GetBytes(text.ToString());
    }

    private static string ValueOf(SfItem component, string identifier, SignedMessage message)
    {
        var name = component.Value.Text!;
        var parameters = component.Parameters;
        var value = name switch
        {
            "@method" => Plain(message.Method),
            "@scheme" => Plain(message.Scheme),
            "@authority" => Plain(message.Authority),
            "@target-uri" =>
                Plain(message.Method is null ? null
                    : $"{message.Scheme}://{message.Authority}{message.Path}{message.Query}"),
            "@request-target" => Plain(message.Method is null ? null : message.Path + message.Query),
            "@path" => Plain(message.Path is "" ? "/" : message.Path),
            "@query" => Plain(message.Query is "" ? "?" : message.Query),
            "@query-param" => parameters is [("name", { Kind: SfKind.String } wanted)]
                ? QueryParameter(message.Query, wanted.Text!)
                : null,
            "@status" => Plain(message.Status?.ToString()),
            _ when name.StartsWith('@') => null,
            _ => Field(name, parameters, message),
        };
        return value ?? throw Wire.Bad($"signature: component {identifier} is not in the message, or not known");

        string? Plain(string? part) => parameters.Count == 0 ? part : null;
    }

    private static string? Field(string name, SfParameters parameters, SignedMessage message)
    {
        if (name.Length == 0 || name.Any(char.IsAsciiLetterUpper)) return null;
        var lines = message.Fields(name);
        if (lines.Count == 0) return null;
        if (parameters.Count == 0) return string.Join(", ", lines.Select(Unfold));
        if (parameters is [("bs", { IsTrue: true })])
            return string.Join(
                ", ", lines.Select(line => $":{Convert.ToBase64String(Encoding.ASCII.GetBytes(Unfold(line)))}:"));
        if (parameters is [("key", { Kind: SfKind.String } key)])
        {
            var member = StructuredFieldParser.ParseDictionary(string.Join(", ", lines)).Find(key.Text!);
            return member is null ? null : StructuredFieldWriter.Write(member);
        }
        return null;
    }

    private static string Unfold(string line) =>
        string.Join(' ', line.Split("\r\n").Select(part => part.Trim(' ', '\t')));

    /// <summary>The one parameter of that name, decoded and encoded again (section 2.2.8).</summary>
    private static string? QueryParameter(string? query, string name)
    {
        string? found = null;
        foreach (var pair in (query ?? "").TrimStart('?').Split('&'))
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            if (Encode(Decode(equals < 0 ? pair : pair[..equals])) != name) continue;
            if (found is not null) return null;
            found = Encode(Decode(equals < 0 ? "" : pair[(equals + 1)..]));
        }
        return found;

        static string Decode(string text) => Uri.UnescapeDataString(text.Replace('+', ' '));

        static string Encode(string text) => Uri.EscapeDataString(text)
            .Replace("%2A", "*", StringComparison.Ordinal).Replace("~", "%7E", StringComparison.Ordinal);
    }
}
