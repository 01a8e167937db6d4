using System.Security.Cryptography;
using Virga.Core;
using Virga.Core.Bencoding;

namespace Virga.Protocol;

/// <summary>spec/v1/announces.md. The hashes travel beside the record, bound to it by their digest.</summary>
public sealed record Announce(
    AgentId Agent, int Count, Hash256 Digest, IReadOnlyList<Endpoint> Endpoints, DateTimeOffset Expires,
    DateTimeOffset Time)
{
    public const string SignatureType = "announce";

    /// <summary>SHA-256 of the hashes one after the other; BadInput unless they ascend strictly.</summary>
    public static Hash256 DigestOf(IReadOnlyList<Hash256> sortedInfoHashes)
    {
        Wire.RequireAscending(sortedInfoHashes, "announce");
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> bytes = stackalloc byte[Hash256.ByteCount];
        foreach (var hash in sortedInfoHashes)
        {
            hash.CopyTo(bytes);
            digest.AppendData(bytes);
        }
        digest.GetHashAndReset(bytes);
        return new Hash256(bytes);
    }

    public byte[] Encode() => BencodeWriter.Encode(writer =>
    {
        writer.StartDictionary().Key("agent").Hash(Agent.Hash).Key("count").Integer(Count).Key("digest").Hash(Digest);
        writer.Key("endpoints");
        Endpoint.Write(writer, Endpoints);
        writer.Key("expires").Time(Expires).Key("time").Time(Time).End();
    });

    public static Announce Parse(ReadOnlySpan<byte> body)
    {
        var fields = Wire.Dictionary(body, "announce", "agent", "count", "digest", "endpoints", "expires", "time");
        var announce = new Announce(
            fields.Agent("agent"), (int)fields.Integer("count", 1, ProtocolLimits.AnnounceHashes),
            fields.Hash("digest"),
            Endpoint.Read(fields, "endpoints", ProtocolLimits.AnnounceEndpoints, "announce"), fields.Time("expires"),
            fields.Time("time"));
        if (announce.Endpoints.Count == 0) throw Wire.Bad("announce: it names no endpoint");
        var lifetime = announce.Expires - announce.Time;
        if (lifetime <= TimeSpan.Zero || lifetime > ProtocolLimits.AnnounceLifetime)
        {
            var most = ProtocolLimits.AnnounceLifetime.TotalSeconds;
            throw Wire.Bad($"announce: it lives {lifetime.TotalSeconds} s, not 1 to {most}");
        }
        return announce;
    }
}

/// <summary>Body of <c>POST /v1/announces</c>.</summary>
public sealed record AnnounceRequest(IReadOnlyList<Hash256> InfoHashes, SignedEnvelope Record)
{
    public byte[] Encode() => BencodeWriter.Encode(writer =>
    {
        writer.StartDictionary().Key("hashes").Hashes(InfoHashes).Key("record");
        Record.Write(writer);
        writer.End();
    });

    /// <summary>
    /// Also checks that the hashes are those the record speaks of; returns the record, its signature unchecked.
    /// </summary>
    public static AnnounceRequest Parse(ReadOnlySpan<byte> body, out Announce announce)
    {
        var fields = Wire.Dictionary(body, "announce request", "hashes", "record");
        var request = new AnnounceRequest(
            fields.Hashes("hashes", ProtocolLimits.AnnounceHashes), SignedEnvelope.Read(fields.Dictionary("record")));
        announce = Announce.Parse(request.Record.Body);
        if (announce.Count != request.InfoHashes.Count)
            throw Wire.Bad($"announce: {request.InfoHashes.Count} hashes came with a record of {announce.Count}");
        if (announce.Digest != Announce.DigestOf(request.InfoHashes))
            throw Wire.Bad("announce: the hashes are not those of the record");
        return request;
    }
}

/// <summary>spec/v1/announces.md. Takes back what was announced before its time.</summary>
public sealed record Withdraw(AgentId Agent, IReadOnlyList<Hash256> InfoHashes, DateTimeOffset Time)
{
    public const string SignatureType = "withdraw";

    public byte[] Encode() => BencodeWriter.Encode(writer =>
        writer.StartDictionary().Key("agent").Hash(Agent.Hash).Key("hashes").Hashes(InfoHashes)
            .Key("time").Time(Time).End());

    public static Withdraw Parse(ReadOnlySpan<byte> body)
    {
        var fields = Wire.Dictionary(body, "withdraw", "agent", "hashes", "time");
        var withdraw = new Withdraw(
            fields.Agent("agent"), fields.Hashes("hashes", ProtocolLimits.AnnounceHashes), fields.Time("time"));
        if (withdraw.InfoHashes.Count == 0) throw Wire.Bad("withdraw: it names no share");
        Wire.RequireAscending(withdraw.InfoHashes, "withdraw");
        return withdraw;
    }
}

/// <summary>spec/v1/announces.md. A signed, versioned pointer from a name to a share.</summary>
public sealed record Feed(AgentId Agent, string Name, Hash256 Share, DateTimeOffset Time, long Version)
{
    public const string SignatureType = "feed";

    /// <summary>
    /// 1 to 64 of <c>a-z 0-9 - _ .</c>, the first a letter or digit, so that no name is a step of a path.
    /// </summary>
    public static bool IsName(string name) =>
        name.Length is > 0 and <= ProtocolLimits.FeedNameChars && char.IsAsciiLetterOrDigit(name[0])
        && name.All(c => c is >= 'a' and <= 'z' or >= '0' and <= '9' or '-' or '_' or '.');

    /// <summary>BadInput that says what a feed's name looks like.</summary>
    public static void RequireName(string name)
    {
        if (IsName(name)) return;
        throw new VirgaException(
            FailureKind.BadInput, $"'{PeerText.Clean(name, ProtocolLimits.FeedNameChars)}' is not a feed's name",
            "A feed's name has 1 to 64 of a-z, 0-9, '-', '_' and '.', and starts with a letter or digit.");
    }

    public byte[] Encode() => BencodeWriter.Encode(writer =>
        writer.StartDictionary().Key("agent").Hash(Agent.Hash).Key("name").Text(Name).Key("share").Hash(Share)
            .Key("time").Time(Time).Key("version").Integer(Version).End());

    public static Feed Parse(ReadOnlySpan<byte> body)
    {
        var fields = Wire.Dictionary(body, "feed", "agent", "name", "share", "time", "version");
        var feed = new Feed(
            fields.Agent("agent"), fields.Text("name", ProtocolLimits.FeedNameChars), fields.Hash("share"),
            fields.Time("time"),
            fields.Integer("version", 1));
        RequireName(feed.Name);
        return feed;
    }
}
