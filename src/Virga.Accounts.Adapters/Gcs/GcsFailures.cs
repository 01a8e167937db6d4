using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using Virga.Core;

namespace Virga.Accounts.Adapters.Gcs;

/// <summary>
/// What refusals mean (JSON API, "HTTP status and error codes"; XML API, "HTTP status and error codes"): the reason of
/// the one, the code of the other.
/// </summary>
internal static class GcsFailures
{
    private const string CodeKey = "gcs-code";

    public static bool IsOfBucket(VirgaException e) => (string?)e.Data[CodeKey] == "bucket";

    public static VirgaException NotGoogle(string what, Exception? inner = null) => new(
        FailureKind.Unavailable, $"{what}: the answer is not what Google Cloud Storage promises", inner: inner);

    public static VirgaException Of(
        string what, HttpResponseMessage answer, byte[] body, GcsClient client, TimeSpan? retryAfter)
    {
        var (reason, message) = ReasonOf(body);
        var failure = Of(what, answer.StatusCode, reason, message, client, retryAfter);
        if (IsNoBucket(reason, message)) failure.Data[CodeKey] = "bucket";
        return failure;
    }

    private static bool IsNoBucket(string reason, string message) => reason == "NoSuchBucket"
        || message.Contains("specified bucket does not exist", StringComparison.OrdinalIgnoreCase);

    private static VirgaException Of(
        string what, HttpStatusCode status, string reason, string message, GcsClient client, TimeSpan? retryAfter)
    {
        var settings = client.Settings;
        if (IsNoBucket(reason, message))
        {
            return new VirgaException(
                FailureKind.NotFound, $"{what}: there is no bucket '{settings.Bucket}'",
                "Check the bucket's name, or create it.");
        }
        if (status == HttpStatusCode.TooManyRequests
            || reason is "rateLimitExceeded" or "userRateLimitExceeded" or "SlowDown")
        {
            return new VirgaException(FailureKind.Throttled, $"{what}: Google Cloud Storage asks us to slow down")
            {
                RetryAfter = retryAfter,
            };
        }
        return reason switch
        {
            "UserProjectMissing" or "UserProjectAccessDenied" => new VirgaException(
                FailureKind.Denied, $"{what}: bucket '{settings.Bucket}' lets whoever reads it pay",
                "Use a bucket without requester pays."),
            "accountDisabled" or "AccountProblem" or "userAccountDisabled" or "billingDisabled" => new VirgaException(
                FailureKind.Denied, $"{what}: the project of bucket '{settings.Bucket}' is disabled",
                "See to its billing in the console."),
            "quotaExceeded" or "QuotaExceeded" => new VirgaException(
                FailureKind.Full, $"{what}: the project's quota is used up", "Have it raised in the console."),
            "retentionPolicyNotMet" or "objectUnderActiveHold" => new VirgaException(
                FailureKind.ReadOnly, $"{what}: a retention policy or hold keeps it as it is",
                "Wait until it ends, or choose another bucket."),
            "NoSuchUpload" => new VirgaException(
                FailureKind.NotFound, $"{what}: the service has ended the upload", "Begin the upload anew."),
            "InvalidPart" or "InvalidPartOrder" => new VirgaException(
                FailureKind.NotFound, $"{what}: a part that was stored is gone", "Begin the upload anew."),
            _ => OfStatus(what, status, reason, client),
        };
    }

    private static VirgaException OfStatus(string what, HttpStatusCode status, string reason, GcsClient client) =>
        status switch
        {
            HttpStatusCode.NotFound => new(FailureKind.NotFound, $"{what}: it isn't there"),
            HttpStatusCode.PreconditionFailed => new(
                FailureKind.Changed, $"{what}: it is no longer the version that was asked for"),
            HttpStatusCode.RequestedRangeNotSatisfiable => new(
                FailureKind.BadInput, $"{what}: the range lies beyond its end"),
            HttpStatusCode.Unauthorized when client.Settings.Key is null => new(
                FailureKind.Unauthenticated, $"{what}: Google no longer takes the account's token",
                "Link the account again: virga account link NAME"),
            HttpStatusCode.Unauthorized => new(
                FailureKind.Unauthenticated, $"{what}: Google Cloud Storage refuses the access token",
                "Set serviceAccountKey to a key of the service account that is not deleted."),
            HttpStatusCode.Forbidden when client.Settings.Key is null => new(
                FailureKind.Denied,
                $"{what}: who linked the account is not allowed to do that in bucket '{client.Settings.Bucket}'",
                "They need the role Storage Object User on the bucket (to share from it Object Viewer); "
                    + "an account that was linked for reading has to be linked again with full access."),
            HttpStatusCode.Forbidden => new(
                FailureKind.Denied,
                $"{what}: {client.Settings.Key?.Mail} is not allowed to do that in bucket '{client.Settings.Bucket}'",
                "Give it the role Storage Object User on the bucket; to share from it Object Viewer is enough."),
            HttpStatusCode.RequestTimeout or HttpStatusCode.GatewayTimeout => new(
                FailureKind.Timeout, $"{what}: Google Cloud Storage gave up waiting"),
            HttpStatusCode.Conflict => new(FailureKind.Conflict, $"{what}: something is in the way ({reason})"),
            >= HttpStatusCode.InternalServerError => new(
                FailureKind.Unavailable, $"{what}: Google Cloud Storage had a fault of its own ({(int)status})"),
            _ => new(FailureKind.BadInput, $"{what}: Google Cloud Storage refuses it ({(int)status} {reason})"),
        };

    private static (string Reason, string Message) ReasonOf(byte[] body)
    {
        try
        {
            if (body.AsSpan().TrimStart((byte)' ').StartsWith("{"u8))
            {
                var error = JsonNode.Parse(body)?["error"];
                return ((string?)error?["errors"]?[0]?["reason"] ?? "", (string?)error?["message"] ?? "");
            }
            var xml = XElement.Parse(Encoding.UTF8.GetString(body));
            return ((string?)xml.Element("Code") ?? "", (string?)xml.Element("Message") ?? "");
        }
        catch (Exception e) when (e is JsonException or System.Xml.XmlException or InvalidOperationException
            or ArgumentOutOfRangeException)
        {
            return ("", "");
        }
    }
}
