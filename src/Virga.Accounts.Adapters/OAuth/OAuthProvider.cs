namespace Virga.Accounts.Adapters.OAuth;

/// <summary>A service that gives access to accounts by OAuth 2.0 (RFC 6749), as its documents describe it.</summary>
/// <param name="Title">For people: "Google Drive".</param>
/// <param name="Authorization">Where the user agrees (RFC 6749, 3.1).</param>
/// <param name="Token">Where codes and refresh tokens are exchanged (RFC 6749, 3.2).</param>
public sealed record OAuthProvider(string Title, Uri Authorization, Uri Token)
{
    /// <summary>Where a device code is asked for (RFC 8628, 3.1); null where the service has none.</summary>
    public Uri? Device { get; init; }

    /// <summary>Where a token is revoked; null where the service has no such thing.</summary>
    public Uri? Revocation { get; init; }

    /// <summary>How <see cref="Revocation"/> is called.</summary>
    public RevocationStyle RevocationStyle { get; init; } = RevocationStyle.Rfc7009;

    /// <summary>Page where the user takes the permission back by hand.</summary>
    public required Uri Consents { get; init; }

    /// <summary>What is asked for, for each access that can be asked for.</summary>
    public required IReadOnlyDictionary<LinkAccess, IReadOnlyList<LinkScope>> Scopes { get; init; }

    /// <summary>The accesses for which the service takes a device code.</summary>
    public IReadOnlyList<LinkAccess> DeviceAccess { get; init; } = [];

    /// <summary>Further parameters of the authorisation request, such as access_type=offline.</summary>
    public IReadOnlyDictionary<string, string> Parameters { get; init; } = new Dictionary<string, string>();

    /// <summary>Host of the loopback redirect as the service takes it: 127.0.0.1 or localhost.</summary>
    public string RedirectHost { get; init; } = "127.0.0.1";

    /// <summary>What follows the port: "/" or "".</summary>
    public string RedirectPath { get; init; } = "/";

    /// <summary>
    /// The only port that a redirect may have, where the service compares the whole of it; 0: any (RFC 8252, 7.3).
    /// </summary>
    public int RedirectPort { get; init; }

    /// <summary>Whether the service shows the code on a page of its own when no redirect is asked for.</summary>
    public bool ShowsCode { get; init; }

    /// <summary>Whether the token endpoint wants a secret also of clients on people's own machines.</summary>
    public bool NeedsClientSecret { get; init; }

    /// <summary>The guide that tells how to make a client there, below docs/.</summary>
    public required string Guide { get; init; }

    /// <summary>
    /// The same service at another authorisation server: all endpoints moved to that origin, their paths kept.
    /// </summary>
    public OAuthProvider At(Uri origin) => this with
    {
        Authorization = Move(Authorization, origin),
        Token = Move(Token, origin),
        Device = Device is null ? null : Move(Device, origin),
        Revocation = Revocation is null ? null : Move(Revocation, origin),
    };

    /// <summary>What is to be registered for a client.</summary>
    internal string RegisteredRedirect =>
        RedirectPort == 0 ? $"http://{RedirectHost}{RedirectPath}" : RedirectAt(RedirectPort);

    internal string RedirectAt(int port) => $"http://{RedirectHost}:{port}{RedirectPath}";

    private static Uri Move(Uri url, Uri origin) => new(origin, url.PathAndQuery);
}

/// <summary>How a token is revoked.</summary>
public enum RevocationStyle
{
    /// <summary>A form with the refresh token (RFC 7009, 2.1).</summary>
    Rfc7009,

    /// <summary>
    /// A POST without content, in the name of an access token, which ends that and its refresh token.
    /// </summary>
    ByAccessToken,
}
