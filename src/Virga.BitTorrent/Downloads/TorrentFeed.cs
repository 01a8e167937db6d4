using Virga.BitTorrent.Dht;
using Virga.Core;
using Virga.Core.Keys;

namespace Virga.BitTorrent.Downloads;

/// <summary>
/// A feed of torrents (BEP 46): an item in the DHT that names the newest one, known by the key that signs it and a
/// salt.
/// </summary>
/// <param name="Salt">In hexadecimal, lower case; empty where there is none.</param>
public sealed record TorrentFeed(VerifyKey Key, string Salt)
{
    internal const string Urn = "urn:btpk:";

    public static TorrentFeed Of(VerifyKey key, ReadOnlySpan<byte> salt) => new(key, Convert.ToHexStringLower(salt));

    public byte[] SaltBytes => Convert.FromHexString(Salt);

    /// <summary>From the parts of a magnet link; null where they are none of a feed.</summary>
    internal static TorrentFeed? Parse(string key, string salt) =>
        Hash256.TryParse(key, out var bytes) && salt.Length % 2 == 0 && salt.Length / 2 <= DhtLimits.SaltBytes
            && salt.All(char.IsAsciiHexDigit) ? new TorrentFeed(new VerifyKey(bytes), salt.ToLowerInvariant()) : null;
}
