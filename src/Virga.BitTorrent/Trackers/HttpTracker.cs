using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Virga.Core;

namespace Virga.BitTorrent.Trackers;

/// <summary>
/// A tracker over HTTP or HTTPS (BEP 3, 23, 48). Where its name leads to both, it is told of our IPv4 and of our IPv6
/// address, by a request over each (BEP 7). Redirects are followed to other trackers' addresses only as
/// <see cref="AddressRules"/> allow, and never from HTTPS to HTTP.
/// </summary>
public sealed class HttpTracker : ITracker
{
    private static readonly UriCreationOptions AsItIs = new() { DangerousDisablePathAndQueryCanonicalization = true };

    private readonly TrackerHttp http;
    private byte[]? trackerId;

    internal HttpTracker(Uri address, TrackerHttp http)
    {
        Address = address;
        this.http = http;
    }

    public Uri Address { get; }

    public async Task<TrackerAnswer> AnnounceAsync(TrackerAnnounce announce, CancellationToken cancellationToken)
    {
        var addresses = await http.Rules.ResolveAsync(Address.IdnHost, cancellationToken);
        var families = addresses.Select(address => address.AddressFamily).Distinct().ToList();
        return await EachFamily.AskAsync(
            families, (family, token) => AnnounceAsync(announce, family, token), http.Time, cancellationToken);
    }

    public async Task<IReadOnlyDictionary<SwarmHash, SwarmCounts>> ScrapeAsync(
        IReadOnlyList<SwarmHash> hashes, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfZero(hashes.Count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(hashes.Count, TrackerLimits.ScrapeHashes);
        var text = new StringBuilder(ScrapeAddress(Address) ?? throw new VirgaException(
            FailureKind.Unsupported, $"the tracker {Address.Host} can't be asked for counts",
            "Its address does not end in /announce."));
        var separator = text.ToString().Contains('?') ? '&' : '?';
        foreach (var hash in hashes)
        {
            text.Append(separator).Append("info_hash=");
            Escape(text, hash.ToArray());
            separator = '&';
        }

        var body = await http.GetAsync(new Uri(text.ToString(), AsItIs), null, cancellationToken);
        return TrackerAnswers.ReadScrape(body, hashes);
    }

    /// <summary>The address with "announce" replaced in its last part (BEP 48); null where that isn't there.</summary>
    internal static string? ScrapeAddress(Uri announce)
    {
        const string word = "announce";
        var path = announce.AbsolutePath;
        var last = path.LastIndexOf('/') + 1;
        return !path.AsSpan(last).StartsWith(word, StringComparison.Ordinal)
            ? null
            : $"{announce.GetLeftPart(UriPartial.Authority)}{path[..last]}scrape{path[(last + word.Length)..]}"
                + announce.Query;
    }

    private async Task<TrackerAnswer> AnnounceAsync(
        TrackerAnnounce announce, AddressFamily family, CancellationToken cancellationToken)
    {
        var body = await http.GetAsync(new Uri(Query(announce), AsItIs), family, cancellationToken);
        var answer = TrackerAnswers.ReadAnnounce(body, http.Rules);
        trackerId = TrackerAnswers.ReadId(body) ?? trackerId;
        return answer;
    }

    private string Query(TrackerAnnounce announce)
    {
        var text = new StringBuilder(Address.GetLeftPart(UriPartial.Path)).Append(Address.Query);
        text.Append(Address.Query.Length > 0 ? '&' : '?').Append("info_hash=");
        Escape(text, announce.Hash.ToArray());
        Escape(text.Append("&peer_id="), announce.PeerId.Bytes);
        var part = announce.Part;
        text.Append(CultureInfo.InvariantCulture,
            $"&port={part.Port}&uploaded={part.Uploaded}&downloaded={part.Downloaded}&left={part.Left}");
        text.Append(CultureInfo.InvariantCulture,
            $"&compact=1&no_peer_id=1&key={announce.Key:X8}&numwant={announce.Wanted}&supportcrypto=1");
        if (announce.Event != AnnounceEvent.None)
            text.Append("&event=").Append(announce.Event.ToString().ToLowerInvariant());
        if (trackerId is { } id) Escape(text.Append("&trackerid="), id);
        return text.ToString();
    }

    private static void Escape(StringBuilder text, ReadOnlySpan<byte> bytes)
    {
        foreach (var b in bytes)
        {
            if (char.IsAsciiLetterOrDigit((char)b) || b is (byte)'-' or (byte)'.' or (byte)'_' or (byte)'~')
                text.Append((char)b);
            else
                text.Append('%').Append(b.ToString("X2", CultureInfo.InvariantCulture));
        }
    }
}
