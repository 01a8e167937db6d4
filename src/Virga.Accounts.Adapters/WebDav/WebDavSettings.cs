using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.WebDav;

/// <summary>A WebDAV account's configuration, checked.</summary>
/// <param name="Url">The account's root: http or https, without the last '/'.</param>
/// <param name="Names">Names in the URL's path, decoded.</param>
/// <param name="PartialPut">
/// Whether the server takes PUT with Content-Range; null to find out when the account is opened.
/// </param>
internal sealed record WebDavSettings(
    Uri Url, string[] Names, string? User, string? Password, string? Token, string? CertSha256, bool? PartialPut)
{
    public static readonly IReadOnlyList<AccountSetting> Known =
    [
        new("url", "URL of the folder, e.g. https://cloud.example.org/remote.php/dav/files/ann", IsRequired: true),
        new("user", "User name"),
        new("certSha256", "SHA-256 of the only TLS certificate to accept, for self-signed ones"),
        new("partialPut", "true or false: whether the server takes PUT with Content-Range; found out when left away"),
        new("password", "The user's password, or an app password", IsSecret: true),
        new("token", "A bearer token instead of user and password", IsSecret: true),
    ];

    public static WebDavSettings From(AccountConfig config)
    {
        var settings = new SettingsReader(config, Known, WebDavAdapter.Form);
        var url = AddressParser.ParseUrl(settings.Required("url"), settings.Required("url"), WebDavAdapter.Form);
        var (user, password, token) = (
            settings.Optional("user"), settings.Optional("password"), settings.Optional("token"));
        if (token is not null && (user is not null || password is not null))
            throw Bad("the account has a token and also a user or password", "Give one of the two.");
        if (user is null && password is not null)
            throw Bad("the account has a password but no user", "Set user as well.");
        if (user is not null && password is null)
            throw Bad($"the account has the user '{user}' but no password", "Set the secret password.");
        if (user?.Contains(':', StringComparison.Ordinal) == true)
            throw Bad("the user name holds ':'", "HTTP can't send such a name (RFC 7617): use another user.");
        return new WebDavSettings(
            url, AddressParser.PathNames(url), user, password, token,
            Endpoint.ParseCertSha256(settings.Optional("certSha256")), settings.Flag("partialPut"));
    }

    private static VirgaException Bad(string message, string advice) => new(FailureKind.BadInput, message, advice);
}
