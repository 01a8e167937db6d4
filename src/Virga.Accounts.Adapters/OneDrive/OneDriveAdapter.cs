using Virga.Accounts.Adapters.OAuth;
using Virga.Core;

namespace Virga.Accounts.Adapters.OneDrive;

/// <summary>Somebody's OneDrive, personal or at work, by Microsoft Graph, linked by OAuth.</summary>
public sealed class OneDriveAdapter(AdapterServices services) : ILinkedAdapter
{
    internal const string Form =
        "A OneDrive account looks like onedrive: or onedrive:folder/in/it, and is linked by `virga account link`.";

    private const string Scheme = "onedrive:";

    public string Name => "onedrive";

    public IReadOnlyList<AccountSetting> Settings => OneDriveSettings.Known;

    public IAccountLinker Linker => new OAuthLinker(OAuthProviders.OneDrive, services);

    public AccountConfig ParseAddress(
        string address, IReadOnlyDictionary<string, string> settings, IReadOnlyDictionary<string, string> secrets)
    {
        if (!address.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            throw new VirgaException(FailureKind.BadInput, $"'{address}' is not a OneDrive account's address", Form);
        var folder = address[Scheme.Length..].Trim('/');
        var config = new AccountConfig(Name, AddressParser.With(settings, ("folder", folder)), secrets);
        OneDriveSettings.From(config);
        return config;
    }

    public string Describe(AccountConfig config) => Scheme + OneDriveSettings.From(config).Folder;

    public ValueTask<IAccount> OpenAsync(AccountConfig config, CancellationToken cancellationToken)
    {
        var settings = OneDriveSettings.From(config);
        var tokens = AccessTokens.Open(OAuthProviders.OneDrive, config, services);
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult<IAccount>(new OneDriveAccount(settings, tokens, services));
    }
}
