using System.Text.Json;
using Virga.Core;

namespace Virga.Protocol.Tests;

/// <summary>
/// The httpwg's structured-field-tests, as far as signatures use the types. Not copied, each with its reason: list,
/// listlist, param-list, param-listlist (top-level lists), date, display-string (types that no signature has),
/// large-generated (its 1,024 members are over our bounds on purpose).
/// </summary>
public sealed class StructuredFieldVectorTests
{
    private static readonly string folder = SourceTree.Vectors("structured-fields");

    public static TheoryData<string> ParsingFiles => [.. Files(folder)];

    public static TheoryData<string> SerialisingFiles => [.. Files(Path.Combine(folder, "serialisation-tests"))];

    [Theory]
    [MemberData(nameof(ParsingFiles))]
    public void Every_case_parses_to_what_it_says_or_is_refused(string file)
    {
        var checkedCases = 0;
        foreach (var test in Cases(Path.Combine(folder, file)))
        {
            var name = $"{file}: {test.GetProperty("name").GetString()}";
            var type = test.GetProperty("header_type").GetString();
            if (type == "list") continue;
            var raw = string.Join(", ", test.GetProperty("raw").EnumerateArray().Select(line => line.GetString()));
            checkedCases++;
            var parsed = TryParse(type!, raw);
            if (Flag(test, "must_fail") || UsesOtherTypes(test.GetProperty("expected")))
            {
                Assert.True(parsed is null, $"{name}: was taken for {parsed}");
                continue;
            }
            if (parsed is null && Flag(test, "can_fail")) continue;
            Assert.True(parsed is not null, $"{name}: was refused");
            var canonical =
                test.TryGetProperty("canonical", out var lines) ? string.Join(", ", lines.EnumerateArray()) : raw;
            Assert.True(canonical == parsed, $"{name}: became {parsed}");
            Assert.Equal(canonical, Serialise(type!, test.GetProperty("expected")));
        }
        Assert.True(checkedCases > 0, $"{file} holds no case that applies");
    }

    [Theory]
    [MemberData(nameof(SerialisingFiles))]
    public void Every_value_is_written_canonically_or_refused(string file)
    {
        foreach (var test in Cases(Path.Combine(folder, "serialisation-tests", file)))
        {
            var type = test.GetProperty("header_type").GetString()!;
            if (type == "list" || UsesOtherTypes(test.GetProperty("expected"))) continue;
            if (Flag(test, "must_fail"))
                Assert.ThrowsAny<ArgumentException>(() => Serialise(type, test.GetProperty("expected")));
            else Assert.Equal(test.GetProperty("canonical")[0]
                .GetString(), Serialise(type, test.GetProperty("expected")));
        }
    }

    [Fact]
    public void The_number_of_values_and_characters_is_bounded()
    {
        var many = string.Join(", ", Enumerable.Range(0, 300).Select(i => $"k{i}=1"));
        Assert.Throws<VirgaException>(() => StructuredFieldParser.ParseDictionary(many));
        Assert.Equal(300, StructuredFieldParser.ParseDictionary(many, maxValues: 300).Count);
        Assert.Throws<VirgaException>(() => StructuredFieldParser.ParseDictionary(new string('a', 9_000)));
    }

    private static IEnumerable<string> Files(string path) =>
        Directory.GetFiles(path, "*.json").Select(p => Path.GetFileName(p)).Order();

    private static JsonElement[] Cases(string path)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(path));
        return [.. document.RootElement.Clone().EnumerateArray()];
    }

    private static bool Flag(JsonElement test, string name) =>
        test.TryGetProperty(name, out var flag) && flag.GetBoolean();

    private static bool UsesOtherTypes(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Number => value.GetRawText().AsSpan().ContainsAny(".eE"),
        JsonValueKind.Object => value.GetProperty("__type").GetString() is "date" or "displaystring",
        JsonValueKind.Array => value.EnumerateArray().Any(UsesOtherTypes),
        _ => false,
    };

    private static string? TryParse(string type, string raw)
    {
        try
        {
            return type == "item"
                ? StructuredFieldWriter.Write(StructuredFieldParser.ParseItem(raw))
                : StructuredFieldWriter.Write(StructuredFieldParser.ParseDictionary(raw));
        }
        catch (VirgaException)
        {
            return null;
        }
    }

    private static string Serialise(string type, JsonElement expected)
    {
        if (type == "item") return StructuredFieldWriter.Write(Item(expected));
        var dictionary = new SfDictionary();
        foreach (var pair in expected.EnumerateArray()) dictionary.Add((pair[0].GetString()!, Member(pair[1])));
        return StructuredFieldWriter.Write(dictionary);
    }

    private static SfMember Member(JsonElement element) => element[0].ValueKind == JsonValueKind.Array
        ? new SfMember(default, [.. element[0].EnumerateArray().Select(Item)], Parameters(element[1]))
        : new SfMember(Bare(element[0]), null, Parameters(element[1]));

    private static SfItem Item(JsonElement element) => new(Bare(element[0]), Parameters(element[1]));

    private static SfParameters Parameters(JsonElement element)
    {
        var parameters = new SfParameters();
        foreach (var pair in element.EnumerateArray()) parameters.Add((pair[0].GetString()!, Bare(pair[1])));
        return parameters;
    }

    private static SfBare Bare(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Number => SfBare.Of(element.GetInt64()),
        JsonValueKind.String => SfBare.Of(element.GetString()!),
        JsonValueKind.True => SfBare.Of(true),
        JsonValueKind.False => SfBare.Of(false),
        _ when element.GetProperty("__type").GetString() == "token" =>
            SfBare.Token(element.GetProperty("value").GetString()!),
        _ => SfBare.Of(FromBase32(element.GetProperty("value").GetString()!)),
    };

    private static byte[] FromBase32(string text)
    {
        var bytes = new List<byte>();
        var (buffer, bits) = (0, 0);
        foreach (var c in text.TrimEnd('='))
        {
            buffer = (buffer << 5) | "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".IndexOf(c);
            bits += 5;
            if (bits < 8) continue;
            bits -= 8;
            bytes.Add((byte)(buffer >> bits));
        }
        return [.. bytes];
    }
}
