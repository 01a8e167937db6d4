using Virga.Core;

namespace Virga.BitTorrent;

/// <summary>
/// The 20 bytes by which a client calls itself in a swarm (BEP 3, BEP 20). One for the life of a process: that is how
/// we recognise a connection to ourselves.
/// </summary>
public sealed class PeerId
{
    public const int ByteCount = 20;

    private const string Prefix = "-VI0100-";
    private readonly byte[] bytes = new byte[ByteCount];

    /// <summary>A new one; nothing of it tells who we are.</summary>
    public PeerId(RandomBytes random)
    {
        System.Text.Encoding.ASCII.GetBytes(Prefix, bytes);
        random(bytes.AsSpan(Prefix.Length));
    }

    public ReadOnlySpan<byte> Bytes => bytes;
}
