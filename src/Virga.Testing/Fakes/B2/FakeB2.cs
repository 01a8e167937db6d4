using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Virga.Testing.Fakes.B2;

/// <summary>
/// Backblaze B2's native API (www.backblaze.com/apidocs), versions 1 and 2 as far as they are alike: keys, buckets,
/// versions of files, upload URLs that hold for one upload at a time, large files. Where the documents leave something
/// open, the fake takes the stricter reading.
/// </summary>
public sealed partial class FakeB2(TimeProvider clock) : FakeService(clock)
{
    private const string Entry = "api.backblazeb2.com", Api = "api001.backblazeb2.com",
        Download = "f001.backblazeb2.com", Pod = "pod-001.backblaze.com";
    private const string AccountId = "0123456789ab";

    // "Large files": parts but the last have 5 MB to 5 GB, 10,000 of them at most, at least two.
    private const long PartBytesMin = 5_000_000;
    private const int PartsMax = 10_000;

    private readonly Lock gate = new();
    private readonly Dictionary<string, (string Secret, string[] Capabilities)> keys = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (string[] Capabilities, DateTimeOffset Ends)> tokens =
        new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> buckets = new(StringComparer.Ordinal);
    private readonly List<B2File> files = [];
    private readonly HashSet<string> uploadTokens = new(StringComparer.Ordinal);
    private readonly HashSet<string> busyUploads = new(StringComparer.Ordinal);
    private long lastTime = 1_700_000_000_000;
    private int counter;

    public override IReadOnlyList<string> Hosts => [Entry, Api, Download, Pod];

    public static readonly IReadOnlyList<string> AllCapabilities =
        ["listBuckets", "listFiles", "readFiles", "shareFiles", "writeFiles", "deleteFiles", "writeBuckets",
            "deleteBuckets"];

    /// <summary>Large files that were begun and neither finished nor cancelled.</summary>
    public int OpenSessions
    {
        get
        {
            lock (gate) return files.Count(f => f.Action == "start");
        }
    }

    /// <summary>The names that a listing shows.</summary>
    public IReadOnlyList<string> NamesIn(string bucket)
    {
        lock (gate) return [.. Visible(buckets[bucket]).Select(f => f.Name)];
    }

    public void AddBucket(string name)
    {
        lock (gate) buckets.Add(name, $"b{++counter:x23}");
    }

    /// <summary>An application key: its id and secret.</summary>
    public (string Id, string Secret) AddKey(params string[] capabilities)
    {
        lock (gate)
        {
            var id = $"001{AccountId}{++counter:x10}";
            var secret = "K001" + Convert.ToHexStringLower(SHA1.HashData(Encoding.ASCII.GetBytes(id)))[..27];
            keys[id] = (secret, capabilities.Length > 0 ? capabilities : [.. AllCapabilities]);
            return (id, secret);
        }
    }

    /// <summary>A day is over.</summary>
    public void ExpireTokens()
    {
        lock (gate)
        {
            tokens.Clear();
            uploadTokens.Clear();
        }
    }

    protected override string OperationOf(HttpRequest request)
    {
        var path = request.Path.Value ?? "";
        return request.Host.Host == Pod
            ? (path.Contains("part", StringComparison.Ordinal) ? "upload_part" : "upload_file")
            : path.StartsWith("/file/", StringComparison.Ordinal) ? "download_by_name"
            : path[(path.LastIndexOf('/') + 1)..];
    }

    protected override Task RefuseThrottledAsync(HttpContext context, TimeSpan? retryAfter)
    {
        if (retryAfter is { } wait) context.Response.Headers.RetryAfter = $"{wait.TotalSeconds:0}";
        return AnswerAsync(context, new B2Problem(429, "too_many_requests", "slow down"));
    }

    protected override Task RefuseBrokenAsync(HttpContext context) =>
        AnswerAsync(context, new B2Problem(503, "service_unavailable", "c001_v0001 is too busy"));

    protected override Task RefuseExpiredAsync(HttpContext context) =>
        AnswerAsync(context, new B2Problem(401, "expired_auth_token", "Authorization token has expired"));

    protected override Task RefuseFullAsync(HttpContext context) => AnswerAsync(
        context, new B2Problem(403, "storage_cap_exceeded", "Cannot upload files, storage cap exceeded."));

    protected override async Task HandleAsync(HttpContext context, string operation)
    {
        try
        {
            await RouteAsync(context, operation);
        }
        catch (B2Problem problem)
        {
            await AnswerAsync(context, problem);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            await AnswerAsync(context, B2Problem.Bad(e.Message));
        }
    }

    private async Task RouteAsync(HttpContext context, string operation)
    {
        switch (operation)
        {
            case "b2_authorize_account":
                await AuthorizeAsync(context);
                return;
            case "upload_file" or "upload_part":
                await UploadAsync(context, operation == "upload_part");
                return;
            case "download_by_name" or "b2_download_file_by_id":
                Allow(context, "readFiles");
                await DownloadAsync(context, operation);
                return;
        }
        if (context.Request.Host.Host != Api) throw B2Problem.Bad("use the apiUrl of b2_authorize_account");
        var body = await Blob.ReadAsync(context.Request.Body, context.RequestAborted, 1 << 20);
        var arguments = JsonNode.Parse(body.ToArray())?.AsObject() ?? [];
        JsonObject answer;
        lock (gate) answer = Call(context, operation, arguments);
        await AnswerAsync(context, 200, answer);
    }

    private async Task AuthorizeAsync(HttpContext context)
    {
        var header = context.Request.Headers.Authorization.ToString();
        var pair = header.StartsWith("Basic ", StringComparison.Ordinal)
            ? Encoding.UTF8.GetString(Convert.FromBase64String(header[6..])).Split(':', 2) : [];
        JsonObject answer;
        lock (gate)
        {
            if (pair.Length != 2 || !keys.TryGetValue(pair[0], out var key) || key.Secret != pair[1])
                throw new B2Problem(401, "bad_auth_token", "Invalid authorization");
            var token = $"4_{AccountId}_{++counter}";
            tokens[token] = (key.Capabilities, Clock.GetUtcNow().AddHours(24));
            answer = new JsonObject
            {
                ["accountId"] = AccountId, ["authorizationToken"] = token, ["apiUrl"] = $"https://{Api}",
                ["downloadUrl"] = $"https://{Download}", ["recommendedPartSize"] = 100_000_000,
                ["absoluteMinimumPartSize"] = PartBytesMin, ["minimumPartSize"] = PartBytesMin,
                ["allowed"] = new JsonObject
                {
                    ["capabilities"] = new JsonArray([.. key.Capabilities.Select(c => (JsonNode)c)]),
                    ["bucketId"] = null, ["bucketName"] = null, ["namePrefix"] = null,
                },
            };
        }
        await AnswerAsync(context, 200, answer);
    }

    private void Allow(HttpContext context, string capability)
    {
        lock (gate)
        {
            if (!tokens.TryGetValue(context.Request.Headers.Authorization.ToString(), out var token))
                throw new B2Problem(401, "bad_auth_token", "Invalid authorization token");
            if (token.Ends < Clock.GetUtcNow())
                throw new B2Problem(401, "expired_auth_token", "Authorization token has expired");
            if (!token.Capabilities.Contains(capability, StringComparer.Ordinal))
                throw new B2Problem(401, "unauthorized", $"not entitled: {capability}");
        }
    }

    private async Task UploadAsync(HttpContext context, bool isPart)
    {
        var headers = context.Request.Headers;
        var token = headers.Authorization.ToString();
        lock (gate)
        {
            if (!uploadTokens.Contains(token)) throw new B2Problem(401, "bad_auth_token", "get a new upload URL");
            if (!busyUploads.Add(token)) throw new B2Problem(503, "service_unavailable", "this URL is in use");
        }
        try
        {
            var content = await Blob.ReadAsync(context.Request.Body, context.RequestAborted);
            var sha1 = headers["X-Bz-Content-Sha1"].ToString();
            if (sha1 == "hex_digits_at_end")
            {
                var all = content.ToArray();
                sha1 = Encoding.ASCII.GetString(all[^40..]);
                content = new Blob();
                content.Append(all[..^40]);
            }
            var own = Convert.ToHexStringLower(content.Hash(HashAlgorithmName.SHA1));
            if (sha1 != own) throw B2Problem.Bad("Sha1 did not match data received");
            JsonObject answer;
            lock (gate) answer = isPart ? StorePart(token, headers, content, own)
                : StoreFile(token, headers, content, own);
            await AnswerAsync(context, 200, answer);
        }
        finally
        {
            lock (gate) busyUploads.Remove(token);
        }
    }

    private JsonObject StoreFile(string token, IHeaderDictionary headers, Blob content, string sha1)
    {
        var file = Add(
            token.Split('|')[1], Uri.UnescapeDataString(headers["X-Bz-File-Name"].ToString()), "upload",
            headers.ContentType.ToString(), InfoOf(headers));
        (file.Content, file.Sha1) = (content, sha1);
        return Describe(file);
    }

    private JsonObject StorePart(string token, IHeaderDictionary headers, Blob content, string sha1)
    {
        var file = Begun(token.Split('|')[1]);
        var number = int.Parse(headers["X-Bz-Part-Number"].ToString(), CultureInfo.InvariantCulture);
        if (number is < 1 or > PartsMax) throw B2Problem.Bad("partNumber is out of range");
        file.Parts[number] = (content, sha1);
        return new JsonObject
        {
            ["fileId"] = file.Id, ["partNumber"] = number, ["contentLength"] = content.Length, ["contentSha1"] = sha1,
        };
    }

    private static Dictionary<string, string> InfoOf(IHeaderDictionary headers) =>
        headers.Where(h => h.Key.StartsWith("X-Bz-Info-", StringComparison.OrdinalIgnoreCase)).ToDictionary(
            h => h.Key[10..].ToLowerInvariant(), h => Uri.UnescapeDataString(h.Value.ToString()),
            StringComparer.Ordinal);

    private async Task DownloadAsync(HttpContext context, string operation)
    {
        B2File? file;
        lock (gate)
        {
            if (operation == "b2_download_file_by_id")
            {
                file = files.FirstOrDefault(
                    f => f.Id == context.Request.Query["fileId"].ToString() && f.Action == "upload");
            }
            else
            {
                var raw = context.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpRequestFeature>()!.RawTarget;
                var parts = raw.Split('?')[0]["/file/".Length..].Split('/', 2);
                if (!buckets.TryGetValue(parts[0], out var bucket))
                    throw new B2Problem(404, "not_found", $"bucket not found: {parts[0]}");
                var name = Uri.UnescapeDataString(parts[1].Replace('+', ' '));
                file = Visible(bucket).FirstOrDefault(f => f.Name == name);
            }
        }
        if (file is null) throw B2Problem.NoFile("File with such name does not exist.");
        var headers = context.Response.Headers;
        headers["X-Bz-File-Id"] = file.Id;
        headers["X-Bz-File-Name"] = Uri.EscapeDataString(file.Name).Replace("%2F", "/", StringComparison.Ordinal);
        headers["X-Bz-Content-Sha1"] = file.Sha1;
        headers["X-Bz-Upload-Timestamp"] = file.Timestamp.ToString(CultureInfo.InvariantCulture);
        foreach (var (name, value) in file.Info) headers[$"X-Bz-Info-{name}"] = Uri.EscapeDataString(value);
        context.Response.ContentType = file.ContentType;
        var (from, length) = (0L, file.Content.Length);
        if (RangeHeaderValue.TryParse(context.Request.Headers.Range.ToString(), out var range)
            && range.Ranges.Count == 1)
        {
            var one = range.Ranges.First();
            from = one.From ?? Math.Max(0, length - one.To!.Value);
            var to = Math.Min(one.From is null ? length - 1 : one.To ?? length - 1, length - 1);
            if (from >= length) throw new B2Problem(416, "range_not_satisfiable", "The Range is beyond the file");
            context.Response.StatusCode = 206;
            headers.ContentRange = $"bytes {from}-{to}/{length}";
            length = to - from + 1;
        }
        context.Response.ContentLength = length;
        if (!HttpMethods.IsHead(context.Request.Method))
            await file.Content.WriteAsync(context.Response.Body, from, length, context.RequestAborted);
    }

    private static Task AnswerAsync(HttpContext context, B2Problem problem) => AnswerAsync(
        context, problem.Status, new JsonObject
        {
            ["status"] = problem.Status, ["code"] = problem.Code, ["message"] = problem.Message,
        });

    private static Task AnswerAsync(HttpContext context, int status, JsonObject body)
    {
        context.Response.StatusCode = status;
        if (HttpMethods.IsHead(context.Request.Method)) return Task.CompletedTask;
        context.Response.ContentType = "application/json;charset=UTF-8";
        var bytes = JsonSerializer.SerializeToUtf8Bytes(body);
        context.Response.ContentLength = bytes.Length;
        return context.Response.Body.WriteAsync(bytes, context.RequestAborted).AsTask();
    }
}
