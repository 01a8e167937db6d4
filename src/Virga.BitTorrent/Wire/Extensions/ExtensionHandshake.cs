using System.Net;
using Virga.Core.Bencoding;

namespace Virga.BitTorrent.Wire.Extensions;

/// <summary>What a peer says of its extensions (BEP 10). What others wrote is used as far as it makes sense.</summary>
/// <param name="MetadataId">Its number for ut_metadata (BEP 9); 0 where it has none.</param>
/// <param name="PexId">Its number for ut_pex (BEP 11); 0 where it has none.</param>
/// <param name="MetadataBytes">Of the info dict, as it says; 0 where it has none.</param>
/// <param name="RequestsMax">Requests that it keeps ("reqq"); 0 where it doesn't say.</param>
/// <param name="ListenPort">Where it takes connections; 0 where it doesn't say.</param>
/// <param name="Client">For people; not to be believed.</param>
public sealed record ExtensionHandshake(
    int MetadataId, int PexId, int MetadataBytes, int RequestsMax, int ListenPort, string Client, bool IsUploadOnly)
{
    /// <summary>Numbers by which others call these extensions here.</summary>
    public const int OurMetadataId = 1;

    public const int OurPexId = 2;

    /// <summary>The number of the handshake itself.</summary>
    public const int Id = 0;

    private const int ClientBytesMax = 64;

    public static readonly ExtensionHandshake None = new(0, 0, 0, 0, 0, "", false);

    private static readonly BencodeLimits Limits = new(WireLimits.ExtendedBytesMax, 4, 2000, AllowUnsortedKeys: true);

    /// <summary>BadInput for what is no dictionary; fields of a wrong type are left out.</summary>
    public static ExtensionHandshake Parse(ReadOnlySpan<byte> payload)
    {
        var dictionary = BencodeValue.ParseDictionary(payload, Limits, "extension handshake");
        var numbers = dictionary.TryValue("m", out var m) ? m as BencodeDictionary : null;
        return new ExtensionHandshake(
            Integer(numbers, "ut_metadata", byte.MaxValue), Integer(numbers, "ut_pex", byte.MaxValue),
            Integer(dictionary, "metadata_size", WireLimits.MetadataBytesMax), Integer(dictionary, "reqq", 1 << 20),
            Integer(dictionary, "p", ushort.MaxValue), Text(dictionary, "v"),
            Integer(dictionary, "upload_only", 1) == 1);
    }

    /// <param name="peer">What it looks like from here ("yourip").</param>
    public static byte[] Write(
        string client, int metadataBytes, int listenPort, bool isUploadOnly, bool hasPex, IPAddress peer) =>
        BencodeWriter.Encode(writer =>
        {
            writer.StartDictionary().Key("m").StartDictionary().Key("ut_metadata").Integer(OurMetadataId);
            if (hasPex) writer.Key("ut_pex").Integer(OurPexId);
            writer.End();
            if (metadataBytes > 0) writer.Key("metadata_size").Integer(metadataBytes);
            if (listenPort > 0) writer.Key("p").Integer(listenPort);
            writer.Key("reqq").Integer(WireLimits.RequestsMax);
            if (isUploadOnly) writer.Key("upload_only").Integer(1);
            writer.Key("v").Text(client).Key("yourip").Bytes(peer.GetAddressBytes()).End();
        });

    private static int Integer(BencodeDictionary? dictionary, string key, int most) =>
        dictionary is not null && dictionary.TryValue(key, out var value) && value is BencodeInteger integer
            && integer.TryGet(out var number) && number >= 0 && number <= most ? (int)number : 0;

    private static string Text(BencodeDictionary dictionary, string key)
    {
        if (!dictionary.TryValue(key, out var value) || value is not BencodeBytes bytes) return "";
        var content = bytes.Content.Span[..Math.Min(bytes.Content.Length, ClientBytesMax)];
        return System.Text.Encoding.UTF8.GetString(content);
    }
}
