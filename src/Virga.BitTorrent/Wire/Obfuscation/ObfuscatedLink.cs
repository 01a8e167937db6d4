using System.Buffers;
using System.Net;

namespace Virga.BitTorrent.Wire.Obfuscation;

/// <summary>A link behind an obfuscated handshake: encrypted, or plain again where both chose that.</summary>
/// <param name="early">What came behind the handshake already, in plain.</param>
internal sealed class ObfuscatedLink(IPeerLink inner, ReadOnlyMemory<byte> early, Rc4? incoming, Rc4? outgoing)
    : IPeerLink
{
    private ReadOnlyMemory<byte> early = early;

    public IPEndPoint Remote => inner.Remote;

    public async ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (!early.IsEmpty)
        {
            var taken = Math.Min(early.Length, buffer.Length);
            early[..taken].CopyTo(buffer);
            early = early[taken..];
            return taken;
        }
        var count = await inner.ReceiveAsync(buffer, cancellationToken);
        incoming?.Apply(buffer.Span[..count]);
        return count;
    }

    /// <summary>Encrypts into memory of its own: blocks belong to others, too.</summary>
    public async ValueTask SendAsync(IList<ArraySegment<byte>> buffers, CancellationToken cancellationToken)
    {
        if (outgoing is null)
        {
            await inner.SendAsync(buffers, cancellationToken);
            return;
        }
        var total = buffers.Sum(static b => b.Count);
        var rented = ArrayPool<byte>.Shared.Rent(total);
        try
        {
            var at = 0;
            foreach (var buffer in buffers)
            {
                buffer.AsSpan().CopyTo(rented.AsSpan(at));
                at += buffer.Count;
            }
            outgoing.Apply(rented.AsSpan(0, total));
            await inner.SendAsync([new ArraySegment<byte>(rented, 0, total)], cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    public ValueTask DisposeAsync() => inner.DisposeAsync();
}
