using System.Net;
using System.Net.Sockets;

namespace Virga.BitTorrent.Tests;

public sealed class CompactAddressTests
{
    [Theory]
    [InlineData("127.0.0.1:6881", "7f0000011ae1")]
    [InlineData("[2001:db8::1]:80", "20010db80000000000000000000000010050")]
    public void An_address_is_written_in_network_order_and_read_back(string text, string hex)
    {
        var peer = IPEndPoint.Parse(text);
        Span<byte> bytes = stackalloc byte[CompactAddress.V6Bytes];

        var written = CompactAddress.Write(peer, bytes);

        Assert.Equal(hex, Convert.ToHexStringLower(bytes[..written]));
        Assert.Equal(peer, CompactAddress.Read(bytes[..written]));
    }

    [Fact]
    public void A_v4_address_mapped_into_v6_is_written_as_v4()
    {
        var bytes = new byte[CompactAddress.V6Bytes];

        var written = CompactAddress.Write(IPEndPoint.Parse("[::ffff:10.0.0.1]:1"), bytes);

        Assert.Equal("0a0000010001", Convert.ToHexStringLower(bytes.AsSpan(0, written)));
    }

    [Fact]
    public void A_list_is_read_as_far_as_it_makes_sense()
    {
        var list = Convert.FromHexString("7f0000011ae1" + "0a0000010000" + "7f0000");

        Assert.Equal([IPEndPoint.Parse("127.0.0.1:6881")], CompactAddress.ReadAll(list, AddressFamily.InterNetwork));
    }
}
