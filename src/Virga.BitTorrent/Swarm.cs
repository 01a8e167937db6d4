using Virga.BitTorrent.Wire;
using Virga.Content.Torrents;
using Virga.Core;

namespace Virga.BitTorrent;

/// <summary>Decides which peers of a swarm may ask for blocks. Called from many threads; returns at once.</summary>
public interface IChoker
{
    /// <summary>A session began or ended, or its peer's interest changed.</summary>
    void Changed(PeerSession session);
}

/// <summary>
/// A torrent in use: what is known of it, its sessions, and who gives and takes. Safe for many threads.
/// </summary>
public sealed class Swarm
{
    /// <summary>Connections of one swarm; libtorrent's own choice for a torrent is below, too.</summary>
    public const int SessionsMax = 200;

    private readonly Lock gate = new();
    private PeerSession[] sessions = [];
    private PieceLayout? layout;

    /// <summary>Of a torrent whose info dict is here.</summary>
    public Swarm(TorrentInfo info) : this(info.InfoHashV1, info.InfoHashV2) => layout = new PieceLayout(info);

    /// <summary>Of a magnet link: one hash or both.</summary>
    /// <param name="v1">20 bytes.</param>
    public Swarm(byte[]? v1, Hash256? v2)
    {
        if (v1 is null && v2 is null) throw new ArgumentException("a swarm has a hash", nameof(v1));
        var hashes = new List<SwarmHash>();
        if (v1 is not null) hashes.Add(new SwarmHash(v1));
        if (v2 is { } hash) hashes.Add(SwarmHash.OfV2(hash));
        Hashes = hashes;
        InfoHashV2 = v2;
    }

    /// <summary>By which others know it: of hybrids v1 first, then v2.</summary>
    public IReadOnlyList<SwarmHash> Hashes { get; }

    public Hash256? InfoHashV2 { get; }

    /// <summary>Null until the info dict is known.</summary>
    public PieceLayout? Layout => Volatile.Read(ref layout);

    /// <summary>Peers are found by its trackers alone (BEP 27).</summary>
    public bool IsTrackerOnly => Layout?.Info.IsTrackerOnly ?? false;

    public SwarmProgress Progress { get; } = new();

    /// <summary>What peers can have; null where nothing is given.</summary>
    public IUploadSide? Upload { get; set; }

    /// <summary>Makes the side that takes from a new session; null where nothing is taken.</summary>
    public Func<PeerSession, IDownloadSide?>? Downloads { get; set; }

    public IChoker? Choker { get; set; }

    /// <summary>Those that run now.</summary>
    public IReadOnlyList<PeerSession> Sessions => Volatile.Read(ref sessions);

    /// <summary>The info dict was received and has this swarm's hash; what peers said before is understood now.
    /// </summary>
    public void SetInfo(TorrentInfo info)
    {
        var isOurs = Hashes.All(hash =>
            (info.InfoHashV1 is { } v1 && new SwarmHash(v1) == hash)
            || (info.InfoHashV2 is { } v2 && SwarmHash.OfV2(v2) == hash));
        if (!isOurs) throw new ArgumentException("an info dict of another swarm", nameof(info));
        PeerSession[] current;
        lock (gate)
        {
            if (layout is not null) return;
            Volatile.Write(ref layout, new PieceLayout(info));
            current = sessions;
        }
        foreach (var session in current) session.LearnInfo();
    }

    /// <summary>A piece came to be here: all peers are told.</summary>
    public void Have(int piece)
    {
        foreach (var session in Sessions) session.Have(piece);
    }

    /// <summary>Ends all sessions; none begins any more.</summary>
    public void Close(string why)
    {
        lock (gate) IsClosed = true;
        foreach (var session in Sessions) session.End(PeerEndReason.Local, why);
    }

    public bool IsClosed { get; private set; }

    internal bool TryAdd(PeerSession session)
    {
        lock (gate)
        {
            if (IsClosed || sessions.Length >= SessionsMax) return false;
            Volatile.Write(ref sessions, [.. sessions, session]);
            return true;
        }
    }

    internal void Remove(PeerSession session)
    {
        lock (gate) Volatile.Write(ref sessions, [.. sessions.Where(other => other != session)]);
    }
}
