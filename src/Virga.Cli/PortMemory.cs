using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization;
using Virga.Agent.Control;

namespace Virga.Cli;

/// <summary>
/// The ports that peers of a data folder took when none was asked for. They are taken again at the next start, so
/// that links and endpoint statements that name them stay true.
/// </summary>
internal sealed class PortMemory(string dataFolder)
{
    private readonly string file = Path.Combine(dataFolder, "ports.json");

    /// <summary>The remembered port on that address, or the first to try, while it is free; else 0.</summary>
    public int Recall(string peer, IPAddress address, int first = 0)
    {
        if (!Read().TryGetValue(peer, out var port)) port = first;
        if (port == 0) return 0;
        try
        {
            using var probe = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            probe.Bind(new IPEndPoint(address, port));
            return port;
        }
        catch (SocketException)
        {
            return 0;
        }
    }

    /// <summary>Kept where that is possible: without it the next start only takes another port.</summary>
    public void Remember(string peer, int port)
    {
        var ports = Read();
        if (ports.TryGetValue(peer, out var known) && known == port) return;
        ports[peer] = port;
        try
        {
            Directory.CreateDirectory(dataFolder);
            File.WriteAllText(file, JsonSerializer.Serialize(ports, CliJson.Default.DictionaryStringInt32));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }

    private Dictionary<string, int> Read()
    {
        try
        {
            return File.Exists(file)
                ? JsonSerializer.Deserialize(File.ReadAllText(file), CliJson.Default.DictionaryStringInt32) ?? [] : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return [];
        }
    }
}

/// <summary>What <c>virga up --json</c> and <c>virga repository --json</c> print once they answer.</summary>
/// <param name="Kind">agent or repository.</param>
/// <param name="Endpoint">In the form of a link's r and e parameters: URL, and ! with the certificate's hash.</param>
/// <param name="Repositories">Where the agent announces, in the same form.</param>
/// <param name="Page">Where the agent's page for browsers is; null where there is none.</param>
internal sealed record PeerUp(
    string Kind, string Id, string Endpoint, IReadOnlyList<string> Repositories, string DataFolder, int Process,
    IReadOnlyList<string>? Trackers = null, string? Page = null);

/// <summary>One finding of <c>virga doctor</c>.</summary>
internal sealed record Finding(string What, bool Ok, string Message, string? Advice);

/// <summary>JSON that the command line itself writes.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Dictionary<string, int>))]
[JsonSerializable(typeof(PeerUp))]
[JsonSerializable(typeof(List<Commands.KeyFileInfo>))]
[JsonSerializable(typeof(List<Commands.ImportedRemote>))]
[JsonSerializable(typeof(List<Finding>))]
[JsonSerializable(typeof(Demo.DemoResult))]
[JsonSerializable(typeof(List<string>))]
[JsonSerializable(typeof(List<TrustWhy>))]
[JsonSerializable(typeof(Trust.TrustListing))]
[JsonSerializable(typeof(Trust.TrustFile))]
[JsonSerializable(typeof(Trust.TrustImport))]
[JsonSerializable(typeof(Trust.CodeInfo))]
[JsonSerializable(typeof(Trust.EvidenceCheck))]
internal sealed partial class CliJson : JsonSerializerContext;
