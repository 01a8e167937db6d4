using System.Globalization;
using System.Net;
using Amazon.Runtime;
using Amazon.Runtime.Internal;
using Amazon.Runtime.Internal.Transform;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.S3;

/// <summary>Error codes of S3 (Amazon S3 API Reference, "Error responses") in our kinds of failure.</summary>
internal static class S3Failures
{
    /// <param name="exception">Whatever Amazon's client threw.</param>
    /// <param name="what">What was tried, with its path.</param>
    public static VirgaException Map(Exception exception, string what, S3Settings settings, Endpoint endpoint)
    {
        if (exception is AmazonServiceException service && service.StatusCode != 0)
            return FromAnswer(Refusal(service), what, settings, endpoint);
        if (TransportFailures.Map(exception, what, endpoint) is { } transport)
            return settings.IsPathStyle ? transport : AsHostName(transport, what, settings);
        return exception is AmazonServiceException or AmazonClientException
            ? NotS3(what, endpoint, exception)
            : new VirgaException(FailureKind.Unavailable, $"{what}: {exception.Message}", inner: exception);
    }

    public static VirgaException NotS3(string what, Endpoint endpoint, Exception? inner = null) => new(
        FailureKind.Unsupported, $"{what}: {endpoint.Name} answers, but not as an S3 service does", Advice.Endpoint,
        inner);

    /// <summary>Not every service knows its buckets as host names.</summary>
    private static VirgaException AsHostName(VirgaException failure, string what, S3Settings settings) =>
        failure.Message.EndsWith("can't be resolved", StringComparison.Ordinal)
            ? new VirgaException(
                FailureKind.Unavailable,
                $"{what}: the name '{settings.Bucket}.{settings.Endpoint.Host}' can't be resolved",
                "Check bucket and endpoint; if they are right, the service wants the bucket in the path: "
                    + "set pathStyle to true.",
                failure)
            : failure;

    public static VirgaException FromAnswer(
        S3Refusal e, string what, S3Settings settings, Endpoint endpoint) => e.Code switch
    {
        "NoSuchBucket" => Make(
            FailureKind.NotFound,
            $"{what}: there is no bucket '{settings.Bucket}' at {endpoint.Name}",
            "Check the bucket's name and the endpoint, or create the bucket.",
            e),
        "InvalidAccessKeyId" => Make(
            FailureKind.Unauthenticated, $"{what}: {endpoint.Name} doesn't know the access key", Advice.Keys, e),
        "SignatureDoesNotMatch" => Make(
            FailureKind.Unauthenticated, $"{what}: the secret key doesn't fit the access key", Advice.Keys, e),
        "ExpiredToken" or "InvalidToken" or "TokenRefreshRequired" => Make(
            FailureKind.Unauthenticated,
            $"{what}: the session token is wrong or has expired",
            "Set new temporary keys.",
            e),
        "RequestTimeTooSkewed" or "RequestExpired" => Make(
            FailureKind.ClockSkew,
            $"{what}: this machine's clock and that of {endpoint.Name} differ by too much",
            "Set this machine's clock (timedatectl set-ntp true), then try again.",
            e),
        "AccessDenied" or "AllAccessDisabled" or "AccountProblem" or "Forbidden" => Denied(what, settings, e),
        "QuotaExceeded" or "XMinioStorageFull" or "InsufficientStorage" => Full(what, e),
        "SlowDown" or "Throttling" or "ThrottlingException" or "TooManyRequests" or "RequestLimitExceeded" =>
            Throttled(what, endpoint, e),
        "RequestTimeout" =>
            Make(FailureKind.Timeout, $"{what}: {endpoint.Name} waited too long for our bytes", null, e),
        "BadDigest" or "XAmzContentSHA256Mismatch" or "IncompleteBody" => Make(
            FailureKind.Unavailable, $"{what}: the bytes were damaged or lost on the way to {endpoint.Name}", null, e),
        "NoSuchKey" => Make(FailureKind.NotFound, $"{what}: it isn't there", null, e),
        "NoSuchUpload" =>
            Make(FailureKind.NotFound, $"{what}: the service has ended the upload", "Begin the upload anew.", e),
        "InvalidPart" or "InvalidPartOrder" => Make(
            FailureKind.NotFound, $"{what}: a part that was stored is gone", "Begin the upload anew.", e),
        "EntityTooSmall" or "EntityTooLarge" or "KeyTooLongError" or "InvalidObjectName" or "InvalidRange" => Make(
            FailureKind.BadInput, $"{what}: the service refuses it ({e.Code})", null, e),
        "PermanentRedirect" or "TemporaryRedirect" or "AuthorizationHeaderMalformed"
            or "IllegalLocationConstraintException" =>
            Make(
            FailureKind.BadInput,
            $"{what}: the bucket '{settings.Bucket}' lies in another region than '{settings.Region}', "
                + "or behind another endpoint",
            "Set the account's region and endpoint to the bucket's.",
            e),
        // Alibaba's and Tencent's words for it.
        "SecondLevelDomainForbidden" or "PathStyleDomainForbidden" => Make(
            FailureKind.BadInput, $"{what}: {endpoint.Name} takes the bucket as a host name alone, not in the path",
            "Set pathStyle to false.", e),
        "InvalidBucketName" =>
            Make(FailureKind.BadInput, $"{what}: '{settings.Bucket}' can't be a bucket's name", S3Adapter.Form, e),
        _ => FromStatus(e, what, settings, endpoint),
    };

    private static VirgaException FromStatus(
        S3Refusal e, string what, S3Settings settings, Endpoint endpoint) => e.Status switch
    {
        HttpStatusCode.NotFound => Make(FailureKind.NotFound, $"{what}: it isn't there", null, e),
        HttpStatusCode.PreconditionFailed =>
            Make(FailureKind.Changed, $"{what}: it is no longer the version that was asked for", null, e),
        HttpStatusCode.RequestedRangeNotSatisfiable =>
            Make(FailureKind.BadInput, $"{what}: the range lies beyond its end", null, e),
        HttpStatusCode.Unauthorized =>
            Make(FailureKind.Unauthenticated, $"{what}: {endpoint.Name} refuses the keys", Advice.Keys, e),
        HttpStatusCode.Forbidden => Denied(what, settings, e),
        HttpStatusCode.InsufficientStorage => Full(what, e),
        HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable => Throttled(what, endpoint, e),
        HttpStatusCode.RequestTimeout or HttpStatusCode.GatewayTimeout => Make(
            FailureKind.Timeout, $"{what}: {endpoint.Name} gave up waiting", null, e),
        HttpStatusCode.Conflict =>
            Make(FailureKind.Unavailable, $"{what}: another change was going on ({e.Code})", null, e),
        HttpStatusCode.MethodNotAllowed or HttpStatusCode.NotImplemented => Make(
            FailureKind.Unsupported, $"{what}: {endpoint.Name} can't do this ({e.Code})", Advice.Endpoint, e),
        >= HttpStatusCode.InternalServerError => Make(
            FailureKind.Unavailable,
            $"{what}: {endpoint.Name} had a fault of its own ({(int)e.Status} {e.Code})",
            null,
            e),
        _ => string.IsNullOrEmpty(e.Code)
            ? Make(
                FailureKind.Unsupported,
                $"{what}: {endpoint.Name} answers ({(int)e.Status}), but not as an S3 service does",
                Advice.Endpoint,
                e)
            : Make(
                FailureKind.BadInput, $"{what}: {endpoint.Name} refuses it ({(int)e.Status} {e.Code})", null,
                e),
    };

    private static VirgaException Denied(string what, S3Settings settings, S3Refusal e) => Make(
        FailureKind.Denied,
        settings.AccessKey is null
            ? $"{what}: not allowed without keys"
            : $"{what}: these keys are not allowed to do that",
        $"Ask the owner of bucket '{settings.Bucket}' for the right to list, read, write and delete, "
            + "or use other keys.",
        e);

    private static VirgaException Full(string what, S3Refusal e) => Make(
        FailureKind.Full, $"{what}: the account is full", "Free some space, or have its quota raised.", e);

    private static VirgaException Throttled(string what, Endpoint endpoint, S3Refusal e) =>
        new(
            FailureKind.Throttled, $"{what}: {endpoint.Name} asks us to slow down",
            inner: e.Inner) { RetryAfter = e.RetryAfter };

    private static S3Refusal Refusal(AmazonServiceException e) => new(
        e.StatusCode, e is AmazonUnmarshallingException ? null : e.ErrorCode, RetryAfter(e), e);

    private static TimeSpan? RetryAfter(AmazonServiceException e) =>
        e.InnerException is HttpErrorResponseException { Response: { } response }
            && response.IsHeaderPresent("Retry-After")
            && int.TryParse(
                response.GetHeaderValue("Retry-After"), NumberStyles.None, CultureInfo.InvariantCulture,
                out var seconds)
            ? TimeSpan.FromSeconds(seconds)
            : null;

    private static VirgaException Make(FailureKind kind, string message, string? advice, S3Refusal e) =>
        new(kind, message, advice, e.Inner);

    private static class Advice
    {
        public const string Keys = "Set accessKey and secretKey to a pair that the service issued.";
        public const string Endpoint = "Check that the account's endpoint is the URL of an S3 service. "
            + S3Adapter.Form;
    }
}

/// <summary>What a service answers instead of doing it.</summary>
/// <param name="Code">Of S3's own list; null where the answer has none, as a web server's hasn't.</param>
/// <param name="Inner">What Amazon's client threw, where it was asked.</param>
internal readonly record struct S3Refusal(
    HttpStatusCode Status, string? Code, TimeSpan? RetryAfter, Exception? Inner);
