using System.Net;
using Virga.Core;

namespace Virga.BitTorrent.Tests;

public sealed class AddressFilterTests
{
    private static readonly string[] Lines =
    [
        "# a comment", "", "10.0.0.0/8", "  192.0.2.7", "198.51.100.1 - 198.51.100.9",
        "001.002.003.004 - 001.002.003.255 , 000 , Some eMule words", "1.2.5.0 - 1.2.5.255 , 200 , allowed",
        "Words: with a colon:5.6.7.0-5.6.7.8", "2001:db8::/32", "; another", "// and another",
        "2001:db9::1-2001:db9::5", "198.51.100.5-198.51.100.20",
    ];

    [Theory]
    [InlineData("10.255.255.255", true)]
    [InlineData("11.0.0.0", false)]
    [InlineData("::ffff:10.1.1.1", true)]
    [InlineData("192.0.2.7", true)]
    [InlineData("192.0.2.8", false)]
    [InlineData("198.51.100.0", false)]
    [InlineData("198.51.100.1", true)]
    [InlineData("198.51.100.20", true)]
    [InlineData("198.51.100.21", false)]
    [InlineData("1.2.3.3", false)]
    [InlineData("1.2.3.8", true)]
    [InlineData("1.2.5.8", false)]
    [InlineData("5.6.7.8", true)]
    [InlineData("5.6.7.9", false)]
    [InlineData("2001:db8:ffff::1", true)]
    [InlineData("2001:db9::5", true)]
    [InlineData("2001:db9::6", false)]
    [InlineData("0.0.0.0", false)]
    [InlineData("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false)]
    public void It_knows_who_is_on_a_list_of_any_kind(string address, bool isBlocked)
    {
        var filter = AddressFilter.Parse(Lines, "list");

        Assert.Equal(isBlocked, filter.Contains(IPAddress.Parse(address)));
        Assert.Equal(isBlocked, new AddressRules { Blocked = filter }.Blocks(IPAddress.Parse(address)));
        Assert.Equal(7, filter.Count);
    }

    [Theory]
    [InlineData("10.0.0.0/33")]
    [InlineData("10.0.0")]
    [InlineData("10.0.0.256")]
    [InlineData("10.0.0.9 - 10.0.0.1")]
    [InlineData("10.0.0.1 - ::1")]
    [InlineData("2001:db8::/129")]
    [InlineData("example.org")]
    [InlineData("/8")]
    [InlineData("-")]
    public void What_it_does_not_understand_is_refused_by_its_line(string line)
    {
        Assert.False(AddressFilter.CanParse(line));
        var failure = Assert.Throws<VirgaException>(() => AddressFilter.Parse(["10.0.0.0/8", line], "my list"));
        Assert.Equal(FailureKind.BadInput, failure.Kind);
        Assert.Contains("line 2 of my list", failure.Message);
    }

    [Fact]
    public void All_addresses_and_none_are_lists_too()
    {
        var all = AddressFilter.Parse(["::/0"], "list");

        Assert.True(all.Contains(IPAddress.Parse("1.2.3.4")));
        Assert.True(all.Contains(IPAddress.IPv6Loopback));
        Assert.False(AddressFilter.Nobody.Contains(IPAddress.Any));
        Assert.True(AddressFilter.Parse(["0.0.0.0/0"], "list").Contains(IPAddress.Broadcast));
    }
}
