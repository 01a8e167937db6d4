using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Virga.Core;

namespace Virga.BitTorrent;

/// <summary>
/// Addresses that the user wants nothing to do with: networks, ranges and single ones, by the hundred thousand where a
/// list is read. Immutable; finds an address among them by halving.
/// </summary>
public sealed class AddressFilter
{
    public static readonly AddressFilter Nobody = new([]);

    /// <summary>More than the longest list that is passed around.</summary>
    private const int RangesMax = 4_000_000;

    /// <summary>Of an eMule list: from here on a line allows what it names.</summary>
    private const int AllowedLevel = 128;

    private readonly UInt128[] firsts, lasts;

    private AddressFilter(List<(UInt128 First, UInt128 Last)> ranges)
    {
        ranges.Sort();
        var merged = new List<(UInt128 First, UInt128 Last)>(ranges.Count);
        foreach (var range in ranges)
        {
            if (merged.Count > 0 && range.First <= merged[^1].Last)
                merged[^1] = (merged[^1].First, UInt128.Max(merged[^1].Last, range.Last));
            else merged.Add(range);
        }

        firsts = [.. merged.Select(range => range.First)];
        lasts = [.. merged.Select(range => range.Last)];
    }

    /// <summary>Ranges that are left when those that overlap are one.</summary>
    public int Count => firsts.Length;

    /// <summary>
    /// Reads lines as lists have them: a network (10.0.0.0/8), an address, a range (10.0.0.1 - 10.0.0.9), a range with
    /// a level and words behind it (eMule), or words, a colon and a range (PeerGuardian). Empty lines and those that
    /// begin with # or ; or // are passed over.
    /// </summary>
    /// <param name="name">Of the list, for what is said of it.</param>
    /// <exception cref="VirgaException">BadInput that names the line.</exception>
    public static AddressFilter Parse(IEnumerable<string> lines, string name)
    {
        var ranges = new List<(UInt128, UInt128)>();
        var number = 0;
        foreach (var line in lines)
        {
            number++;
            var text = line.Trim();
            if (text.Length == 0 || text[0] is '#' or ';' || text.StartsWith("//", StringComparison.Ordinal)) continue;
            if (!TryParse(text, out var range, out var isAllowed))
            {
                throw new VirgaException(
                    FailureKind.BadInput,
                    $"line {number} of {name} is no address, network or range: '{Shortened(text)}'",
                    "Give lines such as 10.0.0.0/8, 2001:db8::/32, 192.0.2.1 or 192.0.2.1 - 192.0.2.9.");
            }

            if (isAllowed) continue;
            if (ranges.Count == RangesMax)
                throw new VirgaException(FailureKind.BadInput, $"{name} has more than {RangesMax:N0} lines");
            ranges.Add(range);
        }

        return new AddressFilter(ranges);
    }

    /// <summary>Whether a line of <see cref="Parse"/> is understood.</summary>
    public static bool CanParse(string line) => TryParse(line.Trim(), out _, out _);

    public bool Contains(IPAddress address)
    {
        if (firsts.Length == 0) return false;
        var number = NumberOf(address);
        var at = Array.BinarySearch(firsts, number);
        if (at >= 0) return true;
        return ~at > 0 && number <= lasts[~at - 1];
    }

    private static string Shortened(string text) => text.Length <= 60 ? text : text[..60] + "...";

    private static bool TryParse(string text, out (UInt128 First, UInt128 Last) range, out bool isAllowed)
    {
        (range, isAllowed) = (default, false);
        if (text.IndexOf(',', StringComparison.Ordinal) is > 0 and var comma)
        {
            var level = text[(comma + 1)..].Split(',')[0].Trim();
            isAllowed = int.TryParse(level, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                && number >= AllowedLevel;
            text = text[..comma].Trim();
        }

        if (TryRange(text, out range)) return true;
        // Words may have colons in them, and IPv6 addresses have: the range is what stands behind the last of v4's.
        return text.LastIndexOf(':') is > 0 and var colon && TryRange(text[(colon + 1)..].Trim(), out range);
    }

    private static bool TryRange(string text, out (UInt128 First, UInt128 Last) range)
    {
        range = default;
        if (text.IndexOf('/', StringComparison.Ordinal) is > 0 and var slash)
        {
            if (!TryAddress(text[..slash], out var address, out var isV4)
                || !int.TryParse(
                    text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var bits)
                || bits > (isV4 ? 32 : 128)) return false;
            var free = (isV4 ? 32 : 128) - bits;
            var rest = free == 128 ? UInt128.MaxValue : (UInt128.One << free) - 1;
            range = (address & ~rest, address | rest);
            return true;
        }

        var dash = text.IndexOf('-', StringComparison.Ordinal);
        if (!TryAddress(dash < 0 ? text : text[..dash], out var first, out var isFirstV4)
            || !TryAddress(dash < 0 ? text : text[(dash + 1)..], out var last, out var isLastV4)
            || isFirstV4 != isLastV4 || last < first) return false;
        range = (first, last);
        return true;
    }

    /// <summary>Lists write 001.002.003.004, and mean decimal numbers.</summary>
    private static bool TryAddress(string text, out UInt128 number, out bool isV4)
    {
        (number, isV4) = (default, false);
        text = text.Trim();
        var parts = text.Split('.');
        if (parts.Length == 4 && !text.Contains(':', StringComparison.Ordinal))
        {
            isV4 = true;
            uint address = 0;
            foreach (var part in parts)
            {
                if (part.Length is 0 or > 3
                    || !byte.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var value))
                    return false;
                address = (address << 8) | value;
            }

            number = V4Base | address;
            return true;
        }

        if (!text.Contains(':', StringComparison.Ordinal) || !IPAddress.TryParse(text, out var parsed)
            || parsed.AddressFamily != AddressFamily.InterNetworkV6) return false;
        number = NumberOf(parsed);
        return true;
    }

    /// <summary>IPv4 addresses stand where IPv6 has them mapped.</summary>
    private static readonly UInt128 V4Base = new(0, 0xFFFF_0000_0000);

    private static UInt128 NumberOf(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var count);
        return count == 4 ? V4Base | BinaryPrimitives.ReadUInt32BigEndian(bytes)
            : BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }
}
