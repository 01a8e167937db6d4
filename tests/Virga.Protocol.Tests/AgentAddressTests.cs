using Virga.Core;

namespace Virga.Protocol.Tests;

public sealed class AgentAddressTests
{
    private static readonly AgentId Id = new(new Hash256(Enumerable.Range(0, 32).Select(i => (byte)i).ToArray()));
    private static readonly string Pin = new('a', 64);

    [Fact]
    public void An_id_alone_is_an_address()
    {
        var address = AgentAddress.Parse($" {Id}\n");
        Assert.Equal(new AgentAddress(Id, null), address);
        Assert.Equal(Id.ToString(), address.ToText());
    }

    [Fact]
    public void An_endpoint_behind_an_at_sign_is_where_its_chain_is()
    {
        var text = $"{Id}@https://box.example.org:8470!{Pin}";
        var address = AgentAddress.Parse(text);
        Assert.Equal(Id, address.Id);
        Assert.Equal("https://box.example.org:8470", address.Endpoint!.Origin);
        Assert.Equal(text, address.ToText());
    }

    [Theory]
    [InlineData("")]
    [InlineData("@")]
    [InlineData("@https://box.example.org")]
    [InlineData("virga1qqqq@https://box.example.org")]
    [InlineData("ID@")]
    [InlineData("ID@http://box.example.org")]
    [InlineData("ID@https://box.example.org/path")]
    [InlineData("ID@https://box.example.org!12")]
    public void Anything_else_is_refused(string text)
    {
        var failure = Assert.Throws<VirgaException>(() => AgentAddress.Parse(text.Replace("ID", Id.ToString())));
        Assert.Equal(FailureKind.BadInput, failure.Kind);
        Assert.NotNull(failure.Advice);
    }
}
