using System.Globalization;
using System.Text;
using System.Xml.Linq;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.Gcs;

/// <summary>
/// A multipart upload of the XML API ("XML API multipart uploads"). The token is the service's upload id; the tag of a
/// part is its ETag and its CRC-32C: by these the object is known that the parts make, and that it is whole.
/// </summary>
internal sealed class GcsUpload(GcsClient client, EntryPath path, PartLayout layout, string token) : IUpload
{
    public string? Token => token;

    private string Url => client.XmlUrl(client.Name(path)) + "?uploadId=" + Uri.EscapeDataString(token);

    public static async Task<GcsUpload> BeginAsync(
        GcsClient client, EntryPath path, PartLayout layout, WriteOptions options, CancellationToken cancellationToken)
    {
        var what = $"begin to write '{path}'";
        var answer = await client.CallXmlAsync(what, Request, cancellationToken);
        var id = Value(answer, "UploadId") ?? throw GcsFailures.NotGoogle(what);
        return new GcsUpload(client, path, layout, id);

        HttpRequestMessage Request()
        {
            var request = new HttpRequestMessage(HttpMethod.Post, client.XmlUrl(client.Name(path)) + "?uploads");
            GcsMetadata.Write(request.Headers, options);
            request.Content = new ByteArrayContent([]);
            return request;
        }
    }

    public async ValueTask<PartReceipt> WritePartAsync(
        long index, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var what = $"write part {index} of '{path}'";
        layout.CheckPart(index, content.Length);
        using var guard = client.Guard(cancellationToken);
        var url = string.Create(CultureInfo.InvariantCulture, $"{Url}&partNumber={index + 1}");
        using var answer = await client.SendAsync(
            what,
            () => new HttpRequestMessage(HttpMethod.Put, url) { Content = new MemoryContent(content, guard) },
            guard, cancellationToken);
        return answer.Headers.TryGetValues("ETag", out var tags)
            ? new PartReceipt(index, $"{tags.First()} {CrcOf(answer)}") : throw GcsFailures.NotGoogle(what);
    }

    public async ValueTask<Entry> CompleteAsync(IReadOnlyList<PartReceipt> parts, CancellationToken cancellationToken)
    {
        var what = $"complete '{path}'";
        layout.CheckComplete(parts);
        var sorted = parts.OrderBy(p => p.Index).ToArray();
        var list = new XElement("CompleteMultipartUpload", sorted.Select(p => new XElement(
            "Part", new XElement("PartNumber", p.Index + 1), new XElement("ETag", p.Tag.Split(' ')[0]))));
        var body = Encoding.UTF8.GetBytes(list.ToString(SaveOptions.DisableFormatting));
        try
        {
            await client.CallXmlAsync(
                what,
                () => new HttpRequestMessage(HttpMethod.Post, Url) { Content = new ByteArrayContent(body) },
                cancellationToken);
            return await FindCompletedAsync(what, sorted, cancellationToken)
                ?? throw new VirgaException(FailureKind.Changed, $"{what}: it was changed at the same moment");
        }
        // Completed already, by a call whose answer got lost or by a process that died before it wrote that down?
        catch (VirgaException e) when (e.Kind == FailureKind.NotFound && !GcsFailures.IsOfBucket(e))
        {
            return await FindCompletedAsync(what, sorted, cancellationToken) ?? throw new VirgaException(
                FailureKind.NotFound, $"{what}: the service has ended the upload", "Begin the upload anew.", e);
        }
    }

    /// <summary>Whether the service still knows the upload.</summary>
    public async ValueTask<bool> IsPendingAsync(string what, CancellationToken cancellationToken)
    {
        try
        {
            await client.CallXmlAsync(
                what, () => new HttpRequestMessage(HttpMethod.Get, Url + "&max-parts=1"), cancellationToken);
            return true;
        }
        catch (VirgaException e) when (e.Kind == FailureKind.NotFound && !GcsFailures.IsOfBucket(e))
        {
            return false;
        }
    }

    /// <summary>Whether what is at the path could have been made by this upload.</summary>
    public async ValueTask<bool> IsMadeAsync(string what, CancellationToken cancellationToken) =>
        await client.GetAsync(what, client.Name(path), cancellationToken) is { } item && item.Length == layout.Length;

    /// <summary>The entry at the path, if these parts made it; null otherwise.</summary>
    private async ValueTask<Entry?> FindCompletedAsync(
        string what, PartReceipt[] sorted, CancellationToken cancellationToken) =>
        await client.GetAsync(what, client.Name(path), cancellationToken) is { } item
            && item.Length == layout.Length && CrcOf(sorted) is var crc && (crc is null || crc == item.Crc32C)
            ? item.ToEntry(path) : null;

    /// <summary>Of all parts together; null where the service didn't tell that of each.</summary>
    private uint? CrcOf(PartReceipt[] sorted)
    {
        var all = 0u;
        foreach (var part in sorted)
        {
            if (Crc32C.Parse(part.Tag.Split(' ').ElementAtOrDefault(1)) is not { } crc) return null;
            all = Crc32C.Combine(all, crc, layout.RangeOf(part.Index).Length);
        }
        return all;
    }

    // "x-goog-hash: crc32c=n03x6A==", beside one with the MD5 or in one line with it.
    private static string CrcOf(HttpResponseMessage answer) =>
        (answer.Headers.TryGetValues("x-goog-hash", out var hashes) ? hashes : [])
            .SelectMany(h => h.Split(',')).Select(h => h.Trim())
            .FirstOrDefault(h => h.StartsWith("crc32c=", StringComparison.Ordinal))?[7..] ?? "";

    public async ValueTask AbortAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var guard = client.Guard(cancellationToken);
            using var answer = await client.SendAsync(
                $"end the upload of '{path}'", () => new HttpRequestMessage(HttpMethod.Delete, Url), guard,
                cancellationToken);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.NotFound && !GcsFailures.IsOfBucket(e))
        {
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>A child's text, in whatever XML namespace the service answers.</summary>
    public static string? Value(XElement element, string name) =>
        element.Elements().FirstOrDefault(e => e.Name.LocalName == name)?.Value;
}
