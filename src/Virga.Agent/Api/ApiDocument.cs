using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.RegularExpressions;
using Virga.Agent.Control;

namespace Virga.Agent.Api;

/// <summary>The OpenAPI 3.1 document of the API, made from <see cref="ApiOperations"/>.</summary>
public static partial class ApiDocument
{
    private const string Prefix = "/control";

    /// <summary>Where the API stands on the page's listener; there <c>/control</c> is left out.</summary>
    public const string Place = "/api/v1";

    /// <summary>The document as JSON.</summary>
    public static string Write(string version)
    {
        var schemas = new JsonObject();
        var paths = new JsonObject();
        foreach (var operation in ApiOperations.All)
        {
            var path = operation.Pattern[Prefix.Length..];
            if (paths[path] is not JsonObject methods) paths[path] = methods = [];
            methods[operation.Method.ToLowerInvariant()] = Describe(operation, path, schemas);
        }
        return new JsonObject
        {
            ["openapi"] = "3.1.0",
            ["info"] = new JsonObject
            {
                ["title"] = "Virga", ["version"] = version,
                ["description"] = "What the agent's page and its command line do. Tokens: virga token add.",
            },
            ["servers"] = new JsonArray(new JsonObject { ["url"] = Place }),
            ["security"] = new JsonArray(new JsonObject { ["token"] = new JsonArray() }),
            ["paths"] = paths,
            ["components"] = new JsonObject
            {
                ["securitySchemes"] = new JsonObject
                {
                    ["token"] = new JsonObject { ["type"] = "http", ["scheme"] = "bearer" },
                },
                ["schemas"] = schemas,
            },
        }.ToJsonString(new JsonSerializerOptions { WriteIndented = true });
    }

    private static JsonObject Describe(ApiOperation operation, string path, JsonObject schemas)
    {
        var answer = operation.Answer is null
            ? new JsonObject { ["description"] = operation.Status == 204 ? "done" : operation.Summary }
            : new JsonObject
            {
                ["description"] = operation.IsStream ? "one of these a line, until it has ended" : operation.Summary,
                ["content"] = Content(operation.IsStream ? "application/x-ndjson" : "application/json",
                    Reference(operation.Answer, schemas)),
            };
        if (operation.ContentType is { } type)
            answer["content"] = Content(type, new JsonObject { ["type"] = "string" });
        var described = new JsonObject
        {
            ["summary"] = operation.Summary,
            ["description"] = $"Scope: {ApiScopes.NamesOf(operation.Scope)[0]}.",
            ["tags"] = new JsonArray(path.Split('/')[1].Replace(".json", "", StringComparison.Ordinal)),
            ["operationId"] = NameOf(operation.Method, path),
            ["responses"] = new JsonObject
            {
                [operation.Status.ToString(System.Globalization.CultureInfo.InvariantCulture)] = answer,
                ["default"] = new JsonObject
                {
                    ["description"] = "what was wrong, and what to do",
                    ["content"] = Content("application/json", Reference(typeof(ControlError), schemas)),
                },
            },
        };
        var parameters = new JsonArray();
        foreach (Match match in Parameter().Matches(path))
            parameters.Add(Named(match.Groups[1].Value, "path", isRequired: true));
        foreach (var name in operation.Query) parameters.Add(Named(name, "query", isRequired: false));
        if (parameters.Count > 0) described["parameters"] = parameters;
        if (operation.Body is not null)
        {
            described["requestBody"] = new JsonObject
            {
                ["required"] = true, ["content"] = Content("application/json", Reference(operation.Body, schemas)),
            };
        }
        if (operation.Form.Count > 0)
        {
            described["requestBody"] = new JsonObject
            {
                ["required"] = true,
                ["content"] = Content("multipart/form-data", new JsonObject
                {
                    ["type"] = "object",
                    ["required"] = new JsonArray([.. operation.Form.Select(name => JsonValue.Create(name))]),
                    ["properties"] = new JsonObject(operation.Form.Select(
                        name => KeyValuePair.Create<string, JsonNode?>(name, new JsonObject { ["type"] = "string" }))),
                }),
            };
        }
        return described;
    }

    private static JsonObject Named(string name, string place, bool isRequired) => new()
    {
        ["name"] = name, ["in"] = place, ["required"] = isRequired,
        ["schema"] = new JsonObject { ["type"] = "string" },
    };

    private static JsonObject Content(string type, JsonObject schema) =>
        new() { [type] = new JsonObject { ["schema"] = schema } };

    /// <summary>By name where it is a message of ours; lists of them as lists.</summary>
    private static JsonObject Reference(Type type, JsonObject schemas)
    {
        if (type.IsGenericType)
        {
            return new JsonObject
            {
                ["type"] = "array", ["items"] = Reference(type.GetGenericArguments()[0], schemas),
            };
        }
        var place = $"#/components/schemas/{type.Name}";
        if (schemas[type.Name] is null)
        {
            var info = ControlJson.Default.GetTypeInfo(type)
                ?? throw new InvalidOperationException($"{type.Name} is no message of the API");
            var schema = info.GetJsonSchemaAsNode(
                new JsonSchemaExporterOptions { TreatNullObliviousAsNonNullable = true });
            Rebase(schema, place);
            schemas[type.Name] = schema;
        }
        return new JsonObject { ["$ref"] = place };
    }

    /// <summary>What a schema says of its own parts counts from its place in the document.</summary>
    private static void Rebase(JsonNode? node, string place)
    {
        if (node is JsonArray items)
        {
            foreach (var item in items) Rebase(item, place);
        }
        else if (node is JsonObject fields)
        {
            if (fields["$ref"]?.GetValue<string>() is { } text && text.StartsWith('#'))
                fields["$ref"] = place + text[1..];
            foreach (var (_, value) in fields.ToList()) Rebase(value, place);
        }
    }

    /// <summary>postTransfersIdPause, for POST /transfers/{id}/pause.</summary>
    private static string NameOf(string method, string path) => method.ToLowerInvariant() + string.Concat(
        Word().Matches(path).Select(m => char.ToUpperInvariant(m.Value[0]) + m.Value[1..]));

    [GeneratedRegex(@"\{\**(\w+)\}")]
    private static partial Regex Parameter();

    [GeneratedRegex("[A-Za-z0-9]+")]
    private static partial Regex Word();
}
