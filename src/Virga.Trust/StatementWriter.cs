using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Keys;

namespace Virga.Trust;

/// <summary>
/// Makes statements; the caller signs the returned bytes with <see cref="DomainSignature"/> type "statement".
/// </summary>
public static class StatementWriter
{
    public static byte[] Genesis(VerifyKey sign, Hash256 seal, Hash256 nextKeyHash, DateTimeOffset time) =>
        BencodeWriter.Encode(writer =>
        writer.StartDictionary()
            .Key("body").StartDictionary().Key("next").Hash(nextKeyHash).Key("seal").Hash(seal).Key("sign")
                .Hash(sign.Bytes).End()
            .Key("seq").Integer(0).Key("time").Integer(time.ToUnixTimeSeconds()).Key("type").Text(StatementType.Genesis)
                .End());

    /// <param name="body">A bencoded dictionary.</param>
    public static byte[] Next(Sigchain chain, string type, ReadOnlySpan<byte> body, DateTimeOffset time)
    {
        // Time must not go back along the chain, even where this machine's clock was set back.
        var seconds = Math.Max(time.ToUnixTimeSeconds(), chain.Head.Time.ToUnixTimeSeconds());
        var encodedBody = body.ToArray();
        return BencodeWriter.Encode(writer =>
            writer.StartDictionary().Key("agent").Hash(chain.Id.Hash).Key("body").Raw(encodedBody).Key("prev")
                .Hash(chain.Head.Hash)
                .Key("seq").Integer(chain.Statements.Count).Key("time").Integer(seconds).Key("type").Text(type).End());
    }

    public static byte[] AddSigningKeyBody(VerifyKey key) =>
        BencodeWriter.Encode(writer => writer.StartDictionary().Key("sign").Hash(key.Bytes).End());

    /// <summary>
    /// Adds the key that the chain committed to, and commits to the one after it. That key itself may sign it.
    /// </summary>
    public static byte[] RotateKeyBody(VerifyKey key, Hash256 nextKeyHash) =>
        BencodeWriter.Encode(writer =>
            writer.StartDictionary().Key("next").Hash(nextKeyHash).Key("sign").Hash(key.Bytes).End());

    public static byte[] AddSealKeyBody(Hash256 key) =>
        BencodeWriter.Encode(writer => writer.StartDictionary().Key("seal").Hash(key).End());

    public static byte[] RemoveKeyBody(Hash256 key) =>
        BencodeWriter.Encode(writer => writer.StartDictionary().Key("key").Hash(key).End());

    public static byte[] EndpointBody(IReadOnlyList<ChainEndpoint> endpoints) => BencodeWriter.Encode(writer =>
    {
        writer.StartDictionary().Key("urls").StartList();
        foreach (var (url, certificate) in endpoints)
        {
            writer.StartDictionary();
            if (certificate is { } hash) writer.Key("cert").Hash(hash);
            writer.Key("url").Text(HttpsOrigin.ToText(url)).End();
        }
        writer.End().End();
    });

    public static byte[] ProfileBody(string name) =>
        BencodeWriter.Encode(writer => writer.StartDictionary().Key("name").Text(name).End());
}
