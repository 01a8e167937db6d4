using System.Net;
using System.Net.Sockets;
using Virga.Core.Bencoding;

namespace Virga.BitTorrent.Wire.Extensions;

/// <summary>A message of ut_pex (BEP 11): peers that came and went since the last one.</summary>
public sealed record PexMessage(IReadOnlyList<IPEndPoint> Added, IReadOnlyList<IPEndPoint> Dropped)
{
    private static readonly BencodeLimits Limits = new(WireLimits.ExtendedBytesMax, 3, 100, AllowUnsortedKeys: true);

    /// <summary>BadInput where it is no dictionary; at most so many peers are taken as make sense.</summary>
    public static PexMessage Parse(ReadOnlySpan<byte> payload)
    {
        var dictionary = BencodeValue.ParseDictionary(payload, Limits, "ut_pex");
        return new PexMessage(Peers(dictionary, "added"), Peers(dictionary, "dropped"));
    }

    public byte[] Write() => BencodeWriter.Encode(writer =>
    {
        writer.StartDictionary();
        Write(writer, "added", Added, AddressFamily.InterNetwork);
        writer.Key("added.f").Bytes(new byte[Added.Count(p => p.AddressFamily == AddressFamily.InterNetwork)]);
        Write(writer, "added6", Added, AddressFamily.InterNetworkV6);
        writer.Key("added6.f").Bytes(new byte[Added.Count(p => p.AddressFamily == AddressFamily.InterNetworkV6)]);
        Write(writer, "dropped", Dropped, AddressFamily.InterNetwork);
        Write(writer, "dropped6", Dropped, AddressFamily.InterNetworkV6);
        writer.End();
    });

    private static void Write(
        BencodeWriter writer, string key, IReadOnlyList<IPEndPoint> peers, AddressFamily family)
    {
        var bytes = new byte[peers.Count * CompactAddress.V6Bytes];
        var used = 0;
        foreach (var peer in peers)
            if (peer.AddressFamily == family) used += CompactAddress.Write(peer, bytes.AsSpan(used));
        writer.Key(key).Bytes(bytes.AsSpan(0, used));
    }

    private static List<IPEndPoint> Peers(BencodeDictionary dictionary, string key)
    {
        var peers = new List<IPEndPoint>();
        Add(key, AddressFamily.InterNetwork, CompactAddress.V4Bytes);
        Add(key + "6", AddressFamily.InterNetworkV6, CompactAddress.V6Bytes);
        return peers;

        void Add(string name, AddressFamily family, int size)
        {
            if (!dictionary.TryValue(name, out var value) || value is not BencodeBytes bytes) return;
            var taken = Math.Min(bytes.Content.Length, WireLimits.PexPeersTakenMax * size);
            peers.AddRange(CompactAddress.ReadAll(bytes.Content.Span[..taken], family));
        }
    }
}
