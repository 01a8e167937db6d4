using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Virga.Core;
using Virga.Protocol;
using Virga.Storage;
using Virga.Testing;
using Endpoint = Virga.Protocol.Endpoint;

namespace Virga.Hosting.Tests;

/// <summary>A peer server with a few endpoints, and plain clients for it.</summary>
internal sealed class Fixture : IAsyncDisposable
{
    public static readonly DatabaseSchema Schema = new(1, "the test's state", [ChainStore.SchemaSql]);

    private readonly bool ownsFolder;
    private Database database = null!;
    private PeerServer? server;

    private Fixture(string? folder)
    {
        ownsFolder = folder is null;
        Folder = folder ?? Some.Folder();
    }

    public string Folder { get; }

    public FakeTimeProvider Time { get; } = new();

    public StringWriter Log { get; } = new();

    public PeerKeys Keys { get; private set; } = null!;

    public ChainStore Chains { get; private set; } = null!;

    public PeerServer Server => server!;

    public string ControlSocket => Path.Combine(Folder, "control.sock");

    public static async Task<Fixture> StartAsync(
        Action<PeerRoutes>? map = null, Func<PeerServerOptions, PeerServerOptions>? change = null,
        string? folder = null)
    {
        var fixture = new Fixture(folder);
        var random = Random();
        fixture.Keys = PeerKeys.LoadOrCreate(fixture.Folder, fixture.Time, random);
        fixture.database = Database.Open(Path.Combine(fixture.Folder, "state.db"), Schema);
        fixture.Chains = new ChainStore(fixture.database, fixture.Keys, fixture.Time);
        var options = new PeerServerOptions
        {
            Kind = PeerInfo.RepositoryKind,
            DataFolder = fixture.Folder,
            Keys = fixture.Keys,
            Chains = fixture.Chains,
            Time = fixture.Time,
            Random = random,
            ControlSocket = fixture.ControlSocket,
            Logger = new LineLogger(fixture.Log, Microsoft.Extensions.Logging.LogLevel.Debug, fixture.Time),
        };
        try
        {
            fixture.server = await PeerServer.StartAsync(
                change?.Invoke(options) ?? options, map ?? (_ => { }), CancellationToken.None);
            return fixture;
        }
        catch
        {
            await fixture.DisposeAsync();
            throw;
        }
    }

    public static RandomBytes Random() => RandomNumberGenerator.Fill;

    /// <summary>The same chains, of which nothing is in memory.</summary>
    public ChainStore NewChains() => new(database, Keys, Time);

    public HttpClient Client(Version? version = null) => ClientOf(Server.Endpoint, version);

    public static HttpClient ClientOf(Endpoint endpoint, Version? version = null)
    {
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            SslOptions = new SslClientAuthenticationOptions
            {
                RemoteCertificateValidationCallback = (_, certificate, _, _) =>
                    new Hash256(SHA256.HashData(certificate!.GetRawCertData())) == endpoint.Certificate,
            },
        };
        return new HttpClient(handler)
        {
            BaseAddress = endpoint.Url,
            DefaultRequestVersion = version ?? HttpVersion.Version11,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
    }

    public HttpClient ControlClient()
    {
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellationToken) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(ControlSocket), cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        return new HttpClient(handler) { BaseAddress = new Uri("http://control") };
    }

    public static HttpRequestMessage Signed(
        PeerIdentity self, AgentId receiver, string method, string pathAndQuery, byte[] body, DateTimeOffset created,
        byte[]? nonce = null)
    {
        nonce ??= RandomNumberGenerator.GetBytes(RequestSignature.NonceBytes);
        var mark = pathAndQuery.IndexOf('?', StringComparison.Ordinal);
        var (path, query) = mark < 0 ? (pathAndQuery, "") : (pathAndQuery[..mark], pathAndQuery[mark..]);
        var request =
            new HttpRequestMessage(new HttpMethod(method), pathAndQuery) { Content = new ByteArrayContent(body) };
        foreach (var (name, value) in RequestSignature.Sign(self, receiver, method, path, query, body, created, nonce))
        {
            if (!request.Headers.TryAddWithoutValidation(name, value))
                request.Content.Headers.TryAddWithoutValidation(name, value);
        }

        return request;
    }

    public static async Task<PeerError> ErrorOf(HttpResponseMessage response) =>
        ErrorMessage.TryRead(await response.Content.ReadAsByteArrayAsync())
            ?? throw new InvalidDataException($"status {response.StatusCode} without our error body");

    public async ValueTask DisposeAsync()
    {
        if (server is not null) await server.DisposeAsync();
        await database.DisposeAsync();
        Keys.Dispose();
        if (ownsFolder) Directory.Delete(Folder, recursive: true);
    }
}

/// <summary>An agent that speaks to peers, with keys and a chain of its own.</summary>
internal sealed class TestAgent : IDisposable
{
    private readonly string folder = Some.Folder();

    public TestAgent(TimeProvider time) => Keys = PeerKeys.LoadOrCreate(folder, time, Fixture.Random());

    public PeerKeys Keys { get; }

    public PeerIdentity Identity => Keys.Identity;

    public AgentId Id => Keys.Id;

    public byte[] ChainBytes => SignedEnvelope.EncodeList(Keys.Envelopes);

    public void Dispose()
    {
        Keys.Dispose();
        Directory.Delete(folder, recursive: true);
    }
}
