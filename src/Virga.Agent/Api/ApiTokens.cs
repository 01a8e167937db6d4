using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Virga.Agent.Control;
using Virga.Agent.State;
using Virga.Core;
using Virga.Storage;

namespace Virga.Agent.Api;

/// <summary>
/// A token as it is kept: what it is known by is a hash, so that reading the database lets nobody in.
/// </summary>
/// <param name="Hash">SHA-256 of the token's text.</param>
internal sealed record ApiToken(
    long Id, string Name, Hash256 Hash, ApiScope Scopes, DateTimeOffset Created, DateTimeOffset? Expires,
    DateTimeOffset? LastUsed);

/// <summary>Tokens with which other programs use the local API: made, listed, removed, and checked.</summary>
internal sealed class ApiTokens(AgentState state, TimeProvider time, RandomBytes random)
{
    public const int TokensMax = 64;
    public const int DaysMax = 3_660;
    private const int NameCharsMax = 64;
    private const string Prefix = "virga_";
    private const int SecretBytes = 32;

    public const string SchemaSql = """
        CREATE TABLE api_tokens (
            id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, hash BLOB NOT NULL UNIQUE,
            scopes INTEGER NOT NULL, created INTEGER NOT NULL, expires INTEGER, last_used INTEGER
        );
        """;

    /// <summary>When last a use was written: one write a minute is enough to tell.</summary>
    private static readonly TimeSpan UseNoted = TimeSpan.FromMinutes(1);

    private volatile List<ApiToken> tokens = [];

    public async Task LoadAsync(CancellationToken cancellationToken) => tokens = await state.Database.ReadAsync(
        db => db.Query(
            "SELECT id, name, hash, scopes, created, expires, last_used FROM api_tokens ORDER BY id",
            row => new ApiToken(
                row.Long(0), row.Text(1), row.Hash(2), (ApiScope)row.Long(3), row.Time(4),
                row.IsNull(5) ? null : row.Time(5), row.IsNull(6) ? null : row.Time(6))),
        cancellationToken);

    public List<TokenInfo> List() => [.. tokens.Select(Describe)];

    public async Task<TokenAdded> AddAsync(TokenRequest request, CancellationToken cancellationToken)
    {
        var name = request.Name.Trim();
        if (name.Length is 0 or > NameCharsMax || name.Any(char.IsControl))
        {
            throw new VirgaException(
                FailureKind.BadInput, $"a token's name has 1 to {NameCharsMax} characters", "Say what it is for.");
        }
        var scopes = ApiScopes.Parse(request.Scopes);
        if (request.Days is < 1 or > DaysMax)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"a token lives for 1 to {DaysMax} days",
                "Leave the days out for one without end.");
        }
        var secret = new byte[SecretBytes];
        random(secret);
        var text = Prefix + Base64Url.EncodeToString(secret);
        var now = time.GetUtcNow();
        long? expires = request.Days is { } days ? now.AddDays(days).ToUnixTimeSeconds() : null;
        var id = await state.Database.WriteAsync(
            db =>
            {
                if (db.Scalar("SELECT COUNT(*) FROM api_tokens") >= TokensMax)
                    throw new VirgaException(
                        FailureKind.Full, $"there can be {TokensMax} tokens at most", "Remove one first.");
                if (db.Scalar("SELECT COUNT(*) FROM api_tokens WHERE name = ?", name) > 0)
                    throw new VirgaException(
                        FailureKind.Conflict, $"there is a token '{name}' already",
                        "Choose another name, or remove it.");
                db.Execute(
                    "INSERT INTO api_tokens (name, hash, scopes, created, expires) VALUES (?, ?, ?, ?, ?)",
                    name, HashOf(text), (long)scopes, now, expires);
                return db.Scalar("SELECT last_insert_rowid()");
            },
            cancellationToken);
        await LoadAsync(cancellationToken);
        return new TokenAdded(Describe(tokens.Single(t => t.Id == id)), text);
    }

    public async Task RemoveAsync(long id, CancellationToken cancellationToken)
    {
        var removed = await state.Database.WriteAsync(
            db => db.Execute("DELETE FROM api_tokens WHERE id = ?", id), cancellationToken);
        await LoadAsync(cancellationToken);
        if (removed == 0)
            throw new VirgaException(FailureKind.NotFound, "there is no such token", "See them with: virga token list");
    }

    /// <summary>
    /// Refuses a request whose token is not good for the operation: Unauthenticated where there is no such token any
    /// more, Denied where it has not the scope.
    /// </summary>
    /// <param name="authorization">The Authorization header.</param>
    public async ValueTask RequireAsync(
        string authorization, string method, string pattern, CancellationToken cancellationToken)
    {
        const string scheme = "Bearer ";
        var hash = authorization.StartsWith(scheme, StringComparison.OrdinalIgnoreCase)
            ? HashOf(authorization[scheme.Length..].Trim()) : default;
        var now = time.GetUtcNow();
        // By hash: how long it takes tells nothing of any token.
        var token = tokens.FirstOrDefault(t => t.Hash == hash);
        if (token is null || token.Expires <= now)
        {
            throw new VirgaException(
                FailureKind.Unauthenticated,
                token is null ? "the API takes a token, and this is none that is known here" : "the token has expired",
                "Make one with `virga token add`, and send it as 'Authorization: Bearer virga_...'.");
        }
        var needed = ApiOperations.Find(method, pattern)?.Scope ?? ApiScope.Admin;
        if (!token.Scopes.HasFlag(needed) && !token.Scopes.HasFlag(ApiScope.Admin))
        {
            throw new VirgaException(
                FailureKind.Denied, $"the token '{token.Name}' may not do this: it takes the scope "
                    + ApiScopes.NamesOf(needed)[0],
                "Make another one with `virga token add`.");
        }
        if (token.LastUsed is { } last && now - last < UseNoted) return;
        tokens = [.. tokens.Select(t => t.Id == token.Id ? t with { LastUsed = now } : t)];
        await state.Database.WriteAsync(
            db => { db.Execute("UPDATE api_tokens SET last_used = ? WHERE id = ?", now, token.Id); },
            cancellationToken);
    }

    private static Hash256 HashOf(string text) => new(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private static TokenInfo Describe(ApiToken token) => new(
        token.Id, token.Name, ApiScopes.NamesOf(token.Scopes), token.Created, token.Expires, token.LastUsed);
}
