using Virga.Accounts.Adapters.OAuth;
using Virga.Core;

namespace Virga.Accounts.Adapters.OneDrive;

/// <summary>A OneDrive account's configuration, checked.</summary>
/// <param name="Folder">Which folder is the account's root.</param>
/// <param name="DriveId">Of another drive than the person's own: a document library, a shared drive.</param>
/// <param name="IsBusiness">Whether it is a OneDrive at work or school, or a document library.</param>
/// <param name="IsAppFolder">Whether all lies in a folder of the app's own, and nothing else may be seen.</param>
/// <param name="IsReadOnly">Whether it was linked for reading alone.</param>
internal sealed record OneDriveSettings(
    EntryPath Folder, string? DriveId = null, bool IsAppFolder = false, bool IsReadOnly = false,
    bool IsBusiness = false)
{
    public static readonly IReadOnlyList<AccountSetting> Known =
    [
        new("folder", "Folder of the OneDrive that is the account's root"),
        new("driveId", "Id of another drive, such as a document library; your own otherwise"),
        new("driveType", "personal, business or documentLibrary: paths are shorter in the last two"),
        .. OAuthSettings.Known,
    ];

    /// <summary>Where the addresses of items begin.</summary>
    public string Root => (DriveId is null ? "me/drive" : $"drives/{Uri.EscapeDataString(DriveId)}")
        + (IsAppFolder ? "/special/approot" : "/root");

    public string Drive => DriveId is null ? "me/drive" : $"drives/{Uri.EscapeDataString(DriveId)}";

    // As the service itself calls them (learn.microsoft.com/graph/api/resources/drive).
    private static bool IsAtWork(string? driveType) => driveType switch
    {
        null or "personal" => false,
        "business" or "documentLibrary" => true,
        _ => throw new VirgaException(
            FailureKind.BadInput, $"'{driveType}' is no type of a OneDrive",
            "It is personal, business or documentLibrary."),
    };

    public static OneDriveSettings From(AccountConfig config)
    {
        var settings = new SettingsReader(config, Known, OneDriveAdapter.Form);
        var folder = EntryPath.Parse(settings.Optional("folder")?.Trim('/') ?? "");
        OneDriveNames.Below(EntryPath.Root).Check(folder);
        return new OneDriveSettings(
            folder, settings.Optional("driveId"), OAuthSettings.Access(config) == LinkAccess.OwnFiles,
            OAuthSettings.IsReadOnly(config), IsAtWork(settings.Optional("driveType")));
    }
}
