using Virga.Accounts.Adapters.Rclone;
using Virga.Testing.Conformance;

namespace Virga.Accounts.Adapters.Tests.Rclone;

[Trait("Needs", "server")]
[Against("rclone 1.60 on a folder", IsReal = true)]
public sealed class RcloneConformance : AccountConformance
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("virga-rclone-");

    protected override ValueTask<IAccount> OpenAsync()
    {
        var adapter = new RcloneAdapter(TestServices.Real);
        return adapter.OpenAsync(
            adapter.ParseAddress($"rclone:{folder.FullName}", TestServices.None, TestServices.None), default);
    }

    protected override ValueTask CleanUpAsync()
    {
        folder.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }
}
