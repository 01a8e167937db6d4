using System.Globalization;
using System.Text;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.Azure;

/// <summary>
/// Blocks that are put together under a name of the upload's own, and copied inside the account to where they belong.
/// Not under the target's name: there, whoever commits first ends everybody else's blocks (Put Block List, "Any blocks
/// that are not in the list are removed"), and blocks over a file that is there can't be found nor ended without
/// changing that file. The token names the upload; the service drops uncommitted blocks after a week (Put Block).
/// </summary>
internal sealed class AzureUpload(
    AzureClient client, AzureCopier copier, EntryPath path, PartLayout layout, WriteOptions options, string token)
    : IUpload
{
    public string? Token => token;

    private string Staging => StagingPrefix(client) + token;

    public static string StagingPrefix(AzureClient client) =>
        $"{client.Settings.Prefix}{AzureClient.StagingFolder}/";

    /// <summary>The staging blob that a token names; BadInput when it is no token of ours.</summary>
    public static string StagingOf(AzureClient client, string token) =>
        token.Length == 32 && !token.AsSpan().ContainsAnyExcept("0123456789abcdef")
            ? StagingPrefix(client) + token
            : throw new VirgaException(FailureKind.BadInput, "that is no token of an upload to Azure");

    /// <summary>An empty blob says that the upload is there and what it is for.</summary>
    public async Task BeginAsync(CancellationToken cancellationToken)
    {
        using var guard = new StallGuard(client.Services, cancellationToken);
        var request = client.Request(HttpMethod.Put, Staging);
        request.Headers.Add("x-ms-blob-type", "BlockBlob");
        AzureMetadata.WritePath(request.Headers, path);
        request.Content = new MemoryContent(default, guard);
        using var answer = await client.SendAsync($"begin to write '{path}'", request, guard, cancellationToken);
    }

    public async ValueTask<PartReceipt> WritePartAsync(
        long index, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var what = $"write part {index} of '{path}'";
        layout.CheckPart(index, content.Length);
        using var guard = new StallGuard(client.Services, cancellationToken);
        var request = client.Request(HttpMethod.Put, Staging, BlockQuery(index));
        request.Content = new MemoryContent(content, guard);
        using var answer = await client.SendAsync(what, request, guard, cancellationToken);
        return new PartReceipt(index, "");
    }

    public async ValueTask<Entry> CompleteAsync(IReadOnlyList<PartReceipt> parts, CancellationToken cancellationToken)
    {
        var what = $"complete '{path}'";
        layout.CheckComplete(parts);
        try
        {
            await CommitAsync(what, cancellationToken);
            var version = await copier.CopyAsync(what, Staging, client.Name(path), null, cancellationToken);
            await client.DeleteAsync(what, Staging, cancellationToken);
            return new Entry(
                path, EntryKind.File, layout.Length, options.Modified, version, IsExecutable: options.IsExecutable);
        }
        // Completed already, by a call whose answer got lost or by a process that died before it wrote that down?
        catch (VirgaException e) when (e.Kind == FailureKind.NotFound && !AzureFailures.IsOfContainer(e))
        {
            return await FindCompletedAsync(what, cancellationToken) ?? throw new VirgaException(
                FailureKind.NotFound, $"{what}: the upload has ended", "Begin the upload anew.", e);
        }
    }

    /// <summary>A block list of "Latest" takes blocks again that an earlier try committed.</summary>
    private async Task CommitAsync(string what, CancellationToken cancellationToken)
    {
        // A block list would make the blob anew after somebody ended the upload.
        if (!await IsPendingAsync(what, cancellationToken))
            throw new VirgaException(FailureKind.NotFound, $"{what}: the upload has ended");
        var list = new StringBuilder("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
        for (long i = 0; i < layout.Count; i++) list.Append("<Latest>").Append(BlockId(i)).Append("</Latest>");
        list.Append("</BlockList>");
        using var guard = new StallGuard(client.Services, cancellationToken);
        var request = client.Request(HttpMethod.Put, Staging, "comp=blocklist");
        AzureMetadata.Write(request.Headers, options);
        AzureMetadata.WriteUpload(request.Headers, token);
        AzureMetadata.WritePath(request.Headers, path);
        request.Content = new MemoryContent(Encoding.ASCII.GetBytes(list.ToString()), guard);
        using var answer = await client.SendAsync(what, request, guard, cancellationToken);
    }

    public async ValueTask<bool> IsPendingAsync(string what, CancellationToken cancellationToken)
    {
        using var head = await client.HeadAsync(what, StagingOf(client, token), cancellationToken);
        return head is not null;
    }

    /// <summary>The entry at the path, if this upload made it; null otherwise.</summary>
    public async ValueTask<Entry?> FindCompletedAsync(string what, CancellationToken cancellationToken)
    {
        using var head = await client.HeadAsync(what, client.Name(path), cancellationToken);
        return head is not null && AzureMetadata.Of(head).GetValueOrDefault(AzureMetadata.Upload) == token
            ? AzureAccount.ToEntry(path, head) : null;
    }

    public async ValueTask AbortAsync(CancellationToken cancellationToken) =>
        await client.DeleteAsync($"end the upload of '{path}'", StagingOf(client, token), cancellationToken);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    public static string BlockQuery(long index) => "comp=block&blockid=" + Uri.EscapeDataString(BlockId(index));

    // Put Block: all ids of one blob have the same length.
    private static string BlockId(long index) => Convert.ToBase64String(
        Encoding.ASCII.GetBytes(index.ToString("D6", CultureInfo.InvariantCulture)));
}
