using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.Azure;

/// <summary>
/// Copy Blob From URL and Put Block From URL (Blob service REST API), from a blob of somebody else for which they
/// signed a URL, always bound to the ETag that was shared. Both end when the service has copied.
/// </summary>
internal sealed class AzureCopyFromOthers(AzureClient client, AzureAccount account) : ICopyFromOthers
{
    private const long Mib = 1L << 20;
    private const long PartBytes = 256 * Mib;

    // Nothing comes until the service has copied all of it.
    private static readonly TimeSpan CopyTimeout = TimeSpan.FromMinutes(15);

    public string Service => AzureService.NameOf(client.Settings);

    // Copy Blob From URL: "The source blob can't be larger than 256 MiB".
    public long CopyBytesMax => 256 * Mib;

    /// <summary>A token is for whoever has it: who we are is told for the owner's records alone.</summary>
    public ValueTask<string> GetPrincipalAsync(CancellationToken cancellationToken) =>
        ValueTask.FromResult(client.Settings.Account);

    public async ValueTask<Entry> CopyAsync(
        CopySource source, EntryPath path, WriteOptions options, CancellationToken cancellationToken)
    {
        var what = $"copy to '{path}' inside the service";
        account.Traits.CheckTarget(path);
        var request = client.Request(HttpMethod.Put, client.Name(path));
        request.Headers.Add("x-ms-requires-sync", "true");
        AddSource(what, request, source);
        // Metadata of our own keeps the owner's from coming along; there must be some.
        AzureMetadata.Write(request.Headers, options);
        AzureMetadata.WriteUpload(request.Headers, "copied");
        using var guard = Guard(cancellationToken);
        using var answer = await client.SendAsync(what, request, guard, cancellationToken);
        return AzureAccount.Written(path, length: -1, options, answer);
    }

    public long PartBytesFor(CopySource source, long length) =>
        Math.Max(PartBytes, (length / account.Traits.PartsMax / Mib + 1) * Mib);

    public async ValueTask<PartReceipt> CopyPartAsync(
        CopySource source, EntryPath path, string token, long index, long partBytes, long length,
        CancellationToken cancellationToken)
    {
        var what = $"copy part {index} of '{path}' inside the service";
        var range = new PartLayout(length, partBytes).RangeOf(index);
        using var guard = Guard(cancellationToken);
        var request = client.Request(
            HttpMethod.Put, AzureUpload.StagingOf(client, token), AzureUpload.BlockQuery(index));
        AddSource(what, request, source);
        request.Headers.Add("x-ms-source-range", $"bytes={range.Offset}-{range.End - 1}");
        request.Content = new MemoryContent(default, guard);
        using var answer = await client.SendAsync(what, request, guard, cancellationToken);
        return new PartReceipt(index, "");
    }

    /// <summary>The service's versions are no hashes: they say nothing of the content.</summary>
    public ValueTask<bool?> CompareAsync(CopySource source, Entry copy, CancellationToken cancellationToken) =>
        ValueTask.FromResult<bool?>(null);

    private void AddSource(string what, HttpRequestMessage request, CopySource source)
    {
        if (!AzureService.IsAt(client.Settings, source.Name))
            throw new VirgaException(FailureKind.BadInput, $"{what}: the owner named a source at another service");
        request.Headers.Add("x-ms-copy-source", source.Name);
        request.Headers.Add("x-ms-source-if-match", AzureAccount.Version(source.Pin.Value).Value);
    }

    private StallGuard Guard(CancellationToken cancellationToken) =>
        new(client.Services with { StallTimeout = CopyTimeout }, cancellationToken);
}
