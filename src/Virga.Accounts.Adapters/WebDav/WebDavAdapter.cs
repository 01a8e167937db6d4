using Virga.Core;

namespace Virga.Accounts.Adapters.WebDav;

/// <summary>
/// Folders on WebDAV servers (RFC 4918): Apache mod_dav, Nextcloud, ownCloud, and what else speaks it. Opening one asks
/// the server who it is and, unless the setting partialPut says it, tries on a scratch file whether files can be
/// written in parts.
/// </summary>
public sealed class WebDavAdapter(AdapterServices services) : IAccountAdapter
{
    internal const string Form =
        "A WebDAV account looks like webdavs://host/folder (or webdav:// without TLS), "
            + "with the setting user and the secret password.";

    private const string TlsScheme = "webdavs:", PlainScheme = "webdav:";

    public string Name => "webdav";

    public IReadOnlyList<AccountSetting> Settings => WebDavSettings.Known;

    public bool TakesScheme(string scheme) => scheme is "webdav" or "webdavs";

    public AccountConfig ParseAddress(
        string address, IReadOnlyDictionary<string, string> settings, IReadOnlyDictionary<string, string> secrets)
    {
        var isTls = address.StartsWith(TlsScheme, StringComparison.OrdinalIgnoreCase);
        if (!isTls && !address.StartsWith(PlainScheme, StringComparison.OrdinalIgnoreCase))
            throw new VirgaException(FailureKind.BadInput, $"'{address}' is not a WebDAV account's address", Form);
        var rest = address[(isTls ? TlsScheme : PlainScheme).Length..];
        var url = AddressParser.ParseUrl(address, (isTls ? "https:" : "http:") + rest, Form);
        var config = new AccountConfig(Name, AddressParser.With(settings, ("url", url.AbsoluteUri)), secrets);
        WebDavSettings.From(config);
        return config;
    }

    public string Describe(AccountConfig config)
    {
        var url = WebDavSettings.From(config).Url;
        var scheme = url.Scheme == Uri.UriSchemeHttps ? TlsScheme : PlainScheme;
        return scheme + url.AbsoluteUri[(url.Scheme.Length + 1)..].TrimEnd('/');
    }

    /// <summary>
    /// Asks the server what it can do: throws Unavailable, Unauthenticated, ... where it can't be asked.
    /// </summary>
    public async ValueTask<IAccount> OpenAsync(AccountConfig config, CancellationToken cancellationToken)
    {
        var client = new WebDavClient(WebDavSettings.From(config), services);
        try
        {
            var server = await WebDavServer.AskAsync(client, cancellationToken);
            return server.TakesPartialPut
                ? new ResumableWebDavAccount(client, server)
                : new WebDavAccount(client, server);
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }
}
