using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Virga.Testing.Fakes.Drive;

/// <summary>The calls whose bodies are JSON.</summary>
public sealed partial class FakeDrive
{
    private const string DefaultFields = "kind,id,name,mimeType";

    // What a client may write of a file resource; anything else is refused by name.
    private static readonly string[] Writable =
    [
        "id", "name", "mimeType", "parents", "modifiedTime", "createdTime", "trashed", "appProperties", "properties",
        "description", "starred", "viewedByMeTime", "originalFilename", "writersCanShare",
        "copyRequiresWriterPermission",
    ];

    private async Task CallAsync(HttpContext context, DriveToken caller, string operation)
    {
        JsonObject body = [];
        if (context.Request.Method is "POST" or "PATCH" && context.Request.ContentLength is not 0)
            body = await JsonNode.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted)
                as JsonObject ?? throw DriveProblem.Invalid("Bad Request");
        JsonNode? answer;
        var shared = operation == "files.copy" ? SharedItem(IdOf(context), caller) : null;
        lock (caller.User.Gate)
        {
            answer = operation switch
            {
                "files.list" => List(context.Request.Query, caller),
                "files.get" => Tell(context, caller.User, Item(IdOf(context), caller)),
                "files.create" => Tell(context, caller.User, Create(body, null, caller)),
                "files.update" =>
                    Tell(context, caller.User, Update(context.Request.Query, IdOf(context), body, caller)),
                "files.copy" => Tell(context, caller.User, Copy(shared!, body, caller)),
                "permissions.create" => Permit(context.Request.Query, IdOf(context), body, caller),
                "permissions.delete" => Forbid(context, caller),
                "files.delete" => Delete(IdOf(context), caller),
                "files.emptyTrash" => EmptyTrash(caller),
                "files.generateIds" => GenerateIds(context.Request.Query, caller.User),
                "about.get" => About(context.Request.Query, caller.User),
                "changes.getStartPageToken" => new JsonObject
                {
                    ["kind"] = "drive#startPageToken",
                    ["startPageToken"] = caller.User.Changes.Count.ToString(CultureInfo.InvariantCulture),
                },
                "changes.list" => Changes(context.Request.Query, caller),
                _ => throw new DriveProblem(404, "notFound", "Not Found"),
            };
        }
        await AnswerAsync(context, answer is null ? 204 : 200, answer);
    }

    private static string IdOf(HttpContext context) => context.Request.Path.Value!.Split('/')[4];

    private static DriveItem Item(string id, DriveToken caller) =>
        caller.User.Items.TryGetValue(id == "root" ? caller.User.RootId : id, out var item) && caller.Sees(item)
            ? item
            : throw DriveProblem.NotFound(id);

    private static JsonNode? Tell(HttpContext context, DriveUser user, DriveItem item) =>
        Tell(FieldsOf(context.Request.Query), user, item);

    private static JsonNode? Tell(DriveFields fields, DriveUser user, DriveItem item) =>
        fields.Choose(item.Describe(user.IsTrashed(item)));

    private static DriveFields FieldsOf(IQueryCollection query, string otherwise = DefaultFields) =>
        DriveFields.Parse(query["fields"].ToString() is { Length: > 0 } asked ? asked : otherwise);

    private static JsonNode? List(IQueryCollection query, DriveToken caller)
    {
        var user = caller.User;
        var filter = DriveQuery.Parse(query["q"].ToString(), user.RootId, user.IsTrashed);
        var size = query["pageSize"].ToString() is { Length: > 0 } text
            ? int.TryParse(text, CultureInfo.InvariantCulture, out var n) && n is >= 1 and <= 1000
                ? n : throw DriveProblem.Invalid("Invalid value for pageSize")
            : 100;
        var skip = query["pageToken"].ToString() is { Length: > 0 } token
            ? token.StartsWith("~!!~", StringComparison.Ordinal)
                && int.TryParse(token.AsSpan(4), CultureInfo.InvariantCulture, out var at)
                ? at : throw DriveProblem.Invalid("Invalid Value")
            : 0;
        if (query["orderBy"].ToString() is not ("" or "createdTime" or "name" or "folder"))
            throw DriveProblem.Invalid("Invalid value for orderBy");
        var found = user.Items.Values
            .Where(i => i.Id != user.RootId && caller.Sees(i) && user.IsListed(i) && filter(i))
            .OrderBy(i => i.Created).ThenBy(i => i.Id, StringComparer.Ordinal).Skip(skip).Take(size + 1).ToList();
        var page = new JsonObject { ["kind"] = "drive#fileList", ["incompleteSearch"] = false };
        page["files"] = new JsonArray([.. found.Take(size).Select(i => i.Describe(user.IsTrashed(i)))]);
        if (found.Count > size) page["nextPageToken"] = $"~!!~{skip + size}";
        return FieldsOf(query, "kind,incompleteSearch,nextPageToken,files(kind,id,name,mimeType)").Choose(page);
    }

    private DriveItem Create(JsonObject body, Blob? content, DriveToken caller)
    {
        CheckWritable(body);
        var user = caller.User;
        var parent = Item((string?)(body["parents"] as JsonArray)?[0] ?? "root", caller);
        if (body["parents"] is JsonArray { Count: > 1 })
            throw new DriveProblem(
                403, "cannotAddParent", "A file cannot be created with more than one parent.");
        if (!parent.IsFolder)
            throw new DriveProblem(403, "parentNotAFolder", "The specified parent is not a folder.");
        if (!parent.CanEdit) throw NoRight();
        var id = (string?)body["id"];
        if (id is not null && user.Items.ContainsKey(id))
            throw new DriveProblem(409, "fileIdInUse", "A file already exists with the provided ID.");
        if (id is not null && !user.Generated.Contains(id))
            throw DriveProblem.Invalid("The provided file ID is not usable.");
        var type = (string?)body["mimeType"] ?? "application/octet-stream";
        if (content is not null) CheckRoom(user, content.Length);
        if (id is not null) user.Generated.Remove(id);
        var now = Clock.GetUtcNow();
        var item = user.Add(new DriveItem
        {
            Id = id ?? user.NextId(), Name = (string?)body["name"] ?? "Untitled", MimeType = type, Parent = parent.Id,
            Created = now, Modified = Time(body) ?? now, App = caller.App,
        });
        SetProperties(item, body);
        if (item.HasBytes) item.Fill(content ?? new Blob(), user.NextRevision());
        return item;
    }

    private DriveItem Update(
        IQueryCollection query, string id, JsonObject body, DriveToken caller, Blob? content = null)
    {
        CheckWritable(body);
        var user = caller.User;
        var item = Item(id, caller);
        if (body.ContainsKey("parents"))
            throw new DriveProblem(
                403, "fieldNotWritable", "The parents field is not directly writable in update requests.");
        if (!item.CanEdit || item.Id == user.RootId) throw NoRight();
        if (content is not null && !item.HasBytes) throw DriveProblem.Invalid("Bad Request");
        if (content is not null) CheckRoom(user, content.Length - (item.Content?.Length ?? 0));
        if (query["addParents"].ToString() is { Length: > 0 } to)
        {
            if (query["removeParents"].ToString() != item.Parent)
                throw new DriveProblem(
                    403, "cannotAddParent", "Increasing the number of parents is not allowed");
            var parent = Item(to, caller);
            if (!parent.CanEdit) throw NoRight();
            for (var above = parent; above.Parent is not null; above = user.Items[above.Parent])
                if (above.Id == item.Id)
                    throw new DriveProblem(403, "cyclicMembershipsNotAllowed", "A folder can't be in itself.");
            item.Parent = parent.Id;
        }
        if (body["name"] is { } name) item.Name = (string)name!;
        if (body["trashed"] is { } trashed) item.IsTrashed = (bool)trashed;
        if (body["mimeType"] is { } type && item.HasBytes) item.MimeType = (string)type!;
        if (content is not null) item.Fill(content, user.NextRevision());
        if (Time(body) is { } time) item.Modified = time;
        else if (content is not null) item.Modified = Clock.GetUtcNow();
        SetProperties(item, body);
        user.Changes.Add(item.Id);
        return item;
    }

    private DriveItem Copy(DriveItem source, JsonObject body, DriveToken caller)
    {
        if (!source.HasBytes) throw new DriveProblem(403, "cannotCopyFile", "This file cannot be copied by the user.");
        body["name"] ??= source.Name;
        return Create(body, source.Content, caller);
    }

    private static JsonNode? Delete(string id, DriveToken caller)
    {
        var item = Item(id, caller);
        if (!item.CanEdit || item.Id == caller.User.RootId) throw NoRight();
        Remove(item);
        // Of what lay in it nothing is told.
        caller.User.Changes.Add(item.Id);
        return null;

        void Remove(DriveItem one)
        {
            foreach (var child in caller.User.Items.Values.Where(i => i.Parent == one.Id).ToList()) Remove(child);
            caller.User.Items.Remove(one.Id);
        }
    }

    private static JsonNode? EmptyTrash(DriveToken caller)
    {
        foreach (var item in caller.User.Items.Values.Where(i => i.IsTrashed).ToList())
            if (caller.User.Items.ContainsKey(item.Id)) Delete(item.Id, caller);
        return null;
    }

    private static JsonObject GenerateIds(IQueryCollection query, DriveUser user)
    {
        var count = int.TryParse(query["count"].ToString(), CultureInfo.InvariantCulture, out var n) ? n : 10;
        if (count is < 1 or > 1000) throw DriveProblem.Invalid("Invalid value for count");
        var ids = Enumerable.Range(0, count).Select(_ => user.NextId()).ToArray();
        user.Generated.UnionWith(ids);
        return new JsonObject
        {
            ["kind"] = "drive#generatedIds", ["space"] = "drive",
            ["ids"] = new JsonArray([.. ids.Select(id => (JsonNode)id)]),
        };
    }

    private static JsonNode? About(IQueryCollection query, DriveUser user)
    {
        if (query["fields"].ToString().Length == 0)
            throw new DriveProblem(400, "required", "The 'fields' parameter is required for this method.");
        var quota = new JsonObject
        {
            ["usage"] = Number(user.UsedBytes), ["usageInDrive"] = Number(user.UsedBytes), ["usageInDriveTrash"] = "0",
        };
        if (user.QuotaBytes is { } limit) quota["limit"] = Number(limit);
        return FieldsOf(query).Choose(new JsonObject
        {
            ["kind"] = "drive#about",
            ["storageQuota"] = quota,
            ["exportFormats"] = new JsonObject
            {
                [DriveItem.GoogleTypes + "document"] = new JsonArray(
                    "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
            },
            ["user"] = new JsonObject { ["displayName"] = "Fran", ["emailAddress"] = user.Address },
        });

        static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
    }

    private static JsonNode? Changes(IQueryCollection query, DriveToken caller)
    {
        var user = caller.User;
        if (!int.TryParse(query["pageToken"].ToString(), CultureInfo.InvariantCulture, out var from)
            || from > user.Changes.Count || from < user.OldestChange)
            throw DriveProblem.Invalid("Invalid Value");
        var size = query["pageSize"].ToString() is { Length: > 0 } text
            ? int.TryParse(text, CultureInfo.InvariantCulture, out var n) && n is >= 1 and <= 1000
                ? n : throw DriveProblem.Invalid("Invalid value for pageSize")
            : 100;
        var until = Math.Min(from + size, user.Changes.Count);
        // What changed more than once is told where it changed last.
        var later = user.Changes.Skip(until).ToHashSet(StringComparer.Ordinal);
        var told = new List<JsonNode>();
        for (var i = until - 1; i >= from; i--)
            if (later.Add(user.Changes[i]) && Change(user.Changes[i]) is { } change) told.Insert(0, change);
        var page = new JsonObject { ["kind"] = "drive#changeList", ["changes"] = new JsonArray([.. told]) };
        page[until < user.Changes.Count ? "nextPageToken" : "newStartPageToken"] =
            until.ToString(CultureInfo.InvariantCulture);
        return FieldsOf(query, "*").Choose(page);

        JsonObject? Change(string id)
        {
            var item = user.Items.GetValueOrDefault(id);
            if (item is not null && !caller.Sees(item)) return null;
            var change = new JsonObject
            {
                ["kind"] = "drive#change", ["changeType"] = "file", ["fileId"] = id, ["removed"] = item is null,
            };
            if (item is not null) change["file"] = item.Describe(user.IsTrashed(item));
            return change;
        }
    }

    private static void CheckWritable(JsonObject body)
    {
        foreach (var (name, _) in body)
        {
            if (!Writable.Contains(name, StringComparer.Ordinal))
                throw new DriveProblem(
                    403, "fieldNotWritable", "The resource body includes fields which are not directly writable.");
        }
    }

    private static void CheckRoom(DriveUser user, long more)
    {
        if (more > user.UploadBytesLeft) throw DriveProblem.UploadLimit();
        if (user.QuotaBytes is { } quota && user.UsedBytes + more > quota)
            throw new DriveProblem(
                403, "storageQuotaExceeded", "The user's Drive storage quota has been exceeded.");
        user.UploadBytesLeft -= Math.Max(0, more);
    }

    private static void SetProperties(DriveItem item, JsonObject body)
    {
        foreach (var (name, value) in body["appProperties"] as JsonObject ?? [])
        {
            if (value is null) item.AppProperties.Remove(name);
            else item.AppProperties[name] = (string)value!;
        }
    }

    private static DateTimeOffset? Time(JsonObject body) => (string?)body["modifiedTime"] is not { } text ? null
        : DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? time
            : throw DriveProblem.Invalid("Invalid value for modifiedTime");

    private static DriveProblem NoRight() => new(
        403, "insufficientFilePermissions", "The user does not have sufficient permissions for this file.");
}
