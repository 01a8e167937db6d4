using Virga.Agent.State;
using Virga.Core;
using Virga.Storage;

namespace Virga.Agent.Notices;

/// <summary>A URL that is told of events.</summary>
/// <param name="Secret">What messages are signed with.</param>
/// <param name="Events">Names of events, or what they begin with (<c>transfer</c>); empty: all.</param>
internal sealed record WebhookRow(
    long Id, Uri Url, byte[] Secret, IReadOnlyList<string> Events, DateTimeOffset Created, DateTimeOffset? LastTold,
    string? Problem)
{
    /// <summary>The path may hold a token: not for lists and logs.</summary>
    public string Shown => Url.GetLeftPart(UriPartial.Authority) + (Url.PathAndQuery.Length > 1 ? "/..." : "");

    public bool Wants(string type) =>
        Events.Count == 0 || Events.Any(e => type == e || type.StartsWith(e + ".", StringComparison.Ordinal));
}

/// <summary>A message that is still to be delivered.</summary>
internal sealed record WebhookMessage(
    string Id, long Hook, byte[] Body, DateTimeOffset Created, int Tries, DateTimeOffset Next);

/// <summary>Webhooks and what is still to be delivered, as they are stored: URLs and secrets sealed.</summary>
internal sealed class WebhookTable(AgentState state)
{
    public const int HooksMax = 16;

    /// <summary>Of one webhook: more, and the oldest are dropped.</summary>
    public const int WaitingMax = 1_000;

    public const string SchemaSql = """
        CREATE TABLE webhooks (
            id INTEGER PRIMARY KEY AUTOINCREMENT, url BLOB NOT NULL, secret BLOB NOT NULL, events TEXT NOT NULL,
            created INTEGER NOT NULL, last_told INTEGER, problem TEXT
        );
        CREATE TABLE webhook_messages (
            id TEXT NOT NULL, hook INTEGER NOT NULL REFERENCES webhooks(id) ON DELETE CASCADE, body BLOB NOT NULL,
            created INTEGER NOT NULL, tries INTEGER NOT NULL DEFAULT 0, next INTEGER NOT NULL,
            PRIMARY KEY (hook, id)
        );
        """;

    private const string UrlPlace = "url of a webhook";
    private const string SecretPlace = "secret of a webhook";

    public ValueTask<long> AddAsync(
        Uri url, byte[] secret, IReadOnlyList<string> events, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var sealedUrl = state.Seal(System.Text.Encoding.UTF8.GetBytes(url.AbsoluteUri), UrlPlace);
        var sealedSecret = state.Seal(secret, SecretPlace);
        return state.Database.WriteAsync(
            db =>
            {
                if (db.Scalar("SELECT COUNT(*) FROM webhooks") >= HooksMax)
                {
                    throw new VirgaException(
                        FailureKind.Full, $"there can be {HooksMax} webhooks at most", "Remove one first.");
                }
                db.Execute(
                    "INSERT INTO webhooks (url, secret, events, created) VALUES (?, ?, ?, ?)",
                    sealedUrl, sealedSecret, string.Join(' ', events), now);
                return db.Scalar("SELECT last_insert_rowid()");
            },
            cancellationToken);
    }

    public async ValueTask<List<WebhookRow>> ListAsync(CancellationToken cancellationToken)
    {
        var rows = await state.Database.ReadAsync(
            db => db.Query(
                "SELECT id, url, secret, events, created, last_told, problem FROM webhooks ORDER BY id",
                row => (
                    Id: row.Long(0), Url: row.Bytes(1), Secret: row.Bytes(2), Events: row.Text(3), Created: row.Time(4),
                    Told: row.IsNull(5) ? (DateTimeOffset?)null : row.Time(5),
                    Problem: row.IsNull(6) ? null : row.Text(6))),
            cancellationToken);
        return
        [
            .. rows.Select(r => new WebhookRow(
                r.Id, new Uri(System.Text.Encoding.UTF8.GetString(state.Unseal(r.Url, UrlPlace))),
                state.Unseal(r.Secret, SecretPlace), r.Events.Split(' ', StringSplitOptions.RemoveEmptyEntries),
                r.Created, r.Told, r.Problem)),
        ];
    }

    public async ValueTask<bool> RemoveAsync(long id, CancellationToken cancellationToken) =>
        await state.Database.WriteAsync(
            db =>
            {
                db.Execute("DELETE FROM webhook_messages WHERE hook = ?", id);
                return db.Execute("DELETE FROM webhooks WHERE id = ?", id);
            },
            cancellationToken) > 0;

    /// <summary>Within a write that also records what the message tells of.</summary>
    public static void Enqueue(SqlSession db, long hook, string id, byte[] body, DateTimeOffset now)
    {
        db.Execute(
            "INSERT INTO webhook_messages (id, hook, body, created, next) VALUES (?, ?, ?, ?, ?)", id, hook, body, now,
            now);
        db.Execute(
            "DELETE FROM webhook_messages WHERE hook = ? AND rowid NOT IN "
                + "(SELECT rowid FROM webhook_messages WHERE hook = ? ORDER BY rowid DESC LIMIT ?)",
            hook, hook, WaitingMax);
    }

    /// <summary>The next message of each webhook, in the order of their time.</summary>
    public ValueTask<List<WebhookMessage>> NextAsync(CancellationToken cancellationToken) =>
        state.Database.ReadAsync(
            db => db.Query(
                "SELECT id, hook, body, created, tries, next FROM webhook_messages WHERE rowid IN "
                    + "(SELECT MIN(rowid) FROM webhook_messages GROUP BY hook) ORDER BY next",
                row => new WebhookMessage(
                    row.Text(0), row.Long(1), row.Bytes(2), row.Time(3), (int)row.Long(4), row.Time(5))),
            cancellationToken);

    public ValueTask<long> CountAsync(long hook, CancellationToken cancellationToken) => state.Database.ReadAsync(
        db => db.Scalar("SELECT COUNT(*) FROM webhook_messages WHERE hook = ?", hook), cancellationToken);

    /// <summary>It was delivered, or is given up.</summary>
    public async ValueTask EndAsync(
        WebhookMessage message, DateTimeOffset? told, string? problem, CancellationToken cancellationToken) =>
        await state.Database.WriteAsync(
            db =>
            {
                db.Execute("DELETE FROM webhook_messages WHERE hook = ? AND id = ?", message.Hook, message.Id);
                db.Execute(
                    "UPDATE webhooks SET last_told = COALESCE(?, last_told), problem = ? WHERE id = ?",
                    told?.ToUnixTimeSeconds(), problem, message.Hook);
            },
            cancellationToken);

    public async ValueTask PutOffAsync(
        WebhookMessage message, DateTimeOffset next, string problem, CancellationToken cancellationToken) =>
        await state.Database.WriteAsync(
            db =>
            {
                db.Execute(
                    "UPDATE webhook_messages SET tries = tries + 1, next = ? WHERE hook = ? AND id = ?", next,
                    message.Hook, message.Id);
                db.Execute("UPDATE webhooks SET problem = ? WHERE id = ?", problem, message.Hook);
            },
            cancellationToken);
}
