using System.Net;

namespace Virga.Accounts.Adapters.Http;

/// <summary>A request's body that is the caller's memory, sent without copying it first.</summary>
internal sealed class MemoryContent(ReadOnlyMemory<byte> content, StallGuard guard) : HttpContent
{
    private const int PieceBytes = 256 << 10;

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(
        Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        for (var at = 0; at < content.Length; at += PieceBytes)
        {
            await stream.WriteAsync(content.Slice(at, Math.Min(PieceBytes, content.Length - at)), cancellationToken);
            guard.Touch();
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = content.Length;
        return true;
    }
}
