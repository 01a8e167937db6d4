using System.Text.Json.Nodes;

namespace Virga.Testing.Fakes.OneDrive;

/// <summary>An error as Microsoft Graph words it (learn.microsoft.com/graph/errors).</summary>
internal sealed class OneDriveProblem(int status, string code, string message) : Exception(message)
{
    public int Status => status;

    public JsonObject Body => new()
    {
        ["error"] = new JsonObject
        {
            ["code"] = code, ["message"] = Message, ["innerError"] = new JsonObject { ["request-id"] = "0" },
        },
    };

    public static OneDriveProblem Missing() =>
        new(404, "itemNotFound", "The resource could not be found.");

    public static OneDriveProblem Bad(string message) => new(400, "invalidRequest", message);

    public static OneDriveProblem Exists() =>
        new(409, "nameAlreadyExists", "An item with the same name already exists under the parent");

    public static OneDriveProblem Unauthorized() =>
        new(401, "InvalidAuthenticationToken", "Access token has expired or is not yet valid.");

    public static OneDriveProblem Denied() => new(403, "accessDenied", "Access denied");
}
