namespace Virga.BitTorrent.Tests;

public sealed class KeyedHashTests
{
    private static readonly byte[] Key = [.. Enumerable.Range(0, 16).Select(i => (byte)i)];

    /// <summary>From appendix A of the paper, and of its reference implementation's vectors.</summary>
    [Theory]
    [InlineData(15, 0xa129ca6149be45e5)]
    [InlineData(0, 0x726fdb47dd0e0e31)]
    [InlineData(8, 0x93f5f5799a932462)]
    public void It_is_SipHash(int length, ulong expected) =>
        Assert.Equal(expected, new KeyedHash(Key).Of([.. Enumerable.Range(0, length).Select(i => (byte)i)]));

    [Fact]
    public void Three_words_are_hashed_as_their_bytes()
    {
        var bytes = new byte[24];
        for (var i = 0; i < 3; i++) BitConverter.TryWriteBytes(bytes.AsSpan(8 * i), 77UL * (ulong)(i + 1));

        Assert.Equal(new KeyedHash(Key).Of(bytes), new KeyedHash(Key).Of(77, 154, 231));
    }
}
