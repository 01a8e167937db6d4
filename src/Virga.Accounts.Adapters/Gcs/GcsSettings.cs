using Virga.Accounts.Adapters.OAuth;
using Virga.Core;

namespace Virga.Accounts.Adapters.Gcs;

/// <summary>A Google Cloud Storage account's configuration, checked.</summary>
/// <param name="Prefix">Where in the bucket the account's root lies; "" or ends in '/'.</param>
/// <param name="Key">Null where a user has linked it.</param>
internal sealed record GcsSettings(string Bucket, string Prefix, ServiceAccountKey? Key, bool IsReadOnly = false)
{
    public static readonly IReadOnlyList<AccountSetting> Known =
    [
        new("bucket", "The bucket's name", IsRequired: true),
        new("prefix", "Folder of the bucket that is the account's root"),
        new(
            KeyName, "The service account's key file: its JSON text, or that in Base64 on one line; "
                + "not where the account is linked",
            IsSecret: true),
        // Of an account that is linked; one by a service account has none of them.
        .. OAuthSettings.Known.Select(s => s with { IsRequired = false }),
    ];

    private const string KeyName = "serviceAccountKey";

    public static GcsSettings From(AccountConfig config)
    {
        var settings = new SettingsReader(config, Known, GcsAdapter.Form);
        var bucket = settings.Required("bucket");
        if (!IsBucketName(bucket))
        {
            throw new VirgaException(
                FailureKind.BadInput, $"'{bucket}' can't be a bucket's name",
                "It has 3 to 63 lower-case letters, digits, hyphens, underscores and dots. " + GcsAdapter.Form);
        }
        var prefix = EntryPath.Parse(settings.Optional("prefix")?.Trim('/') ?? "");
        return new GcsSettings(
            bucket, prefix.IsRoot ? "" : prefix.Value + "/",
            IsLinked(config) || settings.Optional(KeyName) is not { } key ? null : ServiceAccountKey.Parse(key),
            OAuthSettings.IsReadOnly(config));
    }

    // Cloud Storage, "About Cloud Storage buckets", "Bucket names".
    public static bool IsBucketName(string bucket) =>
        bucket.Length is >= 3 and <= 222
        && !bucket.AsSpan().ContainsAnyExcept("abcdefghijklmnopqrstuvwxyz0123456789-_.");

    /// <summary>Whether a user has linked it, and no service account is used.</summary>
    public static bool IsLinked(AccountConfig config) =>
        config.Secrets.TryGetValue(OAuthSettings.RefreshTokenName, out var token) && token.Length > 0;

    public override string ToString() => $"bucket {Bucket}";
}
