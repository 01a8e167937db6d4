using Virga.Testing.Conformance;

namespace Virga.Accounts.Adapters.Tests.Dropbox;

[Against("Dropbox", Untried = "Dropbox")]
public class DropboxConformance : AccountConformance
{
    private DropboxScratch? scratch;

    protected virtual string Folder => "";

    protected override async ValueTask<IAccount> OpenAsync()
    {
        scratch ??= await DropboxScratch.CreateAsync(Folder);
        return scratch.Open(Folder);
    }

    protected override bool ExpireCursors()
    {
        scratch!.User.ResetCursors();
        return true;
    }

    protected override ValueTask CleanUpAsync() => scratch?.DisposeAsync() ?? default;
}

/// <summary>A folder of a Dropbox, whose name has another case there.</summary>
[Against("Dropbox", Variant = "a folder of it", Untried = "Dropbox")]
public sealed class DropboxFolderConformance : DropboxConformance
{
    protected override string Folder => "Some Folder/ünder it";
}
