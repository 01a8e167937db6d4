using Virga.Testing.Conformance;

namespace Virga.Accounts.Adapters.Tests.OneDrive;

[Against("OneDrive, personal", Untried = "OneDrive (personal, business)")]
public class OneDriveConformance : AccountConformance
{
    private OneDriveScratch? scratch;

    protected virtual string Scope => "Files.ReadWrite";

    protected virtual string Folder => "";

    protected virtual bool IsBusiness => false;

    protected override async ValueTask<IAccount> OpenAsync()
    {
        var isAppFolder = Scope.EndsWith("AppFolder", StringComparison.Ordinal);
        if (scratch is null)
        {
            scratch = await OneDriveScratch.CreateAsync(Scope, isBusiness: IsBusiness);
            await using var whole = scratch.Open(isAppFolder: isAppFolder);
            await whole.CreateFolderAsync(EntryPath.Parse(Folder.ToUpperInvariant()), default);
        }
        return scratch.Open(Folder, isAppFolder: isAppFolder, driveId: IsBusiness ? scratch.User.DriveId : null);
    }

    protected override bool ExpireCursors()
    {
        scratch!.User.ExpireDeltaLinks();
        return true;
    }

    protected override ValueTask CleanUpAsync() => scratch?.DisposeAsync() ?? default;
}

/// <summary>A folder in the folder that the app may see alone.</summary>
[Against("OneDrive, personal", Variant = "only a folder of its own", Untried = "OneDrive (personal, business)")]
public sealed class OneDriveAppFolderConformance : OneDriveConformance
{
    protected override string Scope => "Files.ReadWrite.AppFolder";

    protected override string Folder => "Some folder/it's 100% ünder";
}

/// <summary>At work, by the drive's id.</summary>
[Against("OneDrive for business", Variant = "for business", Untried = "OneDrive (personal, business)")]
public sealed class OneDriveBusinessConformance : OneDriveConformance
{
    protected override bool IsBusiness => true;

    protected override string Folder => "Shared Documents";
}
