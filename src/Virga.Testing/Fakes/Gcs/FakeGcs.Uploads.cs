using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace Virga.Testing.Fakes.Gcs;

/// <summary>Uploads of the JSON API: simple, multipart/related, and resumable sessions.</summary>
public sealed partial class FakeGcs
{
    // "Resumable uploads": chunks but the last are multiples of 256 KiB.
    private const int ChunkMultiple = 256 << 10;

    private Task UploadAsync(HttpContext context, string path)
    {
        Authorize(context, toWrite: true);
        var parts = path.Split('/').Select(Uri.UnescapeDataString).ToArray();
        if (parts is not [var bucket, "o"]) throw new GcsProblem(404, "notFound", "Not Found", "NoSuchKey");
        var query = context.Request.Query;
        if (query["upload_id"].ToString() is { Length: > 0 } id)
            return context.Request.Method == "DELETE" ? CancelAsync(context, id) : ContinueAsync(context, id);
        return query["uploadType"].ToString() switch
        {
            "media" => InsertMediaAsync(context, bucket),
            "multipart" => InsertRelatedAsync(context, bucket),
            "resumable" => BeginAsync(context, bucket),
            var other => throw GcsProblem.Bad($"Invalid upload type: {other}"),
        };
    }

    private async Task InsertMediaAsync(HttpContext context, string bucket)
    {
        var name = context.Request.Query["name"].ToString();
        var content = await Blob.ReadAsync(context.Request.Body, context.RequestAborted);
        await AnswerStoredAsync(context, bucket, Put(
            bucket, name, content, context.Request.ContentType ?? "application/octet-stream",
            new Dictionary<string, string>(), Number(context, "ifGenerationMatch")));
    }

    private async Task InsertRelatedAsync(HttpContext context, string bucket)
    {
        var type = MediaTypeHeaderValue.Parse(context.Request.ContentType);
        var boundary = HeaderUtilities.RemoveQuotes(type.Boundary).Value
            ?? throw GcsProblem.Bad("Media type must be multipart/related with a boundary.");
        var reader = new MultipartReader(boundary, context.Request.Body);
        var first = await reader.ReadNextSectionAsync(context.RequestAborted) ?? throw GcsProblem.Bad("No metadata.");
        var metadata = JsonNode.Parse(
            (await Blob.ReadAsync(first.Body, context.RequestAborted, 1 << 20)).ToArray())!.AsObject();
        var second = await reader.ReadNextSectionAsync(context.RequestAborted) ?? throw GcsProblem.Bad("No media.");
        var content = await Blob.ReadAsync(second.Body, context.RequestAborted);
        var name = (string?)metadata["name"] ?? context.Request.Query["name"].ToString();
        CheckHashes(metadata, content);
        await AnswerStoredAsync(context, bucket, Put(
            bucket, name, content, (string?)metadata["contentType"] ?? second.ContentType ?? "application/octet-stream",
            MetadataOf(metadata) ?? new Dictionary<string, string>(), Number(context, "ifGenerationMatch")));
    }

    private static void CheckHashes(JsonObject metadata, Blob content)
    {
        if ((string?)metadata["crc32c"] is { } crc && crc != Crc32C.Of(content))
            throw GcsProblem.Bad($"Provided CRC32C \"{crc}\" doesn't match calculated CRC32C.");
        if ((string?)metadata["md5Hash"] is { } md5
            && md5 != Convert.ToBase64String(content.Hash(System.Security.Cryptography.HashAlgorithmName.MD5)))
            throw GcsProblem.Bad($"Provided MD5 hash \"{md5}\" doesn't match calculated MD5 hash.");
    }

    private async Task BeginAsync(HttpContext context, string bucket)
    {
        var metadata = await ReadJsonAsync(context);
        var name = (string?)metadata["name"] ?? context.Request.Query["name"].ToString();
        CheckName(name);
        string id;
        lock (gate)
        {
            BucketOf(bucket);
            id = $"ABg{++lastSession}";
            sessions[id] = new GcsSession(
                bucket, name,
                (string?)metadata["contentType"] ?? context.Request.Headers["X-Upload-Content-Type"].ToString(),
                Clock.GetUtcNow())
            {
                Metadata = MetadataOf(metadata) ?? [], IfGenerationMatch = Number(context, "ifGenerationMatch"),
            };
        }
        context.Response.Headers.Location =
            $"https://{Storage}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={id}";
        context.Response.Headers["X-GUploader-UploadID"] = id;
        context.Response.ContentLength = 0;
    }

    private async Task ContinueAsync(HttpContext context, string id)
    {
        GcsSession session;
        lock (gate) session = sessions.GetValueOrDefault(id) ?? throw GcsProblem.NoUpload();
        var body = await Blob.ReadAsync(context.Request.Body, context.RequestAborted);
        // "bytes 0-262143/*", "bytes 0-99/100", "bytes */100", "bytes */*"; none at all for the whole at once.
        var text = context.Request.Headers.ContentRange.ToString();
        var (offset, total) = text.Length == 0 ? (0L, (long?)body.Length) : ParseRange(text, body.Length);
        lock (gate)
        {
            if (offset is { } at && at != session.Content.Length)
                throw new GcsProblem(503, "backendError", "The chunk begins at another offset.", "InternalError");
            var isLast = total is { } known && session.Content.Length + body.Length == known;
            if (offset is not null && !isLast && body.Length % ChunkMultiple != 0)
                throw GcsProblem.Bad("The chunk's length must be a multiple of 256 KiB.");
            session.Content.Append(body);
            if (!isLast)
            {
                context.Response.StatusCode = 308;
                if (session.Content.Length > 0)
                    context.Response.Headers.Range = $"bytes=0-{session.Content.Length - 1}";
                context.Response.ContentLength = 0;
                // Go's client takes a 308 for a redirect unless this says that it is none.
                if (context.Request.Headers["X-GUploader-No-308"] == "yes")
                {
                    context.Response.StatusCode = 200;
                    context.Response.Headers["X-Http-Status-Code-Override"] = "308";
                }
                return;
            }
            sessions.Remove(id);
        }
        await AnswerStoredAsync(context, session.Bucket, Put(
            session.Bucket, session.Name, session.Content, session.ContentType, session.Metadata,
            session.IfGenerationMatch));
    }

    private static (long? Offset, long? Total) ParseRange(string text, long length)
    {
        var match = RangeForm().Match(text);
        if (!match.Success) throw GcsProblem.Bad($"Failed to parse Content-Range header: {text}");
        long? total = match.Groups["total"].Value is var all && all == "*" ? null : Number(all);
        if (!match.Groups["from"].Success) return (null, total);
        var (from, to) = (Number(match.Groups["from"].Value), Number(match.Groups["to"].Value));
        if (to - from + 1 != length) throw GcsProblem.Bad("Content-Range does not match the body's length.");
        return (from, total);

        static long Number(string digits) => long.Parse(digits, CultureInfo.InvariantCulture);
    }

    [GeneratedRegex(@"^bytes (\*|(?<from>\d{1,15})-(?<to>\d{1,15}))/(?<total>\*|\d{1,15})$")]
    private static partial Regex RangeForm();

    private async Task CancelAsync(HttpContext context, string id)
    {
        lock (gate)
        {
            if (!sessions.Remove(id)) throw GcsProblem.NoUpload();
        }
        context.Response.StatusCode = 499;
        await context.Response.CompleteAsync();
    }

    private static Task AnswerStoredAsync(HttpContext context, string bucket, GcsObject made) =>
        AnswerAsync(context, 200, Describe(bucket, made));
}
