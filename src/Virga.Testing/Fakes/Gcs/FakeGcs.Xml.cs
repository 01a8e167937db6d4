using System.Globalization;
using System.Security.Cryptography;
using System.Xml.Linq;
using Microsoft.AspNetCore.Http;

namespace Virga.Testing.Fakes.Gcs;

/// <summary>Objects and multipart uploads of the XML API, in path style.</summary>
public sealed partial class FakeGcs
{
    // "XML API multipart uploads": parts but the last have 5 MiB to 5 GiB, and there are 10,000 of them at most.
    private const long PartBytesMin = 5L << 20, PartBytesMax = 5L << 30;
    private const int PartsMax = 10_000;

    private Task XmlAsync(HttpContext context, string path, string operation)
    {
        var at = path.IndexOf('/', StringComparison.Ordinal);
        var bucket = Uri.UnescapeDataString(at < 0 ? path : path[..at]);
        var name = at < 0 ? "" : Uri.UnescapeDataString(path[(at + 1)..]);
        if (context.Request.Query.ContainsKey("X-Goog-Signature")) AuthorizeSigned(context, path);
        else RequireOwn(
            Authorize(
                context,
                toWrite: operation is not ("xml.get" or "xml.head" or "multipart.list" or "multipart.parts")),
            bucket);
        return operation switch
        {
            "xml.get" or "xml.head" => XmlGetAsync(context, bucket, name),
            "xml.put" => XmlPutAsync(context, bucket, name),
            "multipart.begin" => BeginPartsAsync(context, bucket, name),
            "multipart.part" => PutPartAsync(context, bucket, name),
            "multipart.complete" => CompletePartsAsync(context, bucket, name),
            "multipart.abort" => AbortPartsAsync(context, bucket, name),
            "multipart.list" => ListUploadsAsync(context, bucket),
            "multipart.parts" => ListPartsAsync(context, bucket, name),
            _ => throw new GcsProblem(405, "invalid", "The method is not allowed.", "MethodNotAllowed"),
        };
    }

    private Task XmlGetAsync(HttpContext context, string bucket, string name)
    {
        GcsObject found;
        lock (gate) found = Wanted(context, ObjectOf(bucket, name), bucket);
        if (context.Request.Headers["x-goog-if-generation-match"].FirstOrDefault() is { } wanted
            && wanted != Text(found.Generation))
            throw GcsProblem.Precondition();
        return SendAsync(context, found);
    }

    private async Task XmlPutAsync(HttpContext context, string bucket, string name)
    {
        var content = await Blob.ReadAsync(context.Request.Body, context.RequestAborted);
        var match = context.Request.Headers["x-goog-if-generation-match"].FirstOrDefault();
        var made = Put(
            bucket, name, content, context.Request.ContentType ?? "application/octet-stream",
            HeaderMetadata(context), match is null ? null : long.Parse(match, CultureInfo.InvariantCulture));
        context.Response.Headers["x-goog-generation"] = Text(made.Generation);
        context.Response.Headers["x-goog-hash"] = new[] { $"crc32c={Crc32C.Of(content)}", $"md5={made.Md5}" };
        context.Response.Headers.ETag = $"\"{Convert.ToHexStringLower(Convert.FromBase64String(made.Md5))}\"";
        context.Response.ContentLength = 0;
    }

    private static Dictionary<string, string> HeaderMetadata(HttpContext context) =>
        context.Request.Headers.Where(h => h.Key.StartsWith("x-goog-meta-", StringComparison.OrdinalIgnoreCase))
            .ToDictionary(h => h.Key[12..].ToLowerInvariant(), h => h.Value.ToString(), StringComparer.Ordinal);

    private Task BeginPartsAsync(HttpContext context, string bucket, string name)
    {
        CheckName(name);
        string id;
        lock (gate)
        {
            BucketOf(bucket);
            id = $"VXBs{++lastSession}";
            sessions[id] = new GcsSession(
                bucket, name, context.Request.ContentType ?? "application/octet-stream", Clock.GetUtcNow())
            {
                Metadata = HeaderMetadata(context),
            };
        }
        return AnswerAsync(context, 200, new XElement(
            "InitiateMultipartUploadResult", new XElement("Bucket", bucket), new XElement("Key", name),
            new XElement("UploadId", id)));
    }

    private GcsSession SessionOf(HttpContext context, string bucket, string name) =>
        sessions.GetValueOrDefault(context.Request.Query["uploadId"].ToString()) is { } session
            && session.Bucket == bucket && session.Name == name ? session : throw GcsProblem.NoUpload();

    private async Task PutPartAsync(HttpContext context, string bucket, string name)
    {
        lock (gate) SessionOf(context, bucket, name);
        var number = Number(context, "partNumber") ?? 0;
        if (number is < 1 or > PartsMax) throw GcsProblem.Bad("The part number is out of range.");
        var content = await Blob.ReadAsync(context.Request.Body, context.RequestAborted);
        if (content.Length > PartBytesMax) throw GcsProblem.Bad("The part is too large.");
        var etag = $"\"{Convert.ToHexStringLower(content.Hash(HashAlgorithmName.MD5))}\"";
        lock (gate) SessionOf(context, bucket, name).Parts[(int)number] = (content, etag);
        context.Response.Headers.ETag = etag;
        context.Response.Headers["x-goog-hash"] = $"crc32c={Crc32C.Of(content)}";
        context.Response.ContentLength = 0;
    }

    private async Task CompletePartsAsync(HttpContext context, string bucket, string name)
    {
        var body = await Blob.ReadAsync(context.Request.Body, context.RequestAborted, 4 << 20);
        var listed = XDocument.Load(new MemoryStream(body.ToArray())).Root!.Elements("Part")
            .Select(p => (Number: (int)p.Element("PartNumber")!, ETag: (string)p.Element("ETag")!)).ToList();
        GcsSession session;
        var content = new Blob();
        lock (gate)
        {
            session = SessionOf(context, bucket, name);
            for (var i = 0; i < listed.Count; i++)
            {
                if (i > 0 && listed[i].Number <= listed[i - 1].Number)
                    throw new GcsProblem(400, "invalid", "The parts are not in order.", "InvalidPartOrder");
                if (!session.Parts.TryGetValue(listed[i].Number, out var part)
                    || part.ETag.Trim('"') != listed[i].ETag.Trim('"'))
                    throw new GcsProblem(400, "invalid", "A part was not found.", "InvalidPart");
                if (i < listed.Count - 1 && part.Content.Length < PartBytesMin)
                    throw new GcsProblem(400, "invalid", "A part is smaller than 5 MiB.", "EntityTooSmall");
                content.Append(part.Content);
            }
            if (listed.Count == 0) throw GcsProblem.Bad("There must be a part.");
            sessions.Remove(context.Request.Query["uploadId"].ToString());
        }
        var made = Put(bucket, name, content, session.ContentType, session.Metadata, null);
        context.Response.Headers["x-goog-generation"] = Text(made.Generation);
        await AnswerAsync(context, 200, new XElement(
            "CompleteMultipartUploadResult", new XElement("Bucket", bucket), new XElement("Key", name),
            new XElement("ETag", $"\"{made.Generation}-{listed.Count}\"")));
    }

    private async Task AbortPartsAsync(HttpContext context, string bucket, string name)
    {
        lock (gate)
        {
            SessionOf(context, bucket, name);
            sessions.Remove(context.Request.Query["uploadId"].ToString());
        }
        context.Response.StatusCode = 204;
        await context.Response.CompleteAsync();
    }

    private Task ListUploadsAsync(HttpContext context, string bucket)
    {
        var query = context.Request.Query;
        var most = (int)Math.Min(Number(context, "max-uploads") ?? PageMax, PageMax);
        var encodes = query["encoding-type"] == "url";
        lock (gate)
        {
            BucketOf(bucket);
            var all = sessions.Where(s => s.Key.StartsWith("VXBs", StringComparison.Ordinal) && s.Value.Bucket == bucket
                    && s.Value.Name.StartsWith(query["prefix"].ToString(), StringComparison.Ordinal))
                .OrderBy(s => s.Value.Name, StringComparer.Ordinal).ThenBy(s => s.Key, StringComparer.Ordinal)
                .SkipWhile(s => query["key-marker"].ToString() is { Length: > 0 } key
                    && (string.CompareOrdinal(s.Value.Name, key) < 0 || (s.Value.Name == key
                        && string.CompareOrdinal(s.Key, query["upload-id-marker"].ToString()) <= 0)))
                .ToList();
            var page = all.Take(most).ToList();
            var result = new XElement(
                "ListMultipartUploadsResult", new XElement("Bucket", bucket),
                new XElement("IsTruncated", all.Count > most ? "true" : "false"));
            if (all.Count > most)
            {
                result.Add(new XElement("NextKeyMarker", Shown(page[^1].Value.Name)));
                result.Add(new XElement("NextUploadIdMarker", page[^1].Key));
            }
            foreach (var (id, session) in page)
            {
                result.Add(new XElement(
                    "Upload", new XElement("Key", Shown(session.Name)), new XElement("UploadId", id),
                    new XElement("Initiated", Time(session.Begun))));
            }
            return AnswerAsync(context, 200, result);
        }

        string Shown(string name) => encodes ? Uri.EscapeDataString(name) : name;
    }

    private Task ListPartsAsync(HttpContext context, string bucket, string name)
    {
        lock (gate)
        {
            var session = SessionOf(context, bucket, name);
            return AnswerAsync(context, 200, new XElement(
                "ListPartsResult", session.Parts.Take((int)(Number(context, "max-parts") ?? PageMax)).Select(
                    p => new XElement(
                        "Part", new XElement("PartNumber", p.Key), new XElement("ETag", p.Value.ETag),
                        new XElement("Size", p.Value.Content.Length)))));
        }
    }
}
