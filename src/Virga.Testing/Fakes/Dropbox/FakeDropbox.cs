using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Virga.Testing.Fakes.OAuth;

namespace Virga.Testing.Fakes.Dropbox;

/// <summary>
/// Dropbox, API version 2, after its own description (dropbox-api-spec: files.stone, users.stone, common.stone,
/// auth.stone): routes, argument and error shapes, scopes, sessions, cursors, revisions, names. Where the description
/// leaves something open, the fake takes the stricter reading.
/// </summary>
public sealed partial class FakeDropbox(TimeProvider clock) : FakeService(clock)
{
    private const string Rpc = "api.dropboxapi.com", Transport = "content.dropboxapi.com",
        Notify = "notify.dropboxapi.com", Pages = "www.dropbox.com", Links = ".dl.dropboxusercontent.com";

    /// <summary>A single request takes at most 150 MiB (files.stone, upload).</summary>
    private const long RequestBytesMax = 150L << 20;

    private const long FileBytesMax = (1L << 41) - (1L << 22);

    public static readonly IReadOnlyList<string> AllScopes =
    [
        "account_info.read", "files.metadata.read", "files.metadata.write", "files.content.read", "files.content.write",
    ];

    private readonly Lock gate = new();
    private readonly Dictionary<string, (DropboxUser User, string[] Scopes, TokenState State)> tokens =
        new(StringComparer.Ordinal);
    private readonly Dictionary<string, DropboxNode> copyReferences = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (DropboxNode Node, DateTimeOffset Until)> links = new(StringComparer.Ordinal);
    private int people;

    private enum TokenState { Good, Expired, Revoked }

    public override IReadOnlyList<string> Hosts => [Rpc, Transport, Notify, Pages, "*" + Links];

    /// <summary>Who gives tokens for <see cref="Linked"/>; null where tests make them up.</summary>
    public AuthorizationServer? Authorization { get; set; }

    /// <summary>Whose Dropbox it is that is linked.</summary>
    public DropboxUser? Linked { get; set; }

    /// <summary>Somebody's new and empty Dropbox, and a token for it.</summary>
    public (DropboxUser User, string Token) AddUser(params string[] scopes)
    {
        lock (gate)
        {
            var user = new DropboxUser($"u{++people}", Clock);
            return (user, AddToken(user, scopes));
        }
    }

    /// <summary>Another token of the same person's.</summary>
    public string AddToken(DropboxUser user, params string[] scopes)
    {
        lock (gate)
        {
            var token = $"sl.fake-{user.Name}-{tokens.Count}";
            tokens[token] = (user, scopes.Length == 0 ? [.. AllScopes] : scopes, TokenState.Good);
            return token;
        }
    }

    /// <summary>Four hours are over.</summary>
    public void Expire(string token) => Set(token, TokenState.Expired);

    /// <summary>Its owner has unlinked the app.</summary>
    public void Revoke(string token) => Set(token, TokenState.Revoked);

    private void Set(string token, TokenState state)
    {
        lock (gate) tokens[token] = tokens[token] with { State = state };
    }

    protected override string OperationOf(HttpRequest request) =>
        request.Path.Value is { } path && path.StartsWith("/2/", StringComparison.Ordinal) ? path[3..] : "link";

    protected override Task RefuseThrottledAsync(HttpContext context, TimeSpan? retryAfter)
    {
        if (retryAfter is { } wait) context.Response.Headers.RetryAfter = $"{wait.TotalSeconds:0}";
        var error = new JsonObject { ["reason"] = new JsonObject { [".tag"] = "too_many_requests" } };
        if (retryAfter is { } told) error["retry_after"] = (long)told.TotalSeconds;
        return AnswerAsync(
            context, 429, new JsonObject { ["error_summary"] = "too_many_requests/..", ["error"] = error });
    }

    protected override Task RefuseExpiredAsync(HttpContext context) =>
        AnswerAsync(context, DropboxProblem.Unauthorized("expired_access_token"));

    protected override async Task HandleAsync(HttpContext context, string operation)
    {
        if (Authorization is { } server && await server.TryAnswerAsync(context)) return;
        try
        {
            if (context.Request.Host.Host.EndsWith(Links, StringComparison.Ordinal))
                await ReadLinkAsync(context);
            else await RouteAsync(context, operation);
        }
        catch (DropboxProblem problem)
        {
            await AnswerAsync(context, problem);
        }
        catch (JsonException e)
        {
            await AnswerAsync(
                context, DropboxProblem.BadInput(operation, $"could not decode input as JSON: {e.Message}"));
        }
    }

    private Task RouteAsync(HttpContext context, string route)
    {
        if (context.Request.Method != "POST")
            throw DropboxProblem.BadInput(route, "Your request method is wrong: POST is taken alone");
        return context.Request.Host.Host switch
        {
            Rpc => CallAsync(context, route),
            Transport => TransportAsync(context, route),
            _ => throw DropboxProblem.BadInput(route, "this route is not on this host"),
        };
    }

    /// <summary>Who asks; refuses what the token doesn't allow.</summary>
    private DropboxUser UserOf(HttpContext context, string scope)
    {
        var header = context.Request.Headers.Authorization.ToString();
        if (!header.StartsWith("Bearer ", StringComparison.Ordinal))
            throw DropboxProblem.BadInput(context.Request.Path, "Must provide HTTP header \"Authorization\"");
        if (Linked is not null && Authorization?.ScopesOf(header[7..]) is { } given)
        {
            return given.Contains(scope, StringComparer.Ordinal) ? Linked
                : throw DropboxProblem.Unauthorized("missing_scope", new JsonObject { ["required_scope"] = scope });
        }
        lock (gate)
        {
            if (!tokens.TryGetValue(header[7..], out var token) || token.State == TokenState.Revoked)
                throw DropboxProblem.Unauthorized("invalid_access_token");
            if (token.State == TokenState.Expired) throw DropboxProblem.Unauthorized("expired_access_token");
            if (!token.Scopes.Contains(scope, StringComparer.Ordinal))
                throw DropboxProblem.Unauthorized("missing_scope", new JsonObject { ["required_scope"] = scope });
            return token.User;
        }
    }

    private static Task AnswerAsync(HttpContext context, DropboxProblem problem)
    {
        if (problem.Body is not null) return AnswerAsync(context, problem.Status, problem.Body);
        context.Response.StatusCode = problem.Status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync(problem.Message, context.RequestAborted);
    }

    private static Task AnswerAsync(HttpContext context, int status, JsonNode? body)
    {
        var bytes = body is null ? "null"u8.ToArray() : JsonSerializer.SerializeToUtf8Bytes(body);
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = bytes.Length;
        return context.Response.Body.WriteAsync(bytes, context.RequestAborted).AsTask();
    }
}
