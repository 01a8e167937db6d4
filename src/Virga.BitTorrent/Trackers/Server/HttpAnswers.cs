using System.Buffers.Text;
using System.Globalization;
using System.Net;

namespace Virga.BitTorrent.Trackers.Server;

/// <summary>
/// Answers announces and scrapes over HTTP (BEP 3, 7, 23, 48), from the request's target to the bencoded body. Peers
/// are given in compact form alone, and each is known by the address that it asked from: whatever a request says of
/// other addresses is passed over, so that nobody can be announced by somebody else. Safe for many threads.
/// </summary>
public sealed class HttpAnswers(SwarmTable table)
{
    /// <summary>The longest answer: 200 peers of each family, or 74 swarms, and what stands around them.</summary>
    public const int AnswerBytesMax = 8_192;

    /// <summary>Who finds nobody may ask so soon again; who has peers comes after the interval.</summary>
    private const int MinIntervalSeconds = 60;

    private long announces, scrapes, refusals;

    public long Announces => Volatile.Read(ref announces);

    public long Scrapes => Volatile.Read(ref scrapes);

    public long Refusals => Volatile.Read(ref refusals);

    /// <param name="target">Path and query, as they stood in the request.</param>
    /// <param name="answer">At least <see cref="AnswerBytesMax"/>.</param>
    /// <returns>The body's bytes; 0 where the path is neither of a tracker's.</returns>
    public int Answer(ReadOnlySpan<char> target, IPAddress from, Span<byte> answer)
    {
        var query = target.IndexOf('?');
        var path = query < 0 ? target : target[..query];
        var isAnnounce = path.EndsWith("/announce", StringComparison.Ordinal);
        if (!isAnnounce && !path.EndsWith("/scrape", StringComparison.Ordinal)) return 0;
        var place = PeerPlace.Of(from, 0);
        if (!table.MayAsk(place)) return Refuse(answer, "too many requests of this address; wait a minute"u8);
        var rest = query < 0 ? [] : target[(query + 1)..];
        return isAnnounce ? Announce(rest, place, answer) : Scrape(rest, answer);
    }

    private int Announce(ReadOnlySpan<char> query, PeerPlace asker, Span<byte> answer)
    {
        SwarmHash? hash = null;
        var (port, left, wanted, told) = (0L, -1L, -1L, AnnounceEvent.None);
        Span<byte> bytes = stackalloc byte[SwarmHash.ByteCount];
        while (Next(ref query, out var key, out var value))
        {
            switch (key)
            {
                case "info_hash":
                    if (!TryUnescape(value, bytes)) return Refuse(answer, "info_hash is not 20 bytes"u8);
                    hash = new SwarmHash(bytes);
                    break;
                case "port":
                    if (!TryNumber(value, out port)) return Refuse(answer, "port is not a number"u8);
                    break;
                case "left":
                    if (!TryNumber(value, out left)) left = -1;
                    break;
                case "numwant":
                    if (!TryNumber(value, out wanted)) wanted = -1;
                    break;
                case "event":
                    told = value switch
                    {
                        "started" => AnnounceEvent.Started,
                        "completed" => AnnounceEvent.Completed,
                        "stopped" => AnnounceEvent.Stopped,
                        _ => AnnounceEvent.None,
                    };
                    break;
            }
        }

        if (hash is null) return Refuse(answer, "info_hash is missing"u8);
        if (port is <= 0 or > ushort.MaxValue) return Refuse(answer, "port is missing, or not from 1 to 65535"u8);
        var announce = new SwarmAnnounce(
            hash.Value, asker with { Port = (ushort)port }, told, left == 0, (int)Math.Clamp(wanted, -1, int.MaxValue));
        return Announce(announce, answer);
    }

    private int Announce(in SwarmAnnounce announce, Span<byte> answer)
    {
        Span<byte> peers = stackalloc byte[table.Limits.WantedMax * (CompactAddress.V4Bytes + CompactAddress.V6Bytes)];
        var v4 = peers[..(table.Limits.WantedMax * CompactAddress.V4Bytes)];
        var v6 = peers[v4.Length..];
        var found = table.Announce(announce, v4, v6);
        if (found.Verdict == AnnounceVerdict.Full)
            return Refuse(answer, "this tracker has no room for another swarm"u8);
        Interlocked.Increment(ref announces);
        var body = new Body(answer);
        body.Add("d8:complete"u8, found.Seeders);
        body.Add("10:downloaded"u8, found.Completed);
        body.Add("10:incomplete"u8, found.Leechers);
        body.Add("8:interval"u8, found.IntervalSeconds);
        body.Add("12:min interval"u8, Math.Min(MinIntervalSeconds, found.IntervalSeconds));
        body.Add("5:peers"u8, v4[..found.V4Bytes]);
        if (found.V6Bytes > 0) body.Add("6:peers6"u8, v6[..found.V6Bytes]);
        body.Add("e"u8);
        return body.Length;
    }

    private int Scrape(ReadOnlySpan<char> query, Span<byte> answer)
    {
        // Sorted and each once, as bencode wants its keys.
        var hashes = new SortedSet<SwarmHash>(Comparer<SwarmHash>.Create(
            static (x, y) => x.ToArray().AsSpan().SequenceCompareTo(y.ToArray())));
        Span<byte> bytes = stackalloc byte[SwarmHash.ByteCount];
        while (Next(ref query, out var key, out var value))
        {
            if (key is not "info_hash") continue;
            if (!TryUnescape(value, bytes)) return Refuse(answer, "info_hash is not 20 bytes"u8);
            if (hashes.Count < TrackerLimits.ScrapeHashes) hashes.Add(new SwarmHash(bytes));
        }

        if (hashes.Count == 0) return Refuse(answer, "a scrape names swarms by info_hash"u8);
        Interlocked.Increment(ref scrapes);
        var body = new Body(answer);
        body.Add("d5:filesd"u8);
        foreach (var hash in hashes)
        {
            var counts = table.Count(hash);
            hash.CopyTo(bytes);
            body.Add(""u8, bytes);
            body.Add("d8:complete"u8, counts.Seeders);
            body.Add("10:downloaded"u8, counts.Completed ?? 0);
            body.Add("10:incomplete"u8, counts.Leechers);
            body.Add("e"u8);
        }

        body.Add("ee"u8);
        return body.Length;
    }

    private int Refuse(Span<byte> answer, ReadOnlySpan<byte> words)
    {
        Interlocked.Increment(ref refusals);
        var body = new Body(answer);
        body.Add("d14:failure reason"u8, words);
        body.Add("e"u8);
        return body.Length;
    }

    /// <summary>Takes the next pair off the query; a part without '=' is a key without a value.</summary>
    private static bool Next(ref ReadOnlySpan<char> query, out ReadOnlySpan<char> key, out ReadOnlySpan<char> value)
    {
        key = value = [];
        if (query.IsEmpty) return false;
        var end = query.IndexOf('&');
        var pair = end < 0 ? query : query[..end];
        query = end < 0 ? [] : query[(end + 1)..];
        var equals = pair.IndexOf('=');
        key = equals < 0 ? pair : pair[..equals];
        value = equals < 0 ? [] : pair[(equals + 1)..];
        return true;
    }

    private static bool TryNumber(ReadOnlySpan<char> text, out long number) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number);

    /// <summary>Exactly as many bytes as there is room for.</summary>
    private static bool TryUnescape(ReadOnlySpan<char> text, Span<byte> bytes)
    {
        var at = 0;
        for (var i = 0; i < text.Length; i++, at++)
        {
            if (at == bytes.Length) return false;
            if (text[i] == '%')
            {
                if (i + 2 >= text.Length || !char.IsAsciiHexDigit(text[i + 1]) || !char.IsAsciiHexDigit(text[i + 2]))
                    return false;
                bytes[at] = (byte)((Digit(text[i + 1]) << 4) | Digit(text[i + 2]));
                i += 2;
            }
            else
            {
                if (text[i] > 0x7f) return false;
                bytes[at] = (byte)text[i];
            }
        }

        return at == bytes.Length;
    }

    private static int Digit(char c) => c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;

    private ref struct Body(Span<byte> destination)
    {
        private readonly Span<byte> destination = destination;

        public int Length { get; private set; }

        public void Add(scoped ReadOnlySpan<byte> raw)
        {
            raw.CopyTo(destination[Length..]);
            Length += raw.Length;
        }

        public void Add(scoped ReadOnlySpan<byte> key, int number)
        {
            Add(key);
            Add("i"u8);
            Put(number);
            Add("e"u8);
        }

        public void Add(scoped ReadOnlySpan<byte> key, scoped ReadOnlySpan<byte> bytes)
        {
            Add(key);
            Put(bytes.Length);
            Add(":"u8);
            Add(bytes);
        }

        private void Put(int number)
        {
            Utf8Formatter.TryFormat(number, destination[Length..], out var written);
            Length += written;
        }
    }
}
