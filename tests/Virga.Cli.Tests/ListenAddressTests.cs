using System.Net;
using System.Net.Sockets;
using Virga.Agent;
using Virga.Core;

namespace Virga.Cli.Tests;

public sealed class ListenAddressTests
{
    [Theory]
    [InlineData("8470", "127.0.0.1:8470")]
    [InlineData(":8470", "0.0.0.0:8470")]
    [InlineData("127.0.0.1:0", "127.0.0.1:0")]
    [InlineData("localhost:1", "127.0.0.1:1")]
    [InlineData("[::]:65535", "[::]:65535")]
    public void What_a_person_types_is_understood(string text, string address) =>
        Assert.Equal(IPEndPoint.Parse(address), ListenAddress.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("127.0.0.1:65536")]
    [InlineData("host.example:1")]
    [InlineData("::1:80")]
    [InlineData("127.0.0.1:-1")]
    public void What_is_no_address_is_refused(string text) =>
        Assert.Equal(FailureKind.BadInput, Assert.Throws<VirgaException>(() => ListenAddress.Parse(text)).Kind);

    [Theory]
    [InlineData("http://host")]
    [InlineData("https://host/path")]
    [InlineData("host")]
    public void A_public_url_is_an_https_origin(string text) =>
        Assert.Equal(
            FailureKind.BadInput, Assert.Throws<VirgaException>(() => ListenAddress.ParsePublicUrl(text)).Kind);

    [Fact]
    public void A_port_is_taken_again_while_it_is_free()
    {
        var folder = Directory.CreateTempSubdirectory("virga-ports-");
        try
        {
            using var holder = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            holder.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            holder.Listen();
            var port = ((IPEndPoint)holder.LocalEndPoint!).Port;
            new PortMemory(folder.FullName).Remember("agent", port);
            Assert.Equal(0, new PortMemory(folder.FullName).Recall("agent", IPAddress.Loopback));
            holder.Dispose();
            Assert.Equal(port, new PortMemory(folder.FullName).Recall("agent", IPAddress.Loopback));
            Assert.Equal(0, new PortMemory(folder.FullName).Recall("repository", IPAddress.Loopback));
            File.WriteAllText(Path.Combine(folder.FullName, "ports.json"), "no json");
            Assert.Equal(0, new PortMemory(folder.FullName).Recall("agent", IPAddress.Loopback));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData(null, null, "/home/ann/.local/share/virga")]
    [InlineData(null, "/xdg", "/xdg/virga")]
    [InlineData(null, "relative", "/home/ann/.local/share/virga")]
    [InlineData("/own", "/xdg", "/own")]
    public void The_data_folder_follows_the_environment(string? own, string? xdg, string expected)
    {
        var variables = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["VIRGA_DATA"] = own, ["XDG_DATA_HOME"] = xdg, ["HOME"] = "/home/ann",
        };
        Assert.Equal(expected, DataFolders.Default(variables.GetValueOrDefault));
    }
}
