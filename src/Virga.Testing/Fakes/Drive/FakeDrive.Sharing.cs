using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Virga.Testing.Fakes.Drive;

/// <summary>Permissions (developers.google.com/drive/api/reference/rest/v3/permissions) of single people.</summary>
public sealed partial class FakeDrive
{
    /// <summary>One's own file, or one that somebody has shared with this account.</summary>
    private DriveItem SharedItem(string id, DriveToken caller)
    {
        DriveUser[] all;
        lock (gate) all = [.. users];
        foreach (var user in all)
        {
            lock (user.Gate)
            {
                if (!user.Items.TryGetValue(id, out var item)) continue;
                if (user == caller.User ? caller.Sees(item) : IsOpenTo(user, item, caller)) return item;
            }
        }
        throw DriveProblem.NotFound(id);
    }

    // Scope drive.file doesn't see what others have shared.
    private static bool IsOpenTo(DriveUser owner, DriveItem item, DriveToken caller) =>
        !caller.Scope.EndsWith("drive.file", StringComparison.Ordinal) && !owner.IsTrashed(item)
        && item.Readers.ContainsValue(caller.User.Address);

    private static JsonNode Permit(IQueryCollection query, string id, JsonObject body, DriveToken caller)
    {
        var item = Item(id, caller);
        if (!item.CanEdit || !item.IsOwned) throw NoRight();
        if ((string?)body["type"] != "user" || (string?)body["role"] != "reader")
            throw DriveProblem.Invalid("The fake knows readers who are people alone.");
        if ((string?)body["emailAddress"] is not { } address || !address.Contains('@', StringComparison.Ordinal))
            throw new DriveProblem(400, "invalidSharingRequest", "Bad Request. The email address is missing.");
        if (query["sendNotificationEmail"] != "false") caller.User.Mails++;
        // One person has one permission, and its id is that person's everywhere.
        var permission = $"1{Math.Abs((long)string.GetHashCode(address, StringComparison.OrdinalIgnoreCase)):d18}";
        item.Readers[permission] = address;
        return new JsonObject
        {
            ["kind"] = "drive#permission", ["id"] = permission, ["type"] = "user", ["role"] = "reader",
        };
    }

    private static JsonNode? Forbid(HttpContext context, DriveToken caller)
    {
        var item = Item(IdOf(context), caller);
        var permission = context.Request.Path.Value!.Split('/')[6];
        if (!item.Readers.Remove(permission))
            throw new DriveProblem(404, "notFound", $"Permission not found: {permission}.");
        return null;
    }
}
