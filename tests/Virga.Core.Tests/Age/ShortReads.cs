namespace Virga.Core.Tests.Age;

/// <summary>A stream that gives at most so many bytes a read, as a network does.</summary>
internal sealed class ShortReads(byte[] data, int readBytesMax) : MemoryStream(data)
{
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        base.ReadAsync(buffer[..Math.Min(buffer.Length, readBytesMax)], cancellationToken);
}
