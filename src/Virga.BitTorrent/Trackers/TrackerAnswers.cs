using System.Net;
using System.Net.Sockets;
using System.Text;
using Virga.Core;
using Virga.Core.Bencoding;

namespace Virga.BitTorrent.Trackers;

/// <summary>Reads what trackers answer over HTTP (BEP 3, 7, 23, 31, 48). Pure.</summary>
internal static class TrackerAnswers
{
    private static readonly BencodeLimits Limits = new(TrackerLimits.AnswerBytes, 8, 65_536, AllowUnsortedKeys: true);

    public static TrackerAnswer ReadAnnounce(ReadOnlySpan<byte> body, AddressRules rules)
    {
        var answer = Open(body);
        var peers = new List<IPEndPoint>();
        if (answer.TryValue("peers", out var list)) AddPeers(peers, list, rules);
        if (answer.TryValue("peers6", out var list6) && list6 is BencodeBytes compact6)
            AddCompact(peers, compact6, AddressFamily.InterNetworkV6, rules);
        var counts = new SwarmCounts(
            Count(answer, "complete") ?? 0, Count(answer, "incomplete") ?? 0, Count(answer, "downloaded"));
        return new TrackerAnswer(
            Interval(Seconds(answer, "interval")), Seconds(answer, "min interval") ?? TimeSpan.Zero, counts, peers,
            Words(answer, "warning message"));
    }

    public static Dictionary<SwarmHash, SwarmCounts> ReadScrape(
        ReadOnlySpan<byte> body, IReadOnlyList<SwarmHash> asked)
    {
        var found = new Dictionary<SwarmHash, SwarmCounts>();
        if (Open(body).OptionalDictionary("files") is not { } files) return found;
        foreach (var hash in asked)
        {
            if (!files.TryValue(hash.ToArray(), out var value) || value is not BencodeDictionary file) continue;
            found[hash] = new SwarmCounts(
                Count(file, "complete") ?? 0, Count(file, "incomplete") ?? 0, Count(file, "downloaded"));
        }

        return found;
    }

    /// <summary>What the tracker wants to be told again next time; null where it says nothing.</summary>
    public static byte[]? ReadId(ReadOnlySpan<byte> body) =>
        Open(body).TryValue("tracker id", out var id) && id is BencodeBytes { Content.Length: > 0 and <= 256 } bytes
            ? bytes.Content.ToArray() : null;

    /// <summary>An interval that can be lived with, whatever the tracker says.</summary>
    public static TimeSpan Interval(TimeSpan? said) => said is not { } interval || interval <= TimeSpan.Zero
        ? TrackerLimits.IntervalUsual
        : TimeSpan.FromTicks(Math.Clamp(
            interval.Ticks, TrackerLimits.IntervalMin.Ticks, TrackerLimits.IntervalMax.Ticks));

    /// <summary>A tracker's words: one line of printable characters, not too long.</summary>
    public static string Clean(ReadOnlySpan<byte> words)
    {
        var text = new StringBuilder();
        foreach (var rune in Encoding.UTF8.GetString(words).EnumerateRunes())
        {
            if (text.Length >= TrackerLimits.WordsMax) break;
            text.Append(Rune.IsControl(rune) || rune == Rune.ReplacementChar ? "?" : rune.ToString());
        }

        return text.ToString();
    }

    private static BencodeDictionary Open(ReadOnlySpan<byte> body)
    {
        var answer = BencodeValue.ParseDictionary(body, Limits, "the tracker's answer");
        if (Words(answer, "failure reason") is not { } reason) return answer;
        throw new VirgaException(FailureKind.Denied, $"the tracker refuses: {reason}")
        {
            RetryAfter = answer.TryValue("retry in", out var retry) && retry is BencodeInteger minutes
                && minutes.TryGet(out var value) && value is > 0 and < 10_000
                ? TimeSpan.FromMinutes(value) : null,
        };
    }

    private static void AddPeers(List<IPEndPoint> peers, BencodeValue list, AddressRules rules)
    {
        if (list is BencodeBytes compact)
        {
            AddCompact(peers, compact, AddressFamily.InterNetwork, rules);
            return;
        }

        foreach (var item in list.AsList().Items())
        {
            if (peers.Count >= TrackerLimits.Peers) return;
            // Names are left out: a tracker must not make us ask the DNS for anything.
            if (item is BencodeDictionary peer && peer.TryValue("ip", out var ip) && ip is BencodeBytes address
                && IPAddress.TryParse(Encoding.ASCII.GetString(address.Content.Span), out var parsed)
                && peer.TryValue("port", out var port) && port is BencodeInteger number
                && number.TryGet(out var value) && value is > 0 and <= ushort.MaxValue)
            {
                var place = new IPEndPoint(parsed, (int)value);
                if (rules.Allows(place)) peers.Add(place);
            }
        }
    }

    private static void AddCompact(
        List<IPEndPoint> peers, BencodeBytes compact, AddressFamily family, AddressRules rules)
    {
        foreach (var peer in CompactAddress.ReadAll(compact.Content.Span, family))
        {
            if (peers.Count >= TrackerLimits.Peers) return;
            if (rules.Allows(peer)) peers.Add(peer);
        }
    }

    private static TimeSpan? Seconds(BencodeDictionary answer, string key) =>
        answer.TryValue(key, out var value) && value is BencodeInteger number && number.TryGet(out var seconds)
            && seconds > 0
            ? TimeSpan.FromSeconds(Math.Min(seconds, (long)TrackerLimits.IntervalMax.TotalSeconds)) : null;

    private static int? Count(BencodeDictionary answer, string key) =>
        answer.TryValue(key, out var value) && value is BencodeInteger number && number.TryGet(out var count)
            ? (int)Math.Clamp(count, 0, int.MaxValue) : null;

    private static string? Words(BencodeDictionary answer, string key) =>
        answer.TryValue(key, out var value) && value is BencodeBytes words ? Clean(words.Content.Span) : null;
}
