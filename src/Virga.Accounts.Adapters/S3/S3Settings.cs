using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.S3;

/// <summary>An S3 account's configuration, checked.</summary>
/// <param name="Endpoint">Scheme, host and port.</param>
/// <param name="Prefix">Where in the bucket the account's root lies; "" or ends in '/'.</param>
internal sealed record S3Settings(
    Uri Endpoint,
    string Bucket,
    string Prefix,
    string Region,
    bool IsPathStyle,
    string? CertSha256,
    string? AccessKey,
    string? SecretKey,
    string? SessionToken,
    string? Service = null,
    string? Principal = null)
{
    private const string AmazonSuffix = ".amazonaws.com";
    private const string DefaultRegion = "us-east-1";

    public static readonly IReadOnlyList<AccountSetting> Known =
    [
        new("endpoint", "URL of the S3 service, e.g. https://s3.example.org", IsRequired: true),
        new("bucket", "The bucket's name", IsRequired: true),
        new("prefix", "Folder of the bucket that is the account's root"),
        new("region", "Region to sign for; guessed from Amazon's host names, otherwise us-east-1"),
        new("pathStyle", "true: the bucket stands in the path (the default except at Amazon); false: in the host name"),
        new("certSha256", "SHA-256 of the only TLS certificate to accept, for self-signed ones"),
        new("service", "Name of the service, where its other users reach it by another host than this endpoint"),
        new("principal", "Who this account is to the service: an ARN or canonical id; asked of the service otherwise"),
        new("accessKey", "Access key id; leave both keys out for a public bucket", IsSecret: true),
        new("secretKey", "Secret access key", IsSecret: true),
        new("sessionToken", "Session token of temporary keys", IsSecret: true),
    ];

    public static S3Settings From(AccountConfig config)
    {
        var settings = new SettingsReader(config, Known, S3Adapter.Form);
        var endpoint = ParseEndpoint(settings.Required("endpoint"));
        var bucket = settings.Required("bucket");
        if (bucket.Length is < 1 or > 255 || bucket.AsSpan().ContainsAny('/', '?', '#') || bucket is "." or "..")
            throw new VirgaException(FailureKind.BadInput, $"'{bucket}' can't be a bucket's name", S3Adapter.Form);
        var prefix = EntryPath.Parse(settings.Optional("prefix")?.Trim('/') ?? "");
        var accessKey = settings.Optional("accessKey");
        var secretKey = settings.Optional("secretKey");
        if (accessKey is null != secretKey is null)
        {
            throw new VirgaException(
                FailureKind.BadInput,
                accessKey is null
                    ? "the account has a secretKey but no accessKey"
                    : "the account has an accessKey but no secretKey",
                "Give both keys, or neither for a public bucket.");
        }
        return new S3Settings(
            endpoint,
            bucket,
            prefix.IsRoot ? "" : prefix.Value + "/",
            settings.Optional("region") ?? GuessRegion(endpoint.Host),
            settings.Flag("pathStyle") ?? !endpoint.Host.EndsWith(AmazonSuffix, StringComparison.Ordinal),
            Http.Endpoint.ParseCertSha256(settings.Optional("certSha256")),
            accessKey,
            secretKey,
            settings.Optional("sessionToken"),
            settings.Optional("service"),
            CheckedPrincipal(settings.Optional("principal")));
    }

    private static string? CheckedPrincipal(string? text) => text is null || S3Principal.IsGood(text) ? text
        : throw new VirgaException(
            FailureKind.BadInput, $"'{text}' is no principal",
            "It is the ARN of one user, role or account, such as arn:aws:iam::123456789012:user/ann, "
                + "or a canonical id.");

    private static Uri ParseEndpoint(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.Host.Length > 0
            && uri.AbsolutePath == "/" && uri.UserInfo.Length == 0 && uri.Query.Length == 0 && uri.Fragment.Length == 0
            ? uri
            : throw new VirgaException(
                FailureKind.BadInput, $"'{text}' is not the URL of an S3 service", S3Adapter.Form);

    // s3.eu-west-1.amazonaws.com and s3-eu-west-1.amazonaws.com name their region; s3.amazonaws.com is us-east-1.
    private static string GuessRegion(string host)
    {
        if (!host.EndsWith(AmazonSuffix, StringComparison.Ordinal)) return DefaultRegion;
        var labels = host[..^AmazonSuffix.Length].Split('.');
        return labels is ["s3", .., var region] ? region
            : labels[^1].StartsWith("s3-", StringComparison.Ordinal) ? labels[^1][3..]
            : DefaultRegion;
    }
}
