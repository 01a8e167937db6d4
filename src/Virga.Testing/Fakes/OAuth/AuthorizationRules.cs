namespace Virga.Testing.Fakes.OAuth;

/// <summary>Where an authorisation server answers, and how it is set up.</summary>
public sealed record AuthorizationRules
{
    /// <summary>As Dropbox has them, but that it keeps its refresh tokens.</summary>
    public static AuthorizationRules Dropbox { get; } = new()
    {
        AuthorizePath = "/oauth2/authorize", TokenPath = "/oauth2/token", RevokePath = "/2/auth/token/revoke",
        RevokesByAccessToken = true, ComparesPorts = true,
        OfflineParameter = KeyValuePair.Create("token_access_type", "offline"),
        AccessLifetime = TimeSpan.FromHours(4),
    };

    public string AuthorizePath { get; init; } = "/authorize";

    public string TokenPath { get; init; } = "/token";

    public string DevicePath { get; init; } = "/device";

    public string RevokePath { get; init; } = "/revoke";

    public TimeSpan AccessLifetime { get; init; } = TimeSpan.FromHours(1);

    public TimeSpan CodeLifetime { get; init; } = TimeSpan.FromMinutes(1);

    public TimeSpan DeviceLifetime { get; init; } = TimeSpan.FromMinutes(15);

    public TimeSpan DeviceInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Whether each use of a refresh token replaces it; its second use then ends them all.</summary>
    public bool RotatesRefreshTokens { get; init; } = true;

    /// <summary>Whether a refresh token is only given where this parameter of the request has this value.</summary>
    public KeyValuePair<string, string>? OfflineParameter { get; init; }

    /// <summary>Whether tokens are revoked in the name of an access token instead of by a form.</summary>
    public bool RevokesByAccessToken { get; init; }

    /// <summary>Whether the redirect's port has to be the registered one (it may vary by RFC 8252, 7.3).</summary>
    public bool ComparesPorts { get; init; }
}

/// <summary>A client as its owner registered it.</summary>
/// <param name="Secret">Null for a public client.</param>
/// <param name="DeviceScopes">Scopes for which it may ask a device code.</param>
public sealed record RegisteredClient(
    string Id, string? Secret, IReadOnlyList<string> RedirectUris, IReadOnlyList<string> Scopes,
    IReadOnlyList<string> DeviceScopes);

/// <summary>What the user does on the page of consent.</summary>
public enum UserDecision
{
    Agrees,
    Refuses,

    /// <summary>Neither, until they press a button of the page.</summary>
    Reads,
}
