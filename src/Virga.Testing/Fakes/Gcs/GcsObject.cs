namespace Virga.Testing.Fakes.Gcs;

/// <summary>One generation of an object.</summary>
internal sealed record GcsObject(
    string Name, Blob Content, long Generation, DateTimeOffset Created, string ContentType,
    IReadOnlyDictionary<string, string> Metadata)
{
    public long Metageneration { get; init; } = 1;

    public string Md5 => Convert.ToBase64String(
        Content.Hash(System.Security.Cryptography.HashAlgorithmName.MD5));
}

/// <summary>A resumable session of the JSON API, or a multipart upload of the XML API.</summary>
internal sealed class GcsSession(string bucket, string name, string contentType, DateTimeOffset begun)
{
    public string Bucket => bucket;

    public string Name => name;

    public string ContentType => contentType;

    public DateTimeOffset Begun => begun;

    public Dictionary<string, string> Metadata { get; init; } = [];

    public long? IfGenerationMatch { get; init; }

    /// <summary>Of a resumable session: what came so far.</summary>
    public Blob Content { get; } = new();

    /// <summary>Of a multipart upload.</summary>
    public SortedDictionary<int, (Blob Content, string ETag)> Parts { get; } = [];
}

/// <summary>What the service answers when it refuses: for the JSON API and, by its code, for the XML API.</summary>
internal sealed class GcsProblem(int status, string reason, string message, string code) : Exception(message)
{
    public int Status => status;

    public string Reason => reason;

    /// <summary>Of the XML API, such as NoSuchKey.</summary>
    public string Code => code;

    public static GcsProblem NoBucket() =>
        new(404, "notFound", "The specified bucket does not exist.", "NoSuchBucket");

    public static GcsProblem NoObject(string bucket, string name) =>
        new(404, "notFound", $"No such object: {bucket}/{name}", "NoSuchKey");

    public static GcsProblem NoUpload() =>
        new(404, "notFound", "The requested upload was not found.", "NoSuchUpload");

    public static GcsProblem Precondition() => new(
        412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.",
        "PreconditionFailed");

    public static GcsProblem Bad(string message) => new(400, "invalid", message, "InvalidArgument");

    public static GcsProblem Unauthorized() =>
        new(401, "authError", "Invalid Credentials", "AuthenticationRequired");

    public static GcsProblem Forbidden(string who, string permission) => new(
        403, "forbidden", $"{who} does not have {permission} access to the Google Cloud Storage object.",
        "AccessDenied");
}
