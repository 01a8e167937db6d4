using System.Security.Cryptography;
using Virga.Accounts.Adapters.OAuth;
using Virga.Testing.Fakes.OAuth;

namespace Virga.Accounts.Adapters.Tests.OAuth;

/// <summary>A service with its authorisation server, a client that is registered there, and accounts of it.</summary>
internal sealed class OAuthScene : IAsyncDisposable
{
    public const string ClientId = "client-1", ClientSecret = "planted-client-secret";

    private OAuthScene(AuthorizationServer server, TimeProvider clock)
    {
        Server = server;
        Services = new AdapterServices(clock, RandomNumberGenerator.Fill);
        Provider = new OAuthProvider(
            "Cloudy", new Uri("https://cloudy.example/authorize"), new Uri("https://cloudy.example/token"))
        {
            Device = new Uri("https://cloudy.example/device"),
            Revocation = new Uri("https://cloudy.example/revoke"),
            Consents = new Uri("https://cloudy.example/consents"),
            Scopes = new Dictionary<LinkAccess, IReadOnlyList<LinkScope>>
            {
                [LinkAccess.Full] = [new("files", "change all files"), new("about", "see the account's name")],
                [LinkAccess.ReadOnly] = [new("files.read", "read all files")],
            },
            DeviceAccess = [LinkAccess.ReadOnly],
            Guide = "guides/linking.md",
        };
    }

    public AuthorizationServer Server { get; }

    public AdapterServices Services { get; }

    public OAuthProvider Provider { get; set; }

    public OAuthLinker Linker => new(Provider, Services);

    public static async Task<OAuthScene> StartAsync(
        TimeProvider? clock = null, AuthorizationRules? rules = null, string? secret = ClientSecret)
    {
        clock ??= TimeProvider.System;
        var server = new AuthorizationServer(rules ?? new AuthorizationRules(), clock, RandomNumberGenerator.Fill);
        server.Clients[ClientId] = new RegisteredClient(
            ClientId, secret, ["http://127.0.0.1/", "http://localhost"], ["files", "about", "files.read"],
            ["files.read"]);
        await server.StartAsync();
        return new OAuthScene(server, clock);
    }

    public AccountConfig Config(string? refreshToken = null, string access = "full", ISecretStore? store = null)
    {
        var secrets = TestServices.Map(("clientSecret", ClientSecret));
        if (refreshToken is not null) secrets["refreshToken"] = refreshToken;
        return new AccountConfig(
            "cloudy",
            TestServices.Map(
                ("clientId", ClientId), ("access", access),
                ("authority", Server.Origin.GetLeftPart(UriPartial.Authority))),
            secrets)
        {
            Name = "mine", Store = store,
        };
    }

    public IAccessTokens Tokens(string? refreshToken = null, ISecretStore? store = null) => AccessTokens.Open(
        Provider, Config(refreshToken ?? Server.GiveRefreshToken(ClientId, "files"), store: store), Services);

    public ValueTask DisposeAsync() => Server.DisposeAsync();
}

/// <summary>Remembers what was to be kept, and fails when told.</summary>
internal sealed class RecordingStore : ISecretStore
{
    public List<string> Kept { get; } = [];

    public Func<Exception?> Failure { get; set; } = () => null;

    public ValueTask ReplaceAsync(IReadOnlyDictionary<string, string> replaced, CancellationToken cancellationToken)
    {
        if (Failure() is { } failure) throw failure;
        Kept.Add(Assert.Single(replaced).Value);
        return ValueTask.CompletedTask;
    }
}

/// <summary>A user who does what a test says.</summary>
internal sealed class ScriptedUser(Func<LinkInvitation, Task> act) : ILinkDialog
{
    private readonly TaskCompletionSource<string> pasted = new();

    public LinkInvitation? Invitation { get; private set; }

    public Task Acting { get; private set; } = Task.CompletedTask;

    public void Paste(string text) => pasted.SetResult(text);

    public ValueTask InviteAsync(LinkInvitation invitation, CancellationToken cancellationToken)
    {
        Invitation = invitation;
        Acting = Task.Run(() => act(invitation), cancellationToken);
        return ValueTask.CompletedTask;
    }

    public async ValueTask<string> ReadPastedAsync(CancellationToken cancellationToken) =>
        await pasted.Task.WaitAsync(cancellationToken);
}
