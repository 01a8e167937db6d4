using System.Globalization;
using System.Text;
using Virga.Core;

namespace Virga.BitTorrent.Downloads;

/// <summary>
/// A magnet URI (BEP 9, 46, 52, 53): names a torrent by its info-hashes or a feed that does, and tells ways to peers.
/// Immutable.
/// </summary>
public sealed record MagnetLink
{
    /// <summary>Longer ones nobody passes on.</summary>
    public const int CharactersMax = 64 << 10;

    /// <summary>Trackers, peers and web seeds, each: the rest is left out.</summary>
    public const int ListMax = 200;

    /// <summary>Files of a selection ("so").</summary>
    private const int SelectedMax = 100_000;

    private const string Prefix = "magnet:?";
    private const string Advice = "Copy the whole link again; it begins with magnet:?xt=urn:btih: or urn:btmh:1220.";

    /// <summary>Of the v1 info dict; null where the link has none.</summary>
    public SwarmHash? InfoHashV1 { get; init; }

    /// <summary>Of the v2 info dict; null where the link has none.</summary>
    public Hash256? InfoHashV2 { get; init; }

    /// <summary>A feed whose newest torrent is meant, or from which the torrent came; null: none.</summary>
    public TorrentFeed? Feed { get; init; }

    /// <summary>Whether the feed must be asked first which torrent it is.</summary>
    public bool IsOnlyFeed => InfoHashV1 is null && InfoHashV2 is null;

    /// <summary>What it is called until its metadata is there; not to be believed.</summary>
    public string? Name { get; init; }

    public IReadOnlyList<string> Trackers { get; init; } = [];

    public IReadOnlyList<string> WebSeeds { get; init; } = [];

    /// <summary>Peers by "host:port".</summary>
    public IReadOnlyList<string> Peers { get; init; } = [];

    /// <summary>Numbers of the files that are wanted (BEP 53), in order; null: all.</summary>
    public IReadOnlyList<int>? Selected { get; init; }

    /// <summary>By which its swarm is found: v1 where the link has it, as all programs know that.</summary>
    public SwarmHash Swarm => InfoHashV1 ?? SwarmHash.OfV2(InfoHashV2!.Value);

    public static bool IsMagnet(string text) => text.StartsWith("magnet:", StringComparison.OrdinalIgnoreCase);

    /// <summary>Throws BadInput that says what is wrong.</summary>
    public static MagnetLink Parse(string text)
    {
        text = text.Trim();
        if (!text.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
            throw Bad("it does not begin with 'magnet:?'");
        if (text.Length > CharactersMax) throw Bad($"it is longer than {CharactersMax} characters");
        SwarmHash? v1 = null;
        Hash256? v2 = null;
        string? name = null, key46 = null;
        var salt = "";
        List<string> trackers = [], seeds = [], peers = [];
        List<int>? selected = null;
        foreach (var pair in text[Prefix.Length..].Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var (key, value) = Cut(pair);
            switch (key)
            {
                case "xt" when value.StartsWith("urn:btih:", StringComparison.OrdinalIgnoreCase):
                    v1 = V1(value["urn:btih:".Length..]);
                    break;
                case "xt" when value.StartsWith("urn:btmh:", StringComparison.OrdinalIgnoreCase):
                    v2 = V2(value["urn:btmh:".Length..]);
                    break;
                case "xs" when value.StartsWith(TorrentFeed.Urn, StringComparison.OrdinalIgnoreCase):
                    key46 = value[TorrentFeed.Urn.Length..];
                    break;
                case "s":
                    salt = value;
                    break;
                case "dn":
                    name ??= value.Length > 0 ? value : null;
                    break;
                case "tr":
                    Add(trackers, value);
                    break;
                case "ws":
                    Add(seeds, value);
                    break;
                case "x.pe":
                    Add(peers, value);
                    break;
                case "so":
                    selected = Numbers(value);
                    break;
            }
        }
        var feed = key46 is null ? null : TorrentFeed.Parse(key46, salt)
            ?? throw Bad("its feed is not 'xs=urn:btpk:' and 64 hex digits, with a salt 's=' of up to 64 bytes in hex");
        if (v1 is null && v2 is null && feed is null)
            throw Bad("it names no torrent: 'xt=urn:btih:' or 'xt=urn:btmh:' is missing");
        return new MagnetLink
        {
            InfoHashV1 = v1, InfoHashV2 = v2, Name = name, Trackers = trackers, WebSeeds = seeds, Peers = peers,
            Selected = selected, Feed = feed,
        };
    }

    public string ToText()
    {
        var text = new StringBuilder(Prefix);
        if (InfoHashV1 is { } v1) Append("xt", "urn:btih:" + v1);
        if (InfoHashV2 is { } v2) Append("xt", "urn:btmh:1220" + v2);
        if (Feed is { } feed)
        {
            Append("xs", TorrentFeed.Urn + feed.Key);
            if (feed.Salt.Length > 0) Append("s", feed.Salt);
        }
        if (Name is { } name) Append("dn", Uri.EscapeDataString(name));
        foreach (var tracker in Trackers) Append("tr", Uri.EscapeDataString(tracker));
        foreach (var seed in WebSeeds) Append("ws", Uri.EscapeDataString(seed));
        foreach (var peer in Peers) Append("x.pe", peer);
        if (Selected is { } selected) Append("so", Ranges(selected));
        return text.ToString();

        void Append(string key, string value)
        {
            if (text.Length > Prefix.Length) text.Append('&');
            text.Append(key).Append('=').Append(value);
        }
    }

    /// <summary>Keys may carry a number, as in tr.1.</summary>
    private static (string Key, string Value) Cut(string pair)
    {
        var equals = pair.IndexOf('=');
        if (equals < 0) return (pair, "");
        var key = pair[..equals].ToLowerInvariant();
        if (key != "x.pe" && key.IndexOf('.') is > 0 and var dot && key[(dot + 1)..].All(char.IsAsciiDigit))
            key = key[..dot];
        var value = pair[(equals + 1)..];
        return (key, Uri.UnescapeDataString(key == "dn" ? value.Replace('+', ' ') : value));
    }

    private static void Add(List<string> list, string value)
    {
        if (value.Length > 0 && list.Count < ListMax && !list.Contains(value)) list.Add(value);
    }

    private static SwarmHash V1(string text)
    {
        const int base32Digits = 32;
        if (SwarmHash.TryParse(text, out var hash)) return hash;
        if (text.Length == base32Digits && Base32(text) is { } bytes) return new SwarmHash(bytes);
        throw Bad($"its v1 info-hash has {text.Length} characters, and not 40 hex digits or 32 of base32");
    }

    private static Hash256 V2(string text) =>
        text.StartsWith("1220", StringComparison.Ordinal) && Hash256.TryParse(text.AsSpan(4), out var hash)
            ? hash : throw Bad("its v2 info-hash is not 1220 and 64 hex digits");

    /// <summary>RFC 4648, without padding; null where it is none.</summary>
    private static byte[]? Base32(string text)
    {
        var bytes = new byte[text.Length * 5 / 8];
        var (bits, count, at) = (0, 0, 0);
        foreach (var c in text)
        {
            var digit = char.ToUpperInvariant(c) switch
            {
                >= 'A' and <= 'Z' and var letter => letter - 'A',
                >= '2' and <= '7' and var number => number - '2' + 26,
                _ => -1,
            };
            if (digit < 0) return null;
            (bits, count) = (((bits << 5) | digit) & 0xFFF, count + 5);
            if (count < 8) continue;
            count -= 8;
            bytes[at++] = (byte)(bits >> count);
        }
        return bytes;
    }

    private static List<int> Numbers(string text)
    {
        var numbers = new SortedSet<int>();
        foreach (var item in text.Split(','))
        {
            var dash = item.IndexOf('-');
            if (!TryNumber(dash < 0 ? item : item[..dash], out var from)
                || !TryNumber(dash < 0 ? item : item[(dash + 1)..], out var to) || to < from)
                throw Bad($"its selection 'so' has '{item}', which is no number of a file and no range of them");
            if (to - from >= SelectedMax || numbers.Count + (to - from) >= SelectedMax)
                throw Bad($"its selection 'so' has more than {SelectedMax} files");
            for (var number = from; number <= to; number++) numbers.Add(number);
        }
        return [.. numbers];
    }

    private static string Ranges(IReadOnlyList<int> numbers)
    {
        var ranges = new List<string>();
        for (var i = 0; i < numbers.Count;)
        {
            var end = i;
            while (end + 1 < numbers.Count && numbers[end + 1] == numbers[end] + 1) end++;
            ranges.Add(end == i ? $"{numbers[i]}" : $"{numbers[i]}-{numbers[end]}");
            i = end + 1;
        }
        return string.Join(',', ranges);
    }

    private static bool TryNumber(string text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    private static VirgaException Bad(string what) => new(FailureKind.BadInput, $"magnet link: {what}", Advice);
}
