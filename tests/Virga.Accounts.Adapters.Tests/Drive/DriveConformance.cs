using Virga.Testing.Conformance;

namespace Virga.Accounts.Adapters.Tests.Drive;

[Against("Google Drive", Untried = "Google Drive")]
public class DriveConformance : AccountConformance
{
    private DriveScratch? scratch;

    /// <summary>The scope of the link.</summary>
    protected virtual string Access => "drive";

    protected virtual string Folder => "";

    protected override async ValueTask<IAccount> OpenAsync()
    {
        if (scratch is null)
        {
            scratch = await DriveScratch.CreateAsync(Access);
            await using var whole = scratch.Open();
            await whole.CreateFolderAsync(EntryPath.Parse(Folder), default);
        }
        return scratch.Open(Folder);
    }

    protected override bool ExpireCursors()
    {
        scratch!.User.ExpireChangeTokens();
        return true;
    }

    protected override ValueTask CleanUpAsync() => scratch?.DisposeAsync() ?? default;
}

/// <summary>A folder, seen by a link that covers only what it made itself.</summary>
[Against("Google Drive", Variant = "only its own files", Untried = "Google Drive")]
public sealed class DriveOwnFilesConformance : DriveConformance
{
    protected override string Access => "drive.file";

    protected override string Folder => "some folder/it's ünder";
}
