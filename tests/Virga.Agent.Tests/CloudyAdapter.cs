using Virga.Accounts;
using Virga.Accounts.Adapters;
using Virga.Accounts.Adapters.OAuth;
using Virga.Accounts.Decorators;
using Virga.Core;
using Virga.Testing.Accounts;
using Virga.Testing.Fakes.OAuth;

namespace Virga.Agent.Tests;

/// <summary>A service that is linked: an account in memory behind tokens of a strict authorisation server.</summary>
internal sealed class CloudyAdapter(AuthorizationServer server, AdapterServices services) : ILinkedAdapter
{
    public const string ClientId = "client-1", ClientSecret = "planted-client-secret";

    private readonly InMemoryStore store = new();
    private readonly OAuthProvider provider = new(
        "Cloudy", new Uri(server.Origin, "/authorize"), new Uri(server.Origin, "/token"))
    {
        Revocation = new Uri(server.Origin, "/revoke"),
        Consents = new Uri("https://cloudy.example/consents"),
        Scopes = new Dictionary<LinkAccess, IReadOnlyList<LinkScope>>
        {
            [LinkAccess.Full] = [new("files", "change all files")],
            [LinkAccess.ReadOnly] = [new("files.read", "read all files")],
        },
        NeedsClientSecret = true,
        Guide = "guides/linking.md",
    };

    public string Name => "cloudy";

    public IReadOnlyList<AccountSetting> Settings => [.. OAuthSettings.Known, new("folder", "Where the root lies")];

    public IAccountLinker Linker => new OAuthLinker(provider, services);

    public static AuthorizationServer NewServer(TimeProvider clock, AuthorizationRules? rules = null)
    {
        var server = new AuthorizationServer(
            rules ?? new AuthorizationRules(), clock, System.Security.Cryptography.RandomNumberGenerator.Fill);
        server.Clients[ClientId] = new RegisteredClient(
            ClientId, ClientSecret, ["http://127.0.0.1/"], ["files", "files.read"], []);
        return server;
    }

    public AccountConfig ParseAddress(
        string address, IReadOnlyDictionary<string, string> settings, IReadOnlyDictionary<string, string> secrets)
    {
        var config = new AccountConfig(
            Name, new Dictionary<string, string>(settings) { ["folder"] = address.Split(':')[^1] }, secrets);
        OAuthSettings.From(provider, config);
        return config;
    }

    public string Describe(AccountConfig config) => "cloudy:" + config.Settings["folder"];

    public ValueTask<IAccount> OpenAsync(AccountConfig config, CancellationToken cancellationToken)
    {
        var tokens = AccessTokens.Open(provider, config, services);
        return ValueTask.FromResult<IAccount>(new Account(new InMemoryAccount(store), tokens, server));
    }

    private sealed class Account(IAccount inner, IAccessTokens tokens, AuthorizationServer server)
        : AccountDecorator(inner)
    {
        public override async ValueTask<EntryReader> ReadAsync(
            EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken)
        {
            await AuthorizeAsync(cancellationToken);
            return await Inner.ReadAsync(path, range, pin, cancellationToken);
        }

        protected override async ValueTask<T> CallAsync<T>(
            AccountCall call, Func<CancellationToken, ValueTask<T>> action, CancellationToken cancellationToken)
        {
            await AuthorizeAsync(cancellationToken);
            return await action(cancellationToken);
        }

        protected override async IAsyncEnumerable<T> ListAsync<T>(
            AccountCall call, Func<CancellationToken, IAsyncEnumerable<T>> list, Func<T, string> key,
            [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await AuthorizeAsync(cancellationToken);
            await foreach (var item in list(cancellationToken)) yield return item;
        }

        private async Task AuthorizeAsync(CancellationToken cancellationToken)
        {
            for (var tries = 0; tries < 2; tries++)
            {
                var token = await tokens.GetAsync(cancellationToken);
                if (server.Permits(token, "files")) return;
                tokens.Refused(token);
            }
            throw new VirgaException(FailureKind.Unauthenticated, "refused a new token");
        }
    }
}
