using Virga.Accounts.Adapters.OAuth;
using Virga.Core;

namespace Virga.Accounts.Adapters.Gcs;

/// <summary>Buckets of Google Cloud Storage, by a service account's key, or linked by a user.</summary>
public sealed class GcsAdapter(AdapterServices services) : ILinkedAdapter
{
    internal const string Form =
        "A Google Cloud Storage account looks like gcs:bucket/folder, with the secret serviceAccountKey, "
            + "or linked by `virga account link`.";

    private const string Scheme = "gcs:";

    public string Name => "gcs";

    public IReadOnlyList<AccountSetting> Settings => GcsSettings.Known;

    public IAccountLinker Linker => new OAuthLinker(OAuthProviders.GoogleCloudStorage, services);

    public bool IsLinked(AccountConfig config) => GcsSettings.IsLinked(config);

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
        if (settings.Key is null && !IsLinked(config))
        {
            throw new VirgaException(
                FailureKind.Unauthenticated,
                "the Google Cloud Storage account has no serviceAccountKey and is not linked",
                "Set that secret, or link the account: virga account link NAME gcs:BUCKET");
        }
        IAccessTokens tokens = settings.Key is { } key
            ? new ServiceAccountTokens(key, services)
            : AccessTokens.Open(OAuthProviders.GoogleCloudStorage, config, services);
        return ValueTask.FromResult<IAccount>(new GcsAccount(settings, tokens, services));
    }
}
