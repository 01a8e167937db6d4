namespace Virga.BitTorrent.Wire.Obfuscation;

/// <summary>
/// RC4 as message stream encryption uses it, without its first 1,024 bytes. It hides what a stream is from equipment on
/// the way and keeps no secrets; everything that is accepted is verified by hash anyway.
/// </summary>
internal sealed class Rc4
{
    private const int Dropped = 1024;

    private readonly byte[] state = new byte[256];
    private byte i;
    private byte j;

    public Rc4(ReadOnlySpan<byte> key)
    {
        for (var at = 0; at < state.Length; at++) state[at] = (byte)at;
        byte swap = 0;
        for (var at = 0; at < state.Length; at++)
        {
            swap += (byte)(state[at] + key[at % key.Length]);
            (state[at], state[swap]) = (state[swap], state[at]);
        }
        Apply(new byte[Dropped]);
    }

    /// <summary>Encrypts or decrypts in place.</summary>
    public void Apply(Span<byte> data)
    {
        var s = state;
        var (a, b) = (i, j);
        foreach (ref var value in data)
        {
            a++;
            var x = s[a];
            b += x;
            var y = s[b];
            s[a] = y;
            s[b] = x;
            value ^= s[(byte)(x + y)];
        }
        (i, j) = (a, b);
    }
}
