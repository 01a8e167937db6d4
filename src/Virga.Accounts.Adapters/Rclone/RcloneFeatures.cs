using System.Text.Json.Nodes;

namespace Virga.Accounts.Adapters.Rclone;

/// <summary>What a remote can do, as rclone tells by operations/fsinfo.</summary>
/// <param name="CheapHash">
/// A hash that the service computes by itself; null where it would have to read the file.
/// </param>
internal sealed record RcloneFeatures(bool IsCaseSensitive, bool KeepsEmptyFolders, bool TellsSpace, string? CheapHash)
{
    public static async Task<RcloneFeatures> AskAsync(RcloneClient client, CancellationToken cancellationToken)
    {
        var info = await client.CallAsync(
            $"open the remote '{client.Settings.Remote}'",
            "operations/fsinfo",
            new JsonObject { ["fs"] = client.Settings.Remote },
            cancellationToken);
        var features = info["Features"] as JsonObject;
        bool Has(string name) => features?[name]?.GetValueKind() == System.Text.Json.JsonValueKind.True;
        return new RcloneFeatures(
            !Has("CaseInsensitive"),
            Has("CanHaveEmptyDirectories"),
            Has("About"),
            Has("SlowHash") ? null : (info["Hashes"] as JsonArray)?.FirstOrDefault()?.GetValue<string>());
    }
}
