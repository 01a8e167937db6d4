using System.Buffers;
using Virga.Core;
using Virga.Core.Bencoding;

namespace Virga.Content;

/// <summary>
/// The body of the <c>signed extras</c> of a public share (spec/v1/content.md): what the torrent can't hold, empty
/// folders and times. Whoever signs or checks the envelope gives the type <see cref="SignatureType"/>.
/// </summary>
public static class ShareExtras
{
    public const string SignatureType = "extras";

    public static byte[] Encode(AgentId agent, Hash256 share, Manifest manifest)
    {
        if (manifest.ShareIdentity is not null)
            throw new ArgumentException("a private share has no extras", nameof(manifest));
        return BencodeWriter.EncodeLarge(writer =>
        {
            writer.StartDictionary().Key("agent").Bytes(agent.Hash.ToArray()).Key("entries");
            manifest.WriteEntries(writer);
            writer.Key("share").Bytes(share.ToArray()).Key("v").Integer(Manifest.Version).End();
        });
    }

    /// <summary>BadInput when malformed or of another share.</summary>
    public static (AgentId Agent, Manifest Manifest) Parse(ReadOnlyMemory<byte> body, Hash256 share)
    {
        var reader = new BencodeReader(body.Span, ContentLimits.Manifest);
        reader.Read();
        ManifestReader.Expect(ref reader, BencodeToken.DictionaryStart, "the extras are no dictionary");
        Hash256? agent = null, named = null;
        List<ManifestEntry>? entries = null;
        long? version = null;
        while (ManifestReader.NextKey(ref reader, out var key))
        {
            if (key.SequenceEqual("agent"u8))
                agent = new Hash256(ManifestReader.Bytes(ref reader, Hash256.ByteCount, "agent"));
            else if (key.SequenceEqual("entries"u8)) entries = ManifestReader.ReadEntries(ref reader);
            else if (key.SequenceEqual("share"u8))
                named = new Hash256(ManifestReader.Bytes(ref reader, Hash256.ByteCount, "share"));
            else if (key.SequenceEqual("v"u8)) version = ManifestReader.Integer(ref reader, "v");
            else throw ManifestRules.Bad("the extras have an unknown field");
        }
        if (version != Manifest.Version) throw ManifestRules.Bad("the extras are of an unknown version");
        if (agent is null || entries is null) throw ManifestRules.Bad("the extras lack a field");
        if (named != share) throw ManifestRules.Bad("the extras are of another share");
        return (new AgentId(agent.Value), new Manifest(null, entries));
    }
}
