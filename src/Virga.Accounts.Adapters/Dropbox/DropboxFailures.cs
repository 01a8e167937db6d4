using System.Net;
using System.Text;
using System.Text.Json;
using Virga.Core;

namespace Virga.Accounts.Adapters.Dropbox;

/// <summary>
/// Dropbox's errors in our kinds of failure, each with what to do next. The tags are those of dropbox-api-spec
/// (files.stone, auth.stone); "error_summary" may be told apart by its start.
/// </summary>
internal static class DropboxFailures
{
    private const string Relink = "Link the account again: virga account link NAME dropbox";

    /// <summary>The tags of an error, without the dots that the service appends.</summary>
    public static string Tags(JsonElement body) =>
        body.ValueKind == JsonValueKind.Object && body.TryGetProperty("error_summary", out var summary)
            && summary.ValueKind == JsonValueKind.String
            && summary.GetString()!.TrimEnd('.', '/') is { Length: > 0 } tags
            ? tags
            : throw new KeyNotFoundException("no error_summary");

    public static VirgaException Of(string what, string tags)
    {
        foreach (var (tag, kind, message, advice) in Known)
        {
            if (tags.Contains(tag, StringComparison.Ordinal))
                return new VirgaException(kind, $"{what}: {message}", advice);
        }
        return new VirgaException(
            FailureKind.Unsupported, $"{what}: Dropbox refuses it ({tags})",
            "This isn't foreseen; please report it with the words in brackets.");
    }

    /// <summary>An answer that is neither 200 nor 409.</summary>
    public static VirgaException Of(string what, HttpStatusCode status, byte[] body, TimeSpan? retryAfter) =>
        status switch
        {
            HttpStatusCode.Unauthorized => Unauthorized(what, body),
            HttpStatusCode.Forbidden => new VirgaException(
                FailureKind.Denied, $"{what}: this Dropbox account may not do that",
                "A team's administrator may have to allow the app, or the plan may not include it."),
            HttpStatusCode.TooManyRequests => Later(what, retryAfter ?? ToldWait(body)),
            HttpStatusCode.ServiceUnavailable when retryAfter is not null => Later(what, retryAfter),
            >= HttpStatusCode.InternalServerError => new VirgaException(
                FailureKind.Unavailable, $"{what}: Dropbox had a fault of its own ({(int)status})"),
            HttpStatusCode.RequestedRangeNotSatisfiable =>
                new VirgaException(FailureKind.BadInput, $"{what}: the range lies beyond its end"),
            HttpStatusCode.RequestTimeout =>
                new VirgaException(FailureKind.Timeout, $"{what}: Dropbox gave up waiting"),
            _ => new VirgaException(
                FailureKind.BadInput, $"{what}: Dropbox refuses it ({(int)status}): {Shown(body)}"),
        };

    private static readonly (string Tag, FailureKind Kind, string Message, string? Advice)[] Known =
    [
        ("not_found", FailureKind.NotFound, "it isn't there", null),
        ("file_ancestor", FailureKind.Conflict, "a folder above it is a file", "Move that file out of the way."),
        ("conflict/folder", FailureKind.Conflict, "a folder is in the way", "Move it away, or choose another name."),
        ("conflict", FailureKind.Conflict, "something is there already", "Move it away, or choose another name."),
        ("not_file", FailureKind.BadInput, "it is a folder", null),
        ("not_folder", FailureKind.BadInput, "it is a file, not a folder", null),
        ("insufficient_space", FailureKind.Full, "the Dropbox is full", "Free some space, or take a larger plan."),
        ("insufficient_quota", FailureKind.Full, "the Dropbox is full", "Free some space, or take a larger plan."),
        ("disallowed_name", FailureKind.BadInput, "Dropbox keeps no file of that name", "Rename it."),
        ("malformed_path", FailureKind.BadInput, "Dropbox can't keep that name", "Rename it."),
        ("no_write_permission", FailureKind.Denied, "the folder is shared with you for reading only",
            "Ask its owner for the right to edit."),
        ("access_restricted", FailureKind.Denied, "a team's administrator has forbidden it", "Ask the administrator."),
        ("operation_suppressed", FailureKind.Denied, "Dropbox doesn't allow it in this folder", "Use another folder."),
        ("team_folder", FailureKind.Denied, "team folders can't be moved or deleted", "Use a folder inside of it."),
        ("shared_folder", FailureKind.Denied, "shared folders can't be moved or copied there",
            "Use a folder inside of it."),
        ("too_many_write_operations", FailureKind.Throttled, "too much is being written to this Dropbox at once", null),
        ("too_many_files", FailureKind.Unsupported, "more than 10,000 files can't be moved at once",
            "Move its folders one by one."),
        ("restricted_content", FailureKind.Denied, "Dropbox has locked it after a complaint",
            "Its owner can ask Dropbox why."),
        ("unsupported", FailureKind.Unsupported, "it is a document that can only be exported",
            "Export it at dropbox.com."),
        ("locked", FailureKind.Conflict, "somebody has locked it", "Ask for it to be unlocked at dropbox.com."),
        ("content_hash_mismatch", FailureKind.Unavailable, "the bytes were changed on the way", null),
        ("reset", FailureKind.Unavailable, "Dropbox has dropped the listing", null),
        ("cant_move_folder_into_itself", FailureKind.BadInput, "a folder can't be moved into itself", null),
        ("too_large", FailureKind.BadInput, "the file is larger than Dropbox takes", null),
        ("internal_error", FailureKind.Unavailable, "Dropbox had a fault of its own", null),
    ];

    private static VirgaException Unauthorized(string what, byte[] body)
    {
        if (Parse(body) is not { } error) return Unlinked(what, "refuses the account's token", Relink);
        var tags = error.TryGetProperty("error_summary", out var summary) ? summary.GetString() ?? "" : "";
        if (tags.StartsWith("missing_scope", StringComparison.Ordinal))
        {
            var scope = error.TryGetProperty("error", out var inner)
                && inner.TryGetProperty("required_scope", out var required) ? required.GetString() : null;
            return new VirgaException(
                FailureKind.Denied, $"{what}: the account was linked without the permission '{scope}'",
                "Link it again with full access; with an app of your own, tick that permission in its console first.");
        }
        return tags.StartsWith("user_suspended", StringComparison.Ordinal)
            ? Unlinked(what, "has suspended this account", "Sign in at dropbox.com to see why.")
            : tags.StartsWith("expired_access_token", StringComparison.Ordinal)
            ? Unlinked(what, "says that the access has expired", Relink)
            : Unlinked(what, "no longer takes the account's token: the link was taken back", Relink);
    }

    private static VirgaException Unlinked(string what, string why, string advice) =>
        new(FailureKind.Unauthenticated, $"{what}: Dropbox {why}", advice);

    private static VirgaException Later(string what, TimeSpan? wait) =>
        new(FailureKind.Throttled, $"{what}: Dropbox asks us to slow down") { RetryAfter = wait };

    // auth.stone, RateLimitError: the wait stands in the body, too.
    private static TimeSpan? ToldWait(byte[] body) =>
        Parse(body) is { } error && error.TryGetProperty("error", out var inner)
            && inner.ValueKind == JsonValueKind.Object && inner.TryGetProperty("retry_after", out var seconds)
            && seconds.TryGetInt64(out var count) && count is >= 0 and < 86_400
            ? TimeSpan.FromSeconds(count)
            : null;

    private static JsonElement? Parse(byte[] body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            return document.RootElement.ValueKind == JsonValueKind.Object ? document.RootElement.Clone() : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string Shown(byte[] body) =>
        NameRules.Show(Encoding.UTF8.GetString(body.AsSpan(0, Math.Min(body.Length, 200))));
}
