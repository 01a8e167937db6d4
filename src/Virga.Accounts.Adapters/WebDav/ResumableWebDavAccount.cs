using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.WebDav;

/// <summary>
/// On a server that takes PUT with Content-Range: parts are written, in any order, into a temporary file beside the
/// target, which is then moved there. The token of an upload is that file's name.
/// </summary>
internal sealed class ResumableWebDavAccount(
    WebDavClient client, WebDavServer server) : WebDavAccount(client, server), IResumableUploads
{
    public override async ValueTask<IUpload> BeginUploadAsync(
        EntryPath path, long length, long partBytes, WriteOptions options, CancellationToken cancellationToken)
    {
        var what = $"begin to write '{path}'";
        Traits.CheckTarget(path);
        var layout = PartLayout.Checked(Traits, length, partBytes);
        var temporary = NewTemporary(path);
        await WithFoldersAsync(
            what, path, async () => await PutAsync(what, temporary, default, null, options, cancellationToken),
            cancellationToken);
        return new PartialUpload(this, path, temporary, layout, options);
    }

    public async ValueTask<IUpload> ResumeUploadAsync(
        EntryPath path,
        long length,
        long partBytes,
        WriteOptions options,
        string token,
        CancellationToken cancellationToken)
    {
        var what = $"go on writing '{path}'";
        var layout = PartLayout.Checked(Traits, length, partBytes);
        if (!TemporaryNames.IsTemporary(token) || token.Contains('/', StringComparison.Ordinal))
            throw new VirgaException(
                FailureKind.BadInput, $"{what}: '{NameRules.Show(token)}' is no token of an upload");
        var temporary = path.Parent.Append(token);
        if (!await ExistsAsync(what, temporary, cancellationToken))
            throw new VirgaException(FailureKind.NotFound, $"{what}: the upload has ended", "Begin the upload anew.");
        return new PartialUpload(this, path, temporary, layout, options);
    }

    private async ValueTask<bool> ExistsAsync(string what, EntryPath temporary, CancellationToken cancellationToken)
    {
        await using var listing = await WebDavListing.OpenAsync(
            Client, what, Client.UrlOf(temporary), false, cancellationToken);
        return listing is not null;
    }

    public async IAsyncEnumerable<PendingUpload> ListUploadsAsync(
        EntryPath folder, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var folders = new Stack<EntryPath>([folder]);
        while (folders.TryPop(out var at))
        {
            await using var listing = await WebDavListing.OpenAsync(
                Client, "list pending uploads", Client.UrlOf(at, isFolder: true), true, cancellationToken);
            if (listing is null) continue;
            await foreach (var (name, found) in ChildrenAsync(listing, at, null, cancellationToken))
            {
                if (found.IsFolder) folders.Push(at.Append(name));
                else if (TemporaryNames.TargetOf(name) is { } target && EntryPath.TryParse(target, out _))
                    yield return new PendingUpload(at.Append(target), name, found.Modified);
            }
        }
    }

    public async ValueTask AbortUploadAsync(PendingUpload upload, CancellationToken cancellationToken)
    {
        if (!TemporaryNames.IsTemporary(upload.Token) || upload.Token.Contains('/', StringComparison.Ordinal))
            throw new VirgaException(
                FailureKind.BadInput, $"'{NameRules.Show(upload.Token)}' is no token of an upload");
        await DeleteAsync(
            $"end the upload of '{upload.Path}'",
            upload.Path.Parent.Append(upload.Token),
            isFolder: false,
            cancellationToken);
    }

    /// <param name="range">
    /// Of a file that must be there already: NotFound when it isn't, at a server that knows RFC 9110, 13.1.1.
    /// </param>
    private async Task PutAsync(
        string what,
        EntryPath temporary,
        ReadOnlyMemory<byte> content,
        ContentRangeHeaderValue? range,
        WriteOptions options,
        CancellationToken cancellationToken)
    {
        using var guard = Guard(cancellationToken);
        var request = Put(temporary, new MemoryContent(content, guard), options);
        request.Content!.Headers.ContentRange = range;
        // The file is there from the upload's beginning on. A part must not make it anew after somebody else has ended
        // the upload: what had been stored of it would be missing.
        if (range is not null) request.Headers.IfMatch.Add(EntityTagHeaderValue.Any);
        using var answer = await SendAsync(what, request, guard, cancellationToken);
        if (range is not null && answer.StatusCode == HttpStatusCode.PreconditionFailed)
            throw new VirgaException(FailureKind.NotFound, $"{what}: the upload has ended", "Begin the upload anew.");
        if (FailureOf(what, answer) is { } failure) throw failure;
    }

    private sealed class PartialUpload(
        ResumableWebDavAccount account,
        EntryPath path,
        EntryPath temporary,
        PartLayout layout,
        WriteOptions options) : IUpload
    {
        public string? Token => temporary.Name;

        public async ValueTask<PartReceipt> WritePartAsync(
            long index, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
        {
            layout.CheckPart(index, content.Length);
            var part = layout.RangeOf(index);
            var range = new ContentRangeHeaderValue(part.Offset, part.End - 1, layout.Length);
            await account.PutAsync(
                $"write part {index} of '{path}'", temporary, content, range, options, cancellationToken);
            return new PartReceipt(index, "");
        }

        public async ValueTask<Entry> CompleteAsync(
            IReadOnlyList<PartReceipt> parts, CancellationToken cancellationToken)
        {
            var what = $"complete '{path}'";
            layout.CheckComplete(parts);
            return await account.ReplaceAsync(what, temporary, path, layout.Length, options, cancellationToken);
        }

        public ValueTask AbortAsync(CancellationToken cancellationToken) =>
            account.DeleteTemporaryAsync($"end the upload of '{path}'", temporary, cancellationToken);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
