using Virga.Core;

namespace Virga.Accounts.Adapters.OAuth;

/// <summary>What every linked account's configuration holds, checked.</summary>
/// <param name="Provider">The service, at the authorisation server of this account.</param>
public sealed record OAuthSettings(
    OAuthProvider Provider, string ClientId, string? ClientSecret, string RefreshToken)
{
    public const string ClientIdName = "clientId", ClientSecretName = "clientSecret",
        RefreshTokenName = "refreshToken", AuthorityName = "authority", AccessName = "access";

    /// <summary>To be listed among an adapter's own settings.</summary>
    public static readonly IReadOnlyList<AccountSetting> Known =
    [
        new(ClientIdName, "Id of the OAuth client, as made in the service's console", IsRequired: true),
        new(AccessName, "What was asked for: full, read-only or own-files (default full)"),
        new(AuthorityName, "Origin of the authorisation server, where it isn't the service's public one"),
        new(RefreshTokenName, "Refresh token; made by `virga account link`", IsRequired: true, IsSecret: true),
        new(ClientSecretName, "Secret of the OAuth client, where it has one", IsSecret: true),
    ];

    /// <summary>Names the service alone.</summary>
    public override string ToString() => $"OAuth of {Provider.Title}";

    /// <exception cref="VirgaException">BadInput; Unauthenticated when the account was never linked.</exception>
    public static OAuthSettings From(OAuthProvider provider, AccountConfig config) => new(
        At(provider, Value(config.Settings, AuthorityName)),
        Value(config.Settings, ClientIdName) ?? throw new VirgaException(
            FailureKind.BadInput, $"the {provider.Title} account lacks the setting '{ClientIdName}'",
            $"Link it anew: docs/{provider.Guide} tells how to make a client."),
        Value(config.Secrets, ClientSecretName),
        Value(config.Secrets, RefreshTokenName) ?? throw new VirgaException(
            FailureKind.Unauthenticated, $"the {provider.Title} account is not linked",
            $"Link it: virga account link NAME {config.Adapter}"));

    /// <summary>What was asked for when the account was linked.</summary>
    public static LinkAccess Access(AccountConfig config) => Value(config.Settings, AccessName) switch
    {
        null or "full" => LinkAccess.Full,
        "read-only" => LinkAccess.ReadOnly,
        "own-files" => LinkAccess.OwnFiles,
        var other => throw new VirgaException(
            FailureKind.BadInput, $"the setting {AccessName} is '{other}': give full, read-only or own-files"),
    };

    /// <summary>Whether it was linked for reading alone.</summary>
    public static bool IsReadOnly(AccountConfig config) => Access(config) == LinkAccess.ReadOnly;

    public static string AccessText(LinkAccess access) => access switch
    {
        LinkAccess.ReadOnly => "read-only",
        LinkAccess.OwnFiles => "own-files",
        _ => "full",
    };

    /// <exception cref="VirgaException">BadInput: no origin, or one without TLS that isn't this machine.</exception>
    public static OAuthProvider At(OAuthProvider provider, string? authority)
    {
        if (authority is null) return provider;
        return Uri.TryCreate(authority, UriKind.Absolute, out var origin) && origin.AbsolutePath == "/"
            && origin.UserInfo.Length == 0 && origin.Query.Length == 0 && origin.Fragment.Length == 0
            && (origin.Scheme == Uri.UriSchemeHttps || (origin.Scheme == Uri.UriSchemeHttp && origin.IsLoopback))
            ? provider.At(origin)
            : throw new VirgaException(
                FailureKind.BadInput, $"'{authority}' is no authorisation server's origin",
                "It looks like https://login.microsoftonline.us, without a path.");
    }

    private static string? Value(IReadOnlyDictionary<string, string> values, string name) =>
        values.TryGetValue(name, out var value) && value.Length > 0 ? value : null;
}
