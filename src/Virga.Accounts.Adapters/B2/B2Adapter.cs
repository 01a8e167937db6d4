using Virga.Core;

namespace Virga.Accounts.Adapters.B2;

/// <summary>Buckets of Backblaze B2, by its native API.</summary>
public sealed class B2Adapter(AdapterServices services) : IAccountAdapter
{
    internal const string Form =
        "A Backblaze B2 account looks like b2:bucket/folder, with the secrets keyId and applicationKey.";

    private const string Scheme = "b2:";

    public string Name => "b2";

    public IReadOnlyList<AccountSetting> Settings => B2Settings.Known;

    public AccountConfig ParseAddress(
        string address, IReadOnlyDictionary<string, string> settings, IReadOnlyDictionary<string, string> secrets)
    {
        if (!address.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            throw new VirgaException(
                FailureKind.BadInput, $"'{address}' is not a Backblaze B2 account's address", Form);
        var names = address[Scheme.Length..].Trim('/').Split('/', 2);
        var all = AddressParser.With(settings, ("bucket", names[0]), ("prefix", names.Length > 1 ? names[1] : ""));
        var config = new AccountConfig(Name, all, secrets);
        B2Settings.From(config);
        return config;
    }

    public string Describe(AccountConfig config)
    {
        var settings = B2Settings.From(config);
        return $"{Scheme}{settings.Bucket}/{settings.Prefix}".TrimEnd('/');
    }

    public ValueTask<IAccount> OpenAsync(AccountConfig config, CancellationToken cancellationToken)
    {
        var settings = B2Settings.From(config);
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult<IAccount>(new B2Account(settings, services));
    }
}
