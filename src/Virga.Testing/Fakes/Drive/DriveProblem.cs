using System.Text.Json.Nodes;

namespace Virga.Testing.Fakes.Drive;

/// <summary>An error as the API words it (developers.google.com/drive/api/guides/handle-errors).</summary>
internal sealed class DriveProblem(int status, string reason, string message, string domain = "global")
    : Exception(message)
{
    public int Status => status;

    public JsonObject Body => new()
    {
        ["error"] = new JsonObject
        {
            ["errors"] = new JsonArray(new JsonObject
            {
                ["domain"] = domain, ["reason"] = reason, ["message"] = Message,
            }),
            ["code"] = status,
            ["message"] = Message,
        },
    };

    public static DriveProblem NotFound(string id) => new(404, "notFound", $"File not found: {id}.");

    public static DriveProblem Invalid(string message) => new(400, "invalid", message);

    public static DriveProblem Parameter(string name) =>
        new(400, "invalidParameter", $"Invalid field selection {name}");

    public static DriveProblem Limit() =>
        new(403, "userRateLimitExceeded", "User Rate Limit Exceeded", "usageLimits");

    /// <summary>The day's uploads: told apart by the message alone, as rclone does.</summary>
    public static DriveProblem UploadLimit() =>
        new(403, "userRateLimitExceeded", "User rate limit exceeded.", "usageLimits");
}
