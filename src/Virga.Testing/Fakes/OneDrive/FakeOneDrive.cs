using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;

namespace Virga.Testing.Fakes.OneDrive;

/// <summary>
/// OneDrive by Microsoft Graph, version 1.0 (learn.microsoft.com/graph/api/resources/onedrive), personal or for
/// business: items by id and by path, upload sessions, pre-authenticated downloads, the log of changes, names that
/// Windows could hold. Missing folders are not made by an upload: the documents don't promise it.
/// </summary>
public sealed partial class FakeOneDrive(TimeProvider clock) : FakeService(clock)
{
    private const string Graph = "graph.microsoft.com", Uploads = ".up.1drv.com", Downloads = ".files.1drv.com",
        Monitor = "api.onedrive.com", SharePoint = ".sharepoint.com";

    private readonly Lock gate = new();
    private readonly Dictionary<string, OneDriveToken> tokens = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> copies = new(StringComparer.Ordinal);
    private readonly List<OneDriveUser> people = [];

    public override IReadOnlyList<string> Hosts => [Graph, Monitor, "*" + Uploads, "*" + Downloads, "*" + SharePoint];

    public (OneDriveUser User, string Token) AddUser(string scope = "Files.ReadWrite", bool isBusiness = false)
    {
        lock (gate)
        {
            var user = new OneDriveUser($"u{people.Count}", Clock, isBusiness);
            people.Add(user);
            return (user, AddToken(user, scope));
        }
    }

    public string AddToken(OneDriveUser user, string scope = "Files.ReadWrite")
    {
        lock (gate)
        {
            var token = $"EwB4.fake-{user.Name}-{tokens.Count}";
            tokens[token] = new OneDriveToken(user, scope);
            return token;
        }
    }

    public void Expire(string token)
    {
        lock (gate) tokens[token] = tokens[token] with { IsGood = false };
    }

    protected override string OperationOf(HttpRequest request)
    {
        var host = request.Host.Host;
        if (host.EndsWith(Uploads, StringComparison.Ordinal)) return "fragment";
        if (host.EndsWith(Downloads, StringComparison.Ordinal)) return "download";
        if (host.EndsWith(SharePoint, StringComparison.Ordinal))
            return request.Path.StartsWithSegments("/_api", StringComparison.Ordinal) ? "fragment" : "download";
        if (host == Monitor) return "monitor";
        var (_, call) = Address(request);
        return $"{request.Method} {(call.Length > 0 ? call : "item")}";
    }

    protected override Task RefuseThrottledAsync(HttpContext context, TimeSpan? retryAfter)
    {
        if (retryAfter is { } wait) context.Response.Headers.RetryAfter = $"{wait.TotalSeconds:0}";
        return AnswerAsync(context, new OneDriveProblem(429, "activityLimitReached", "Too many requests"));
    }

    protected override Task RefuseExpiredAsync(HttpContext context) =>
        AnswerAsync(context, OneDriveProblem.Unauthorized());

    protected override Task RefuseBrokenAsync(HttpContext context) =>
        AnswerAsync(context, new OneDriveProblem(500, "generalException", "An unspecified error has occurred."));

    protected override async Task HandleAsync(HttpContext context, string operation)
    {
        try
        {
            await (operation switch
            {
                "fragment" => FragmentAsync(context),
                "download" => DownloadAsync(context),
                "monitor" => AnswerAsync(context, 200, Copied(context)),
                _ => CallAsync(context),
            });
        }
        catch (OneDriveProblem problem)
        {
            await AnswerAsync(context, problem);
        }
        catch (JsonException)
        {
            await AnswerAsync(context, OneDriveProblem.Bad("The request is malformed or incorrect."));
        }
    }

    // /v1.0/drives/ID/root, .../root:/a/b:/call, .../items/ID/call, .../items/ID:/a/b:/call, /v1.0/me/drive/...
    [GeneratedRegex(
        @"\A/v1\.0/(?<drive>drives/[^/]+|me/drive)(/(?<base>root|special/approot|items/[^/:]+)(:/(?<path>.*?)(:|\z))?)?"
            + @"(/(?<call>[A-Za-z]+))?\z",
        RegexOptions.Singleline)]
    private static partial Regex Addresses();

    private static (Match Match, string Call) Address(HttpRequest request)
    {
        var match = Addresses().Match(request.Path.Value ?? "");
        return (match, match.Groups["call"].Value);
    }

    private async Task CallAsync(HttpContext context)
    {
        var (match, call) = Address(context.Request);
        if (!match.Success) throw OneDriveProblem.Bad("Unsupported segment type.");
        var caller = CallerOf(context);
        if (context.Request.Method != "GET" && !caller.Scope.Contains("Write", StringComparison.Ordinal))
            throw OneDriveProblem.Denied();
        var drive = match.Groups["drive"].Value;
        if (drive != "me/drive" && drive != $"drives/{caller.User.DriveId}") throw OneDriveProblem.Missing();
        var isContent = call == "content";
        var body = context.Request.Method is "POST" or "PATCH" && context.Request.ContentLength is not 0
            ? await JsonNode.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted) as JsonObject
                ?? throw OneDriveProblem.Bad("Entity only allows writes with a JSON Content-Type header.")
            : [];
        var content = isContent && context.Request.Method == "PUT"
            ? await Blob.ReadAsync(context.Request.Body, context.RequestAborted) : null;
        (int Status, JsonNode? Told) answer;
        lock (caller.User.Gate)
        {
            var place = Find(caller.User, match);
            if (!caller.Allows(place)) throw OneDriveProblem.Denied();
            answer = (context.Request.Method, call) switch
            {
                ("GET", "") when !match.Groups["base"].Success => (200, Drive(caller.User)),
                ("GET", "") => (200, place.Item().Describe(caller.User)),
                ("GET", "children") => (200, Children(context, caller.User, place.Item())),
                ("GET", "delta") => (200, Delta(context, caller.User, place.Item())),
                ("GET", "content") => Redirect(context, caller.User, place.Item()),
                ("POST", "children") => (201, MakeFolder(caller.User, place.Item(), body)),
                ("POST", "createUploadSession") => (200, StartSession(caller.User, place, body)),
                ("POST", "copy") => StartCopy(context, caller.User, place.Item(), body),
                ("PUT", "content") => Put(context, caller.User, place, content!),
                ("PATCH", "") => (200, Change(caller.User, place.Item(), body)),
                ("DELETE", "") => Delete(context, caller.User, place.Item()),
                _ => throw OneDriveProblem.Bad("Unsupported segment type."),
            };
        }
        await AnswerAsync(context, answer.Status, answer.Told);
    }

    private OneDriveToken CallerOf(HttpContext context)
    {
        var header = context.Request.Headers.Authorization.ToString();
        lock (gate)
        {
            return header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)
                && tokens.TryGetValue(header[7..], out var token) && token.IsGood
                ? token
                : throw OneDriveProblem.Unauthorized();
        }
    }

    private static OneDrivePlace Find(OneDriveUser user, Match match)
    {
        var start = match.Groups["base"].Value;
        var item = start.StartsWith("items/", StringComparison.Ordinal) && start["items/".Length..] != "root"
            ? user.Items.GetValueOrDefault(Uri.UnescapeDataString(start["items/".Length..]))
            : start == "special/approot" ? user.AppFolder() : user.Root;
        if (item is null) return new OneDrivePlace(null, "", null);
        var names = match.Groups["path"].Value.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (names.Length == 0) return new OneDrivePlace(null, "", item);
        OneDriveItem? folder = item;
        foreach (var name in names[..^1]) folder = folder is null ? null : user.Child(folder, name);
        return folder is not { IsFolder: true, IsNotebook: false }
            ? new OneDrivePlace(null, "", null)
            : new OneDrivePlace(folder, names[^1], user.Child(folder, names[^1]));
    }

    private static Task AnswerAsync(HttpContext context, OneDriveProblem problem) =>
        AnswerAsync(context, problem.Status, problem.Body);

    private static Task AnswerAsync(HttpContext context, int status, JsonNode? body)
    {
        var bytes = body is null ? [] : JsonSerializer.SerializeToUtf8Bytes(body);
        context.Response.StatusCode = status;
        if (body is not null) context.Response.ContentType = "application/json";
        if (status is not (204 or 302)) context.Response.ContentLength = bytes.Length;
        return bytes.Length == 0
            ? Task.CompletedTask
            : context.Response.Body.WriteAsync(bytes, context.RequestAborted).AsTask();
    }

    private JsonNode Copied(HttpContext context)
    {
        lock (gate)
        {
            return copies.TryGetValue(context.Request.Path.Value!.Split('/')[^1], out var id)
                ? new JsonObject { ["status"] = "completed", ["percentageComplete"] = 100.0, ["resourceId"] = id }
                : throw OneDriveProblem.Missing();
        }
    }

    private async Task DownloadAsync(HttpContext context)
    {
        var link = context.Request.Path.Value!.Split('/')[^1];
        Blob? content = null;
        lock (gate)
        {
            foreach (var user in people)
                lock (user.Gate) content ??= user.Linked(link)?.Content;
        }
        if (content is null) throw OneDriveProblem.Missing();
        await ByteRanges.SendAsync(context, content);
    }

    private async Task FragmentAsync(HttpContext context)
    {
        // The URL alone opens the session; a token beside it is borne, since rclone sends one.
        var id = context.Request.Path.Value!.Split('/')[^1];
        OneDriveUser? owner;
        lock (gate) owner = people.FirstOrDefault(user => user.Sessions.ContainsKey(id));
        var body = await Blob.ReadAsync(
            context.Request.Body, context.RequestAborted, OneDriveSession.FragmentBytesMax);
        if (owner is null) throw OneDriveProblem.Missing();
        (int Status, JsonNode? Told) answer;
        lock (owner.Gate) answer = Take(context, owner, id, body);
        await AnswerAsync(context, answer.Status, answer.Told);
    }

    private (int Status, JsonNode? Told) Take(HttpContext context, OneDriveUser user, string id, Blob body)
    {
        if (!user.Sessions.TryGetValue(id, out var session) || session.Ends < Clock.GetUtcNow())
            throw OneDriveProblem.Missing();
        if (context.Request.Method == "DELETE")
        {
            user.Sessions.Remove(id);
            return (204, null);
        }
        if (context.Request.Method == "GET") return (200, State(session));
        var match = Fragments().Match(context.Request.Headers.ContentRange.ToString());
        if (context.Request.Method != "PUT" || !match.Success)
            throw OneDriveProblem.Bad("The Content-Range header is missing or malformed.");
        var (first, last, total) = (Number("first"), Number("last"), Number("total"));
        if (session.Total is { } known && known != total) throw OneDriveProblem.Bad("The total size was changed.");
        if (body.Length > OneDriveSession.FragmentBytesMax)
            throw new OneDriveProblem(413, "invalidRequest", "Maximum request length exceeded.");
        if (first != session.Content.Length || last >= total)
            throw new OneDriveProblem(
                416, "invalidRange", "The uploaded fragment overlaps with already received data.");
        if (last - first + 1 != body.Length) throw OneDriveProblem.Bad("Declared fragment length differs.");
        if (last + 1 != total && body.Length % OneDriveSession.MultipleBytes != 0)
            throw OneDriveProblem.Bad("The fragment's size is not a multiple of 327680.");
        session.Total = total;
        session.Content.Append(body);
        session.Ends = Clock.GetUtcNow() + OneDriveSession.Life;
        if (session.Content.Length < total) return (202, State(session));
        // A commit that is refused leaves the session.
        var answer = Commit(
            user, user.Items.GetValueOrDefault(session.Parent) ?? throw OneDriveProblem.Missing(), session.Name,
            session.Conflict, session.Content, session.ClientModified);
        user.Sessions.Remove(id);
        return answer;

        long Number(string name) => long.Parse(match.Groups[name].Value, CultureInfo.InvariantCulture);
    }

    private static JsonObject State(OneDriveSession session) => new()
    {
        ["expirationDateTime"] = OneDriveItem.Time(session.Ends),
        ["nextExpectedRanges"] = new JsonArray($"{session.Content.Length}-"),
    };

    [GeneratedRegex(@"\Abytes (?<first>[0-9]{1,18})-(?<last>[0-9]{1,18})/(?<total>[0-9]{1,18})\z")]
    private static partial Regex Fragments();
}

/// <summary>Who asks, and what for.</summary>
internal sealed record OneDriveToken(OneDriveUser User, string Scope, bool IsGood = true)
{
    /// <summary>With scope Files.ReadWrite.AppFolder only what lies in the app's own folder.</summary>
    public bool Allows(OneDrivePlace place)
    {
        if (!Scope.EndsWith(".AppFolder", StringComparison.Ordinal)) return true;
        var own = User.AppFolder();
        for (var at = place.There ?? place.Folder; at is not null;)
        {
            if (at == own) return true;
            at = at.Parent is null ? null : User.Items[at.Parent];
        }
        return place is { There: null, Folder: null };
    }
}

/// <summary>Where a request's address leads; the item may be missing there.</summary>
internal sealed record OneDrivePlace(OneDriveItem? Folder, string Name, OneDriveItem? There)
{
    public OneDriveItem Item() => There ?? throw OneDriveProblem.Missing();
}
