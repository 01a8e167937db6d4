using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Virga.Testing.Fakes.Gcs;

/// <summary>Buckets and objects of the JSON API.</summary>
public sealed partial class FakeGcs
{
    private const int PageMax = 1000;

    private Task JsonAsync(HttpContext context, string path)
    {
        var method = context.Request.Method;
        var asker = Authorize(context, toWrite: method is not ("GET" or "HEAD"));
        var parts = path.Split('/', StringSplitOptions.None).Select(Uri.UnescapeDataString).ToArray();
        if (parts is not [_, "o", _, "rewriteTo", ..]) RequireOwn(asker, parts[0]);
        return (method, parts) switch
        {
            ("GET" or "PUT", [var bucket, "iam"]) => PolicyAsync(context, bucket),
            ("GET", [""]) => ListBucketsAsync(context),
            ("POST", [""]) => MakeBucketAsync(context),
            ("GET", [var bucket]) => AnswerAsync(context, 200, Describe(bucket)),
            ("DELETE", [var bucket]) => RemoveBucketAsync(context, bucket),
            ("GET", [var bucket, "o"]) => ListAsync(context, bucket),
            ("GET", [var bucket, "o", var name]) => GetAsync(context, bucket, name),
            ("DELETE", [var bucket, "o", var name]) => DeleteAsync(context, bucket, name),
            ("PATCH" or "PUT", [var bucket, "o", var name]) => PatchAsync(context, bucket, name),
            ("POST", [var bucket, "o", var name, "rewriteTo" or "copyTo", "b", var toBucket, "o", var toName]) =>
                RewriteAsync(context, asker, (bucket, name), (toBucket, toName), parts[3] == "rewriteTo"),
            ("POST", [var bucket, "o", var name, "compose"]) => ComposeAsync(context, bucket, name),
            _ => throw new GcsProblem(404, "notFound", "Not Found", "NoSuchKey"),
        };
    }

    private Task ListBucketsAsync(HttpContext context)
    {
        if (context.Request.Query["project"].Count == 0) throw GcsProblem.Bad("Required parameter: project");
        lock (gate)
        {
            return AnswerAsync(context, 200, new JsonObject
            {
                ["kind"] = "storage#buckets",
                ["items"] = new JsonArray([.. buckets.Keys.Select(name => (JsonNode)DescribeBucket(name))]),
            });
        }
    }

    private async Task MakeBucketAsync(HttpContext context)
    {
        var body = await ReadJsonAsync(context);
        var name = (string?)body["name"] ?? "";
        if (name.Length is < 3 or > 63) throw GcsProblem.Bad($"Invalid bucket name: '{name}'");
        lock (gate)
        {
            if (!buckets.TryAdd(name, new SortedDictionary<string, GcsObject>(StringComparer.Ordinal)))
                throw new GcsProblem(409, "conflict", "You already own this bucket.", "BucketAlreadyOwnedByYou");
        }
        await AnswerAsync(context, 200, DescribeBucket(name));
    }

    private async Task RemoveBucketAsync(HttpContext context, string name)
    {
        lock (gate)
        {
            if (BucketOf(name).Count > 0)
                throw new GcsProblem(409, "conflict", "The bucket you tried to delete is not empty.", "BucketNotEmpty");
            buckets.Remove(name);
        }
        context.Response.StatusCode = 204;
        await context.Response.CompleteAsync();
    }

    private JsonObject Describe(string bucket)
    {
        lock (gate) BucketOf(bucket);
        return DescribeBucket(bucket);
    }

    private JsonObject DescribeBucket(string name) => new()
    {
        ["kind"] = "storage#bucket", ["id"] = name, ["name"] = name, ["location"] = "EU", ["storageClass"] = "STANDARD",
        ["timeCreated"] = "2026-01-01T00:00:00.000Z",
        ["iamConfiguration"] = new JsonObject
        {
            ["uniformBucketLevelAccess"] = new JsonObject { ["enabled"] = !fineGrained.Contains(name) },
        },
    };

    private Task ListAsync(HttpContext context, string bucket)
    {
        var query = context.Request.Query;
        var prefix = query["prefix"].ToString();
        var delimiter = query["delimiter"].ToString();
        var most = (int)Math.Min(Number(context, "maxResults") ?? PageMax, PageMax);
        var after = query["pageToken"].ToString() is { Length: > 0 } token
            ? Encoding.UTF8.GetString(Convert.FromBase64String(token)) : null;
        var items = new JsonArray();
        var prefixes = new JsonArray();
        string? last = null, next = null;
        lock (gate)
        {
            foreach (var (name, found) in BucketOf(bucket))
            {
                if (!name.StartsWith(prefix, StringComparison.Ordinal)) continue;
                if (after is not null && (string.CompareOrdinal(name, after) <= 0
                    || (delimiter.Length > 0 && after.EndsWith(delimiter, StringComparison.Ordinal)
                        && name.StartsWith(after, StringComparison.Ordinal) && after.Length > prefix.Length))) continue;
                var cut = delimiter.Length > 0
                    ? name.IndexOf(delimiter, prefix.Length, StringComparison.Ordinal) : -1;
                var common = cut < 0 ? null : name[..(cut + delimiter.Length)];
                if (common is not null && common == last) continue;
                if (items.Count + prefixes.Count == most)
                {
                    next = last;
                    break;
                }
                if (common is not null) prefixes.Add(common);
                else items.Add(Describe(bucket, found));
                last = common ?? name;
            }
        }
        var answer = new JsonObject { ["kind"] = "storage#objects" };
        if (items.Count > 0) answer["items"] = items;
        if (prefixes.Count > 0) answer["prefixes"] = prefixes;
        if (next is not null) answer["nextPageToken"] = Convert.ToBase64String(Encoding.UTF8.GetBytes(next));
        return AnswerAsync(context, 200, answer);
    }

    private Task GetAsync(HttpContext context, string bucket, string name)
    {
        GcsObject found;
        lock (gate) found = Wanted(context, ObjectOf(bucket, name), bucket);
        return context.Request.Query["alt"] == "media"
            ? SendAsync(context, found)
            : AnswerAsync(context, 200, Describe(bucket, found));
    }

    /// <summary>The object, if it is the one that generation and conditions ask for.</summary>
    private static GcsObject Wanted(HttpContext context, GcsObject found, string bucket, string prefix = "")
    {
        var generation = prefix.Length == 0 ? "generation" : prefix + "Generation";
        var match = prefix.Length == 0 ? "ifGenerationMatch" : "ifSourceGenerationMatch";
        if (Number(context, generation) is { } wanted && wanted != found.Generation)
            throw GcsProblem.NoObject(bucket, found.Name);
        if (Number(context, match) is { } matched && matched != found.Generation) throw GcsProblem.Precondition();
        return found;
    }

    private async Task DeleteAsync(HttpContext context, string bucket, string name)
    {
        lock (gate)
        {
            Wanted(context, ObjectOf(bucket, name), bucket);
            BucketOf(bucket).Remove(name);
        }
        context.Response.StatusCode = 204;
        await context.Response.CompleteAsync();
    }

    private async Task PatchAsync(HttpContext context, string bucket, string name)
    {
        var body = await ReadJsonAsync(context);
        GcsObject changed;
        lock (gate)
        {
            var found = Wanted(context, ObjectOf(bucket, name), bucket);
            changed = BucketOf(bucket)[name] = found with
            {
                Metadata = MetadataOf(body) ?? found.Metadata, Metageneration = found.Metageneration + 1,
            };
        }
        await AnswerAsync(context, 200, Describe(bucket, changed));
    }

    /// <summary>Longer objects take several calls, as between locations and storage classes.</summary>
    public long RewriteBytesPerCall { get; set; } = long.MaxValue;

    private async Task RewriteAsync(
        HttpContext context, string asker, (string Bucket, string Name) from, (string Bucket, string Name) to,
        bool isRewrite)
    {
        RequireReadable(asker, from.Bucket, from.Name);
        RequireOwn(asker, to.Bucket);
        var body = await ReadJsonAsync(context);
        GcsObject source;
        lock (gate) source = Wanted(context, ObjectOf(from.Bucket, from.Name), from.Bucket, "source");
        var token = context.Request.Query["rewriteToken"].ToString();
        var before = token.Length == 0 ? 0 : long.Parse(token.Split('.')[^1], CultureInfo.InvariantCulture);
        if (token.Length > 0 && token != $"rw.{source.Generation}.{before}") throw GcsProblem.Bad(
            "Invalid rewrite token.");
        var done = Math.Min(source.Content.Length, before + Math.Min(RewriteBytesPerCall, long.MaxValue - before));
        if (isRewrite && done < source.Content.Length)
        {
            await AnswerAsync(context, 200, new JsonObject
            {
                ["kind"] = "storage#rewriteResponse", ["totalBytesRewritten"] = Text(done),
                ["objectSize"] = Text(source.Content.Length), ["done"] = false,
                ["rewriteToken"] = $"rw.{source.Generation}.{done}",
            });
            return;
        }
        var made = Put(
            to.Bucket, to.Name, source.Content, (string?)body["contentType"] ?? source.ContentType,
            MetadataOf(body) ?? source.Metadata, Number(context, "ifGenerationMatch"));
        var resource = Describe(to.Bucket, made);
        await AnswerAsync(context, 200, !isRewrite ? resource : new JsonObject
        {
            ["kind"] = "storage#rewriteResponse", ["totalBytesRewritten"] = Text(source.Content.Length),
            ["objectSize"] = Text(source.Content.Length), ["done"] = true, ["resource"] = resource,
        });
    }

    private async Task ComposeAsync(HttpContext context, string bucket, string name)
    {
        var body = await ReadJsonAsync(context);
        var sources = body["sourceObjects"]?.AsArray() ?? throw GcsProblem.Bad("Required: sourceObjects");
        if (sources.Count is < 1 or > 32) throw GcsProblem.Bad("The number of source components is out of range.");
        var content = new Blob();
        lock (gate)
        {
            foreach (var source in sources) content.Append(ObjectOf(bucket, (string)source!["name"]!).Content);
        }
        var made = Put(
            bucket, name, content, (string?)body["destination"]?["contentType"] ?? "",
            MetadataOf(body["destination"]?.AsObject() ?? []) ?? new Dictionary<string, string>(),
            Number(context, "ifGenerationMatch"));
        await AnswerAsync(context, 200, Describe(bucket, made));
    }

    private static JsonObject Describe(string bucket, GcsObject found)
    {
        var described = new JsonObject
        {
            ["kind"] = "storage#object", ["id"] = $"{bucket}/{found.Name}/{found.Generation}", ["name"] = found.Name,
            ["bucket"] = bucket, ["generation"] = Text(found.Generation),
            ["metageneration"] = Text(found.Metageneration), ["contentType"] = found.ContentType,
            ["storageClass"] = "STANDARD", ["size"] = Text(found.Content.Length), ["md5Hash"] = found.Md5,
            ["crc32c"] = Crc32C.Of(found.Content), ["etag"] = $"CAE{found.Generation}",
            ["timeCreated"] = Time(found.Created), ["updated"] = Time(found.Created),
            ["mediaLink"] = $"https://{Storage}/download/storage/v1/b/{bucket}/o/"
                + $"{Uri.EscapeDataString(found.Name)}?generation={found.Generation}&alt=media",
        };
        if (found.Metadata.Count > 0)
            described["metadata"] = new JsonObject(found.Metadata.Select(
                m => KeyValuePair.Create(m.Key, (JsonNode?)m.Value)));
        return described;
    }

    private async Task SendAsync(HttpContext context, GcsObject found)
    {
        var headers = context.Response.Headers;
        headers["x-goog-generation"] = Text(found.Generation);
        headers["x-goog-metageneration"] = Text(found.Metageneration);
        headers["x-goog-stored-content-length"] = Text(found.Content.Length);
        headers["x-goog-hash"] = new[] { $"crc32c={Crc32C.Of(found.Content)}", $"md5={found.Md5}" };
        foreach (var (name, value) in found.Metadata) headers[$"x-goog-meta-{name}"] = value;
        headers.ETag = $"\"{Convert.ToHexStringLower(Convert.FromBase64String(found.Md5))}\"";
        headers.LastModified = found.Created.ToString("R", CultureInfo.InvariantCulture);
        context.Response.ContentType = found.ContentType;
        var (from, length) = (0L, found.Content.Length);
        if (RangeHeaderValue.TryParse(context.Request.Headers.Range.ToString(), out var range)
            && range.Ranges.Count == 1)
        {
            var one = range.Ranges.First();
            from = one.From ?? Math.Max(0, length - one.To!.Value);
            var to = Math.Min(one.From is null ? length - 1 : one.To ?? length - 1, length - 1);
            if (from >= length)
            {
                context.Response.Headers.ContentRange = $"bytes */{length}";
                throw new GcsProblem(
                    416, "requestedRangeNotSatisfiable", "The requested range cannot be satisfied.", "InvalidRange");
            }
            context.Response.StatusCode = 206;
            headers.ContentRange = $"bytes {from}-{to}/{length}";
            length = to - from + 1;
        }
        context.Response.ContentLength = length;
        if (!HttpMethods.IsHead(context.Request.Method))
            await found.Content.WriteAsync(context.Response.Body, from, length, context.RequestAborted);
    }

    private static Dictionary<string, string>? MetadataOf(JsonNode body) =>
        body["metadata"] is JsonObject metadata
            ? metadata.ToDictionary(m => m.Key, m => (string?)m.Value ?? "", StringComparer.Ordinal) : null;

    private static async Task<JsonObject> ReadJsonAsync(HttpContext context)
    {
        var body = await Blob.ReadAsync(context.Request.Body, context.RequestAborted, 1 << 20);
        return body.Length == 0 ? [] : JsonNode.Parse(body.ToArray())?.AsObject() ?? [];
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Time(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
}
