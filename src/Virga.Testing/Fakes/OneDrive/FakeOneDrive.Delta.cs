using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Virga.Testing.Fakes.OneDrive;

/// <summary>The log of changes (learn.microsoft.com/graph/api/driveitem-delta).</summary>
public sealed partial class FakeOneDrive
{
    private const int DeltaTop = 200;

    private static JsonObject Delta(HttpContext context, OneDriveUser user, OneDriveItem folder)
    {
        // The page promises it at the root of a drive, and of an app's folder, and nowhere else.
        var isAppFolder = folder.Parent is not null && folder == user.AppFolder();
        if (folder.Parent is not null && !isAppFolder)
            throw OneDriveProblem.Bad("The delta function is supported on the root of a drive.");
        var place = isAppFolder ? $"items/{folder.Id}" : "root";
        var link = $"https://{Graph}/v1.0/drives/{user.DriveId}/{place}/delta?token=";
        var query = context.Request.Query;
        var token = query["token"].ToString();
        var from = token == "latest" ? user.Changes.Count
            : int.TryParse(token, CultureInfo.InvariantCulture, out var n) && n >= 0 && n <= user.Changes.Count
                ? n : throw OneDriveProblem.Bad("The token is malformed, or there is none.");
        if (from < user.OldestChange)
        {
            context.Response.Headers.Location = link[..link.LastIndexOf('?')];
            throw new OneDriveProblem(
                410, "resyncChangesApplyDifferences", "Resync required. Replace any local items with the server's.");
        }
        var top = int.TryParse(query["$top"].ToString(), CultureInfo.InvariantCulture, out var n1) ? n1 : DeltaTop;
        var until = Math.Min(from + top, user.Changes.Count);
        var told = new Dictionary<string, JsonObject>(StringComparer.Ordinal);
        // The last telling counts: this one tells some things twice, as the service may.
        var value = new JsonArray();
        foreach (var (id, goneFrom) in user.Changes.Skip(from).Take(until - from))
        {
            if (user.Items.TryGetValue(id, out var item) && IsBelow(user, item, folder))
            {
                for (var above = item; above != folder && above.Parent is not null;)
                {
                    above = user.Items[above.Parent];
                    if (told.TryAdd(above.Id, [])) value.Add(Told(user, above));
                }
                value.Add(Told(user, item));
            }
            else
            {
                value.Add(Gone(user, id, goneFrom));
            }
        }
        return new JsonObject
        {
            ["value"] = value,
            [until < user.Changes.Count ? "@odata.nextLink" : "@odata.deltaLink"] = $"{link}{until}",
        };
    }

    private static bool IsBelow(OneDriveUser user, OneDriveItem item, OneDriveItem folder)
    {
        for (var at = item; at is not null; at = at.Parent is null ? null : user.Items.GetValueOrDefault(at.Parent))
            if (at == folder) return true;
        return false;
    }

    // Without parentReference.path, and as the tables of that page say without what one flavour leaves out.
    private static JsonObject Told(OneDriveUser user, OneDriveItem item)
    {
        var told = item.Describe(user);
        ((JsonObject)told["parentReference"]!).Remove("path");
        if (user.IsBusiness) told.Remove("cTag");
        return told;
    }

    private static JsonObject Gone(OneDriveUser user, string id, string? from)
    {
        var told = new JsonObject { ["id"] = id, ["deleted"] = new JsonObject { ["state"] = "deleted" } };
        if (!user.IsBusiness) told["name"] = "gone";
        if (from is not null)
            told["parentReference"] = new JsonObject { ["driveId"] = user.DriveId, ["id"] = from };
        return told;
    }
}
