using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using Virga.Core;
using Virga.Hosting;
using Virga.Protocol;
using Virga.Testing;
using Endpoint = Virga.Protocol.Endpoint;

namespace Virga.Repository.Tests;

/// <summary>A running repository and clients for it. The data folder is deleted at the end.</summary>
internal sealed class Fixture : IAsyncDisposable
{
    private readonly List<IDisposable> owned = [];

    public string Folder { get; } = Some.Folder();

    public FakeTimeProvider Time { get; } = new();

    public RepositoryHost Host { get; private set; } = null!;

    public static async Task<Fixture> StartAsync(Func<RepositoryOptions, RepositoryOptions>? change = null)
    {
        var fixture = new Fixture();
        await fixture.RestartAsync(change);
        return fixture;
    }

    public async Task RestartAsync(Func<RepositoryOptions, RepositoryOptions>? change = null)
    {
        if (Host is not null) await Host.DisposeAsync();
        var options = new RepositoryOptions { DataFolder = Folder, Time = Time, Random = RandomNumberGenerator.Fill };
        Host = await RepositoryHost.StartAsync(change?.Invoke(options) ?? options, CancellationToken.None);
    }

    public TestAgent NewAgent()
    {
        var agent = new TestAgent(this);
        owned.Add(agent);
        return agent;
    }

    /// <summary>Sends anything, as a client that keeps no rule would.</summary>
    public HttpClient RawClient()
    {
        var endpoint = Host.Endpoint;
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            // Longer than any machine takes to refuse by the headers alone.
            Expect100ContinueTimeout = TimeSpan.FromSeconds(30),
            SslOptions = new SslClientAuthenticationOptions
            {
                RemoteCertificateValidationCallback = (_, certificate, _, _) =>
                    new Hash256(SHA256.HashData(certificate!.GetRawCertData())) == endpoint.Certificate,
            },
        };
        var client = new HttpClient(handler) { BaseAddress = endpoint.Url };
        owned.Add(client);
        return client;
    }

    public HttpClient ControlClient()
    {
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellationToken) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(Folder, "control.sock")),
                    cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        var client = new HttpClient(handler) { BaseAddress = new Uri("http://control") };
        owned.Add(client);
        return client;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var item in owned) item.Dispose();
        await Host.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }
}

/// <summary>An agent with an identity of its own.</summary>
internal sealed class TestAgent : IDisposable
{
    public static readonly Endpoint Home = new(new Uri("https://192.0.2.7:4433"), Some.Hash(4433));

    private readonly Fixture fixture;
    private readonly PeerHttp http;
    private readonly string folder = Some.Folder();

    public TestAgent(Fixture fixture)
    {
        this.fixture = fixture;
        Keys = PeerKeys.LoadOrCreate(folder, fixture.Time, RandomNumberGenerator.Fill);
        http = new PeerHttp(fixture.Time, RandomNumberGenerator.Fill);
    }

    public PeerKeys Keys { get; }

    public PeerHttp Http => http;

    public AgentId Id => Keys.Id;

    /// <summary>For the endpoint that the repository has now.</summary>
    public RepositoryClient Client => new(http, fixture.Host.Endpoint, Keys.Identity, () => Keys.Envelopes);

    public SignedEnvelope Sign(string type, byte[] body) => SignedEnvelope.Sign(Keys.Identity.SigningKey, type, body);

    /// <summary>A rightly signed request with any body.</summary>
    public HttpRequestMessage Request(string method, string path, byte[] body)
    {
        var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = new ByteArrayContent(body) };
        var nonce = RandomNumberGenerator.GetBytes(RequestSignature.NonceBytes);
        foreach (var (name, value) in RequestSignature.Sign(Keys.Identity, fixture.Host.Id, method, path, "", body,
            fixture.Time.GetUtcNow(), nonce))
        {
            if (!request.Headers.TryAddWithoutValidation(name, value))
                request.Content.Headers.TryAddWithoutValidation(name, value);
        }

        return request;
    }

    public byte[] AnnounceBody(IReadOnlyList<Hash256> hashes, Func<Announce, Announce>? change = null,
        TestAgent? signer = null)
    {
        var now = fixture.Time.GetUtcNow();
        var record = new Announce(Id, hashes.Count, Announce.DigestOf(hashes), [Home], now.AddHours(1), now);
        record = change?.Invoke(record) ?? record;
        return new AnnounceRequest(hashes, (signer ?? this).Sign(Announce.SignatureType, record.Encode())).Encode();
    }

    public void Dispose()
    {
        http.Dispose();
        Keys.Dispose();
        Directory.Delete(folder, recursive: true);
    }
}
