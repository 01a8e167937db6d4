using System.Diagnostics;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using Virga.Agent.Control;
using Virga.Testing.Fakes.Dropbox;
using Virga.Testing.Fakes.OAuth;

namespace Virga.EndToEnd.Harness;

/// <summary>
/// A Dropbox under its real names, with an authorisation server that is stricter than Dropbox's own: it replaces each
/// refresh token when it is used. Agents that shall reach it run in a network where those names lead to it.
/// </summary>
internal sealed class CloudPlace : IAsyncDisposable
{
    public const string ClientId = "planted-app-key", ClientSecret = "planted-app-secret-7f3a";

    private CloudPlace(FakeDropbox fake, AuthorizationServer server)
    {
        Fake = fake;
        Server = server;
    }

    public FakeDropbox Fake { get; }

    public AuthorizationServer Server { get; }

    public IReadOnlyDictionary<string, string> Environment => Map.Of(("SSL_CERT_FILE", Fake.AuthorityPath));

    public IReadOnlyList<string> Prefix =>
    [
        Path.Combine(ProjectRoot(), "eng", "servers", "with-names.sh"), Fake.SocketPath,
        string.Join(' ', Fake.Hosts.Where(h => !h.StartsWith('*'))),
    ];

    /// <summary>A network that stays, for several programs and for agents that die.</summary>
    public async Task<CloudNetwork> JoinAsync() => await CloudNetwork.StartAsync(Prefix);

    public static async Task<CloudPlace> StartAsync()
    {
        var fake = new FakeDropbox(TimeProvider.System);
        var server = new AuthorizationServer(
            AuthorizationRules.Dropbox, TimeProvider.System, RandomNumberGenerator.Fill);
        server.Clients[ClientId] = new RegisteredClient(
            ClientId, ClientSecret, ["http://localhost:8479/"], FakeDropbox.AllScopes, []);
        (fake.Authorization, fake.Linked) = (server, fake.AddUser().User);
        await fake.StartAsync();
        return new CloudPlace(fake, server);
    }

    /// <summary>Links an account as a person at a server without a browser does.</summary>
    public async Task<Outcome> LinkAsync(PeerProcess agent, string name, params string[] more)
    {
        var start = Executable.Start(
            ["account", "link", name, .. more, "--paste", "--json", "--data", agent.DataFolder]);
        start.Environment["VIRGA_SECRET_CLIENTSECRET"] = ClientSecret;
        using var process = Executable.Begin(start);
        var errors = process.StandardError.ReadToEndAsync();
        var first = await process.StandardOutput.ReadLineAsync() ?? "";
        if (first.Contains("\"url\"", StringComparison.OrdinalIgnoreCase))
        {
            var invitation = JsonSerializer.Deserialize(first, ControlJson.Default.LinkEvent)!.Invitation!;
            await process.StandardInput.WriteLineAsync(await ConsentAsync(new Uri(invitation.Url)));
        }
        process.StandardInput.Close();
        var rest = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return new Outcome(process.ExitCode, first + rest, await errors);
    }

    public ValueTask DisposeAsync() => Fake.DisposeAsync();

    /// <summary>Agrees on the service's page; the code that it shows.</summary>
    private async Task<string> ConsentAsync(Uri url)
    {
        using var browser = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            SslOptions = new SslClientAuthenticationOptions
            {
                RemoteCertificateValidationCallback = (_, _, _, _) => true,
            },
            ConnectCallback = async (_, token) =>
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await socket.ConnectAsync(Fake.EndPoint, token);
                return new NetworkStream(socket, ownsSocket: true);
            },
        });
        var page = await browser.GetStringAsync(url);
        return page.Split("<code id=\"code\">")[1].Split('<')[0];
    }

    private static string ProjectRoot()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
            if (File.Exists(Path.Combine(at.FullName, "Virga.slnx"))) return at.FullName;
        throw new InvalidOperationException($"no Virga.slnx above {AppContext.BaseDirectory}");
    }
}
