using System.Globalization;
using System.Text.Json;

namespace Virga.Testing.Fakes.Dropbox;

/// <summary>
/// The arguments of a call, checked as the service checks them: unknown fields and wrong types are refused.
/// </summary>
internal sealed class DropboxArguments
{
    private readonly string route;
    private readonly JsonElement value;

    public DropboxArguments(string route, JsonElement value, params string[] known)
    {
        (this.route, this.value) = (route, value);
        if (value.ValueKind != JsonValueKind.Object) throw Bad("request body: expected object");
        foreach (var field in value.EnumerateObject())
            if (!known.Contains(field.Name, StringComparer.Ordinal)) throw Bad($"unknown field '{field.Name}'");
    }

    public DropboxProblem Bad(string why) => DropboxProblem.BadInput(route, why);

    public string Text(string name) => TextOrNull(name) ?? throw Bad($"missing required field '{name}'");

    public string? TextOrNull(string name) => Field(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } text => text.GetString(),
        _ => throw Bad($"{name}: expected string"),
    };

    public bool Flag(string name) => Field(name)?.ValueKind switch
    {
        null or JsonValueKind.False => false,
        JsonValueKind.True => true,
        _ => throw Bad($"{name}: expected boolean"),
    };

    public long Number(string name, long otherwise = -1) => Field(name) switch
    {
        null when otherwise >= 0 => otherwise,
        null => throw Bad($"missing required field '{name}'"),
        { } number when number.ValueKind == JsonValueKind.Number && number.TryGetInt64(out var count) && count >= 0 =>
            count,
        _ => throw Bad($"{name}: expected a number from 0 on"),
    };

    /// <summary>The tag of a union, which may stand alone as a text.</summary>
    public string Tag(string name, string otherwise) => Field(name) switch
    {
        null => otherwise,
        { ValueKind: JsonValueKind.String } text => text.GetString()!,
        { ValueKind: JsonValueKind.Object } union when union.TryGetProperty(".tag", out var tag) => tag.GetString()!,
        _ => throw Bad($"{name}: expected union"),
    };

    /// <summary>A timestamp without fractions, in UTC (common.stone, DropboxTimestamp).</summary>
    public DateTimeOffset? Time(string name) => TextOrNull(name) is not { } text ? null
        : DateTimeOffset.TryParseExact(
            text, "yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal,
            out var time)
            ? time
            : throw Bad($"{name}: time data '{text}' does not match format '%Y-%m-%dT%H:%M:%SZ'");

    public JsonElement? Field(string name) =>
        value.TryGetProperty(name, out var field) && field.ValueKind != JsonValueKind.Null ? field : null;

    public DropboxArguments Struct(string name, params string[] known) =>
        new(route, Field(name) ?? throw Bad($"missing required field '{name}'"), known);

    public IEnumerable<DropboxArguments> List(string name, int max, params string[] known)
    {
        var list = Field(name) ?? throw Bad($"missing required field '{name}'");
        if (list.ValueKind != JsonValueKind.Array) throw Bad($"{name}: expected list");
        if (list.GetArrayLength() > max) throw Bad($"{name}: list must have at most {max} items");
        return list.EnumerateArray().Select(item => new DropboxArguments(route, item, known));
    }
}
