using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Virga.Testing.Fakes.B2;

/// <summary>The calls whose arguments and answers are JSON. Called behind the gate.</summary>
public sealed partial class FakeB2
{
    private JsonObject Call(HttpContext context, string operation, JsonObject arguments)
    {
        Allow(context, operation switch
        {
            "b2_list_buckets" => "listBuckets",
            "b2_create_bucket" => "writeBuckets",
            "b2_delete_bucket" => "deleteBuckets",
            "b2_list_file_names" or "b2_list_file_versions" or "b2_list_unfinished_large_files" => "listFiles",
            "b2_get_file_info" => "readFiles",
            "b2_delete_file_version" => "deleteFiles",
            _ => "writeFiles",
        });
        return operation switch
        {
            "b2_list_buckets" => ListBuckets(arguments),
            "b2_create_bucket" => CreateBucket(Text(arguments, "bucketName")),
            "b2_delete_bucket" => DeleteBucket(Text(arguments, "bucketId")),
            "b2_list_file_names" => ListNames(arguments),
            "b2_list_file_versions" => ListVersions(arguments),
            "b2_list_unfinished_large_files" => ListUnfinished(arguments),
            "b2_get_file_info" => Describe(Found(Text(arguments, "fileId"))),
            "b2_get_upload_url" => NewUpload("file", BucketOf(arguments)),
            "b2_get_upload_part_url" => NewUpload("part", Begun(Text(arguments, "fileId")).Id),
            "b2_hide_file" => Hide(BucketOf(arguments), Text(arguments, "fileName")),
            "b2_delete_file_version" => DeleteVersion(arguments),
            "b2_copy_file" => Copy(arguments),
            "b2_start_large_file" => Start(arguments),
            "b2_finish_large_file" => Finish(arguments),
            "b2_copy_part" => CopyPart(arguments),
            "b2_cancel_large_file" => Cancel(Text(arguments, "fileId")),
            "b2_list_parts" => ListParts(arguments),
            _ => throw B2Problem.Bad($"unknown operation {operation}"),
        };
    }

    private static string Text(JsonObject arguments, string name) =>
        (string?)arguments[name] is { Length: > 0 } text ? text
            : throw B2Problem.Bad($"required field {name} is missing");

    private string BucketOf(JsonObject arguments)
    {
        var id = Text(arguments, "bucketId");
        return buckets.ContainsValue(id) ? id
            : throw new B2Problem(400, "bad_bucket_id", $"Bucket does not exist: {id}");
    }

    private B2File Found(string id) =>
        files.FirstOrDefault(f => f.Id == id) ?? throw B2Problem.NoFile($"bad fileId: {id}");

    private B2File Begun(string id) => files.FirstOrDefault(f => f.Id == id && f.Action == "start")
        ?? throw B2Problem.Bad($"No active upload for: {id}");

    private B2File Add(string bucket, string name, string action, string type, Dictionary<string, string> info)
    {
        // "Files", "File names": up to 1,024 bytes of UTF-8, no control characters, no '/' at either end nor "//".
        if (Encoding.UTF8.GetByteCount(name) is < 1 or > 1024 || name.Any(c => c is < ' ' or '\u007f' or '\\')
            || name.StartsWith('/') || name.EndsWith('/') || name.Contains("//", StringComparison.Ordinal))
            throw B2Problem.Bad($"File name is not valid: {name}");
        if (info.Count > 10) throw B2Problem.Bad("too many file infos");
        var file = new B2File(
            $"4_z{bucket}_f{++counter:x16}", bucket, name, lastTime = Math.Max(lastTime + 1, Now()), action)
        {
            ContentType = type is "b2/x-auto" or "" ? "application/octet-stream" : type, Info = info,
        };
        files.Add(file);
        return file;
    }

    private long Now() => Clock.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>The newest version of each name, if it is no hide marker, by the bytes of the names.</summary>
    private IEnumerable<B2File> Visible(string bucket) => files
        .Where(f => f.Bucket == bucket && f.Action != "start")
        .GroupBy(f => f.Name, StringComparer.Ordinal)
        .Select(g => g.MaxBy(f => f.Timestamp)!)
        .Where(f => f.Action == "upload")
        .OrderBy(f => f.Name, Utf8Order);

    private static readonly Comparer<string> Utf8Order = Comparer<string>.Create(
        (a, b) => Encoding.UTF8.GetBytes(a).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(b)));

    private JsonObject ListBuckets(JsonObject arguments)
    {
        var all = buckets.Where(b => ((string?)arguments["bucketName"] ?? b.Key) == b.Key
            && ((string?)arguments["bucketId"] ?? b.Value) == b.Value);
        return new JsonObject { ["buckets"] = new JsonArray([.. all.Select(b => (JsonNode)Bucket(b.Key))]) };
    }

    private JsonObject Bucket(string name) => new()
    {
        ["accountId"] = AccountId, ["bucketId"] = buckets[name], ["bucketName"] = name, ["bucketType"] = "allPrivate",
    };

    private JsonObject CreateBucket(string name)
    {
        if (name.Length is < 6 or > 63) throw new B2Problem(400, "bad_request", "Invalid bucketName");
        if (!buckets.TryAdd(name, $"b{++counter:x23}"))
            throw new B2Problem(400, "duplicate_bucket_name", "Bucket name is already in use.");
        return Bucket(name);
    }

    private JsonObject DeleteBucket(string id)
    {
        if (files.Exists(f => f.Bucket == id))
            throw new B2Problem(400, "cannot_delete_non_empty_bucket", "Cannot delete non-empty bucket");
        buckets.Remove(buckets.First(b => b.Value == id).Key);
        return [];
    }

    private JsonObject ListNames(JsonObject arguments)
    {
        var (prefix, delimiter) = ((string?)arguments["prefix"] ?? "", (string?)arguments["delimiter"] ?? "");
        var most = Math.Min((int?)arguments["maxFileCount"] ?? 100, 10_000);
        var start = (string?)arguments["startFileName"];
        var page = new JsonArray();
        string? folder = null, next = null;
        foreach (var file in Visible(BucketOf(arguments)))
        {
            if (!file.Name.StartsWith(prefix, StringComparison.Ordinal)) continue;
            var cut = delimiter.Length > 0 ? file.Name.IndexOf(delimiter, prefix.Length, StringComparison.Ordinal) : -1;
            var shown = cut < 0 ? file.Name : file.Name[..(cut + 1)];
            if (start is not null && Utf8Order.Compare(shown, start) < 0) continue;
            if (cut >= 0 && shown == folder) continue;
            if (page.Count == most)
            {
                next = shown;
                break;
            }
            if (cut >= 0) folder = shown;
            page.Add(cut < 0 ? Describe(file) : new JsonObject
            {
                ["action"] = "folder", ["fileName"] = shown, ["fileId"] = null, ["contentLength"] = 0, ["size"] = 0,
                ["uploadTimestamp"] = 0, ["fileInfo"] = new JsonObject(),
            });
        }
        return new JsonObject { ["files"] = page, ["nextFileName"] = next };
    }

    private JsonObject ListVersions(JsonObject arguments)
    {
        var prefix = (string?)arguments["prefix"] ?? "";
        var most = Math.Min((int?)arguments["maxFileCount"] ?? 100, 10_000);
        var (start, startId) = ((string?)arguments["startFileName"], (string?)arguments["startFileId"]);
        var all = files.Where(f => f.Bucket == BucketOf(arguments)
                && f.Name.StartsWith(prefix, StringComparison.Ordinal))
            .OrderBy(f => f.Name, Utf8Order).ThenByDescending(f => f.Timestamp)
            .SkipWhile(f => start is not null && (Utf8Order.Compare(f.Name, start) < 0
                || (f.Name == start && startId is not null && f.Id != startId)))
            .ToList();
        var after = all.Skip(most).FirstOrDefault();
        return new JsonObject
        {
            ["files"] = new JsonArray([.. all.Take(most).Select(f => (JsonNode)Describe(f))]),
            ["nextFileName"] = after?.Name, ["nextFileId"] = after?.Id,
        };
    }

    private JsonObject ListUnfinished(JsonObject arguments)
    {
        var prefix = (string?)arguments["namePrefix"] ?? "";
        var most = Math.Min((int?)arguments["maxFileCount"] ?? 100, 100);
        var all = files.Where(f => f.Bucket == BucketOf(arguments) && f.Action == "start"
                && f.Name.StartsWith(prefix, StringComparison.Ordinal))
            .OrderBy(f => f.Id, StringComparer.Ordinal)
            .SkipWhile(f => (string?)arguments["startFileId"] is { } id
                && string.CompareOrdinal(f.Id, id) < 0).ToList();
        return new JsonObject
        {
            ["files"] = new JsonArray([.. all.Take(most).Select(f => (JsonNode)Describe(f))]),
            ["nextFileId"] = all.Skip(most).FirstOrDefault()?.Id,
        };
    }

    private JsonObject NewUpload(string kind, string target)
    {
        var token = $"{kind}|{target}|{++counter}";
        uploadTokens.Add(token);
        return new JsonObject
        {
            [kind == "file" ? "bucketId" : "fileId"] = target,
            ["uploadUrl"] = $"https://{Pod}/b2api/v1/b2_upload_{kind}/{counter}", ["authorizationToken"] = token,
        };
    }

    private JsonObject Hide(string bucket, string name)
    {
        if (!Visible(bucket).Any(f => f.Name == name))
            throw new B2Problem(400, "no_such_file", $"File not present: {name}");
        return Describe(Add(bucket, name, "hide", "application/x-bz-hide-marker", []));
    }

    private JsonObject DeleteVersion(JsonObject arguments)
    {
        var file = files.FirstOrDefault(
            f => f.Id == Text(arguments, "fileId") && f.Name == Text(arguments, "fileName"))
            ?? throw new B2Problem(400, "file_not_present", "file version not present");
        files.Remove(file);
        return new JsonObject { ["fileId"] = file.Id, ["fileName"] = file.Name };
    }

    private JsonObject Copy(JsonObject arguments)
    {
        var source = Found(Text(arguments, "sourceFileId"));
        if (source.Content.Length > 5_000_000_000) throw B2Problem.Bad("Source is too large; use b2_copy_part");
        var bucket = (string?)arguments["destinationBucketId"] ?? source.Bucket;
        var replaces = (string?)arguments["metadataDirective"] == "REPLACE";
        var copy = Add(
            bucket, Text(arguments, "fileName"), "upload",
            replaces ? Text(arguments, "contentType") : source.ContentType,
            replaces ? InfoOf(arguments) : new Dictionary<string, string>(source.Info));
        (copy.Content, copy.Sha1) = (source.Content, source.Sha1);
        return Describe(copy);
    }

    private JsonObject CopyPart(JsonObject arguments)
    {
        var (source, file) = (Found(Text(arguments, "sourceFileId")), Begun(Text(arguments, "largeFileId")));
        var range = Text(arguments, "range")["bytes=".Length..].Split('-').Select(long.Parse).ToArray();
        var content = new Blob();
        foreach (var slice in source.Content.Slices(range[0], range[1] - range[0] + 1)) content.Append(slice.ToArray());
        var sha1 = Convert.ToHexStringLower(content.Hash(System.Security.Cryptography.HashAlgorithmName.SHA1));
        file.Parts[(int)arguments["partNumber"]!] = (content, sha1);
        return new JsonObject { ["fileId"] = file.Id, ["contentSha1"] = sha1, ["contentLength"] = content.Length };
    }

    private static Dictionary<string, string> InfoOf(JsonObject arguments) =>
        (arguments["fileInfo"] as JsonObject)?.ToDictionary(i => i.Key.ToLowerInvariant(), i => (string?)i.Value ?? "")
            ?? [];

    private JsonObject Start(JsonObject arguments) => Describe(Add(
        BucketOf(arguments), Text(arguments, "fileName"), "start", Text(arguments, "contentType"), InfoOf(arguments)));

    private JsonObject Finish(JsonObject arguments)
    {
        var file = Begun(Text(arguments, "fileId"));
        var sums = (arguments["partSha1Array"]?.AsArray() ?? []).Select(s => (string?)s).ToList();
        if (sums.Count < 2) throw B2Problem.Bad("large files must have at least 2 parts");
        if (sums.Count != file.Parts.Count) throw B2Problem.Bad("partSha1Array does not fit the parts");
        var content = new Blob();
        for (var i = 0; i < sums.Count; i++)
        {
            if (!file.Parts.TryGetValue(i + 1, out var part) || part.Sha1 != sums[i])
                throw B2Problem.Bad($"Part number {i + 1} has not been uploaded, or its checksum differs");
            if (i < sums.Count - 1 && part.Content.Length < PartBytesMin)
                throw B2Problem.Bad($"Part number {i + 1} is smaller than {PartBytesMin} bytes");
            content.Append(part.Content);
        }
        files.Remove(file);
        var made = new B2File(file.Id, file.Bucket, file.Name, lastTime = Math.Max(lastTime + 1, Now()), "upload")
        {
            ContentType = file.ContentType, Info = file.Info, Content = content,
        };
        files.Add(made);
        return Describe(made);
    }

    private JsonObject Cancel(string id)
    {
        var file = Begun(id);
        files.Remove(file);
        return new JsonObject { ["fileId"] = id, ["bucketId"] = file.Bucket, ["fileName"] = file.Name };
    }

    private JsonObject ListParts(JsonObject arguments)
    {
        var file = Begun(Text(arguments, "fileId"));
        return new JsonObject
        {
            ["parts"] = new JsonArray([.. file.Parts.Take((int?)arguments["maxPartCount"] ?? 100).Select(
                p => (JsonNode)new JsonObject
                {
                    ["partNumber"] = p.Key, ["contentLength"] = p.Value.Content.Length, ["contentSha1"] = p.Value.Sha1,
                })]),
            ["nextPartNumber"] = null,
        };
    }

    private static JsonObject Describe(B2File file) => new()
    {
        ["accountId"] = AccountId, ["action"] = file.Action, ["bucketId"] = file.Bucket, ["fileId"] = file.Id,
        ["fileName"] = file.Name, ["contentLength"] = file.Content.Length, ["size"] = file.Content.Length,
        ["contentSha1"] = file.Sha1, ["contentType"] = file.ContentType, ["uploadTimestamp"] = file.Timestamp,
        ["fileInfo"] = new JsonObject(file.Info.Select(i => KeyValuePair.Create(i.Key, (JsonNode?)i.Value))),
    };
}
