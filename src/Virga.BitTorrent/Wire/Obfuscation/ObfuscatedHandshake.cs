using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using Virga.Core;

namespace Virga.BitTorrent.Wire.Obfuscation;

/// <summary>
/// Message stream encryption (MSE, "protocol encryption"): a handshake without any fixed bytes, for lines on which
/// BitTorrent is blocked or slowed. The Vuze wiki's "Message Stream Encryption" is its only description.
/// </summary>
public static class ObfuscatedHandshake
{
    private const int KeyBytes = 96;
    private const int PrivateBytes = 20;
    private const int PadBytesMax = 512;
    private const int HashBytes = SHA1.HashSizeInBytes;
    private const int ConstantBytes = 8;
    private const uint Plain = 1;
    private const uint Encrypted = 2;

    private static readonly BigInteger Prime = BigInteger.Parse(
        "0FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
            + "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A63A36210000000000090563",
        NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    /// <summary>
    /// The other end of a connection that began with something else than a plain handshake. What follows is read from
    /// the link that comes back. BadInput where it is no obfuscated handshake, or for none of our swarms.
    /// </summary>
    /// <param name="start">What was received already; at most the 96 bytes of its key.</param>
    /// <param name="swarms">Those that a peer may mean: it must know the hash of one of them.</param>
    public static async ValueTask<IPeerLink> AcceptAsync(
        IPeerLink link, ReadOnlyMemory<byte> start, IEnumerable<SwarmHash> swarms, RandomBytes random,
        CancellationToken cancellationToken)
    {
        var reader = new LinkReader(link, start);
        var theirKey = (await reader.ReadAsync(KeyBytes, cancellationToken)).ToArray();
        var (secret, ourKey) = Keys(theirKey, random);
        await link.SendAsync([Padded(ourKey, random)], cancellationToken);
        await reader.FindAsync(Hash("req1"u8, secret), PadBytesMax, cancellationToken);
        var named = (await reader.ReadAsync(HashBytes, cancellationToken)).ToArray();
        var mask = Hash("req3"u8, secret);
        for (var i = 0; i < named.Length; i++) named[i] ^= mask[i];
        var swarm = swarms.Select(s => (SwarmHash?)s).FirstOrDefault(s => Hash("req2"u8, s!.Value.ToArray())
            .AsSpan().SequenceEqual(named)) ?? throw PeerCodec.Bad("a swarm that is not here, obfuscated");
        var incoming = Cipher("keyA"u8, secret, swarm);
        var outgoing = Cipher("keyB"u8, secret, swarm);
        var head = await reader.ReadAsync(ConstantBytes + 6, incoming, cancellationToken);
        if (head.AsSpan(0, ConstantBytes).ContainsAnyExcept((byte)0))
            throw PeerCodec.Bad("an obfuscated handshake that does not decrypt");
        var offered = BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(ConstantBytes));
        await SkipPadAsync(reader, incoming, head.AsSpan(ConstantBytes + 4), cancellationToken);
        var early = BinaryPrimitives.ReadUInt16BigEndian(await reader.ReadAsync(2, incoming, cancellationToken));
        var payload = await reader.ReadAsync(early, incoming, cancellationToken);
        // What is offered here is public; the handshake alone is what equipment on the way looks at.
        var chosen = (offered & Plain) != 0 ? Plain
            : (offered & Encrypted) != 0 ? Encrypted : throw PeerCodec.Bad("no way to go on that is known");
        var answer = new byte[ConstantBytes + 6];
        BinaryPrimitives.WriteUInt32BigEndian(answer.AsSpan(ConstantBytes), chosen);
        outgoing.Apply(answer);
        await link.SendAsync([answer], cancellationToken);
        return Open(link, reader, payload, chosen, incoming, outgoing);
    }

    /// <summary>This end of a connection that we opened. BadInput where the peer knows no obfuscation.</summary>
    public static async ValueTask<IPeerLink> ConnectAsync(
        IPeerLink link, SwarmHash swarm, RandomBytes random, CancellationToken cancellationToken)
    {
        var reader = new LinkReader(link, default);
        var privateKey = PrivateKey(random);
        await link.SendAsync([Padded(PublicKey(privateKey), random)], cancellationToken);
        var theirKey = (await reader.ReadAsync(KeyBytes, cancellationToken)).ToArray();
        var secret = Secret(theirKey, privateKey);
        var incoming = Cipher("keyB"u8, secret, swarm);
        var outgoing = Cipher("keyA"u8, secret, swarm);
        var named = Hash("req2"u8, swarm.ToArray());
        var mask = Hash("req3"u8, secret);
        for (var i = 0; i < named.Length; i++) named[i] ^= mask[i];
        var offer = new byte[ConstantBytes + 8];
        BinaryPrimitives.WriteUInt32BigEndian(offer.AsSpan(ConstantBytes), Plain | Encrypted);
        outgoing.Apply(offer);
        await link.SendAsync([Hash("req1"u8, secret), named, offer], cancellationToken);
        var constant = new byte[ConstantBytes];
        incoming.Apply(constant);
        await reader.FindAsync(constant, PadBytesMax, cancellationToken);
        var head = await reader.ReadAsync(6, incoming, cancellationToken);
        var chosen = BinaryPrimitives.ReadUInt32BigEndian(head);
        if (chosen is not (Plain or Encrypted)) throw PeerCodec.Bad($"a way to go on that was not offered: {chosen}");
        await SkipPadAsync(reader, incoming, head.AsSpan(4), cancellationToken);
        return Open(link, reader, [], chosen, incoming, outgoing);
    }

    private static ObfuscatedLink Open(
        IPeerLink link, LinkReader reader, byte[] payload, uint chosen, Rc4 incoming, Rc4 outgoing)
    {
        var rest = reader.TakeRest();
        if (chosen == Encrypted) incoming.Apply(rest);
        byte[] early = [.. payload, .. rest];
        return chosen == Encrypted
            ? new ObfuscatedLink(link, early, incoming, outgoing) : new ObfuscatedLink(link, early, null, null);
    }

    private static ValueTask SkipPadAsync(
        LinkReader reader, Rc4 incoming, ReadOnlySpan<byte> length, CancellationToken cancellationToken)
    {
        var bytes = BinaryPrimitives.ReadUInt16BigEndian(length);
        if (bytes > PadBytesMax) throw PeerCodec.Bad($"{bytes} bytes of padding");
        return SkipAsync();

        async ValueTask SkipAsync() => await reader.ReadAsync(bytes, incoming, cancellationToken);
    }

    private static (byte[] Secret, byte[] OurKey) Keys(byte[] theirKey, RandomBytes random)
    {
        var privateKey = PrivateKey(random);
        return (Secret(theirKey, privateKey), PublicKey(privateKey));
    }

    private static BigInteger PrivateKey(RandomBytes random)
    {
        var bytes = new byte[PrivateBytes];
        random(bytes);
        return new BigInteger(bytes, isUnsigned: true, isBigEndian: true);
    }

    private static byte[] PublicKey(BigInteger privateKey) => Bytes(BigInteger.ModPow(2, privateKey, Prime));

    private static byte[] Secret(byte[] theirKey, BigInteger privateKey)
    {
        var key = new BigInteger(theirKey, isUnsigned: true, isBigEndian: true);
        return Bytes(BigInteger.ModPow(key, privateKey, Prime));
    }

    private static byte[] Bytes(BigInteger number)
    {
        var bytes = number.ToByteArray(isUnsigned: true, isBigEndian: true);
        var padded = new byte[KeyBytes];
        bytes.CopyTo(padded, KeyBytes - bytes.Length);
        return padded;
    }

    private static byte[] Padded(byte[] key, RandomBytes random)
    {
        Span<byte> length = stackalloc byte[2];
        random(length);
        var bytes = new byte[key.Length + (BinaryPrimitives.ReadUInt16BigEndian(length) % (PadBytesMax + 1))];
        random(bytes);
        key.CopyTo(bytes, 0);
        return bytes;
    }

    private static byte[] Hash(ReadOnlySpan<byte> what, ReadOnlySpan<byte> of) => SHA1.HashData([.. what, .. of]);

    private static Rc4 Cipher(ReadOnlySpan<byte> what, ReadOnlySpan<byte> secret, SwarmHash swarm) =>
        new(SHA1.HashData([.. what, .. secret, .. swarm.ToArray()]));

    /// <summary>Reads exactly so many bytes, and keeps what came with them.</summary>
    private sealed class LinkReader(IPeerLink link, ReadOnlyMemory<byte> start)
    {
        private readonly byte[] buffer = new byte[4096];
        private byte[] held = start.ToArray();

        /// <summary>A few KiB at most; all of it in memory.</summary>
        public async ValueTask<ReadOnlyMemory<byte>> ReadAsync(int bytes, CancellationToken cancellationToken)
        {
            while (held.Length < bytes) await MoreAsync(cancellationToken);
            var taken = held.AsMemory(0, bytes);
            held = held[bytes..];
            return taken;
        }

        public async ValueTask<byte[]> ReadAsync(int bytes, Rc4 cipher, CancellationToken cancellationToken)
        {
            var read = (await ReadAsync(bytes, cancellationToken)).ToArray();
            cipher.Apply(read);
            return read;
        }

        /// <summary>Skips to behind a mark that begins within so many bytes.</summary>
        public async ValueTask FindAsync(byte[] mark, int most, CancellationToken cancellationToken)
        {
            while (true)
            {
                var window = held.AsMemory(0, Math.Min(held.Length, most + mark.Length));
                if (window.Span.IndexOf(mark) is >= 0 and var at)
                {
                    held = held[(at + mark.Length)..];
                    return;
                }
                if (window.Length == most + mark.Length) throw PeerCodec.Bad("no handshake, plain or obfuscated");
                await MoreAsync(cancellationToken);
            }
        }

        public byte[] TakeRest()
        {
            var rest = held;
            held = [];
            return rest;
        }

        private async ValueTask MoreAsync(CancellationToken cancellationToken)
        {
            var count = await link.ReceiveAsync(buffer, cancellationToken);
            if (count == 0) throw new IOException("the peer closed the connection");
            held = [.. held, .. buffer.AsSpan(0, count)];
        }
    }
}
