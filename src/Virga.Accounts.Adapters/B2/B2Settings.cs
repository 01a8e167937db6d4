using Virga.Core;

namespace Virga.Accounts.Adapters.B2;

/// <summary>A Backblaze B2 account's configuration, checked.</summary>
/// <param name="Prefix">Where in the bucket the account's root lies; "" or ends in '/'.</param>
internal sealed record B2Settings(string Bucket, string Prefix, string KeyId, string ApplicationKey)
{
    public static readonly IReadOnlyList<AccountSetting> Known =
    [
        new("bucket", "The bucket's name", IsRequired: true),
        new("prefix", "Folder of the bucket that is the account's root"),
        new("keyId", "Id of an application key", IsRequired: true, IsSecret: true),
        new("applicationKey", "The application key itself", IsRequired: true, IsSecret: true),
    ];

    public static B2Settings From(AccountConfig config)
    {
        var settings = new SettingsReader(config, Known, B2Adapter.Form);
        var bucket = settings.Required("bucket");
        // "Buckets": 6 to 63 letters, digits and hyphens, case-insensitive.
        if (bucket.Length is < 6 or > 63 || !bucket.All(c => char.IsAsciiLetterOrDigit(c) || c == '-'))
            throw new VirgaException(
                FailureKind.BadInput, $"'{bucket}' can't be a bucket's name",
                "It has 6 to 63 letters, digits and hyphens. " + B2Adapter.Form);
        var prefix = EntryPath.Parse(settings.Optional("prefix")?.Trim('/') ?? "");
        return new B2Settings(
            bucket, prefix.IsRoot ? "" : prefix.Value + "/", settings.Required("keyId"),
            settings.Required("applicationKey"));
    }

    public override string ToString() => $"bucket {Bucket}";
}
