using Virga.Accounts.Adapters.OAuth;
using Virga.Core;

namespace Virga.Accounts.Adapters.Dropbox;

/// <summary>Somebody's Dropbox, by version 2 of its HTTP API, linked by OAuth.</summary>
public sealed class DropboxAdapter(AdapterServices services) : ILinkedAdapter
{
    internal const string Form =
        "A Dropbox account looks like dropbox: or dropbox:folder/in/it, and is linked by `virga account link`.";

    private const string Scheme = "dropbox:";

    public string Name => "dropbox";

    public IReadOnlyList<AccountSetting> Settings => DropboxSettings.Known;

    public IAccountLinker Linker => new OAuthLinker(OAuthProviders.Dropbox, services);

    public AccountConfig ParseAddress(
        string address, IReadOnlyDictionary<string, string> settings, IReadOnlyDictionary<string, string> secrets)
    {
        if (!address.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            throw new VirgaException(FailureKind.BadInput, $"'{address}' is not a Dropbox account's address", Form);
        var folder = address[Scheme.Length..].Trim('/');
        var config = new AccountConfig(Name, AddressParser.With(settings, ("folder", folder)), secrets);
        DropboxSettings.From(config);
        return config;
    }

    public string Describe(AccountConfig config) => Scheme + DropboxSettings.From(config).Folder;

    public ValueTask<IAccount> OpenAsync(AccountConfig config, CancellationToken cancellationToken)
    {
        var settings = DropboxSettings.From(config);
        var tokens = AccessTokens.Open(OAuthProviders.Dropbox, config, services);
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult<IAccount>(new DropboxAccount(settings, tokens, services));
    }
}
