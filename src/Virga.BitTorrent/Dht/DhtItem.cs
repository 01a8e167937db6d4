using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Keys;

namespace Virga.BitTorrent.Dht;

/// <summary>
/// A small value in the DHT (BEP 44): an immutable one, known by the SHA-1 of its bytes, or a mutable one, known by a
/// key and a salt and signed with a number that only grows.
/// </summary>
public sealed class DhtItem
{
    private DhtItem(ReadOnlyMemory<byte> value) => Value = value;

    /// <summary>One bencoded value, at most 1,000 bytes.</summary>
    public ReadOnlyMemory<byte> Value { get; }

    /// <summary>Null for an immutable item.</summary>
    public VerifyKey? Key { get; private init; }

    public ReadOnlyMemory<byte> Salt { get; private init; }

    public long Sequence { get; private init; }

    public ReadOnlyMemory<byte> Signature { get; private init; }

    public NodeId Target => Key is { } key ? TargetOf(key, Salt.Span) : new NodeId(Sha1(Value.Span));

    /// <exception cref="VirgaException">BadInput when it is too long or no bencode.</exception>
    public static DhtItem Immutable(ReadOnlySpan<byte> value) => new(Checked(value));

    public static DhtItem Sign(SigningKey key, ReadOnlySpan<byte> salt, long sequence, ReadOnlySpan<byte> value) =>
        Mutable(key.PublicKey, salt, sequence, key.Sign(Signed(salt, sequence, value)), value);

    /// <exception cref="VirgaException">BadInput when it is too long or no bencode; Corrupt for a signature that does
    /// not hold.</exception>
    public static DhtItem Mutable(
        VerifyKey key, ReadOnlySpan<byte> salt, long sequence, ReadOnlySpan<byte> signature, ReadOnlySpan<byte> value)
    {
        var checkedValue = Checked(value);
        if (salt.Length > DhtLimits.SaltBytes)
            throw new VirgaException(FailureKind.BadInput, $"a salt of {salt.Length} bytes is too long");
        if (signature.Length != SigningKey.SignatureBytes || !key.Verify(Signed(salt, sequence, value), signature))
            throw new VirgaException(FailureKind.Corrupt, "the signature of an item in the DHT does not hold");
        return new DhtItem(checkedValue)
        {
            Key = key, Salt = salt.ToArray(), Sequence = sequence, Signature = signature.ToArray(),
        };
    }

    public static NodeId TargetOf(VerifyKey key, ReadOnlySpan<byte> salt) =>
        new(Sha1([.. key.Bytes.ToArray(), .. salt]));

    /// <summary>The value of a feed (BEP 46): it points at the torrent of the newest version.</summary>
    public static byte[] FeedValue(SwarmHash torrent) => BencodeWriter.Encode(writer =>
        writer.StartDictionary().Key("ih").Bytes(torrent.ToArray()).End());

    /// <summary>Where a feed points (BEP 46); null for another kind of item.</summary>
    public SwarmHash? FeedTorrent()
    {
        return BencodeValue.Parse(Value.Span, Limits) is BencodeDictionary feed && feed.TryValue("ih", out var torrent)
            && torrent is BencodeBytes { Content.Length: SwarmHash.ByteCount } bytes
            ? new SwarmHash(bytes.Content.Span) : null;
    }

    private static readonly BencodeLimits Limits = new(DhtLimits.ItemBytes, 32, 1_000, AllowUnsortedKeys: true);

    private static byte[] Checked(ReadOnlySpan<byte> value) => BencodeValue.Parse(value, Limits).Encode();

    private static byte[] Signed(ReadOnlySpan<byte> salt, long sequence, ReadOnlySpan<byte> value)
    {
        var text = new ArrayBufferWriter<byte>();
        if (salt.Length > 0)
        {
            text.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"4:salt{salt.Length}:")));
            text.Write(salt);
        }

        text.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"3:seqi{sequence}e1:v")));
        text.Write(value);
        return text.WrittenSpan.ToArray();
    }

    private static byte[] Sha1(ReadOnlySpan<byte> data) => SHA1.HashData(data);
}
