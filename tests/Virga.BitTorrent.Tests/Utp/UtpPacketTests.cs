using Virga.BitTorrent.Utp;

namespace Virga.BitTorrent.Tests.Utp;

public sealed class UtpPacketTests
{
    /// <summary>BEP 29: type and version, extension, connection, two times, window, sequence, acknowledged.</summary>
    private const string Header = "01" + "00" + "abcd" + "11223344" + "55667788" + "00100000" + "0102" + "0304";

    [Fact]
    public void A_header_is_as_BEP_29_has_it()
    {
        var header = new UtpHeader(UtpKind.Data, 0xabcd, 0x11223344, 0x55667788, 0x100000, 0x102, 0x304);
        var written = new byte[UtpHeader.ByteCount];
        header.Write(written);

        Assert.Equal(Header, Convert.ToHexStringLower(written));
        Assert.True(UtpPacket.TryRead([.. written, 7, 8], out var packet));
        Assert.Equal(header, packet.Header);
        Assert.Equal([7, 8], packet.Payload.ToArray());
    }

    [Fact]
    public void Extensions_are_a_chain_of_which_unknown_ones_are_left_out()
    {
        // Extension bits, as libutp sends them, then a selective acknowledgement, then one that nobody knows.
        var bytes = Convert.FromHexString(
            "2102" + Header[4..] + "0108" + "0000000000000000" + "6304" + "05000080" + "0001" + "ff" + "616263");
        Assert.True(UtpPacket.TryRead(bytes, out var packet));

        Assert.Equal([5, 0, 0, 0x80], packet.Selective.ToArray());
        Assert.Equal("abc"u8.ToArray(), packet.Payload.ToArray());
    }

    [Theory]
    [InlineData("")]
    [InlineData("01")]
    [InlineData("0100abcd112233445566778800100000010203")]
    [InlineData("0200abcd1122334455667788001000000102030401")]
    [InlineData("5100abcd1122334455667788001000000102030401")]
    [InlineData("64313a6164323a696432303a6162636465666768")]
    [InlineData("0101abcd11223344556677880010000001020304")]
    [InlineData("0101abcd1122334455667788001000000102030400")]
    [InlineData("0101abcd11223344556677880010000001020304000400")]
    [InlineData("0101abcd1122334455667788001000000102030401040000000001")]
    public void What_is_cut_off_or_of_another_protocol_is_none(string packet) =>
        Assert.False(UtpPacket.TryRead(Convert.FromHexString(packet), out _));

    [Fact]
    public void Numbers_are_compared_across_their_end()
    {
        Assert.Equal(3, UtpPacket.Distance(1, 0xfffe));
        Assert.Equal(-3, UtpPacket.Distance(0xfffe, 1));
    }

    [Fact]
    public void Packets_behind_a_gap_are_told_by_bits_from_the_second_on()
    {
        var buffer = new ReceiveBuffer();
        buffer.Begin(0xfffe);
        foreach (var sequence in new ushort[] { 0xffff, 1, 32 }) buffer.Add(sequence, [1], false, 1_000, false);
        var mask = new byte[8];

        Assert.Equal(8, buffer.WriteMask(mask));
        Assert.Equal("0500000002000000", Convert.ToHexStringLower(mask));
        buffer.Add(0xfffe, [9], false, 1_000, false);
        Assert.Equal(0, buffer.Next);
        Assert.Equal(2, buffer.Held);
    }

    [Fact]
    public void Waiting_is_what_is_above_the_shortest_way_of_minutes_whatever_the_clocks_say()
    {
        var history = new DelayHistory();
        // The difference of both clocks is about to wrap around.
        const uint Skew = 0xffff_ff00;
        history.Add(unchecked(Skew + 5_000), 0);
        Assert.Equal(0u, history.Waiting);
        for (var i = 0; i < 4; i++) history.Add(unchecked(Skew + 45_000), 1_000);
        Assert.Equal(40_000u, history.Waiting);
        history.Add(unchecked(Skew + 25_000), 2_000);
        Assert.Equal(20_000u, history.Waiting);
        // The way has become longer for good: after minutes that is known.
        for (var minute = 1; minute < 15; minute++)
            for (var i = 0; i < 4; i++) history.Add(unchecked(Skew + 45_000), minute * 61_000_000L);
        Assert.Equal(0u, history.Waiting);
    }
}
