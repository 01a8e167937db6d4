using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Virga.Core;

namespace Virga.Accounts.Adapters.S3;

/// <summary>
/// A bucket's policy with statements of ours among those of others, which stay as they are to the last byte. Ours are
/// told by their Sid.
/// </summary>
internal static class S3Policy
{
    // Amazon S3 User Guide, "Bucket policies": limited to 20 KB in size.
    public const int BytesMax = 20_480;

    private const string SidPrefix = "Virga";
    private const string Version = "2012-10-17";

    private static readonly JsonWriterOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The Sid of an opening's statement: letters and digits are all that it may hold.</summary>
    public static string SidOf(string opening) => SidPrefix + opening;

    /// <summary>One statement that lets a principal read keys until then.</summary>
    public static byte[] Statement(CopyOpening opening, string partition, string bucket, IEnumerable<string> keys) =>
        Write(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("Sid", SidOf(opening.Id));
            writer.WriteString("Effect", "Allow");
            writer.WriteStartObject("Principal");
            writer.WriteString(S3Principal.IsCanonical(opening.Principal) ? "CanonicalUser" : "AWS", opening.Principal);
            writer.WriteEndObject();
            writer.WriteString("Action", "s3:GetObject");
            writer.WriteStartArray("Resource");
            foreach (var key in keys) writer.WriteStringValue(ResourceOf(partition, bucket, key));
            writer.WriteEndArray();
            writer.WriteStartObject("Condition");
            writer.WriteStartObject("DateLessThan");
            writer.WriteString(
                "aws:CurrentTime", opening.Expires.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", null));
            writer.WriteEndObject();
            writer.WriteEndObject();
            writer.WriteEndObject();
        });

    public static string ResourceOf(string partition, string bucket, string key) =>
        $"arn:{partition}:s3:::{bucket}/{key}";

    /// <summary>Bytes that a resource takes in a statement, with its comma.</summary>
    public static int BytesOf(string resource) =>
        JsonEncodedText.Encode(resource, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).EncodedUtf8Bytes.Length + 3;

    /// <summary>
    /// The policy without some statements and with another; null where nothing is left of it. Unsupported when it
    /// isn't what a policy looks like: then it is not touched.
    /// </summary>
    /// <param name="policy">Null or empty where the bucket has none.</param>
    /// <param name="remove">Sids.</param>
    /// <param name="add">A statement.</param>
    public static string? Change(string? policy, IReadOnlySet<string> remove, ReadOnlyMemory<byte>? add)
    {
        if (string.IsNullOrWhiteSpace(policy)) policy = $$"""{"Version":"{{Version}}","Statement":[]}""";
        try
        {
            using var parsed = JsonDocument.Parse(policy);
            var kept = Statements(parsed.RootElement).Where(s => !remove.Contains(SidOf(s))).ToList();
            if (kept.Count == 0 && add is null) return null;
            return Encoding.UTF8.GetString(Write(writer =>
            {
                writer.WriteStartObject();
                foreach (var property in parsed.RootElement.EnumerateObject())
                {
                    if (property.NameEquals("Statement")) continue;
                    writer.WritePropertyName(property.Name);
                    writer.WriteRawValue(property.Value.GetRawText());
                }
                writer.WriteStartArray("Statement");
                foreach (var statement in kept) writer.WriteRawValue(statement.GetRawText());
                if (add is { } added) writer.WriteRawValue(added.Span);
                writer.WriteEndArray();
                writer.WriteEndObject();
            }));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new VirgaException(
                FailureKind.Unsupported, "the bucket's policy can't be understood; it is left as it is",
                "Look at it with the service's own tools.", e);
        }
    }

    private static IEnumerable<JsonElement> Statements(JsonElement policy)
    {
        if (!policy.TryGetProperty("Statement", out var statement)) return [];
        // Amazon takes one statement without its list, too.
        return statement.ValueKind == JsonValueKind.Array ? statement.EnumerateArray() : [statement];
    }

    private static string SidOf(JsonElement statement) =>
        statement.TryGetProperty("Sid", out var sid) && sid.ValueKind == JsonValueKind.String ? sid.GetString()! : "";

    private static byte[] Write(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using var writer = new Utf8JsonWriter(buffer, Compact);
        write(writer);
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }
}
