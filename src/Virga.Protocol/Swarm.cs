using Virga.Core;
using Virga.Core.Bencoding;

namespace Virga.Protocol;

/// <summary>
/// spec/v1/swarm.md. The owner's word that an agent may read a share: shown to whoever else holds it, with a request
/// that this agent signs. No bearer secret: useless without the agent's key.
/// </summary>
public sealed record SharePass(
    AgentId Agent, AudienceKind Audience, DateTimeOffset Expires, AgentId Issuer, Hash256 Share)
{
    public const string SignatureType = "pass";

    public byte[] Encode() => BencodeWriter.Encode(writer =>
        writer.StartDictionary().Key("agent").Hash(Agent.Hash).Key("audience").Text(Grant.NameOf(Audience))
            .Key("expires").Time(Expires).Key("issuer").Hash(Issuer.Hash).Key("share").Hash(Share).End());

    public static SharePass Parse(ReadOnlySpan<byte> body)
    {
        var fields = Wire.Dictionary(body, "pass", "agent", "audience", "expires", "issuer", "share");
        return new SharePass(
            fields.Agent("agent"), Grant.AudienceOf(fields.Text("audience", 16)), fields.Time("expires"),
            fields.Agent("issuer"), fields.Hash("share"));
    }
}

/// <summary>A pass as the agent that it was given to holds it.</summary>
public sealed record HeldPass(SignedEnvelope Signed, SharePass Pass);

/// <summary>Tells one state of what an agent has from another.</summary>
/// <param name="Epoch">Another after each start of the agent.</param>
public readonly record struct HaveVersion(long Epoch, long Number);

/// <summary>
/// Which pieces of a share an agent has (spec/v1/swarm.md). Bit fields have one bit a piece of the share, in the order
/// of its torrent, the first piece in the highest bit of the first byte.
/// </summary>
/// <param name="Have">Null where it has all.</param>
/// <param name="Sent">Pieces that it has begun to send to somebody; null where it does not tell.</param>
public sealed record HaveAnswer(HaveVersion Version, byte[]? Have, byte[]? Sent)
{
    public byte[] Encode() => BencodeWriter.Encode(writer =>
    {
        writer.StartDictionary();
        if (Have is null) writer.Key("all").Integer(1);
        writer.Key("epoch").Integer(Version.Epoch);
        if (Have is not null) writer.Key("have").Bytes(Have);
        if (Sent is not null) writer.Key("sent").Bytes(Sent);
        writer.Key("version").Integer(Version.Number).End();
    });

    public static HaveAnswer Parse(ReadOnlySpan<byte> body, int pieces)
    {
        var fields = Wire.Dictionary(body, "have", "all", "epoch", "have", "sent", "version");
        var bytes = (pieces + 7) / 8;
        var all = fields.OptionalInteger("all", 1, 1) is not null;
        var have = fields.OptionalBytes("have", bytes, bytes);
        if (all == have is not null) throw Wire.Bad("have: exactly one of 'all' and 'have' is due");
        var sent = fields.OptionalBytes("sent", bytes, bytes);
        RequireSpare(have, pieces);
        RequireSpare(sent, pieces);
        return new HaveAnswer(
            new HaveVersion(fields.Integer("epoch", 0, long.MaxValue), fields.Integer("version", 0, long.MaxValue)),
            have, sent);
    }

    private static void RequireSpare(byte[]? bits, int pieces)
    {
        if (bits is null || pieces % 8 == 0) return;
        if ((bits[^1] & (0xFF >> (pieces % 8))) != 0) throw Wire.Bad("have: bits beyond the last piece are set");
    }
}
