using System.Text.Json;
using Virga.Core;

namespace Virga.Accounts.Adapters.Drive;

/// <summary>
/// Copies files that others have shared with this account (files.copy): the copy belongs to whoever makes it. The
/// service tells its MD5, which is compared with that of the revision that was shared.
/// </summary>
internal sealed class DriveCopyFromOthers(DriveClient client, DriveAccount account)
    : WholeFileCopies("Google Drive", account, client.Services)
{
    public const string ServiceName = "drive";

    public override string Service => ServiceName;

    /// <summary>The address of the Google account: files are shared with that.</summary>
    public override async ValueTask<string> GetPrincipalAsync(CancellationToken cancellationToken)
    {
        const string what = "look whose Drive it is";
        var about = (await client.CallAsync(
            what, HttpMethod.Get, DriveClient.About + "?fields=user(emailAddress)", null, cancellationToken))
            .OrThrow(what);
        return about.GetProperty("user").TryGetProperty("emailAddress", out var address)
            && address.ValueKind == JsonValueKind.String
            ? address.GetString()!
            : throw new VirgaException(FailureKind.Unsupported, $"{what}: Google doesn't tell the account's address");
    }

    public override async ValueTask<Entry> CopyAsync(
        CopySource source, EntryPath path, WriteOptions options, CancellationToken cancellationToken)
    {
        var what = $"copy to '{path}' inside the service";
        account.Traits.CheckTarget(path);
        var (_, id) = Parse(what, source);
        if (await account.StatAsync(path, cancellationToken) is not { } there)
            return await account.CopyNewAsync(what, id, path, options, cancellationToken);
        if (there.Kind != EntryKind.File)
            throw new VirgaException(
                FailureKind.Conflict, $"{what}: a folder is in the way", "Move it away, or choose another name.");
        // Two of one name can't be told apart.
        return await ReplaceAsync(
            what, path, async beside => await account.CopyNewAsync(what, id, beside, options, cancellationToken),
            cancellationToken);
    }

    public override async ValueTask<bool?> CompareAsync(
        CopySource source, Entry copy, CancellationToken cancellationToken)
    {
        var what = $"compare the copy '{copy.Path}'";
        var (hash, _) = Parse(what, source);
        if (copy.Version is not { } version || DriveItem.Parse(version) is not { } made) return null;
        var reply = await client.CallAsync(
            what, HttpMethod.Get, DriveClient.UrlOf(made.Id), null, cancellationToken);
        if (reply.IsGone) return false;
        var told = reply.OrThrow(what);
        if (DriveItem.From(told).Revision != made.Revision) return false;
        return told.TryGetProperty("md5Checksum", out var own) && own.ValueKind == JsonValueKind.String
            ? own.GetString() == hash : null;
    }

    private static (string Hash, string Id) Parse(string what, CopySource source) =>
        source.Name.Split(':') is [{ Length: 32 } hash, { Length: > 0 } id]
            && !id.AsSpan().ContainsAnyExcept(IdCharacters)
            ? (hash, id)
            : throw new VirgaException(FailureKind.BadInput, $"{what}: the owner named no file of Google Drive");

    private static readonly System.Buffers.SearchValues<char> IdCharacters = System.Buffers.SearchValues.Create(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
}
