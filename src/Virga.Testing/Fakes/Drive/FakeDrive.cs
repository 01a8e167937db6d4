using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Virga.Testing.Fakes.Drive;

/// <summary>
/// Google Drive, API version 3, after developers.google.com/drive/api: files, resumable and multipart uploads, searches
/// with field masks, changes, quotas. Names are no keys: a folder may hold many items of one name.
/// </summary>
public sealed partial class FakeDrive(TimeProvider clock) : FakeService(clock)
{
    private const string Scope = "https://www.googleapis.com/auth/", Full = Scope + "drive",
        OwnFiles = Scope + "drive.file", Reading = Scope + "drive.readonly";

    private readonly Lock gate = new();
    private readonly Dictionary<string, DriveToken> tokens = new(StringComparer.Ordinal);
    private readonly List<DriveUser> users = [];
    private int people;

    public override IReadOnlyList<string> Hosts => ["www.googleapis.com", "oauth2.googleapis.com"];

    /// <summary>Somebody's new and empty Drive, and a token for it.</summary>
    /// <param name="access">drive, drive.file or drive.readonly.</param>
    public (DriveUser User, string Token) AddUser(string access = "drive")
    {
        lock (gate)
        {
            var user = new DriveUser($"u{++people}", Clock);
            users.Add(user);
            return (user, AddToken(user, access));
        }
    }

    /// <param name="app">The OAuth client; files of others are not seen with drive.file.</param>
    public string AddToken(DriveUser user, string access = "drive", string app = "virga")
    {
        lock (gate)
        {
            var token = $"ya29.fake-{user.Name}-{tokens.Count}";
            tokens[token] = new DriveToken(user, Scope + access, app);
            return token;
        }
    }

    /// <summary>Its hour is over, or its owner has taken it back: the service says the same of both.</summary>
    public void Expire(string token)
    {
        lock (gate) tokens[token] = tokens[token] with { IsGood = false };
    }

    protected override string OperationOf(HttpRequest request)
    {
        var path = request.Path.Value ?? "";
        if (path.StartsWith("/upload/", StringComparison.Ordinal))
            return request.Query.ContainsKey("upload_id")
                ? "upload.chunk" : $"upload.{request.Query["uploadType"]}";
        if (!path.StartsWith("/drive/v3/", StringComparison.Ordinal)) return path;
        var names = path["/drive/v3/".Length..].Split('/');
        return (names, request.Method) switch
        {
            (["files"], "GET") => "files.list",
            (["files"], _) => "files.create",
            (["files", "generateIds"], _) => "files.generateIds",
            (["files", "trash"], _) => "files.emptyTrash",
            (["files", _], "GET") => request.Query["alt"] == "media" ? "files.media" : "files.get",
            (["files", _], "PATCH") => "files.update",
            (["files", _], "DELETE") => "files.delete",
            (["files", _, "copy"], _) => "files.copy",
            (["files", _, "permissions"], "POST") => "permissions.create",
            (["files", _, "permissions", _], "DELETE") => "permissions.delete",
            (["about"], _) => "about.get",
            (["changes", "startPageToken"], _) => "changes.getStartPageToken",
            (["changes"], _) => "changes.list",
            _ => path,
        };
    }

    // Drive words it as 403, or as 429 (handle-errors, "429: Too many requests"); both are seen.
    protected override Task RefuseThrottledAsync(HttpContext context, TimeSpan? retryAfter)
    {
        if (retryAfter is not { } wait) return AnswerAsync(context, DriveProblem.Limit());
        context.Response.Headers.RetryAfter = $"{wait.TotalSeconds:0}";
        return AnswerAsync(
            context, new DriveProblem(429, "rateLimitExceeded", "Rate Limit Exceeded", "usageLimits"));
    }

    protected override Task RefuseExpiredAsync(HttpContext context) => AnswerAsync(context, Unauthorized());

    protected override Task RefuseBrokenAsync(HttpContext context) =>
        AnswerAsync(context, new DriveProblem(500, "backendError", "Internal Error"));

    private static DriveProblem Unauthorized() => new(401, "authError", "Invalid Credentials");

    protected override async Task HandleAsync(HttpContext context, string operation)
    {
        try
        {
            await RouteAsync(context, operation);
        }
        catch (DriveProblem problem)
        {
            await AnswerAsync(context, problem);
        }
        catch (JsonException)
        {
            await AnswerAsync(context, new DriveProblem(400, "parseError", "Parse Error"));
        }
    }

    private async Task RouteAsync(HttpContext context, string operation)
    {
        var caller = CallerOf(context);
        var isWrite = operation is not ("files.list" or "files.get" or "files.media" or "about.get"
            or "changes.list" or "changes.getStartPageToken");
        if (isWrite && caller.Scope == Reading)
            throw new DriveProblem(
                403, "insufficientPermissions", "Request had insufficient authentication scopes.");
        switch (operation)
        {
            case "files.media":
                await DownloadAsync(context, caller);
                return;
            case "upload.resumable":
                await StartAsync(context, caller);
                return;
            case "upload.chunk":
                await TakeChunkAsync(context, caller);
                return;
            case "upload.multipart":
                await TakeMultipartAsync(context, caller);
                return;
            default:
                await CallAsync(context, caller, operation);
                return;
        }
    }

    private DriveToken CallerOf(HttpContext context)
    {
        var header = context.Request.Headers.Authorization.ToString();
        lock (gate)
        {
            return header.StartsWith("Bearer ", StringComparison.Ordinal)
                && tokens.TryGetValue(header[7..], out var token) && token.IsGood
                ? token
                : throw Unauthorized();
        }
    }

    private static Task AnswerAsync(HttpContext context, DriveProblem problem) =>
        AnswerAsync(context, problem.Status, problem.Body);

    private static Task AnswerAsync(HttpContext context, int status, JsonNode? body)
    {
        var bytes = body is null ? [] : JsonSerializer.SerializeToUtf8Bytes(body);
        context.Response.StatusCode = status;
        if (status == StatusCodes.Status204NoContent) return Task.CompletedTask;
        context.Response.ContentType = "application/json; charset=UTF-8";
        context.Response.ContentLength = bytes.Length;
        return context.Response.Body.WriteAsync(bytes, context.RequestAborted).AsTask();
    }
}

/// <summary>Who asks, and what for.</summary>
internal sealed record DriveToken(DriveUser User, string Scope, string App, bool IsGood = true)
{
    /// <summary>Scope drive.file: only what this client made, and the root.</summary>
    public bool Sees(DriveItem item) =>
        !Scope.EndsWith("drive.file", StringComparison.Ordinal) || item.App == App || item.Id == User.RootId;
}
