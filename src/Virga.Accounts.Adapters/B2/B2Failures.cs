using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Virga.Core;

namespace Virga.Accounts.Adapters.B2;

/// <summary>What refusals mean: the code of an answer ("Calling the API", "Error handling"), not its words.</summary>
internal static class B2Failures
{
    private const string CodeKey = "b2-code";
    private const string KeyAdvice = "Set keyId and applicationKey to a pair that 'Application Keys' shows was made.";

    public static string? CodeOf(VirgaException e) => e.Data[CodeKey] as string;

    public static bool IsExpired(VirgaException e) => CodeOf(e) is "expired_auth_token" or "bad_auth_token";

    public static VirgaException NotB2(string what, Exception? inner = null) => new(
        FailureKind.Unavailable, $"{what}: the answer is not what Backblaze B2 promises", inner: inner);

    public static VirgaException WrongKey(string what) => new(
        FailureKind.Unauthenticated, $"{what}: Backblaze B2 doesn't take the application key", KeyAdvice);

    public static VirgaException NoBucket(string what, string bucket) => new(
        FailureKind.NotFound, $"{what}: there is no bucket '{bucket}'",
        "Check the bucket's name, or create it; names are the account's own.");

    public static VirgaException OtherBucket(string what, string bucket, string allowed) => new(
        FailureKind.Denied, $"{what}: the application key is for the bucket '{allowed}', not for '{bucket}'",
        "Use a key for this bucket, or mend the address.");

    public static VirgaException Of(string what, HttpResponseMessage answer, byte[] body, B2Client client)
    {
        var code = TryCode(body);
        var failure = Of(what, answer, code, client);
        failure.Data[CodeKey] = code;
        return failure;
    }

    private static VirgaException Of(string what, HttpResponseMessage answer, string code, B2Client client)
    {
        var status = (int)answer.StatusCode;
        return code switch
        {
            "unauthorized" or "access_denied" => new(
                FailureKind.Denied, $"{what}: the application key is not allowed to do that",
                "Make a key with listBuckets, listFiles, readFiles, writeFiles and deleteFiles for this bucket "
                    + "(listFiles and readFiles are enough to share from it)."),
            "cap_exceeded" or "storage_cap_exceeded" => new(
                FailureKind.Full, $"{what}: a cap of the Backblaze account is reached",
                "Raise it under 'Caps & Alerts', or wait until tomorrow."),
            "transaction_cap_exceeded" or "download_cap_exceeded" => new(
                FailureKind.Denied, $"{what}: today's cap on downloads or calls is reached",
                "Raise it under 'Caps & Alerts', or wait until tomorrow."),
            "bad_bucket_id" => NoBucket(what, client.Settings.Bucket),
            "no_such_file" or "file_not_present" or "not_found" => new(
                FailureKind.NotFound, $"{what}: it isn't there"),
            _ => answer.StatusCode switch
            {
                HttpStatusCode.Unauthorized => new(
                    FailureKind.Unauthenticated, $"{what}: Backblaze B2 refuses the key", KeyAdvice),
                HttpStatusCode.Forbidden => new(
                    FailureKind.Denied, $"{what}: Backblaze B2 doesn't allow it ({code})",
                    "See to the account's caps and billing."),
                HttpStatusCode.NotFound => new(FailureKind.NotFound, $"{what}: it isn't there"),
                HttpStatusCode.RequestedRangeNotSatisfiable => new(
                    FailureKind.BadInput, $"{what}: the range lies beyond its end"),
                HttpStatusCode.RequestTimeout => new(
                    FailureKind.Timeout, $"{what}: Backblaze B2 waited too long for our bytes"),
                HttpStatusCode.TooManyRequests => Throttled(what, answer, client),
                HttpStatusCode.ServiceUnavailable when answer.Headers.RetryAfter is not null =>
                    Throttled(what, answer, client),
                >= HttpStatusCode.InternalServerError => new(
                    FailureKind.Unavailable, $"{what}: Backblaze B2 had a fault of its own ({status} {code})"),
                _ => new(FailureKind.BadInput, $"{what}: Backblaze B2 refuses it ({status} {code})"),
            },
        };
    }

    private static VirgaException Throttled(string what, HttpResponseMessage answer, B2Client client)
    {
        var wait = answer.Headers.RetryAfter switch
        {
            { Delta: { } delta } => delta,
            { Date: { } date } => date - client.Services.Clock.GetUtcNow(),
            _ => (TimeSpan?)null,
        };
        return new VirgaException(FailureKind.Throttled, $"{what}: Backblaze B2 asks us to slow down")
        {
            RetryAfter = wait < TimeSpan.Zero ? TimeSpan.Zero : wait,
        };
    }

    private static string TryCode(byte[] body)
    {
        try
        {
            return (string?)JsonNode.Parse(body)?["code"] ?? "";
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return "";
        }
    }
}
