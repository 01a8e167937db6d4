using System.Net;
using System.Net.Sockets;
using System.Xml.Linq;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.Azure;

/// <summary>
/// What the service's error codes mean ("Common REST API error codes", "Blob service error codes"), in our kinds of
/// failure and in words a person can act on. What stands in a message comes from the settings, never from a token.
/// </summary>
internal static class AzureFailures
{
    // "Authorize with Shared Key": a request reaches the service within 15 minutes of its date. One is for the line.
    private static readonly TimeSpan SkewMax = TimeSpan.FromMinutes(14);

    private const string CodeKey = "azure-code";
    private const string KeyAdvice =
        "Set accountKey to one of the two under 'Access keys' of that storage account: keys that were rotated end.";
    private const string SasAdvice = "Make a new SAS token for the container and set it as the secret sas.";

    /// <summary>The service's own code; null where it told none.</summary>
    public static string? CodeOf(VirgaException e) => e.Data[CodeKey] as string;

    public static bool IsOfContainer(VirgaException e) => CodeOf(e) is "ContainerNotFound" or "ContainerBeingDeleted";

    public static VirgaException FromTransport(Exception e, string what, AzureClient client)
    {
        var settings = client.Settings;
        if (!settings.HasAccountInPath && IsUnresolved(e))
        {
            return new VirgaException(
                FailureKind.NotFound,
                $"{what}: there is no storage account '{settings.Account}': the name '{client.Endpoint.Host}' "
                    + "can't be resolved",
                "Check how the account's name is spelt (it is in the portal's 'Storage accounts'), "
                    + "and this machine's DNS.",
                e);
        }
        return TransportFailures.Map(e, what, client.Endpoint)
            ?? new VirgaException(FailureKind.Unavailable, $"{what}: {e.Message}", inner: e);
    }

    public static VirgaException NotAzure(string what, AzureClient client, Exception? inner = null) => new(
        FailureKind.Unsupported,
        $"{what}: {client.Endpoint.Name} answers, but not as a Blob service does",
        "Check that the account's address is that of a Blob service. " + AzureAdapter.Form, inner);

    public static VirgaException FromAnswer(
        HttpResponseMessage answer, XDocument? error, string what, AzureClient client)
    {
        var code = answer.Headers.TryGetValues("x-ms-error-code", out var values)
            ? values.First() : error?.Root?.Element("Code")?.Value;
        var failure = FromCode(code, answer, error, what, client) ?? FromStatus(code, answer, what, client);
        failure.Data[CodeKey] = code;
        return failure;
    }

    private static VirgaException? FromCode(
        string? code, HttpResponseMessage answer, XDocument? error, string what, AzureClient client)
    {
        var settings = client.Settings;
        return code switch
        {
            "ContainerNotFound" or "ContainerBeingDeleted" or "ContainerDisabled" => new(
                FailureKind.NotFound,
                $"{what}: there is no container '{settings.Container}' in the storage account '{settings.Account}'",
                "Check the container's name, or create it."),
            "AuthenticationFailed" or "InvalidAuthenticationInfo" or "NoAuthenticationInformation" =>
                NotAuthenticated(answer, error, what, client),
            // Azurite has this one code for a wrong signature, too; only its text tells.
            "AuthorizationFailure" when Says(error, "authenticate the request") =>
                NotAuthenticated(answer, error, what, client),
            "AuthorizationFailure" or "AuthorizationPermissionMismatch" or "AuthorizationServiceMismatch"
                or "AuthorizationResourceTypeMismatch" or "AuthorizationResourceMismatch"
                or "InsufficientAccountPermissions" => NotAllowed(answer, what, client),
            "AuthorizationProtocolMismatch" => new(
                FailureKind.Denied, $"{what}: the SAS token is for https only",
                    "Use the https address of the account."),
            "AuthorizationSourceIPMismatch" or "IpAuthorizationError" => new(
                FailureKind.Denied,
                $"{what}: the SAS token or the account's firewall doesn't allow this machine's address",
                "Add this machine's address to the storage account's firewall, or make a SAS token without sip."),
            "KeyBasedAuthenticationNotPermitted" => new(
                FailureKind.Denied,
                $"{what}: the storage account '{settings.Account}' doesn't take account keys",
                "Allow 'storage account key access' in its configuration, or use a user delegation SAS."),
            "AccountIsDisabled" => new(
                FailureKind.Denied, $"{what}: the storage account '{settings.Account}' is disabled",
                "See to the subscription in the portal: an unpaid one disables its accounts."),
            "PublicAccessNotPermitted" or "ResourceNotFound" when settings is { AccountKey: null, Sas: null } => new(
                FailureKind.Denied, $"{what}: the container '{settings.Container}' is not public, or isn't there",
                "Set accountKey or sas."),
            "ConditionNotMet" or "SourceConditionNotMet" or "TargetConditionNotMet" => new(
                FailureKind.Changed, $"{what}: it is no longer the version that was asked for"),
            "InvalidRange" => new(FailureKind.BadInput, $"{what}: the range lies beyond its end"),
            "InvalidBlockList" or "InvalidBlobOrBlock" or "InvalidBlockId" => new(
                FailureKind.NotFound, $"{what}: a part that was stored is gone", "Begin the upload anew."),
            "CannotVerifyCopySource" => new(
                answer.StatusCode switch
                {
                    HttpStatusCode.NotFound => FailureKind.NotFound,
                    HttpStatusCode.PreconditionFailed => FailureKind.Changed,
                    HttpStatusCode.Forbidden or HttpStatusCode.Unauthorized => FailureKind.Denied,
                    _ => FailureKind.Denied,
                },
                $"{what}: the service may not read the source of the copy, or it is gone"),
            "LeaseIdMissing" or "LeaseLost" or "LeaseIdMismatchWithBlobOperation" => new(
                FailureKind.Conflict, $"{what}: another program holds a lease on it",
                "End that program's lease, or wait until it ends."),
            "SnapshotsPresent" => new(
                FailureKind.Conflict, $"{what}: it has snapshots", "Delete its snapshots first."),
            "BlobImmutableDueToPolicy" or "BlobImmutableDueToLegalHold" => new(
                FailureKind.ReadOnly, $"{what}: a policy of the container keeps it as it is",
                "Wait until the policy ends, or choose another container."),
            "BlobArchived" or "BlobBeingRehydrated" => new(
                FailureKind.Unsupported, $"{what}: it lies in the archive tier, where it can't be read",
                "Move it to the hot or cool tier first, which takes hours."),
            "InvalidBlobType" => new(
                FailureKind.Conflict, $"{what}: a page or append blob of that name is there", "Delete it first."),
            "InvalidResourceName" or "InvalidUri" or "OutOfRangeInput" => new(
                FailureKind.BadInput, $"{what}: the service refuses the name"),
            "UnsupportedHeader" or "FeatureVersionMismatch" or "InvalidHeaderValue" => new(
                FailureKind.Unsupported, $"{what}: {client.Endpoint.Name} doesn't know what was asked ({code})",
                "This may be an old emulator: start Azurite with --skipApiVersionCheck."),
            "ServerBusy" => Throttled(answer, what, client),
            "OperationTimedOut" => new(FailureKind.Timeout, $"{what}: {client.Endpoint.Name} took too long itself"),
            "PendingCopyOperation" => new(FailureKind.Unavailable, $"{what}: a copy onto it is going on"),
            "Md5Mismatch" or "Crc64Mismatch" => new(
                FailureKind.Unavailable, $"{what}: the bytes were damaged on the way to {client.Endpoint.Name}"),
            _ => null,
        };
    }

    private static VirgaException FromStatus(
        string? code, HttpResponseMessage answer, string what, AzureClient client)
    {
        var name = client.Endpoint.Name;
        var status = (int)answer.StatusCode;
        if (code is null && !answer.Headers.Contains("x-ms-request-id")
            && answer.StatusCode is < HttpStatusCode.InternalServerError and not HttpStatusCode.TooManyRequests)
            return NotAzure(what, client);
        return answer.StatusCode switch
        {
            HttpStatusCode.NotFound => new(FailureKind.NotFound, $"{what}: it isn't there"),
            HttpStatusCode.PreconditionFailed or HttpStatusCode.NotModified => new(
                FailureKind.Changed, $"{what}: it is no longer the version that was asked for"),
            HttpStatusCode.RequestedRangeNotSatisfiable => new(
                FailureKind.BadInput, $"{what}: the range lies beyond its end"),
            HttpStatusCode.Unauthorized => NotAuthenticated(answer, null, what, client),
            HttpStatusCode.Forbidden => NotAllowed(answer, what, client),
            HttpStatusCode.TooManyRequests => Throttled(answer, what, client),
            HttpStatusCode.ServiceUnavailable => Throttled(answer, what, client),
            HttpStatusCode.RequestTimeout or HttpStatusCode.GatewayTimeout => new(
                FailureKind.Timeout, $"{what}: {name} gave up waiting"),
            HttpStatusCode.InsufficientStorage => new(
                FailureKind.Full, $"{what}: the account is full", "Free some space, or have its quota raised."),
            HttpStatusCode.Conflict => new(FailureKind.Conflict, $"{what}: something is in the way ({code})"),
            HttpStatusCode.MethodNotAllowed or HttpStatusCode.NotImplemented => new(
                FailureKind.Unsupported, $"{what}: {name} can't do this ({status} {code})"),
            >= HttpStatusCode.InternalServerError => new(
                FailureKind.Unavailable, $"{what}: {name} had a fault of its own ({status} {code})"),
            _ => new(FailureKind.BadInput, $"{what}: {name} refuses it ({status} {code})"),
        };
    }

    private static VirgaException NotAuthenticated(
        HttpResponseMessage answer, XDocument? error, string what, AzureClient client)
    {
        var settings = client.Settings;
        var now = client.Services.Clock.GetUtcNow();
        // Both clocks are in plain sight: what a wrong one looks like to the service differs from kind to kind.
        if (answer.Headers.Date is { } theirs && (theirs - now).Duration() > SkewMax)
        {
            return new VirgaException(
                FailureKind.ClockSkew,
                $"{what}: this machine's clock and that of {client.Endpoint.Name} differ by "
                    + $"{(theirs - now).Duration().TotalMinutes:0} minutes",
                "Set this machine's clock (timedatectl set-ntp true), then try again.");
        }
        if (settings.SasToken is { } sas)
        {
            if (sas.Expires is { } end && end <= now)
                return new VirgaException(
                    FailureKind.Unauthenticated, $"{what}: the SAS token ended at {end:yyyy-MM-dd HH:mm} UTC",
                        SasAdvice);
            if (sas.Starts is { } start && start > now)
                return new VirgaException(
                    FailureKind.Unauthenticated,
                    $"{what}: the SAS token is not valid before {start:yyyy-MM-dd HH:mm} UTC",
                    "Wait until then. " + SasAdvice);
            return new VirgaException(
                FailureKind.Unauthenticated,
                $"{what}: {client.Endpoint.Name} refuses the SAS token"
                    + (Says(error, "signed time frame") || Says(error, "expiry") ? ": it has expired" : ""),
                "It is for another account or container, was cut off, or its key or policy was changed. " + SasAdvice);
        }
        return settings.AccountKey is null
            ? new VirgaException(
                FailureKind.Unauthenticated, $"{what}: {client.Endpoint.Name} wants a key or SAS token",
                "Set accountKey or sas.")
            : new VirgaException(
                FailureKind.Unauthenticated,
                $"{what}: the accountKey is not a key of the storage account '{settings.Account}'", KeyAdvice);
    }

    private static VirgaException NotAllowed(HttpResponseMessage answer, string what, AzureClient client)
    {
        var settings = client.Settings;
        var isWrite = answer.RequestMessage?.Method is { } m && m != HttpMethod.Get && m != HttpMethod.Head;
        if (settings.SasToken is { } sas)
        {
            var has = sas.Permissions is { } p ? $"it allows only '{p}'" : "its policy doesn't allow it";
            return isWrite && !sas.CanWrite
                ? new VirgaException(
                    FailureKind.ReadOnly, $"{what}: the SAS token is for reading: {has}",
                    "To write into this container, make a SAS token with the permissions rcwdl.")
                : new VirgaException(
                    FailureKind.Denied, $"{what}: the SAS token lacks a permission: {has}",
                    "Make a SAS token for the container (sr=c) with the permissions rl to read, rcwdl to write.");
        }
        return settings.AccountKey is null
            ? new VirgaException(FailureKind.Denied, $"{what}: not allowed without a key", "Set accountKey or sas.")
            : new VirgaException(
                FailureKind.Denied, $"{what}: the storage account '{settings.Account}' doesn't allow it",
                "See to its 'Networking' page: its firewall may not let this machine in.");
    }

    private static VirgaException Throttled(HttpResponseMessage answer, string what, AzureClient client)
    {
        var wait = answer.Headers.RetryAfter switch
        {
            { Delta: { } delta } => delta,
            { Date: { } date } => date - client.Services.Clock.GetUtcNow(),
            _ => (TimeSpan?)null,
        };
        return new VirgaException(FailureKind.Throttled, $"{what}: {client.Endpoint.Name} asks us to slow down")
        {
            RetryAfter = wait < TimeSpan.Zero ? TimeSpan.Zero : wait,
        };
    }

    private static bool Says(XDocument? error, string text) =>
        error?.Root?.Value.Contains(text, StringComparison.OrdinalIgnoreCase) == true;

    private static bool IsUnresolved(Exception exception)
    {
        for (var e = exception; e is not null; e = e.InnerException)
        {
            if (e is SocketException { SocketErrorCode: SocketError.HostNotFound or SocketError.NoData }
                or HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError })
                return true;
        }
        return false;
    }
}
