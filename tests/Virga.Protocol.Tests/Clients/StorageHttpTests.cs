using System.Net;
using Virga.Core;

namespace Virga.Protocol.Tests.Clients;

/// <summary>Where a URL that somebody else gave may lead.</summary>
public sealed class StorageHttpTests
{
    [Theory]
    [InlineData("8.8.8.8", true)]
    [InlineData("172.15.0.1", true)]
    [InlineData("172.32.0.1", true)]
    [InlineData("100.128.0.1", true)]
    [InlineData("2606:4700::1111", true)]
    [InlineData("::ffff:8.8.8.8", true)]
    [InlineData("0.0.0.0", false)]
    [InlineData("10.1.2.3", false)]
    [InlineData("127.0.0.1", false)]
    [InlineData("169.254.169.254", false)]
    [InlineData("172.16.0.1", false)]
    [InlineData("172.31.255.255", false)]
    [InlineData("192.168.1.1", false)]
    [InlineData("100.64.0.1", false)]
    [InlineData("198.18.0.1", false)]
    [InlineData("224.0.0.1", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("::", false)]
    [InlineData("::1", false)]
    [InlineData("fe80::1", false)]
    [InlineData("fd00::1", false)]
    [InlineData("ff02::1", false)]
    [InlineData("::ffff:127.0.0.1", false)]
    [InlineData("64:ff9b::7f00:1", false)]
    [InlineData("2002:7f00:1::", false)]
    public void Only_the_public_internet_is_reached_from_outside(string address, bool isPublic) =>
        Assert.Equal(isPublic, PublicAddresses.Contains(IPAddress.Parse(address)));

    [Theory]
    [InlineData("https://agent.example")]
    [InlineData("https://8.8.8.8:8443")]
    public async Task An_agent_out_there_can_not_make_us_ask_our_own_network(string agent)
    {
        var listener = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var storage = new StorageHttp(TimeProvider.System, bytes => bytes.Clear());
        foreach (var host in new[] { "127.0.0.1", "localhost" })
        {
            var at = new Uri($"https://{host}:{((IPEndPoint)listener.LocalEndpoint).Port}");
            var url = new ReadUrl(default, new Endpoint(at, null), "/x", null);
            var failure = await Assert.ThrowsAsync<VirgaException>(() => storage.ReadAsync(
                url, new Endpoint(new Uri(agent), null), new ByteRange(0, 10), new byte[10], default));
            Assert.Equal(FailureKind.Denied, failure.Kind);
            Assert.Contains("private network", failure.Message, StringComparison.Ordinal);
        }
        Assert.False(listener.Pending());
        listener.Stop();
    }
}
