using Virga.Core;

namespace Virga.Accounts.Adapters.Gcs;

/// <summary>A Google Cloud Storage account's configuration, checked.</summary>
/// <param name="Prefix">Where in the bucket the account's root lies; "" or ends in '/'.</param>
internal sealed record GcsSettings(string Bucket, string Prefix, ServiceAccountKey Key)
{
    public static readonly IReadOnlyList<AccountSetting> Known =
    [
        new("bucket", "The bucket's name", IsRequired: true),
        new("prefix", "Folder of the bucket that is the account's root"),
        new(
            "serviceAccountKey", "The service account's key file: its JSON text, or that in Base64 on one line",
            IsRequired: true, IsSecret: true),
    ];

    public static GcsSettings From(AccountConfig config)
    {
        var settings = new SettingsReader(config, Known, GcsAdapter.Form);
        var bucket = settings.Required("bucket");
        // Cloud Storage, "About Cloud Storage buckets", "Bucket names".
        if (bucket.Length is < 3 or > 222
            || bucket.AsSpan().ContainsAnyExcept("abcdefghijklmnopqrstuvwxyz0123456789-_."))
        {
            throw new VirgaException(
                FailureKind.BadInput, $"'{bucket}' can't be a bucket's name",
                "It has 3 to 63 lower-case letters, digits, hyphens, underscores and dots. " + GcsAdapter.Form);
        }
        var prefix = EntryPath.Parse(settings.Optional("prefix")?.Trim('/') ?? "");
        return new GcsSettings(
            bucket, prefix.IsRoot ? "" : prefix.Value + "/",
            ServiceAccountKey.Parse(settings.Required("serviceAccountKey")));
    }

    public override string ToString() => $"bucket {Bucket}";
}
