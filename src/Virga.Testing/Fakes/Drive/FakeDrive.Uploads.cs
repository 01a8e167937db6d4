using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace Virga.Testing.Fakes.Drive;

/// <summary>Bytes in and out (developers.google.com/drive/api/guides/manage-uploads, .../manage-downloads).</summary>
public sealed partial class FakeDrive
{
    private static string? TargetOf(HttpContext context) =>
        context.Request.Path.Value!.Split('/') is [_, "upload", "drive", "v3", "files", var id] ? id : null;

    private async Task StartAsync(HttpContext context, DriveToken caller)
    {
        var target = TargetOf(context);
        if (context.Request.Method != (target is null ? "POST" : "PATCH"))
            throw new DriveProblem(404, "notFound", "Not Found");
        var metadata = context.Request.ContentLength is 0
            ? []
            : await JsonNode.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted)
                as JsonObject ?? throw DriveProblem.Invalid("Bad Request");
        string id;
        lock (caller.User.Gate)
        {
            CheckWritable(metadata);
            if (target is not null && !Item(target, caller).CanEdit) throw NoRight();
            if (target is null && !Item((string?)(metadata["parents"] as JsonArray)?[0] ?? "root", caller).CanEdit)
                throw NoRight();
            var length = context.Request.Headers["X-Upload-Content-Length"].ToString();
            if (long.TryParse(length, CultureInfo.InvariantCulture, out var bytes)
                && bytes > caller.User.UploadBytesLeft) throw DriveProblem.UploadLimit();
            id = $"AD{caller.User.NextRevision()}";
            caller.User.Sessions[id] = new DriveSession(Clock.GetUtcNow(), target, metadata)
            {
                App = caller.App,
                Fields = FieldsOf(context.Request.Query),
                Total = length.Length > 0 ? bytes : null,
            };
        }
        context.Response.Headers.Location =
            $"https://{context.Request.Host}{context.Request.Path}?uploadType=resumable&upload_id={id}";
        context.Response.ContentLength = 0;
    }

    private async Task TakeChunkAsync(HttpContext context, DriveToken caller)
    {
        var id = context.Request.Query["upload_id"].ToString();
        DriveSession? session;
        lock (caller.User.Gate)
        {
            if (!caller.User.Sessions.TryGetValue(id, out session)
                || Clock.GetUtcNow() - session.Started > DriveSession.Life)
                throw new DriveProblem(404, "notFound", "Not Found");
            if (context.Request.Method == "DELETE")
            {
                caller.User.Sessions.Remove(id);
                context.Response.StatusCode = 499;
                return;
            }
        }
        // Chunks are PUT; POST is taken as well, and rclone lives on it.
        if (context.Request.Method is not ("PUT" or "POST")) throw new DriveProblem(404, "notFound", "Not Found");
        var body = await Blob.ReadAsync(context.Request.Body, context.RequestAborted);
        JsonNode? told;
        int status;
        lock (caller.User.Gate) (status, told) = Take(context, caller, session, body);
        if (status == 308)
        {
            context.Response.StatusCode = 308;
            if (session.Content.Length > 0) context.Response.Headers.Range = $"bytes=0-{session.Content.Length - 1}";
            context.Response.ContentLength = 0;
            return;
        }
        await AnswerAsync(context, status, told);
    }

    private (int Status, JsonNode? Told) Take(
        HttpContext context, DriveToken caller, DriveSession session, Blob body)
    {
        if (session.Done is { } done) return (200, Tell(session.Fields!, caller.User, done));
        var header = context.Request.Headers.ContentRange.ToString();
        var match = ChunkRange().Match(header);
        if (header.Length > 0 && !match.Success) throw DriveProblem.Invalid("Failed to parse Content-Range header.");
        if (match.Groups["total"] is { Success: true, Value: not "*" } total)
        {
            var told = long.Parse(total.Value, CultureInfo.InvariantCulture);
            if (session.Total is { } known && known != told)
                throw DriveProblem.Invalid("Invalid request. The total size was changed.");
            session.Total = told;
        }
        if (header.Length == 0) session.Total = body.Length;
        if (match.Groups["first"].Success)
        {
            var first = long.Parse(match.Groups["first"].Value, CultureInfo.InvariantCulture);
            var last = long.Parse(match.Groups["last"].Value, CultureInfo.InvariantCulture);
            if (last - first + 1 != body.Length || first != session.Content.Length || last >= session.Total)
                throw new DriveProblem(
                    first > session.Content.Length ? 503 : 400, "badRequest",
                    "Invalid request. The number of bytes uploaded is required to be equal or greater than 262144.");
            if (last + 1 != session.Total && body.Length % DriveSession.ChunkMultipleBytes != 0)
                throw DriveProblem.Invalid(
                    "Invalid request. There were bytes in the request body that are not a multiple of 262144.");
        }
        session.Content.Append(body);
        if (session.Content.Length != session.Total) return (308, null);
        session.Done = session.Target is null
            ? Create(session.Metadata, session.Content, caller)
            : Update(QueryCollection.Empty, session.Target, session.Metadata, caller, session.Content);
        return (session.Target is null ? 201 : 200, Tell(session.Fields!, caller.User, session.Done));
    }

    private async Task TakeMultipartAsync(HttpContext context, DriveToken caller)
    {
        if (!MediaTypeHeaderValue.TryParse(context.Request.ContentType, out var type)
            || type.MediaType != "multipart/related" || type.Boundary.Length == 0)
            throw DriveProblem.Invalid("Multipart must have a boundary.");
        var parts = new MultipartReader(
            HeaderUtilities.RemoveQuotes(type.Boundary).ToString(), context.Request.Body);
        var first = await parts.ReadNextSectionAsync(context.RequestAborted)
            ?? throw DriveProblem.Invalid("Missing metadata part.");
        var text = await Blob.ReadAsync(first.Body, context.RequestAborted);
        var metadata = JsonNode.Parse(Encoding.UTF8.GetString(text.ToArray())) as JsonObject
            ?? throw DriveProblem.Invalid("Bad Request");
        var second = await parts.ReadNextSectionAsync(context.RequestAborted)
            ?? throw DriveProblem.Invalid("Missing end boundary in multipart body.");
        var content = await Blob.ReadAsync(second.Body, context.RequestAborted);
        if (await parts.ReadNextSectionAsync(context.RequestAborted) is not null)
            throw DriveProblem.Invalid("Too many parts.");
        JsonNode? told;
        lock (caller.User.Gate)
        {
            var item = TargetOf(context) is { } target
                ? Update(context.Request.Query, target, metadata, caller, content)
                : Create(metadata, content, caller);
            told = Tell(context, caller.User, item);
        }
        await AnswerAsync(context, 200, told);
    }

    private static async Task DownloadAsync(HttpContext context, DriveToken caller)
    {
        Blob content;
        lock (caller.User.Gate)
        {
            var item = Item(IdOf(context), caller);
            if (!item.HasBytes)
                throw new DriveProblem(
                    403, "fileNotDownloadable",
                    "Only files with binary content can be downloaded. Use Export with Docs Editors files.");
            if (item.IsAbusive)
                throw new DriveProblem(
                    403, "cannotDownloadAbusiveFile", "This file has been identified as malware or spam.");
            content = item.Content!;
        }
        await ByteRanges.SendAsync(context, content);
    }

    [GeneratedRegex(@"\Abytes ((?<first>[0-9]+)-(?<last>[0-9]+)|\*)/(?<total>[0-9]+|\*)\z")]
    private static partial Regex ChunkRange();
}
