using Virga.BitTorrent.Downloads;
using Virga.Core;

namespace Virga.BitTorrent.Tests.Downloads;

public sealed class MagnetLinkTests
{
    private const string V1 = "0123456789abcdef0123456789abcdef01234567";
    private static readonly string V2 = new('a', 64);

    [Fact]
    public void A_link_tells_hashes_name_trackers_peers_seeds_and_files()
    {
        var link = MagnetLink.Parse(
            $"magnet:?xt=urn:btih:{V1}&xt=urn:btmh:1220{V2}&dn=a+b%20c&tr=udp%3A%2F%2Ft%3A1&tr.1=http://u/&"
                + "x.pe=10.0.0.1:6881&x.pe=[::1]:2&ws=http%3A%2F%2Fseed%2F&so=0,2,4-6&unknown=1");

        Assert.Equal(V1, link.InfoHashV1.ToString());
        Assert.Equal(V2, link.InfoHashV2.ToString());
        Assert.Equal("a b c", link.Name);
        Assert.Equal(["udp://t:1", "http://u/"], link.Trackers);
        Assert.Equal(["10.0.0.1:6881", "[::1]:2"], link.Peers);
        Assert.Equal(["http://seed/"], link.WebSeeds);
        Assert.Equal([0, 2, 4, 5, 6], link.Selected);
        Assert.Equal(V1, link.Swarm.ToString());
        var again = MagnetLink.Parse(link.ToText());
        Assert.Equal(link.ToText(), again.ToText());
        Assert.Equal(link.Selected, again.Selected);
    }

    [Fact]
    public void A_hash_may_be_base32_and_capitals()
    {
        var link = MagnetLink.Parse("MAGNET:?xt=urn:btih:AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH");

        Assert.Equal(V1, link.InfoHashV1.ToString());
    }

    [Fact]
    public void A_v2_swarm_is_found_by_its_hash_cut_short() =>
        Assert.Equal(new string('a', 40), MagnetLink.Parse($"magnet:?xt=urn:btmh:1220{V2}").Swarm.ToString());

    [Theory]
    [InlineData("http://example.org/", "magnet:?")]
    [InlineData("magnet:?dn=x", "names no torrent")]
    [InlineData("magnet:?xt=urn:btih:12", "2 characters")]
    [InlineData("magnet:?xt=urn:btmh:1220ff", "64 hex digits")]
    [InlineData("magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&so=1-x", "'1-x'")]
    [InlineData("magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&so=0-2000000000", "more than")]
    public void What_is_wrong_with_a_link_is_said(string text, string why)
    {
        var e = Assert.Throws<VirgaException>(() => MagnetLink.Parse(text));

        Assert.Equal(FailureKind.BadInput, e.Kind);
        Assert.Contains(why, e.Message);
        Assert.NotNull(e.Advice);
    }
}
