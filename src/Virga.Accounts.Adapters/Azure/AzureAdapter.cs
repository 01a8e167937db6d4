using System.Net;
using Virga.Core;

namespace Virga.Accounts.Adapters.Azure;

/// <summary>Containers of Azure Blob Storage, and of Azurite, its emulator.</summary>
public sealed class AzureAdapter(AdapterServices services) : IAccountAdapter
{
    internal const string Form =
        "An Azure account looks like azure:https://ACCOUNT.blob.core.windows.net/container/folder, "
        + "with the secret accountKey or sas.";

    public string Name => "azure";

    public IReadOnlyList<AccountSetting> Settings => AzureSettings.Known;

    public AccountConfig ParseAddress(
        string address, IReadOnlyDictionary<string, string> settings, IReadOnlyDictionary<string, string> secrets)
    {
        const string scheme = "azure:";
        if (!address.StartsWith(scheme, StringComparison.OrdinalIgnoreCase))
            throw new VirgaException(
                FailureKind.BadInput, $"'{WithoutQuery(address)}' is not an Azure account's address", Form);
        RefuseToken(address);
        var url = AddressParser.ParseUrl(address, address[scheme.Length..], Form);
        var names = AddressParser.PathNames(url).ToList();
        var isPathStyle = AzureSettings.IsPathStyle(url.Host);
        var account = isPathStyle ? names.FirstOrDefault() : url.Host.Split('.')[0];
        if (isPathStyle && names.Count > 0) names.RemoveAt(0);
        if (string.IsNullOrEmpty(account) || names.Count == 0)
            throw new VirgaException(FailureKind.BadInput, $"the address '{address}' names no container", Form);
        var all = AddressParser.With(
            settings,
            ("endpoint", url.GetLeftPart(UriPartial.Authority)),
            ("account", settings.GetValueOrDefault("account") ?? account),
            ("container", names[0]),
            ("prefix", string.Join('/', names.Skip(1))));
        var config = new AccountConfig(Name, all, secrets);
        AzureSettings.From(config);
        return config;
    }

    public string Describe(AccountConfig config)
    {
        var settings = AzureSettings.From(config);
        var account = settings.HasAccountInPath ? settings.Account + "/" : "";
        var path = AddressParser.EncodePath($"{account}{settings.Container}/{settings.Prefix}").TrimEnd('/');
        return $"azure:{settings.Endpoint.GetLeftPart(UriPartial.Authority)}/{path}";
    }

    public ValueTask<IAccount> OpenAsync(AccountConfig config, CancellationToken cancellationToken)
    {
        var settings = AzureSettings.From(config);
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult<IAccount>(new AzureAccount(settings, services));
    }

    // The portal shows "blob SAS URLs", which people paste: an address is shown and logged, a token must not be.
    private static void RefuseToken(string address)
    {
        if (!address.Contains("sig=", StringComparison.OrdinalIgnoreCase)) return;
        throw new VirgaException(
            FailureKind.BadInput,
            $"the address '{WithoutQuery(address)}' has a SAS token behind it",
            "Leave out everything from the '?' on and give it as the secret sas: an address is shown and logged.");
    }

    private static string WithoutQuery(string address) => address.Split('?')[0];
}
