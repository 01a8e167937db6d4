using System.Diagnostics.CodeAnalysis;
using Virga.Core;

namespace Virga.BitTorrent.Trackers;

/// <summary>What happened when a tracker was asked: its answer or the failure.</summary>
public sealed record TrackerReport(Uri Tracker, TrackerAnswer? Answer, VirgaException? Failure);

/// <summary>Asks trackers, over HTTP, HTTPS and UDP. One for a process; safe for many threads.</summary>
public sealed class TrackerClients : IDisposable
{
    /// <summary>Trackers of one torrent that are used; some torrents name hundreds.</summary>
    public const int TrackersMax = 50;

    private readonly TrackerHttp http;
    private readonly AddressRules rules;
    private readonly TimeProvider time;
    private readonly RandomBytes random;
    private readonly PeerId peerId;

    public TrackerClients(AddressRules rules, TimeProvider time, RandomBytes random, PeerId peerId)
    {
        this.rules = rules;
        this.time = time;
        this.random = random;
        this.peerId = peerId;
        http = new TrackerHttp(rules, time, "Virga/1.0");
    }

    public void Dispose() => http.Dispose();

    /// <summary>The address of a tracker that can be asked; others (WebSocket, nonsense) are left out.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out Uri? address) =>
        Uri.TryCreate(text.Trim(), UriKind.Absolute, out address)
            && address is { Scheme: "http" or "https" or "udp", Host.Length: > 0, UserInfo.Length: 0, Port: > 0 };

    public ITracker Open(Uri address) => address.Scheme switch
    {
        "udp" => new UdpTracker(address, rules, time, random),
        "http" or "https" => new HttpTracker(address, http),
        _ => throw new ArgumentException($"no tracker is spoken to by '{address.Scheme}'", nameof(address)),
    };

    /// <summary>Finds peers by a torrent's trackers, tier by tier (BEP 12).</summary>
    /// <param name="report">Told of each announce, from any thread.</param>
    public TrackerFinder Finder(IEnumerable<IEnumerable<string>> tiers, Action<TrackerReport>? report = null)
    {
        var left = TrackersMax;
        var opened = new List<IReadOnlyList<ITracker>>();
        var seen = new HashSet<Uri>();
        foreach (var tier in tiers)
        {
            var trackers = new List<ITracker>();
            foreach (var text in tier)
            {
                if (left == 0 || !TryParse(text, out var address) || !seen.Add(address)) continue;
                trackers.Add(Open(address));
                left--;
            }

            if (trackers.Count > 0) opened.Add(trackers);
        }

        return new TrackerFinder(opened, peerId, time, random, report);
    }
}
