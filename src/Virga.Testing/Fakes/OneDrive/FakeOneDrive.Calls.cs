using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Virga.Testing.Fakes.OneDrive;

/// <summary>What is done to items.</summary>
public sealed partial class FakeOneDrive
{
    private const string ConflictBehavior = "@microsoft.graph.conflictBehavior";
    private const int NameCharsMax = 255, PathCharsMax = 400, TopMax = 1000;

    private static readonly string[] Reserved =
    [
        ".lock", "con", "prn", "aux", "nul", "desktop.ini",
        .. Enumerable.Range(0, 10).SelectMany(i => new[] { $"com{i}", $"lpt{i}" }),
    ];

    // support.microsoft.com, "Restrictions and limitations in OneDrive and SharePoint".
    private static void CheckName(OneDriveUser user, OneDriveItem folder, string name)
    {
        if (name.Length is 0 or > NameCharsMax || name.AsSpan().ContainsAny("\"*:<>?/\\|")
            || name.Any(c => c < ' ' || c == '\u007f') || name[0] is ' ' or '~' || name[^1] is ' ' or '.'
            || name.Contains("_vti_", StringComparison.OrdinalIgnoreCase)
            || Reserved.Contains(name, StringComparer.OrdinalIgnoreCase))
            throw OneDriveProblem.Bad("The provided name cannot contain or be that.");
        // "'forms' isn't supported when the folder is at the root level for a library."
        if (user.IsBusiness && folder == user.Root && name.Equals("forms", StringComparison.OrdinalIgnoreCase))
            throw OneDriveProblem.Bad("The provided name cannot contain or be that.");
        // At work what stands before the path on the server counts, too.
        if (user.ServerFolder.Length + user.PathOf(folder).Length + name.Length > PathCharsMax)
            throw new OneDriveProblem(400, "pathIsTooLong", "The specified path exceeds the maximum length.");
    }

    private static JsonObject Drive(OneDriveUser user) => new()
    {
        ["id"] = user.DriveId,
        ["driveType"] = user.DriveType,
        ["quota"] = new JsonObject
        {
            ["total"] = user.QuotaBytes, ["used"] = user.UsedBytes, ["deleted"] = 0,
            ["remaining"] = Math.Max(0, user.QuotaBytes - user.UsedBytes), ["state"] = "normal",
        },
    };

    private static JsonObject Children(HttpContext context, OneDriveUser user, OneDriveItem folder)
    {
        if (!folder.IsFolder || folder.IsNotebook) throw OneDriveProblem.Bad("The item is not a folder.");
        var query = context.Request.Query;
        var top = int.TryParse(query["$top"].ToString(), CultureInfo.InvariantCulture, out var n) ? n : 200;
        if (top is < 1 or > TopMax) throw OneDriveProblem.Bad("Invalid value for $top.");
        var skip = int.TryParse(query["$skiptoken"].ToString(), CultureInfo.InvariantCulture, out var at) ? at : 0;
        var found = user.ChildrenOf(folder).Skip(skip).Take(top + 1).ToList();
        var page = new JsonObject
        {
            ["value"] = new JsonArray([.. found.Take(top).Select(item => Selected(context, item.Describe(user)))]),
        };
        if (found.Count > top)
            page["@odata.nextLink"] = $"https://{Graph}/v1.0/drives/{user.DriveId}/items/{folder.Id}/children"
                + $"?$top={top}&$skiptoken={skip + top}&$select={query["$select"]}";
        return page;
    }

    private static JsonObject Selected(HttpContext context, JsonObject told)
    {
        var select = context.Request.Query["$select"].ToString();
        if (select.Length == 0) return told;
        var names = select.Split(',');
        return new JsonObject(told.Where(p => names.Contains(p.Key, StringComparer.Ordinal))
            .Select(p => KeyValuePair.Create(p.Key, p.Value?.DeepClone())));
    }

    private static (int Status, JsonNode? Told) Redirect(HttpContext context, OneDriveUser user, OneDriveItem item)
    {
        if (item.Content is null) throw OneDriveProblem.Bad("The item has no content.");
        context.Response.Headers.Location = (string)item.Describe(user)["@microsoft.graph.downloadUrl"]!;
        return (302, null);
    }

    private static JsonObject MakeFolder(OneDriveUser user, OneDriveItem folder, JsonObject body)
    {
        var name = (string?)body["name"] ?? throw OneDriveProblem.Bad("name is missing");
        if (body["folder"] is not JsonObject || !folder.IsFolder) throw OneDriveProblem.Bad("no folder");
        CheckName(user, folder, name);
        user.CheckWritable(folder);
        if (user.Child(folder, name) is not null)
        {
            if ((string?)body[ConflictBehavior] != "rename") throw OneDriveProblem.Exists();
            name += " 1";
        }
        return user.Add(folder, name, isFolder: true).Describe(user);
    }

    private JsonObject StartSession(OneDriveUser user, OneDrivePlace place, JsonObject body)
    {
        if (place.Folder is null) throw OneDriveProblem.Missing();
        CheckName(user, place.Folder, place.Name);
        user.CheckWritable(place.Folder);
        var item = body["item"] as JsonObject ?? [];
        if (place.There is { IsFolder: true }) throw OneDriveProblem.Exists();
        var id = $"up{user.NextId()}".Replace('!', '-');
        var session = new OneDriveSession
        {
            Parent = place.Folder.Id, Name = place.Name,
            Conflict = (string?)item[ConflictBehavior] ?? "replace", ClientModified = ClientTime(item),
            Ends = Clock.GetUtcNow() + OneDriveSession.Life,
        };
        user.Sessions[id] = session;
        return new JsonObject
        {
            ["uploadUrl"] = user.IsBusiness
                ? $"https://any{SharePoint}/_api/v2.0/up/{id}" : $"https://any{Uploads}/up/{id}",
            ["expirationDateTime"] = OneDriveItem.Time(session.Ends),
            ["nextExpectedRanges"] = new JsonArray("0-"),
        };
    }

    private (int Status, JsonNode? Told) Put(
        HttpContext context, OneDriveUser user, OneDrivePlace place, Blob content)
    {
        if (place.Folder is null) throw OneDriveProblem.Missing();
        var behaviour = context.Request.Query[ConflictBehavior].ToString();
        return Commit(user, place.Folder, place.Name, behaviour.Length > 0 ? behaviour : "replace", content, null);
    }

    private (int Status, JsonNode? Told) Commit(
        OneDriveUser user, OneDriveItem folder, string name, string behaviour, Blob content, DateTimeOffset? time)
    {
        CheckName(user, folder, name);
        user.CheckWritable(folder);
        var item = user.Child(folder, name);
        if (item is { IsFolder: true } || (item is not null && behaviour == "fail")) throw OneDriveProblem.Exists();
        if (user.UsedBytes - (item?.Content?.Length ?? 0) + content.Length > user.QuotaBytes)
            throw new OneDriveProblem(507, "quotaLimitReached", "Insufficient Space Available");
        var status = item is null ? 201 : 200;
        item ??= user.Add(folder, name, isFolder: false);
        item.Fill(content);
        item.Version++;
        item.Modified = Clock.GetUtcNow();
        item.ClientModified = Kept(user, time ?? item.Modified);
        user.Changed(item);
        return (status, item.Describe(user));
    }

    private static JsonObject Change(OneDriveUser user, OneDriveItem item, JsonObject body)
    {
        if (item.Parent is null) throw OneDriveProblem.Denied();
        var folder = body["parentReference"] is JsonObject reference
            ? Reference(user, reference)
            : user.Items[item.Parent];
        var name = (string?)body["name"] ?? item.Name;
        user.CheckWritable(folder);
        user.CheckWritable(user.Items[item.Parent]);
        for (var above = folder; above.Parent is not null; above = user.Items[above.Parent])
            if (above.Id == item.Id) throw OneDriveProblem.Bad("An item can't be moved into itself.");
        if (folder.Id != item.Parent || name != item.Name)
        {
            CheckName(user, folder, name);
            if (user.Child(folder, name) is { } there && there.Id != item.Id) throw OneDriveProblem.Exists();
            user.Place(item, folder, name);
        }
        if (ClientTime(body) is { } time)
        {
            item.ClientModified = Kept(user, time);
            item.Version++;
            user.Changed(item);
        }
        return item.Describe(user);
    }

    // SharePoint keeps whole seconds.
    private static DateTimeOffset Kept(OneDriveUser user, DateTimeOffset time) =>
        user.IsBusiness ? DateTimeOffset.FromUnixTimeSeconds(time.ToUnixTimeSeconds()) : time;

    private static OneDriveItem Reference(OneDriveUser user, JsonObject reference)
    {
        if ((string?)reference["id"] is { } id)
            return user.Items.GetValueOrDefault(id) ?? throw OneDriveProblem.Missing();
        var path = (string?)reference["path"] ?? throw OneDriveProblem.Bad("parentReference is empty");
        var at = path.IndexOf("root:", StringComparison.Ordinal);
        if (at < 0) throw OneDriveProblem.Bad("parentReference.path is malformed");
        var folder = user.Root;
        foreach (var name in path[(at + 5)..].Split('/', StringSplitOptions.RemoveEmptyEntries))
            folder = user.Child(folder, Uri.UnescapeDataString(name)) ?? throw OneDriveProblem.Missing();
        return folder.IsFolder ? folder : throw OneDriveProblem.Bad("The parent is not a folder.");
    }

    private (int Status, JsonNode? Told) StartCopy(
        HttpContext context, OneDriveUser user, OneDriveItem item, JsonObject body)
    {
        var folder = body["parentReference"] is JsonObject reference ? Reference(user, reference) : user.Root;
        var name = (string?)body["name"] ?? item.Name;
        if (item.Content is null) throw OneDriveProblem.Bad("Folders are copied by nobody here.");
        var (_, told) = Commit(user, folder, name, "fail", item.Content, item.ClientModified);
        var id = $"copy{user.NextId()}".Replace('!', '-');
        lock (copies) copies[id] = (string)told!["id"]!;
        context.Response.Headers.Location = $"https://{Monitor}/v1.0/monitor/{id}";
        return (202, null);
    }

    private static (int Status, JsonNode? Told) Delete(HttpContext context, OneDriveUser user, OneDriveItem item)
    {
        if (item.Parent is null) throw OneDriveProblem.Denied();
        user.CheckWritable(user.Items[item.Parent]);
        var match = context.Request.Headers.IfMatch.ToString();
        if (match.Length > 0 && match.Trim('"') != item.ETag)
            throw new OneDriveProblem(412, "resourceModified", "ETag does not match current item's value");
        user.Remove(item);
        return (204, null);
    }

    private static DateTimeOffset? ClientTime(JsonObject body) =>
        (string?)body["fileSystemInfo"]?["lastModifiedDateTime"] is not { } text ? null
        : DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? time
            : throw OneDriveProblem.Bad("lastModifiedDateTime is malformed");
}
