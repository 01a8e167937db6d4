using System.Net;
using System.Text.Json;
using Virga.Core;

namespace Virga.Accounts.Adapters.Drive;

/// <summary>
/// Google Drive's errors in our kinds of failure, each with what to do next
/// (developers.google.com/drive/api/guides/handle-errors): a status, and a reason that tells more.
/// </summary>
internal static class DriveFailures
{
    private const string Relink = "Link the account again: virga account link NAME drive";

    private static readonly (string Reason, FailureKind Kind, string Message, string? Advice)[] Known =
    [
        ("userRateLimitExceeded", FailureKind.Throttled, "Google Drive asks us to slow down",
            "If it lasts: 750 GB may be uploaded a day; or use an OAuth client of your own."),
        ("rateLimitExceeded", FailureKind.Throttled, "Google Drive asks us to slow down",
            "If it lasts, use an OAuth client of your own."),
        ("sharingRateLimitExceeded", FailureKind.Throttled, "Google Drive asks us to slow down", null),
        ("dailyLimitExceeded", FailureKind.Throttled, "the OAuth client's requests for today are used up",
            "Use a client of your own, or wait for tomorrow."),
        ("storageQuotaExceeded", FailureKind.Full, "the Drive is full",
            "Free some space, empty the bin too, or take a larger plan."),
        ("teamDriveFileLimitExceeded", FailureKind.Full, "the shared drive holds as many items as it can",
            "Delete some, or use another shared drive."),
        ("numChildrenInNonRootLimitExceeded", FailureKind.Full, "the folder holds as many items as it can",
            "Use another folder."),
        ("insufficientFilePermissions", FailureKind.Denied, "you may read it, not change it",
            "Ask its owner for the right to edit."),
        ("insufficientParentPermissions", FailureKind.Denied, "you may read that folder, not write to it",
            "Ask its owner for the right to edit."),
        ("appNotAuthorizedToFile", FailureKind.Denied, "the link covers only files that Virga made itself",
            "Link the account again with full access."),
        ("insufficientPermissions", FailureKind.Denied, "the account was linked without the right to do that",
            "Link it again with full access."),
        ("cannotDownloadAbusiveFile", FailureKind.Denied, "Google has found it to be malware or spam",
            "Its owner can download it in a browser, after a warning."),
        ("fileNotDownloadable", FailureKind.Unsupported, "it is a Google document, which has no bytes of its own",
            "Export it at drive.google.com."),
        ("accessNotConfigured", FailureKind.Denied, "the OAuth client's project has the Drive API switched off",
            "Switch it on in the Google Cloud console, and wait a few minutes."),
        ("domainPolicy", FailureKind.Denied, "the domain's administrator has forbidden it", "Ask the administrator."),
        ("parentNotAFolder", FailureKind.Conflict, "a folder above it is a file", "Move that file out of the way."),
        ("cyclicMembershipsNotAllowed", FailureKind.BadInput, "a folder can't be moved into itself", null),
        ("notFound", FailureKind.NotFound, "it isn't there", null),
        ("authError", FailureKind.Unauthenticated, "Google no longer takes the account's token", Relink),
    ];

    /// <summary>The reason that an error names; "" where it names none.</summary>
    public static string ReasonOf(JsonElement body) =>
        body.ValueKind == JsonValueKind.Object && body.TryGetProperty("error", out var error)
            && error.ValueKind == JsonValueKind.Object && error.TryGetProperty("errors", out var errors)
            && errors.ValueKind == JsonValueKind.Array && errors.GetArrayLength() > 0
            && errors[0].TryGetProperty("reason", out var reason) && reason.ValueKind == JsonValueKind.String
            ? reason.GetString()!
            : "";

    public static VirgaException Of(string what, HttpStatusCode status, string reason, TimeSpan? retryAfter)
    {
        foreach (var known in Known)
        {
            if (known.Reason == reason)
                return new VirgaException(known.Kind, $"{what}: {known.Message}", known.Advice)
                {
                    RetryAfter = known.Kind == FailureKind.Throttled ? retryAfter : null,
                };
        }
        return status switch
        {
            HttpStatusCode.Unauthorized => new VirgaException(
                FailureKind.Unauthenticated, $"{what}: Google no longer takes the account's token", Relink),
            HttpStatusCode.Forbidden => new VirgaException(
                FailureKind.Denied, $"{what}: Google Drive doesn't allow it ({reason})",
                "Check who owns it and with which rights it is shared with you."),
            HttpStatusCode.NotFound or HttpStatusCode.Gone =>
                new VirgaException(FailureKind.NotFound, $"{what}: it isn't there"),
            HttpStatusCode.TooManyRequests => new VirgaException(
                FailureKind.Throttled, $"{what}: Google Drive asks us to slow down") { RetryAfter = retryAfter },
            HttpStatusCode.RequestTimeout =>
                new VirgaException(FailureKind.Timeout, $"{what}: Google Drive gave up waiting"),
            >= HttpStatusCode.InternalServerError => new VirgaException(
                FailureKind.Unavailable, $"{what}: Google Drive had a fault of its own ({(int)status})"),
            _ => new VirgaException(
                FailureKind.BadInput, $"{what}: Google Drive refuses it ({(int)status} {reason})"),
        };
    }
}
