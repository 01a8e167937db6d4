using System.Text.Json.Nodes;
using Virga.Core;

namespace Virga.Accounts.Adapters.Dropbox;

/// <summary>
/// Opens entries for copies by copy references (files.stone, copy_reference/get). One is for whoever has it, and the
/// service doesn't let it be taken back: so it is always of one revision, whose content never changes.
/// </summary>
internal sealed class DropboxCopyGrants(DropboxClient client, DropboxSettings settings) : ICopyGrants
{
    private const string What = "open entries for copies";
    private const int AtOnce = 8;

    public string Service => settings.CopyService;

    public async ValueTask<IReadOnlyList<CopySource?>> ChangeAsync(
        IReadOnlyList<string> close, CopyOpening? open, CancellationToken cancellationToken)
    {
        if (open is null) return [];
        var sources = new CopySource?[open.Entries.Count];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(Enumerable.Range(0, sources.Length), parallel, async (index, token) =>
            sources[index] = await SourceAsync(open.Entries[index].Pin, token));
        return sources;
    }

    /// <summary>Null where the service has forgotten the revision.</summary>
    private async Task<CopySource?> SourceAsync(EntryVersion pin, CancellationToken cancellationToken)
    {
        var reply = await client.CallAsync(
            What, "files/copy_reference/get", new JsonObject { ["path"] = "rev:" + pin.Value }, cancellationToken);
        if (reply.Is("path/not_found") || reply.Is("path/restricted_content")) return null;
        var told = reply.OrThrow(What);
        var metadata = told.GetProperty("metadata");
        return metadata.TryGetProperty("rev", out var rev) && rev.GetString() == pin.Value
            && metadata.TryGetProperty("content_hash", out var hash)
            ? new CopySource("", $"{hash.GetString()}:{told.GetProperty("copy_reference").GetString()}", pin)
            : null;
    }
}
