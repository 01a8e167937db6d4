using Virga.Core;

namespace Virga.Accounts.Adapters.OAuth;

/// <summary>
/// Renews an account's access tokens with its refresh token (RFC 6749, 6). A refresh token that the service replaced
/// is durable before the access token that came with it is used. No caller can cancel a renewal that others wait for,
/// and that may have cost the old refresh token.
/// </summary>
public sealed class AccessTokens : IAccessTokens
{
    private const string What = "renewing the access token";

    /// <summary>
    /// A token is renewed this long before its end, so that no request carries one that ends on the way.
    /// </summary>
    private static readonly TimeSpan Early = TimeSpan.FromMinutes(5);

    /// <summary>Where the service names no lifetime.</summary>
    private static readonly TimeSpan LifetimeDefault = TimeSpan.FromHours(1);

    /// <summary>After a renewal that failed for now, while the old token still holds.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(30);

    private readonly Lock gate = new();
    private readonly OAuthSettings settings;
    private readonly AccountConfig config;
    private readonly AdapterServices services;
    private readonly OAuthClient client;
    private string refreshToken;
    private Grant? current;
    private Grant? unstored;
    private Task<Grant>? renewal;

    private AccessTokens(OAuthSettings settings, AccountConfig config, AdapterServices services)
    {
        this.settings = settings;
        this.config = config;
        this.services = services;
        client = new OAuthClient(services, settings.Provider.Title);
        refreshToken = settings.RefreshToken;
    }

    /// <summary>
    /// The tokens of an account whose configuration holds <see cref="OAuthSettings.Known"/>. Asks nothing yet.
    /// </summary>
    /// <exception cref="VirgaException">BadInput; Unauthenticated when the account was never linked.</exception>
    public static IAccessTokens Open(OAuthProvider provider, AccountConfig config, AdapterServices services) =>
        new AccessTokens(OAuthSettings.From(provider, config), config, services);

    public ValueTask<string> GetAsync(CancellationToken cancellationToken)
    {
        Task<Grant> running;
        lock (gate)
        {
            if (current is { } now && services.Clock.GetUtcNow() < now.RenewAt) return new(now.Token);
            running = renewal ??= Task.Run(RenewAsync, CancellationToken.None);
        }
        return WaitAsync(running, cancellationToken);
    }

    public void Refused(string token)
    {
        lock (gate)
        {
            if (current?.Token == token) current = null;
        }
    }

    private static async ValueTask<string> WaitAsync(Task<Grant> running, CancellationToken cancellationToken) =>
        (await running.WaitAsync(cancellationToken)).Token;

    private async Task<Grant> RenewAsync()
    {
        Grant? old;
        lock (gate) old = current;
        try
        {
            var next = unstored ?? await AskAsync();
            if (unstored is not null) await StoreAsync();
            lock (gate) return current = next;
        }
        catch (VirgaException e) when (e.IsTransient && StillGood(old) is { } good)
        {
            lock (gate) return current = good;
        }
        finally
        {
            lock (gate) renewal = null;
        }
    }

    /// <summary>The old token while it holds and nobody refused it, to be renewed a little later.</summary>
    private Grant? StillGood(Grant? old)
    {
        var now = services.Clock.GetUtcNow();
        lock (gate)
        {
            return old is not null && ReferenceEquals(current, old) && now < old.Ends
                ? old with { RenewAt = now + Pause < old.Ends ? now + Pause : old.Ends }
                : null;
        }
    }

    private async Task<Grant> AskAsync()
    {
        List<KeyValuePair<string, string>> form =
        [
            new("grant_type", "refresh_token"), new("refresh_token", refreshToken), new("client_id", settings.ClientId),
        ];
        if (settings.ClientSecret is { } secret) form.Add(new("client_secret", secret));
        var asked = services.Clock.GetUtcNow();
        var answer = await client.PostAsync(What, settings.Provider.Token, form, CancellationToken.None);
        if (!answer.IsGood || answer.Error.Length > 0) throw client.Failure(What, answer, Relink);
        var token = TokenOf(answer, What, settings.Provider.Title);
        var lifetime = answer.Seconds("expires_in") ?? LifetimeDefault;
        var early = lifetime / 10 < Early ? lifetime / 10 : Early;
        var grant = new Grant(token, asked + lifetime - early, asked + lifetime);
        if (answer.Text("refresh_token") is { Length: > 0 } replaced && replaced != refreshToken)
        {
            refreshToken = replaced;
            unstored = grant;
        }
        return grant;
    }

    /// <summary>
    /// Kept aside until it has succeeded: a replaced refresh token that was lost could not be had again.
    /// </summary>
    private async Task StoreAsync()
    {
        if (config.Store is { } store)
        {
            var replaced = new Dictionary<string, string> { [OAuthSettings.RefreshTokenName] = refreshToken };
            await store.ReplaceAsync(replaced, CancellationToken.None);
        }
        unstored = null;
    }

    private string Relink => $"Link it again: virga account link {config.Name ?? "NAME"} {config.Adapter}";

    /// <summary>The access token of a good answer, which has to be a bearer token (RFC 6750).</summary>
    internal static string TokenOf(OAuthAnswer answer, string what, string title)
    {
        var isBearer = answer.Text("token_type") is not { } type
            || type.Equals("bearer", StringComparison.OrdinalIgnoreCase);
        return isBearer && answer.Text("access_token") is { Length: > 0 } token && token.All(char.IsAscii)
            && !token.Any(char.IsControl)
            ? token
            : throw new VirgaException(
                FailureKind.Unsupported, $"{what}: {title} gave no bearer token",
                "Check the account's authority setting: what answers there is no authorisation server.");
    }

    /// <summary>Says nothing of what it holds.</summary>
    public override string ToString() => $"access tokens of {settings.Provider.Title}";

    private sealed record Grant(string Token, DateTimeOffset RenewAt, DateTimeOffset Ends)
    {
        public override string ToString() => "access token";
    }
}
