using Virga.Core;

namespace Virga.BitTorrent.Tests;

public sealed class SwarmHashTests
{
    [Fact]
    public void A_hash_is_read_back_from_its_text_and_its_bytes()
    {
        const string text = "000102030405060708090a0b0c0d0e0f10111213";

        Assert.True(SwarmHash.TryParse(text, out var hash));
        Assert.Equal(text, hash.ToString());
        Assert.Equal(hash, new SwarmHash(hash.ToArray()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("000102030405060708090a0b0c0d0e0f1011121")]
    [InlineData("000102030405060708090a0b0c0d0e0f101112zz")]
    public void What_is_no_hash_is_refused(string text) => Assert.False(SwarmHash.TryParse(text, out _));

    [Fact]
    public void A_v2_swarm_is_known_by_the_first_20_bytes() =>
        Assert.Equal(
            new string('7', 40), SwarmHash.OfV2(new Hash256(Enumerable.Repeat((byte)0x77, 32).ToArray())).ToString());
}
