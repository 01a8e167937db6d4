using Virga.Accounts.Adapters.OAuth;
using Virga.Core;

namespace Virga.Accounts.Adapters.Dropbox;

/// <summary>A Dropbox account's configuration, checked.</summary>
/// <param name="Folder">Which folder of the Dropbox is the account's root.</param>
/// <param name="IsReadOnly">Whether it was linked for reading alone.</param>
/// <param name="App">Id of the OAuth client that it was linked by.</param>
internal sealed record DropboxSettings(EntryPath Folder, bool IsReadOnly = false, string App = "app")
{
    /// <summary>
    /// Names what copies stay inside of: "make sure this app is same app which created the copy reference"
    /// (files.stone, SaveCopyReferenceError).
    /// </summary>
    public string CopyService => "dropbox:" + App;

    public static readonly IReadOnlyList<AccountSetting> Known =
        [new("folder", "Folder of the Dropbox that is the account's root"), .. OAuthSettings.Known];

    public static DropboxSettings From(AccountConfig config)
    {
        var settings = new SettingsReader(config, Known, DropboxAdapter.Form);
        var folder = EntryPath.Parse(settings.Optional("folder")?.Trim('/') ?? "");
        DropboxNames.Rules.Check(folder);
        return new DropboxSettings(
            folder, OAuthSettings.IsReadOnly(config),
            config.Settings.GetValueOrDefault(OAuthSettings.ClientIdName, ""));
    }
}
