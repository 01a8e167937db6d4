using System.Globalization;
using Virga.Core;

namespace Virga.Accounts.Adapters.Sftp;

/// <summary>
/// Folders on SSH servers, by version 3 of the file transfer protocol (draft-ietf-secsh-filexfer-02) and OpenSSH's
/// extensions. The connection itself is OpenSSH's program <c>ssh</c>, with all that it knows: keys, agents, hosts.
/// </summary>
public sealed class SftpAdapter(AdapterServices services) : IAccountAdapter
{
    internal const string Form =
        "An SFTP account looks like sftp://user@host:port/absolute/folder, or sftp://user@host/~/folder "
            + "for one of the user's own.";

    private const string Scheme = "sftp://";

    public string Name => "sftp";

    public IReadOnlyList<AccountSetting> Settings => SftpSettings.Known;

    public AccountConfig ParseAddress(
        string address, IReadOnlyDictionary<string, string> settings, IReadOnlyDictionary<string, string> secrets)
    {
        if (!address.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            || !Uri.TryCreate(address, UriKind.Absolute, out var uri) || uri.Host.Length == 0)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"'{Shown(address)}' is not an SFTP account's address", Form);
        }
        if (uri.UserInfo.Contains(':', StringComparison.Ordinal))
        {
            throw new VirgaException(
                FailureKind.BadInput, "the address holds a password",
                "Give it as the secret password: an address is shown and logged. " + Form);
        }
        if (uri.Query.Length > 0 || uri.Fragment.Length > 0)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"the address '{address}' has a '?' or '#'",
                "Write %3F or %23 for one that is part of a name. " + Form);
        }
        var path = Uri.UnescapeDataString(uri.AbsolutePath);
        var config = new AccountConfig(
            Name,
            AddressParser.With(
                settings, ("host", uri.Host.Trim('[', ']')),
                ("port", uri.Port > 0 ? uri.Port.ToString(CultureInfo.InvariantCulture) : ""),
                ("user", Uri.UnescapeDataString(uri.UserInfo)),
                ("path", path.StartsWith("/~", StringComparison.Ordinal) ? path[1..] : path)),
            secrets);
        SftpSettings.From(config);
        return config;
    }

    public string Describe(AccountConfig config) => SftpSettings.From(config).ToString();

    /// <summary>Connects, so that what is wrong with the login is said at once.</summary>
    public async ValueTask<IAccount> OpenAsync(AccountConfig config, CancellationToken cancellationToken)
    {
        var pool = new SftpPool(SftpSettings.From(config), services);
        try
        {
            var first = await pool.GetAsync(cancellationToken);
            return new SftpAccount(pool, services, first.Extensions);
        }
        catch
        {
            await pool.DisposeAsync();
            throw;
        }
    }

    private static string Shown(string address)
    {
        var at = address.LastIndexOf('@');
        return at < 0 ? address : "..." + address[at..];
    }
}
