using System.Net;
using System.Text;
using Virga.BitTorrent.Neighbours;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Neighbours;

public sealed class LocalAnnounceTests
{
    private static readonly IPEndPoint Group = new(IPAddress.Parse("ff15::efc0:988f"), 6771);

    [Fact]
    public void It_is_written_as_bep_14_has_it_and_read_again()
    {
        var announce = new LocalAnnounce(6881, [Hash(1), Hash(2)], "abc");

        var packet = announce.Write(Group);

        Assert.Equal(
            $"BT-SEARCH * HTTP/1.1\r\nHost: [ff15::efc0:988f]:6771\r\nPort: 6881\r\nInfohash: {Hash(1)}\r\n"
                + $"Infohash: {Hash(2)}\r\ncookie: abc\r\n\r\n\r\n", Encoding.ASCII.GetString(packet));
        Assert.True(LocalAnnounce.TryRead(packet, out var read));
        Assert.Equal((ushort)6881, read.Port);
        Assert.Equal("abc", read.Cookie);
        Assert.Equal(announce.Swarms, read.Swarms);
    }

    [Fact]
    public void As_many_swarms_as_it_may_have_fit_into_a_packet()
    {
        var swarms = Enumerable.Range(0, LocalAnnounce.SwarmsMax).Select(i => Hash((ulong)i)).ToList();

        var packet = new LocalAnnounce(65535, swarms, new string('c', 16)).Write(Group);

        Assert.True(packet.Length <= LocalAnnounce.PacketBytes);
        Assert.True(LocalAnnounce.TryRead(packet, out var read));
        Assert.Equal(swarms, read.Swarms);
    }

    [Theory]
    [InlineData("BT-SEARCH * HTTP/1.1\r\nHost: x\r\nport: 1\r\nINFOHASH: {0}\r\nNew: y\r\n\r\n\r\n", true)]
    [InlineData("BT-SEARCH * HTTP/1.1\nPort:1\nInfohash:{0}\n", true)]
    [InlineData("M-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: {0}\r\n\r\n", false)]
    [InlineData("BT-SEARCH * HTTP/1.1\r\nPort: 0\r\nInfohash: {0}\r\n\r\n", false)]
    [InlineData("BT-SEARCH * HTTP/1.1\r\nPort: 65536\r\nInfohash: {0}\r\n\r\n", false)]
    [InlineData("BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: {0}0\r\n\r\n", false)]
    [InlineData("BT-SEARCH * HTTP/1.1\r\nInfohash: {0}\r\n\r\n", false)]
    [InlineData("BT-SEARCH * HTTP/1.1\r\nPort: 1\r\n\r\n", false)]
    [InlineData("", false)]
    public void What_is_none_is_passed_over(string text, bool isOne) => Assert.Equal(
        isOne, LocalAnnounce.TryRead(Encoding.ASCII.GetBytes(text.Replace("{0}", Hash(1).ToString())), out _));

    [Fact]
    public void Whatever_is_cut_off_or_broken_ends_well()
    {
        var packet = new LocalAnnounce(6881, [Hash(1), Hash(2)], "abc").Write(Group);
        var random = new Seeded(1);
        var noise = new byte[4];
        for (var i = 0; i <= packet.Length; i++)
        {
            LocalAnnounce.TryRead(packet.AsSpan(0, i), out _);
            var broken = packet.ToArray();
            random.RandomBytes(noise);
            noise.CopyTo(broken.AsSpan(Math.Min(i, packet.Length - noise.Length)));
            LocalAnnounce.TryRead(broken, out _);
        }
    }

    internal static SwarmHash Hash(ulong number) => new(Seeded.Bytes(SwarmHash.ByteCount, number));
}
