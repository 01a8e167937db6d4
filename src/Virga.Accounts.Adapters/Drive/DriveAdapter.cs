using Virga.Accounts.Adapters.OAuth;
using Virga.Core;

namespace Virga.Accounts.Adapters.Drive;

/// <summary>Somebody's Google Drive, by version 3 of its API, linked by OAuth.</summary>
public sealed class DriveAdapter(AdapterServices services) : ILinkedAdapter
{
    internal const string Form =
        "A Google Drive account looks like drive: or drive:folder/in/it, and is linked by `virga account link`.";

    private const string Scheme = "drive:";

    public string Name => "drive";

    public IReadOnlyList<AccountSetting> Settings => DriveSettings.Known;

    public IAccountLinker Linker => new OAuthLinker(OAuthProviders.GoogleDrive, services);

    public AccountConfig ParseAddress(
        string address, IReadOnlyDictionary<string, string> settings, IReadOnlyDictionary<string, string> secrets)
    {
        if (!address.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            throw new VirgaException(
                FailureKind.BadInput, $"'{address}' is not a Google Drive account's address", Form);
        var folder = address[Scheme.Length..].Trim('/');
        var config = new AccountConfig(Name, AddressParser.With(settings, ("folder", folder)), secrets);
        DriveSettings.From(config);
        return config;
    }

    public string Describe(AccountConfig config) => Scheme + DriveSettings.From(config).Folder;

    public ValueTask<IAccount> OpenAsync(AccountConfig config, CancellationToken cancellationToken)
    {
        var settings = DriveSettings.From(config);
        var tokens = AccessTokens.Open(OAuthProviders.GoogleDrive, config, services);
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult<IAccount>(new DriveAccount(settings, tokens, services));
    }
}
