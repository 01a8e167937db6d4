using Virga.Testing.Conformance;

namespace Virga.Accounts.Adapters.Tests.OneDrive;

[Against("OneDrive", Untried = "OneDrive")]
public class OneDriveConformance : AccountConformance
{
    private OneDriveScratch? scratch;

    protected virtual string Scope => "Files.ReadWrite";

    protected virtual string Folder => "";

    protected override async ValueTask<IAccount> OpenAsync()
    {
        var isAppFolder = Scope.EndsWith("AppFolder", StringComparison.Ordinal);
        if (scratch is null)
        {
            scratch = await OneDriveScratch.CreateAsync(Scope);
            await using var whole = scratch.Open(isAppFolder: isAppFolder);
            await whole.CreateFolderAsync(EntryPath.Parse(Folder.ToUpperInvariant()), default);
        }
        return scratch.Open(Folder, isAppFolder: isAppFolder);
    }

    protected override bool ExpireCursors()
    {
        scratch!.User.ExpireDeltaLinks();
        return true;
    }

    protected override ValueTask CleanUpAsync() => scratch?.DisposeAsync() ?? default;
}

/// <summary>A folder in the folder that the app may see alone.</summary>
[Against("OneDrive", Variant = "only a folder of its own", Untried = "OneDrive")]
public sealed class OneDriveAppFolderConformance : OneDriveConformance
{
    protected override string Scope => "Files.ReadWrite.AppFolder";

    protected override string Folder => "Some folder/it's 100% ünder";
}
