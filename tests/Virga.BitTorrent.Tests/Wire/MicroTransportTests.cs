using System.Net;
using System.Net.Sockets;
using Virga.BitTorrent.Wire;

namespace Virga.BitTorrent.Tests.Wire;

public sealed class MicroTransportTests
{
    /// <summary>BEP 29: type and version, extension, connection, two times, window, sequence, acknowledged.</summary>
    private static readonly byte[] Syn =
        Convert.FromHexString("4100" + "abcd" + "11223344" + "00000000" + "00100000" + "0001" + "0000");

    [Fact]
    public void Who_begins_a_connection_is_refused_by_a_packet_of_the_same_length()
    {
        var refusal = new byte[MicroTransport.HeaderBytes];

        Assert.True(MicroTransport.Refuse(Syn, refusal));
        Assert.Equal("3100" + "abcd" + "00000000" + "00000000" + "00000000" + "0000" + "0001",
            Convert.ToHexStringLower(refusal));
    }

    [Theory]
    [InlineData("")]
    [InlineData("41")]
    [InlineData("4100abcd112233440000000000100000000100")]
    [InlineData("3100abcd11223344000000000010000000010000")]
    [InlineData("0100abcd11223344000000000010000000010000")]
    [InlineData("64313a6164323a696432303a6162636465666768")]
    public void Nothing_else_is_answered(string packet) =>
        Assert.False(MicroTransport.Refuse(Convert.FromHexString(packet), new byte[MicroTransport.HeaderBytes]));

    [Fact]
    public async Task It_answers_on_its_port_and_leaves_a_taken_one_alone()
    {
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        client.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        Assert.Null(MicroTransport.Start((IPEndPoint)client.LocalEndPoint!));
        using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var place = (IPEndPoint)taken.LocalEndPoint!;
        taken.Dispose();
        await using var refuser = MicroTransport.Start(place);

        await client.SendToAsync("not uTP"u8.ToArray(), place);
        await client.SendToAsync(Syn, place);
        var answer = new byte[100];
        var received = await client.ReceiveFromAsync(answer, new IPEndPoint(IPAddress.Any, 0));

        Assert.Equal(MicroTransport.HeaderBytes, received.ReceivedBytes);
        Assert.Equal(0x31, answer[0]);
    }
}
