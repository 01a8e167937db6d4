using System.Net;
using Virga.BitTorrent.Dht;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Dht;

public sealed class NodeIdTests
{
    /// <summary>The examples of BEP 42.</summary>
    [Theory]
    [InlineData("124.31.75.21", "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401")]
    [InlineData("21.75.31.124", "5a3ce9c14e7a08645677bbd1cfe7d8f956d53256")]
    [InlineData("65.23.51.170", "a5d43220bc8f112a3d426c84764f8c2a1150e616")]
    [InlineData("84.124.73.14", "1b0321dd1bb1fe518101ceef99462b947a01ff41")]
    [InlineData("43.213.53.83", "e56f6cbf5b7c4be0237986d5243b87aa6d51305a")]
    public void Ids_fit_addresses_as_BEP_42_says(string address, string id)
    {
        var node = new NodeId(Convert.FromHexString(id));

        Assert.True(node.Fits(IPAddress.Parse(address)));
        Assert.False(node.Fits(IPAddress.Parse("9.9.9.9")));
    }

    [Theory]
    [InlineData("124.31.75.21")]
    [InlineData("2a00:1450:4001::200e")]
    public void A_new_id_fits_its_address(string text)
    {
        var (random, address) = (new Seeded(1).RandomBytes, IPAddress.Parse(text));
        for (var i = 0; i < 100; i++) Assert.True(NodeId.Random(random, address).Fits(address));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(64)]
    [InlineData(129)]
    [InlineData(159)]
    public void An_id_beside_another_shares_just_so_many_bits(int bits)
    {
        var random = new Seeded(2).RandomBytes;
        var id = NodeId.Random(random);

        Assert.Equal(bits, id.CommonBits(id.Beside(bits, random)));
    }

    [Fact]
    public void Near_is_what_differs_late()
    {
        var random = new Seeded(3).RandomBytes;
        var id = NodeId.Random(random);

        Assert.True(id.CompareDistance(id.Beside(100, random), id.Beside(10, random)) < 0);
        Assert.True(id.CompareDistance(id.Beside(10, random), id.Beside(150, random)) > 0);
        Assert.Equal(0, id.CompareDistance(id, id));
    }
}
