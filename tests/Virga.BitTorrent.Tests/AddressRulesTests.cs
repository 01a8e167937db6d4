using System.Net;
using System.Net.Http;
using System.Net.Sockets;
using Virga.Core;

namespace Virga.BitTorrent.Tests;

public sealed class AddressRulesTests
{
    [Theory]
    [InlineData("8.8.8.8")]
    [InlineData("100.63.255.255")]
    [InlineData("172.32.0.1")]
    [InlineData("2a00:1450::1")]
    [InlineData("::ffff:8.8.8.8")]
    [InlineData("64:ff9b::808:808")]
    [InlineData("2002:808:808::1")]
    public void Public_addresses_are_allowed(string address) =>
        Assert.True(AddressRules.PublicOnly.Allows(IPAddress.Parse(address)));

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("127.255.255.254")]
    [InlineData("10.1.2.3")]
    [InlineData("172.16.0.1")]
    [InlineData("172.31.255.255")]
    [InlineData("192.168.1.1")]
    [InlineData("100.64.0.1")]
    [InlineData("198.18.0.1")]
    [InlineData("::1")]
    [InlineData("fd00::1")]
    [InlineData("fec0::1")]
    [InlineData("::ffff:127.0.0.1")]
    [InlineData("::127.0.0.1")]
    [InlineData("64:ff9b::7f00:1")]
    [InlineData("2002:7f00:1::1")]
    [InlineData("2001:db8::1")]
    [InlineData("2001::1")]
    public void Special_addresses_are_refused_unless_local_ones_are_allowed(string text)
    {
        var address = IPAddress.Parse(text);

        Assert.False(AddressRules.PublicOnly.Allows(address));
        Assert.True(AddressRules.LocalToo.Allows(address));
    }

    [Theory]
    [InlineData("169.254.169.254")]
    [InlineData("168.63.129.16")]
    [InlineData("100.100.100.200")]
    [InlineData("fd00:ec2::254")]
    [InlineData("fe80::1")]
    [InlineData("::ffff:169.254.169.254")]
    [InlineData("64:ff9b::a9fe:a9fe")]
    public void Metadata_services_need_to_be_named(string text)
    {
        var address = IPAddress.Parse(text);
        var named = new AddressRules
        {
            Allowed = [new IPNetwork(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address,
                address.AddressFamily == AddressFamily.InterNetwork || address.IsIPv4MappedToIPv6 ? 32 : 128)],
        };

        Assert.False(AddressRules.PublicOnly.Allows(address));
        Assert.False(AddressRules.LocalToo.Allows(address));
        Assert.True(named.Allows(address));
    }

    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("0.1.2.3")]
    [InlineData("224.0.0.1")]
    [InlineData("255.255.255.255")]
    [InlineData("::")]
    [InlineData("ff02::1")]
    public void What_is_no_single_host_is_never_allowed(string address) =>
        Assert.False(new AddressRules
        {
            AllowsLocal = true, Allowed = [IPNetwork.Parse("0.0.0.0/0"), IPNetwork.Parse("::/0")],
        }.Allows(IPAddress.Parse(address)));

    [Fact]
    public void A_filter_wins_and_port_0_is_nobody()
    {
        var rules = new AddressRules { AllowsLocal = true, Blocked = AddressFilter.Parse(["10.0.0.0/8"], "it") };

        Assert.False(rules.Allows(IPEndPoint.Parse("10.0.0.1:1")));
        Assert.True(rules.Allows(IPEndPoint.Parse("11.0.0.1:1")));
        Assert.False(rules.Allows(IPEndPoint.Parse("11.0.0.1:0")));
    }

    [Fact]
    public async Task A_name_that_leads_into_the_own_network_is_refused_after_it_was_resolved()
    {
        var failure = await Assert.ThrowsAsync<VirgaException>(
            () => AddressRules.PublicOnly.ResolveAsync("localhost", CancellationToken.None));

        Assert.Equal(FailureKind.Denied, failure.Kind);
        Assert.NotEmpty(await AddressRules.LocalToo.ResolveAsync("localhost", CancellationToken.None));
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("localhost")]
    public async Task The_handler_connects_to_nothing_that_is_refused(string host)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var client = new HttpClient(AddressRules.PublicOnly.CreateHandler());
        var url = new Uri($"http://{host}:{((IPEndPoint)listener.LocalEndpoint).Port}/");

        var failure = await Assert.ThrowsAnyAsync<Exception>(() => client.GetAsync(url));

        Assert.Equal(FailureKind.Denied, Assert.IsType<VirgaException>(failure.GetBaseException()).Kind);
        Assert.False(listener.Pending());
    }
}
