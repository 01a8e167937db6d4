using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Keys;

namespace Virga.Protocol;

/// <summary>The bytes on the wire of every signed record: <c>{ body, sig }</c> (spec/v1/encodings.md).</summary>
public sealed record SignedEnvelope(byte[] Body, byte[] Signature)
{
    public static SignedEnvelope Sign(SigningKey key, string type, byte[] body) =>
        new(body, DomainSignature.Sign(key, type, body));

    /// <summary>Parses only; the signature is checked by <see cref="Verify"/>.</summary>
    public static SignedEnvelope Parse(ReadOnlySpan<byte> data, int maxBytes = 1 << 20) =>
        Read(BencodeValue.ParseDictionary(data, new BencodeLimits(maxBytes, 1, 5), "signed envelope"));

    /// <summary>An envelope that stands inside a message.</summary>
    public static SignedEnvelope Read(BencodeDictionary dictionary)
    {
        dictionary.AllowOnly("body", "sig");
        return new SignedEnvelope(
            dictionary.Bytes("body", 1), dictionary.Bytes("sig", SigningKey.SignatureBytes, SigningKey.SignatureBytes));
    }

    public bool Verify(VerifyKey key, string type) => DomainSignature.Verify(key, type, Body, Signature);

    public byte[] Encode() => BencodeWriter.Encode(Write);

    public void Write(BencodeWriter writer) =>
        writer.StartDictionary().Key("body").Bytes(Body).Key("sig").Bytes(Signature).End();

    /// <summary>A list of envelopes: a page of a chain, announces.</summary>
    public static byte[] EncodeList(IEnumerable<SignedEnvelope> envelopes) => BencodeWriter.Encode(writer =>
    {
        writer.StartList();
        foreach (var envelope in envelopes) envelope.Write(writer);
        writer.End();
    });

    public static IReadOnlyList<SignedEnvelope> ParseList(ReadOnlySpan<byte> data, int maxItems) =>
        [.. BencodeValue.Parse(data, BencodeLimits.Message).AsList().Items(maxItems)
            .Select(item => Read(item.AsDictionary()))];

    /// <summary>
    /// Cuts a chain into what one answer or request may hold: at most 256 statements, and few enough bytes for a
    /// message.
    /// </summary>
    public static IEnumerable<IReadOnlyList<SignedEnvelope>> Pages(IReadOnlyList<SignedEnvelope> envelopes)
    {
        const int framingBytes = 100;
        var page = new List<SignedEnvelope>();
        var bytes = 0;
        foreach (var envelope in envelopes)
        {
            var size = envelope.Body.Length + framingBytes;
            if (page.Count == ProtocolLimits.ChainPageEnvelopes
                || (page.Count > 0 && bytes + size > ProtocolLimits.ChainPageBytes))
            {
                yield return page;
                page = [];
                bytes = 0;
            }
            page.Add(envelope);
            bytes += size;
        }
        if (page.Count > 0) yield return page;
    }
}
