using Virga.Core;

namespace Virga.Accounts.Adapters.Gcs;

/// <summary>Buckets of Google Cloud Storage, by a service account's key.</summary>
public sealed class GcsAdapter(AdapterServices services) : IAccountAdapter
{
    internal const string Form =
        "A Google Cloud Storage account looks like gcs:bucket/folder, with the secret serviceAccountKey.";

    private const string Scheme = "gcs:";

    public string Name => "gcs";

    public IReadOnlyList<AccountSetting> Settings => GcsSettings.Known;

    public AccountConfig ParseAddress(
        string address, IReadOnlyDictionary<string, string> settings, IReadOnlyDictionary<string, string> secrets)
    {
        if (!address.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            throw new VirgaException(
                FailureKind.BadInput, $"'{address}' is not a Google Cloud Storage account's address", Form);
        var names = address[Scheme.Length..].Trim('/').Split('/', 2);
        var all = AddressParser.With(settings, ("bucket", names[0]), ("prefix", names.Length > 1 ? names[1] : ""));
        var config = new AccountConfig(Name, all, secrets);
        GcsSettings.From(config);
        return config;
    }

    public string Describe(AccountConfig config)
    {
        var settings = GcsSettings.From(config);
        return $"{Scheme}{settings.Bucket}/{settings.Prefix}".TrimEnd('/');
    }

    public ValueTask<IAccount> OpenAsync(AccountConfig config, CancellationToken cancellationToken)
    {
        var settings = GcsSettings.From(config);
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult<IAccount>(
            new GcsAccount(settings, new ServiceAccountTokens(settings.Key, services), services));
    }
}
