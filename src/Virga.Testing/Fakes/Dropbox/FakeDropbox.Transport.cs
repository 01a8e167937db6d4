using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Virga.Testing.Fakes.Dropbox;

/// <summary>The routes whose bodies are bytes, with the arguments in a header (styles upload and download).</summary>
public sealed partial class FakeDropbox
{
    private const string ArgumentHeader = "Dropbox-API-Arg", ResultHeader = "Dropbox-API-Result";

    private static readonly string[] CommitFields =
        ["path", "mode", "autorename", "client_modified", "mute", "property_groups", "strict_conflict"];

    private async Task TransportAsync(HttpContext context, string route)
    {
        switch (route)
        {
            case "files/download":
                await DownloadAsync(context, route);
                return;
            case "files/upload":
                await UploadAsync(context, route, Upload, [.. CommitFields, "content_hash"]);
                return;
            case "files/upload_session/start":
                await UploadAsync(context, route, Start, "close", "session_type", "content_hash");
                return;
            case "files/upload_session/append_v2":
                await UploadAsync(context, route, Append, "cursor", "close", "content_hash");
                return;
            case "files/upload_session/finish":
                await UploadAsync(context, route, FinishWith, "cursor", "commit", "content_hash");
                return;
            default:
                throw DropboxProblem.BadInput(route, "Unknown API function");
        }
    }

    private async Task UploadAsync(
        HttpContext context, string route, Func<DropboxUser, DropboxArguments, Blob, JsonNode?> call,
        params string[] known)
    {
        var user = UserOf(context, "files.content.write");
        if (context.Request.ContentType is not ("application/octet-stream" or "text/plain; charset=dropbox-cors-hack"))
            throw DropboxProblem.BadInput(
                route,
                $"Bad HTTP \"Content-Type\" header: \"{context.Request.ContentType}\". Expecting one of "
                    + "\"application/octet-stream\", \"text/plain; charset=dropbox-cors-hack\"");
        using var header = ArgumentsOf(context, route);
        var body = await Blob.ReadAsync(context.Request.Body, context.RequestAborted, RequestBytesMax);
        JsonNode? answer;
        lock (user.Gate)
        {
            var a = new DropboxArguments(route, header.RootElement, known);
            if (body.Length > RequestBytesMax) throw DropboxProblem.Of("payload_too_large");
            if (a.TextOrNull("content_hash") is { } hash && hash != DropboxNode.HashOf(body))
                throw DropboxProblem.Of("content_hash_mismatch");
            answer = call(user, a, body);
        }
        await AnswerAsync(context, 200, answer);
    }

    // "HTTP header safe JSON": whatever is no printable ASCII must be escaped (Dropbox, "HTTP documentation").
    private static JsonDocument ArgumentsOf(HttpContext context, string route)
    {
        var text = context.Request.Headers[ArgumentHeader].ToString();
        if (text.Length == 0) throw DropboxProblem.BadInput(route, $"Must provide HTTP header \"{ArgumentHeader}\"");
        return text.All(c => c is >= ' ' and < '\u007f')
            ? JsonDocument.Parse(text)
            : throw DropboxProblem.BadInput(route, $"HTTP header \"{ArgumentHeader}\": could not decode input as JSON");
    }

    private static JsonNode Upload(DropboxUser user, DropboxArguments a, Blob body) => Commit(user, a, body, "path");

    private static JsonNode Commit(DropboxUser user, DropboxArguments a, Blob content, string prefix)
    {
        var path = Checked(a, "path", WritePathOrId());
        var mode = a.Tag("mode", "add");
        var rev = mode == "update" ? a.Field("mode")!.Value.GetProperty("update").GetString() : null;
        if (mode is not ("add" or "overwrite" or "update")) throw a.Bad($"mode: unknown tag '{mode}'");
        RefuseWrite(user, DropboxTree.NamesOf(path, prefix, isWrite: true), prefix);
        var (parent, node) = user.Tree.Commit(
            path, mode, rev, a.Flag("autorename"), a.Time("client_modified"), a.Flag("strict_conflict"), content,
            prefix);
        return node.Describe(parent, withTag: false);
    }

    private JsonNode Start(DropboxUser user, DropboxArguments a, Blob body)
    {
        var isConcurrent = a.Tag("session_type", "sequential") == "concurrent";
        if (isConcurrent && body.Length > 0) throw DropboxProblem.Of("concurrent_session_data_not_allowed");
        if (isConcurrent && a.Flag("close")) throw DropboxProblem.Of("concurrent_session_close_not_allowed");
        var session = new DropboxSession(
            $"pid_upload_session:{user.Tree.NextNumber():x}", isConcurrent, Clock.GetUtcNow())
        {
            IsClosed = a.Flag("close"),
        };
        session.Content.Append(body);
        user.Sessions[session.Id] = session;
        return new JsonObject { ["session_id"] = session.Id };
    }

    private JsonNode? Append(DropboxUser user, DropboxArguments a, Blob body)
    {
        var (session, offset) = Session(user, a, "");
        if (session.IsClosed) throw DropboxProblem.Of("closed");
        var close = a.Flag("close");
        if (offset + body.Length > FileBytesMax) throw DropboxProblem.Of("too_large");
        if (session.IsConcurrent)
        {
            if (offset % DropboxSession.ConcurrentMultipleBytes != 0)
                throw DropboxProblem.Of("concurrent_session_invalid_offset");
            if (!close && body.Length % DropboxSession.ConcurrentMultipleBytes != 0)
                throw DropboxProblem.Of("concurrent_session_invalid_data_size");
            session.Add(offset, body);
        }
        else
        {
            CheckOffset(session, offset, "incorrect_offset");
            session.Content.Append(body);
        }
        session.IsClosed = close;
        return null;
    }

    private (DropboxSession Session, long Offset) Session(DropboxUser user, DropboxArguments a, string prefix)
    {
        var cursor = a.Struct("cursor", "session_id", "offset");
        if (!user.Sessions.TryGetValue(cursor.Text("session_id"), out var session)
            || Clock.GetUtcNow() - session.Started > DropboxSession.Life)
            throw DropboxProblem.Of(prefix + "not_found");
        return (session, cursor.Number("offset"));
    }

    private static void CheckOffset(DropboxSession session, long offset, string tags)
    {
        if (offset != session.Content.Length)
            throw DropboxProblem.Of(tags, new JsonObject { ["correct_offset"] = session.Content.Length });
    }

    private JsonNode FinishWith(DropboxUser user, DropboxArguments a, Blob body)
    {
        var (session, offset) = Session(user, a, "lookup_failed/");
        if (session.IsConcurrent)
        {
            if (body.Length > 0) throw DropboxProblem.Of("concurrent_session_data_not_allowed");
            if (!session.IsClosed) throw DropboxProblem.Of("concurrent_session_not_closed");
            if (!session.TryAssemble(offset)) throw DropboxProblem.Of("concurrent_session_missing_data");
        }
        CheckOffset(session, offset, "lookup_failed/incorrect_offset");
        session.Content.Append(body);
        var told = Commit(user, a.Struct("commit", CommitFields), session.Content, "path");
        user.Sessions.Remove(session.Id);
        return told;
    }

    private JsonObject FinishOne(DropboxUser user, DropboxArguments entry)
    {
        try
        {
            // Sessions of a batch must be closed (files.stone, upload_session/finish_batch).
            if (!Session(user, entry, "lookup_failed/").Session.IsClosed)
                throw DropboxProblem.Of("lookup_failed/not_closed");
            var told = FinishWith(user, entry, new Blob()).AsObject();
            told.Insert(0, ".tag", "success");
            return told;
        }
        catch (DropboxProblem problem) when (problem.Status == 409)
        {
            return new JsonObject { [".tag"] = "failure", ["failure"] = problem.Body!["error"]!.DeepClone() };
        }
    }

    private async Task DownloadAsync(HttpContext context, string route)
    {
        var user = UserOf(context, "files.content.read");
        if (context.Request.ContentType is not (null or "" or "application/octet-stream" or "text/plain"
            or "application/octet-stream; charset=utf-8" or "text/plain; charset=utf-8"))
            throw DropboxProblem.BadInput(
                route, $"Bad HTTP \"Content-Type\" header: \"{context.Request.ContentType}\"");
        using var header = ArgumentsOf(context, route);
        JsonNode told;
        DropboxNode node;
        lock (user.Gate)
        {
            var a = new DropboxArguments(route, header.RootElement, "path", "rev");
            (var parent, node) = user.Tree.Look(Checked(a, "path", ReadPath()), "path");
            if (node.IsFolder) throw DropboxProblem.Of("path/not_file");
            if (!node.IsDownloadable) throw DropboxProblem.Of("unsupported_file");
            told = node.Describe(parent, withTag: false);
        }
        context.Response.Headers[ResultHeader] = EscapedJson(told);
        context.Response.Headers.ETag = $"\"{node.Rev}\"";
        await ByteRanges.SendAsync(context, node.Content!);
    }

    private async Task ReadLinkAsync(HttpContext context)
    {
        (DropboxNode Node, DateTimeOffset Until) link;
        lock (gate)
        {
            var parts = context.Request.Path.Value!.Split('/');
            if (parts is not ["", "cd", "0", "get", var id, _] || !links.TryGetValue(id, out link))
                link = default;
        }
        if (link.Node is null || link.Until < Clock.GetUtcNow())
        {
            context.Response.StatusCode = link.Node is null ? 404 : 410;
            return;
        }
        await ByteRanges.SendAsync(context, link.Node.Content!);
    }

    private static string EscapedJson(JsonNode node) => string.Concat(node.ToJsonString().Select(
        c => c is >= ' ' and < '\u007f'
            ? c.ToString()
            : string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}")));
}
