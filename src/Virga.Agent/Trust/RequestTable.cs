using Virga.Agent.State;
using Virga.Core;
using Virga.Protocol;
using Virga.Storage;
using Virga.Trust;

namespace Virga.Agent.Trust;

/// <summary>Somebody asks this agent's user for a vouch.</summary>
/// <param name="Id">Another one as soon as it asks for something else, so that nobody says yes to what they did not
/// see.</param>
/// <param name="Expires">When it is forgotten.</param>
internal sealed record RequestRow(
    long Id, AgentId Agent, VouchAsk Ask, DateTimeOffset Asked, DateTimeOffset Expires, VouchAskState State,
    string? Reason);

/// <summary>This agent's user has asked somebody for a vouch.</summary>
/// <param name="Endpoint">Where it was delivered.</param>
internal sealed record AskedRow(
    AgentId Agent, Endpoint? Endpoint, VouchAsk Ask, DateTimeOffset Asked, DateTimeOffset Expires,
    VouchAskState State, string? Reason);

/// <summary>Requests for a vouch, of others and to others, as they are stored.</summary>
internal sealed class RequestTable(AgentState state, int rowsMax = RequestTable.RowsMax)
{
    /// <summary>Most that are kept each way (spec/v1/limits.md).</summary>
    public const int RowsMax = 1_000;

    public const string SchemaSql = """
        CREATE TABLE vouch_requests (
            id INTEGER PRIMARY KEY AUTOINCREMENT, agent BLOB NOT NULL UNIQUE, scopes INTEGER NOT NULL,
            depth INTEGER NOT NULL, days INTEGER NOT NULL, note TEXT, asked INTEGER NOT NULL,
            expires INTEGER NOT NULL, state INTEGER NOT NULL DEFAULT 0, reason TEXT
        );
        CREATE TABLE vouch_asked (
            agent BLOB PRIMARY KEY, endpoint TEXT, scopes INTEGER NOT NULL, depth INTEGER NOT NULL,
            days INTEGER NOT NULL, note TEXT, asked INTEGER NOT NULL, expires INTEGER NOT NULL,
            state INTEGER NOT NULL DEFAULT 0, reason TEXT
        ) WITHOUT ROWID;
        """;

    private const string RequestColumns = "id, agent, scopes, depth, days, note, asked, expires, state, reason";
    private const string AskedColumns = "agent, endpoint, scopes, depth, days, note, asked, expires, state, reason";

    private long alterations;

    /// <summary>Another number after each write about what others ask.</summary>
    public long Alterations => Interlocked.Read(ref alterations);

    /// <summary>How long somebody who was refused waits before asking anew.</summary>
    private static readonly TimeSpan AskAgainAfter = TimeSpan.FromDays(1);

    /// <summary>Those that have not expired, the oldest first.</summary>
    public ValueTask<List<RequestRow>> ListAsync(DateTimeOffset now, CancellationToken cancellationToken) =>
        state.Database.ReadAsync(
            db => db.Query(
                $"SELECT {RequestColumns} FROM vouch_requests WHERE expires > ? ORDER BY id", ReadRequest, now),
            cancellationToken);

    public ValueTask<RequestRow?> FindAsync(AgentId agent, DateTimeOffset now, CancellationToken cancellationToken) =>
        state.Database.ReadAsync(db => Find(db, agent, now), cancellationToken);

    /// <summary>
    /// Keeps a request in the place of an earlier one of the same asker. The same once more changes nothing.
    /// </summary>
    /// <returns>The row, and whether it is new.</returns>
    /// <exception cref="VirgaException">Throttled: refused just now; Full.</exception>
    public ValueTask<(RequestRow Row, bool IsNew)> AddAsync(
        AgentId agent, VouchAsk ask, DateTimeOffset now, DateTimeOffset expires, CancellationToken cancellationToken) =>
        WriteAsync(db => Add(db, agent, ask, now, expires), cancellationToken);

    /// <summary>NotFound where it is gone, or answered already.</summary>
    public ValueTask<RequestRow> RequireWaitingAsync(
        long id, DateTimeOffset now, CancellationToken cancellationToken) =>
        state.Database.ReadAsync(
            db => db.First(
                $"SELECT {RequestColumns} FROM vouch_requests WHERE id = ? AND state = 0 AND expires > ?", ReadRequest,
                id, now) ?? throw NoSuch(id),
            cancellationToken);

    /// <summary>False where it is gone: taken back, or another has taken its place.</summary>
    public async ValueTask<bool> AnswerAsync(
        long id, VouchAskState answer, string? reason, DateTimeOffset expires, CancellationToken cancellationToken) =>
        await WriteAsync(
            db => db.Execute(
                "UPDATE vouch_requests SET state = ?, reason = ?, expires = ? WHERE id = ?", (int)answer, reason,
                expires, id),
            cancellationToken) > 0;

    /// <summary>NotFound where it is gone.</summary>
    public async ValueTask RemoveAsync(long id, CancellationToken cancellationToken)
    {
        var removed = await WriteAsync(
            db => db.Execute("DELETE FROM vouch_requests WHERE id = ?", id), cancellationToken);
        if (removed == 0) throw NoSuch(id);
    }

    public async ValueTask<bool> RemoveOfAsync(AgentId agent, CancellationToken cancellationToken) =>
        await WriteAsync(
            db => db.Execute("DELETE FROM vouch_requests WHERE agent = ?", agent.Hash), cancellationToken) > 0;

    /// <summary>Those that this agent sent, the newest first.</summary>
    public ValueTask<List<AskedRow>> ListAskedAsync(CancellationToken cancellationToken) =>
        state.Database.ReadAsync(
            db => db.Query($"SELECT {AskedColumns} FROM vouch_asked ORDER BY asked DESC", ReadAsked),
            cancellationToken);

    public ValueTask PutAskedAsync(AskedRow row, CancellationToken cancellationToken) =>
        state.Database.WriteAsync(
            db =>
            {
                db.Execute(
                    $"INSERT OR REPLACE INTO vouch_asked ({AskedColumns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    row.Agent.Hash, row.Endpoint?.ToText(), (int)row.Ask.Scopes, row.Ask.Depth, row.Ask.Days,
                    row.Ask.Note, row.Asked, row.Expires, (int)row.State, row.Reason);
                db.Execute(
                    "DELETE FROM vouch_asked WHERE agent NOT IN "
                        + "(SELECT agent FROM vouch_asked ORDER BY asked DESC LIMIT ?)",
                    rowsMax);
            },
            cancellationToken);

    public async ValueTask<bool> RemoveAskedAsync(AgentId agent, CancellationToken cancellationToken) =>
        await state.Database.WriteAsync(
            db => db.Execute("DELETE FROM vouch_asked WHERE agent = ?", agent.Hash), cancellationToken) > 0;

    private async ValueTask<T> WriteAsync<T>(Func<SqlSession, T> write, CancellationToken cancellationToken)
    {
        var result = await state.Database.WriteAsync(write, cancellationToken);
        Interlocked.Increment(ref alterations);
        return result;
    }

    private (RequestRow Row, bool IsNew) Add(
        SqlSession db, AgentId agent, VouchAsk ask, DateTimeOffset now, DateTimeOffset expires)
    {
        db.Execute("DELETE FROM vouch_requests WHERE expires <= ?", now);
        if (Find(db, agent, now) is { } before)
        {
            if (before.State == VouchAskState.Waiting && before.Ask == ask) return (before, false);
            // An answer is kept as long as a request is, so that its end tells when it was given.
            var refusedFor = now - (before.Expires - (expires - now));
            if (before.State == VouchAskState.Refused && refusedFor < AskAgainAfter)
            {
                throw new VirgaException(
                    FailureKind.Throttled, "this request was refused just now",
                    "Talk to the person; a day after the refusal you may ask again.")
                {
                    RetryAfter = AskAgainAfter - refusedFor,
                };
            }
            db.Execute("DELETE FROM vouch_requests WHERE agent = ?", agent.Hash);
        }
        if (db.Scalar("SELECT count(*) FROM vouch_requests") >= rowsMax && !MakeRoom(db))
        {
            throw new VirgaException(
                FailureKind.Full, "too many others wait for an answer here already",
                "Ask the person in another way, or try again in some days.");
        }
        db.Execute(
            "INSERT INTO vouch_requests (agent, scopes, depth, days, note, asked, expires) "
                + "VALUES (?, ?, ?, ?, ?, ?, ?)",
            agent.Hash, (int)ask.Scopes, ask.Depth, ask.Days, ask.Note, now, expires);
        return (Find(db, agent, now)!, true);
    }

    /// <summary>What was answered long ago goes first; who still waits is never pushed out by others.</summary>
    private static bool MakeRoom(SqlSession db) => db.Execute(
        "DELETE FROM vouch_requests WHERE id = "
            + "(SELECT id FROM vouch_requests WHERE state <> 0 ORDER BY expires LIMIT 1)") > 0;

    private static RequestRow? Find(SqlSession db, AgentId agent, DateTimeOffset now) => db.First(
        $"SELECT {RequestColumns} FROM vouch_requests WHERE agent = ? AND expires > ?", ReadRequest, agent.Hash, now);

    private static RequestRow ReadRequest(SqlRow row) => new(
        row.Long(0), new AgentId(row.Hash(1)), ReadAsk(row, 2), row.Time(6), row.Time(7), (VouchAskState)row.Long(8),
        row.IsNull(9) ? null : row.Text(9));

    private static AskedRow ReadAsked(SqlRow row) => new(
        new AgentId(row.Hash(0)), row.IsNull(1) ? null : Endpoint.FromUser(row.Text(1)), ReadAsk(row, 2), row.Time(6),
        row.Time(7), (VouchAskState)row.Long(8), row.IsNull(9) ? null : row.Text(9));

    private static VouchAsk ReadAsk(SqlRow row, int at) => new(
        (TrustScopes)row.Long(at), (int)row.Long(at + 1), (int)row.Long(at + 2),
        row.IsNull(at + 3) ? null : row.Text(at + 3));

    public static VirgaException NoSuch(long id) => new(
        FailureKind.NotFound, $"no request {id} waits for an answer",
        "Who asks for something else gets another number; see them with: virga trust requests");
}
