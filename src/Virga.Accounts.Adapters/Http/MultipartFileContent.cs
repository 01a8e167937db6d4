using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace Virga.Accounts.Adapters.Http;

/// <summary>One file as multipart/form-data (RFC 7578), around a content of known length that is streamed.</summary>
internal sealed class MultipartFileContent : HttpContent
{
    private readonly HttpContent file;
    private readonly byte[] head;
    private readonly byte[] tail;

    /// <param name="file">Its length must be known.</param>
    /// <param name="name">ASCII without quotes.</param>
    /// <param name="boundary">Random: must not occur in the file.</param>
    public MultipartFileContent(HttpContent file, string name, string boundary)
    {
        this.file = file;
        head = Encoding.ASCII.GetBytes(
            $"--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n"
                + "Content-Type: application/octet-stream\r\n\r\n");
        tail = Encoding.ASCII.GetBytes($"\r\n--{boundary}--\r\n");
        Headers.ContentType = new MediaTypeHeaderValue(
            "multipart/form-data") { Parameters = { new NameValueHeaderValue("boundary", boundary) } };
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(
        Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        await stream.WriteAsync(head, cancellationToken);
        await file.CopyToAsync(stream, context, cancellationToken);
        await stream.WriteAsync(tail, cancellationToken);
    }

    protected override bool TryComputeLength(out long length)
    {
        length = head.Length + (file.Headers.ContentLength ?? 0) + tail.Length;
        return file.Headers.ContentLength is not null;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) file.Dispose();
        base.Dispose(disposing);
    }
}
