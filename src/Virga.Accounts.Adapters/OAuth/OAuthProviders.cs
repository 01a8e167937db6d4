namespace Virga.Accounts.Adapters.OAuth;

/// <summary>The services that can be linked by OAuth, each as its own documents describe it.</summary>
public static class OAuthProviders
{
    /// <summary>
    /// https://developers.google.com/identity/protocols/oauth2/native-app (endpoints, loopback redirect with any port,
    /// a secret also for desktop clients) and .../limited-input-device#allowedscopes (a device code gives drive.file
    /// alone). prompt=consent: otherwise a second link of the same user gets no refresh token.
    /// </summary>
    public static OAuthProvider GoogleDrive { get; } = new(
        "Google Drive", new Uri("https://accounts.google.com/o/oauth2/v2/auth"),
        new Uri("https://oauth2.googleapis.com/token"))
    {
        Device = new Uri("https://oauth2.googleapis.com/device/code"),
        Revocation = new Uri("https://oauth2.googleapis.com/revoke"),
        Consents = new Uri("https://myaccount.google.com/connections"),
        Scopes = new Dictionary<LinkAccess, IReadOnlyList<LinkScope>>
        {
            [LinkAccess.Full] =
                [new("https://www.googleapis.com/auth/drive", "see, change, make and delete all files of the Drive")],
            [LinkAccess.ReadOnly] =
                [new("https://www.googleapis.com/auth/drive.readonly", "see and read all files of the Drive")],
            [LinkAccess.OwnFiles] =
            [
                new("https://www.googleapis.com/auth/drive.file",
                    "see, change, make and delete only the files that it makes itself"),
            ],
        },
        DeviceAccess = [LinkAccess.OwnFiles],
        Parameters = new Dictionary<string, string> { ["access_type"] = "offline", ["prompt"] = "consent" },
        NeedsClientSecret = true,
        Guide = "guides/linking.md#google-drive",
    };

    /// <summary>
    /// The same endpoints; https://cloud.google.com/storage/docs/oauth-scopes. Not by device code: that gives no scope
    /// of Cloud Storage (.../limited-input-device#allowedscopes).
    /// </summary>
    public static OAuthProvider GoogleCloudStorage { get; } = GoogleDrive with
    {
        Title = "Google Cloud Storage",
        Device = null,
        DeviceAccess = [],
        Scopes = new Dictionary<LinkAccess, IReadOnlyList<LinkScope>>
        {
            [LinkAccess.Full] =
            [
                new("https://www.googleapis.com/auth/devstorage.read_write",
                    "see, change, make and delete objects in all buckets that you may use"),
            ],
            [LinkAccess.ReadOnly] =
            [
                new("https://www.googleapis.com/auth/devstorage.read_only",
                    "see and read objects in all buckets that you may use"),
            ],
        },
        Guide = "guides/linking.md#google-cloud-storage",
    };

    /// <summary>
    /// https://developers.dropbox.com/oauth-guide: the redirect must be registered to the letter, port included; a
    /// request without one shows the code on a page. No device code.
    /// https://www.dropbox.com/developers/documentation/http/documentation#auth-token-revoke: revoking an access token
    /// ends its refresh token, too.
    /// </summary>
    public static OAuthProvider Dropbox { get; } = new(
        "Dropbox", new Uri("https://www.dropbox.com/oauth2/authorize"),
        new Uri("https://api.dropboxapi.com/oauth2/token"))
    {
        Revocation = new Uri("https://api.dropboxapi.com/2/auth/token/revoke"),
        RevocationStyle = RevocationStyle.ByAccessToken,
        Consents = new Uri("https://www.dropbox.com/account/connected_apps"),
        Scopes = new Dictionary<LinkAccess, IReadOnlyList<LinkScope>>
        {
            [LinkAccess.Full] = [.. DropboxReading, new("files.content.write", "change, make and delete all files")],
            [LinkAccess.ReadOnly] = DropboxReading,
        },
        Parameters = new Dictionary<string, string> { ["token_access_type"] = "offline" },
        RedirectHost = "localhost",
        RedirectPort = 8479,
        ShowsCode = true,
        Guide = "guides/linking.md#dropbox",
    };

    /// <summary>
    /// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow and .../v2-oauth2-device-code;
    /// .../reply-url#localhost-exceptions: the port of http://localhost is ignored. No endpoint revokes a token: the
    /// user does on the page of consents. offline_access gives the refresh token, which is replaced at each use.
    /// </summary>
    public static OAuthProvider OneDrive { get; } = new(
        "OneDrive", new Uri("https://login.microsoftonline.com/common/oauth2/v2.0/authorize"),
        new Uri("https://login.microsoftonline.com/common/oauth2/v2.0/token"))
    {
        Device = new Uri("https://login.microsoftonline.com/common/oauth2/v2.0/devicecode"),
        Consents = new Uri("https://account.live.com/consent/Manage"),
        Scopes = new Dictionary<LinkAccess, IReadOnlyList<LinkScope>>
        {
            [LinkAccess.Full] = [new("Files.ReadWrite", "see, change, make and delete all your files"), Offline],
            [LinkAccess.ReadOnly] = [new("Files.Read", "see and read all your files"), Offline],
            [LinkAccess.OwnFiles] =
                [new("Files.ReadWrite.AppFolder", "see and change only what lies in a folder of its own"), Offline],
        },
        DeviceAccess = [LinkAccess.Full, LinkAccess.ReadOnly, LinkAccess.OwnFiles],
        RedirectHost = "localhost",
        RedirectPath = "",
        Guide = "guides/linking.md#onedrive",
    };

    private static LinkScope Offline => new("offline_access", "go on doing so while you are away");

    private static LinkScope[] DropboxReading =>
    [
        new("account_info.read", "see the account's name and how full it is"),
        new("files.metadata.read", "see the names of all files"),
        new("files.content.read", "read all files"),
    ];
}
