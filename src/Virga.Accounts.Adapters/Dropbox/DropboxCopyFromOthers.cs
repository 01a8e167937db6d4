using System.Text.Json.Nodes;
using Virga.Core;

namespace Virga.Accounts.Adapters.Dropbox;

/// <summary>
/// Saves what others' copy references lead to (files.stone, copy_reference/save). The service tells the hash of the
/// copy, which is compared with the one that the owner was told of the shared revision.
/// </summary>
internal sealed class DropboxCopyFromOthers(DropboxClient client, DropboxSettings settings, DropboxAccount account)
    : WholeFileCopies("Dropbox", account, client.Services)
{
    public override string Service => settings.CopyService;

    /// <summary>References are for whoever has them: nobody needs to know who we are.</summary>
    public override ValueTask<string> GetPrincipalAsync(CancellationToken cancellationToken) =>
        ValueTask.FromResult("bearer");

    public override async ValueTask<Entry> CopyAsync(
        CopySource source, EntryPath path, WriteOptions options, CancellationToken cancellationToken)
    {
        var what = $"copy to '{path}' inside the service";
        account.Traits.CheckTarget(path);
        var (_, reference) = Parse(what, source);
        var reply = await SaveAsync(what, reference, path, cancellationToken);
        if (reply.Is("path/conflict/file"))
        {
            return await ReplaceAsync(
                what, path,
                async beside => (await SaveAsync(what, reference, beside, cancellationToken)).OrThrow(what),
                cancellationToken);
        }
        if (reply.Is("invalid_copy_reference") || reply.Is("no_permission"))
            throw new VirgaException(
                FailureKind.Denied, $"{what}: Dropbox doesn't take the owner's copy reference",
                "Both accounts must be linked by the same app, and the owner's must still be linked.");
        if (reply.Is("not_found"))
            throw new VirgaException(FailureKind.Changed, $"{what}: what the owner's copy reference led to is gone");
        return DropboxListing.EntryOf(path, reply.OrThrow(what).GetProperty("metadata"));
    }

    public override async ValueTask<bool?> CompareAsync(
        CopySource source, Entry copy, CancellationToken cancellationToken)
    {
        var what = $"compare the copy '{copy.Path}'";
        var (hash, _) = Parse(what, source);
        if (await account.LookAsync(what, copy.Path, cancellationToken) is not { } told
            || !told.TryGetProperty("rev", out var rev) || rev.GetString() != copy.Version?.Value) return false;
        return told.TryGetProperty("content_hash", out var own) ? own.GetString() == hash : null;
    }

    private Task<DropboxReply> SaveAsync(
        string what, string reference, EntryPath path, CancellationToken cancellationToken) =>
        client.CallAsync(
            what, "files/copy_reference/save",
            new JsonObject { ["copy_reference"] = reference, ["path"] = DropboxAccount.PathOf(settings, path) },
            cancellationToken);

    private static (string Hash, string Reference) Parse(string what, CopySource source) =>
        source.Name.Split(':', 2) is [{ Length: 64 } hash, { Length: > 0 } reference]
            ? (hash, reference)
            : throw new VirgaException(FailureKind.BadInput, $"{what}: the owner named no copy reference");
}
