using System.Net;
using System.Text.Json;
using Virga.Core;

namespace Virga.Accounts.Adapters.OneDrive;

/// <summary>
/// Microsoft Graph's errors in our kinds of failure, each with what to do next (learn.microsoft.com/graph/errors and
/// /onedrive/developer/rest-api/concepts/errors).
/// </summary>
internal static class OneDriveFailures
{
    private const string Relink = "Link the account again: virga account link NAME onedrive";

    private static readonly (string Code, FailureKind Kind, string Message, string? Advice)[] Known =
    [
        ("itemNotFound", FailureKind.NotFound, "it isn't there", null),
        ("nameAlreadyExists", FailureKind.Conflict, "something is there already",
            "Move it away, or choose another name."),
        ("quotaLimitReached", FailureKind.Full, "the OneDrive is full",
            "Free some space, empty the recycle bin too, or take a larger plan."),
        ("insufficientStorage", FailureKind.Full, "the OneDrive is full",
            "Free some space, empty the recycle bin too, or take a larger plan."),
        ("accessDenied", FailureKind.Denied, "OneDrive doesn't allow it",
            "It may be shared with you for reading only, or the account was linked for reading: "
                + "link it again with full access."),
        ("notAllowed", FailureKind.Denied, "OneDrive doesn't allow it", "Its owner or administrator has to."),
        ("activityLimitReached", FailureKind.Throttled, "OneDrive asks us to slow down", null),
        ("throttledRequest", FailureKind.Throttled, "OneDrive asks us to slow down", null),
        ("resourceLocked", FailureKind.Conflict, "somebody has it open or has locked it", "Close it there."),
        ("pathIsTooLong", FailureKind.BadInput, "the path is too long for OneDrive", "Use shorter names."),
        ("malwareDetected", FailureKind.Denied, "Microsoft has found malware in it", "Clean or delete it."),
        ("InvalidAuthenticationToken", FailureKind.Unauthenticated, "Microsoft no longer takes the account's token",
            Relink),
        ("unauthenticated", FailureKind.Unauthenticated, "Microsoft no longer takes the account's token", Relink),
    ];

    /// <summary>"" where the body names none.</summary>
    public static string CodeOf(JsonElement body) =>
        body.ValueKind == JsonValueKind.Object && body.TryGetProperty("error", out var error)
            && error.ValueKind == JsonValueKind.Object && error.TryGetProperty("code", out var code)
            && code.ValueKind == JsonValueKind.String ? code.GetString()! : "";

    public static VirgaException Of(string what, HttpStatusCode status, string code, TimeSpan? retryAfter)
    {
        foreach (var known in Known)
        {
            if (known.Code == code)
                return new VirgaException(known.Kind, $"{what}: {known.Message}", known.Advice)
                {
                    RetryAfter = known.Kind == FailureKind.Throttled ? retryAfter : null,
                };
        }
        return status switch
        {
            HttpStatusCode.Unauthorized => new VirgaException(
                FailureKind.Unauthenticated, $"{what}: Microsoft no longer takes the account's token", Relink),
            HttpStatusCode.Forbidden => new VirgaException(
                FailureKind.Denied, $"{what}: OneDrive doesn't allow it ({code})", "Its owner has to allow it."),
            HttpStatusCode.NotFound or HttpStatusCode.Gone =>
                new VirgaException(FailureKind.NotFound, $"{what}: it isn't there"),
            HttpStatusCode.Locked => new VirgaException(
                FailureKind.Conflict, $"{what}: somebody has it open or has locked it", "Close it there."),
            HttpStatusCode.InsufficientStorage => new VirgaException(
                FailureKind.Full, $"{what}: the OneDrive is full", "Free some space, or take a larger plan."),
            HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable when retryAfter is not null =>
                new VirgaException(FailureKind.Throttled, $"{what}: OneDrive asks us to slow down")
                {
                    RetryAfter = retryAfter,
                },
            HttpStatusCode.TooManyRequests =>
                new VirgaException(FailureKind.Throttled, $"{what}: OneDrive asks us to slow down"),
            HttpStatusCode.RequestTimeout =>
                new VirgaException(FailureKind.Timeout, $"{what}: OneDrive gave up waiting"),
            >= HttpStatusCode.InternalServerError => new VirgaException(
                FailureKind.Unavailable, $"{what}: OneDrive had a fault of its own ({(int)status})"),
            _ => new VirgaException(FailureKind.BadInput, $"{what}: OneDrive refuses it ({(int)status} {code})"),
        };
    }
}
