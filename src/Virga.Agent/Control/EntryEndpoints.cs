using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;
using Virga.Accounts;
using Virga.Core;
using Virga.Hosting;

namespace Virga.Agent.Control;

/// <summary>Looking into accounts and tidying up there, by the local API.</summary>
internal sealed class EntryEndpoints(AccountPool accounts)
{
    private const int CopyBytes = 128 << 10;

    /// <summary>Folders in folders that are removed with their content.</summary>
    private const int DepthMax = 256;

    public void Map(PeerRoutes routes)
    {
        routes.Control("GET", "/control/accounts/{name}/content", ReadAsync);
        routes.Control("PUT", "/control/accounts/{name}/content", WriteAsync);
        routes.Control("POST", "/control/accounts/{name}/folders", async http =>
        {
            var (account, path) = await PlaceAsync(http);
            if (await account.StatAsync(path, http.RequestAborted) is not null) throw IsThere(path);
            await account.CreateFolderAsync(path, http.RequestAborted);
            http.Response.StatusCode = StatusCodes.Status204NoContent;
        });
        routes.Control("POST", "/control/accounts/{name}/move", MoveAsync);
        routes.Control("DELETE", "/control/accounts/{name}/entries", async http =>
        {
            var (account, path) = await PlaceAsync(http);
            if (path.IsRoot) throw new VirgaException(FailureKind.BadInput, "the account's root can't be deleted");
            var entry = await account.StatAsync(path, http.RequestAborted) ?? throw NotThere(path);
            if (entry.Kind == EntryKind.Folder && http.Request.Query["content"] == "true")
                await EmptyAsync(account, path, 0, http.RequestAborted);
            await account.DeleteAsync(path, http.RequestAborted);
            http.Response.StatusCode = StatusCodes.Status204NoContent;
        });
    }

    private async Task<(IAccount Account, EntryPath Path)> PlaceAsync(HttpContext http) => (
        await accounts.GetAsync(http.RouteText("name"), http.RequestAborted),
        EntryPath.Parse(http.Request.Query["path"].ToString()));

    /// <summary>A file, or one range of it, all from one version.</summary>
    private async Task ReadAsync(HttpContext http)
    {
        var token = http.RequestAborted;
        var (account, path) = await PlaceAsync(http);
        var entry = await account.StatAsync(path, token) ?? throw NotThere(path);
        if (entry.Kind != EntryKind.File)
            throw new VirgaException(FailureKind.BadInput, $"'{path}' is no file", "Name a file.");
        var answer = http.Response;
        answer.Headers.AcceptRanges = "bytes";
        answer.Headers.LastModified = entry.Modified?.ToString("R", CultureInfo.InvariantCulture);
        answer.ContentType = "application/octet-stream";
        if (!TryRange(http.Request, entry.Length, out var range, out var isPart))
        {
            answer.StatusCode = StatusCodes.Status416RangeNotSatisfiable;
            answer.Headers.ContentRange = $"bytes */{entry.Length}";
            return;
        }
        if (isPart)
        {
            answer.StatusCode = (int)HttpStatusCode.PartialContent;
            answer.Headers.ContentRange = $"bytes {range.Offset}-{range.Offset + range.Length - 1}/{entry.Length}";
        }
        answer.ContentLength = range.Length;
        if (range.Length == 0) return;
        await using var reader = await account.ReadAsync(path, range, entry.Version, token);
        await reader.Content.CopyToAsync(answer.Body, CopyBytes, token);
    }

    /// <summary>
    /// One range of bytes; several, or what is no range, are answered with the whole (RFC 9110, 14.2).
    /// </summary>
    internal static bool TryRange(HttpRequest request, long length, out ByteRange range, out bool isPart)
    {
        range = new ByteRange(0, length);
        isPart = false;
        if (!RangeHeaderValue.TryParse(request.Headers.Range.ToString(), out var asked)
            || asked.Unit != "bytes" || asked.Ranges.Count != 1 || request.Headers.IfRange.Count > 0) return true;
        var one = asked.Ranges.First();
        var from = one.From ?? Math.Max(0, length - one.To!.Value);
        var to = one.From is null ? length - 1 : Math.Min(one.To ?? length - 1, length - 1);
        if (from >= length || to < from) return false;
        range = new ByteRange(from, to - from + 1);
        isPart = true;
        return true;
    }

    /// <summary>A whole file, streamed; with <c>If-None-Match: *</c> only where nothing stands yet.</summary>
    private async Task WriteAsync(HttpContext http)
    {
        var token = http.RequestAborted;
        var (account, path) = await PlaceAsync(http);
        var length = http.Request.ContentLength ?? throw new VirgaException(
            FailureKind.BadInput, "an upload says how long it is", "Send a Content-Length.");
        if (length > account.Traits.FileBytesMax)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"'{path.Name}' is larger than a file may be there",
                $"At most {account.Traits.FileBytesMax} bytes.");
        }
        if (http.Request.Headers.IfNoneMatch == "*" && await account.StatAsync(path, token) is not null)
            throw IsThere(path);
        var entry = length <= account.Traits.SingleWriteBytesMax
            ? await WriteSmallAsync(account, path, (int)length, http.Request.Body, token)
            : await WriteLargeAsync(account, path, length, http.Request.Body, token);
        await ControlEndpoints.JsonAsync(http, InfoOf(entry), ControlJson.Default.EntryInfo);
    }

    private static async Task<Entry> WriteSmallAsync(
        IAccount account, EntryPath path, int length, Stream body, CancellationToken cancellationToken)
    {
        var content = new byte[length];
        await ReadWholeAsync(body, content, cancellationToken);
        return await account.WriteAsync(path, content, WriteOptions.Default, cancellationToken);
    }

    private static async Task<Entry> WriteLargeAsync(
        IAccount account, EntryPath path, long length, Stream body, CancellationToken cancellationToken)
    {
        var layout = new PartLayout(length, account.Traits.PartBytesFor(length));
        var part = new byte[layout.PartBytes];
        await using var upload = await account.BeginUploadAsync(
            path, length, layout.PartBytes, WriteOptions.Default, cancellationToken);
        try
        {
            var receipts = new List<PartReceipt>();
            for (var index = 0L; index < layout.Count; index++)
            {
                var bytes = part.AsMemory(0, (int)layout.RangeOf(index).Length);
                await ReadWholeAsync(body, bytes, cancellationToken);
                receipts.Add(await upload.WritePartAsync(index, bytes, cancellationToken));
            }
            return await upload.CompleteAsync(receipts, cancellationToken);
        }
        catch
        {
            // Whoever closes a page in the middle leaves nothing half done; the first failure is the one to tell.
            try
            {
                await upload.AbortAsync(CancellationToken.None);
            }
            catch (VirgaException)
            {
            }
            throw;
        }
    }

    private static async Task ReadWholeAsync(Stream body, Memory<byte> bytes, CancellationToken cancellationToken)
    {
        try
        {
            await body.ReadExactlyAsync(bytes, cancellationToken);
        }
        catch (Exception e) when (e is EndOfStreamException or BadHttpRequestException)
        {
            throw new VirgaException(
                FailureKind.Unavailable, "the upload ended before all of it had come", "Send it again.", e);
        }
    }

    private async Task MoveAsync(HttpContext http)
    {
        var token = http.RequestAborted;
        var request = await ControlEndpoints.BodyAsync(http, ControlJson.Default.MoveRequest);
        var account = await accounts.GetAsync(http.RouteText("name"), token);
        var (from, to) = (EntryPath.Parse(request.From), EntryPath.Parse(request.To));
        if (from.IsRoot || to.IsRoot || to.IsWithin(from))
        {
            throw new VirgaException(
                FailureKind.BadInput, $"'{from}' can't be moved to '{to}'", "Choose another folder or name.");
        }
        if (await account.StatAsync(from, token) is null) throw NotThere(from);
        if (await account.StatAsync(to, token) is not null) throw IsThere(to);
        await account.MoveAsync(from, to, token);
        http.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private static async Task EmptyAsync(
        IAccount account, EntryPath folder, int depth, CancellationToken cancellationToken)
    {
        if (depth > DepthMax)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"'{folder}' lies too deep", "Delete folders below it first.");
        }
        var entries = new List<Entry>();
        await foreach (var entry in account.ListAsync(folder, cancellationToken)) entries.Add(entry);
        var bound = new ParallelOptions
        {
            MaxDegreeOfParallelism = Math.Max(1, account.Traits.MaxConcurrency / 2),
            CancellationToken = cancellationToken,
        };
        await Parallel.ForEachAsync(entries.Where(e => e.Kind != EntryKind.Folder), bound, async (entry, token) =>
            await account.DeleteAsync(entry.Path, token));
        foreach (var inner in entries.Where(e => e.Kind == EntryKind.Folder))
        {
            await EmptyAsync(account, inner.Path, depth + 1, cancellationToken);
            await account.DeleteAsync(inner.Path, cancellationToken);
        }
    }

    internal static EntryInfo InfoOf(Entry entry) => new(
        entry.Path.Value, entry.Kind.ToString().ToLowerInvariant(), entry.Length, entry.Modified, entry.LinkTarget);

    private static VirgaException NotThere(EntryPath path) => new(
        FailureKind.NotFound, $"there is no '{path}' in the account", "It may have been moved; look again.");

    private static VirgaException IsThere(EntryPath path) => new(
        FailureKind.Conflict, $"there is a '{path.Name}' already", "Choose another name, or delete that one first.");
}
