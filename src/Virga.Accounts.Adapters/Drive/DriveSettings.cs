using Virga.Accounts.Adapters.OAuth;
using Virga.Core;

namespace Virga.Accounts.Adapters.Drive;

/// <summary>A Google Drive account's configuration, checked.</summary>
/// <param name="Folder">Which folder below the root is the account's root.</param>
/// <param name="RootId">Id of the folder or shared drive to begin in; null for My Drive.</param>
/// <param name="Access">What it was linked for.</param>
internal sealed record DriveSettings(
    EntryPath Folder, string? RootId = null, LinkAccess Access = LinkAccess.Full)
{
    public bool IsReadOnly => Access == LinkAccess.ReadOnly;

    public static readonly IReadOnlyList<AccountSetting> Known =
    [
        new("folder", "Folder of the Drive that is the account's root"),
        new("rootId", "Id of a shared drive, or of a folder, to begin in; My Drive otherwise"),
        .. OAuthSettings.Known,
    ];

    public static DriveSettings From(AccountConfig config)
    {
        var settings = new SettingsReader(config, Known, DriveAdapter.Form);
        var rootId = settings.Optional("rootId");
        if (rootId is not null && !rootId.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'))
            throw new VirgaException(
                FailureKind.BadInput, $"'{rootId}' can't be an id at Google Drive",
                "It is what follows /folders/ in the address of the folder in a browser.");
        var folder = EntryPath.Parse(settings.Optional("folder")?.Trim('/') ?? "");
        return new DriveSettings(folder, rootId, OAuthSettings.Access(config));
    }
}
