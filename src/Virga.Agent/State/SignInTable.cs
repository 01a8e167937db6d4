using Virga.Core;
using Virga.Storage;

namespace Virga.Agent.State;

/// <summary>How the agent's user signs in on its page. Nothing of it lets anybody sign in who only reads it.</summary>
/// <param name="Password">Hash of it, with salt; empty where there are passkeys alone.</param>
/// <param name="Recovery">SHA-256 of the recovery code.</param>
public sealed record SignInSecret(string Password, Hash256 Recovery, DateTimeOffset Changed);

/// <summary>A browser that is signed in.</summary>
/// <param name="Id">SHA-256 of the secret in its cookie.</param>
/// <param name="Device">What it says it is, made harmless.</param>
public sealed record PageSession(
    Hash256 Id, DateTimeOffset Created, DateTimeOffset Seen, DateTimeOffset Ends, string Device, string Address);

/// <summary>Sign-in, passkeys and sessions of the page, in the agent's database.</summary>
public sealed partial class SignInTable
{
    /// <summary>Beyond that the oldest ends.</summary>
    public const int SessionsMax = 64;

    internal const string SchemaSql = """
        CREATE TABLE page_sign_in (
            one INTEGER PRIMARY KEY CHECK (one = 1), password TEXT NOT NULL, recovery BLOB NOT NULL,
            changed INTEGER NOT NULL
        );
        CREATE TABLE page_sessions (
            id BLOB PRIMARY KEY, created INTEGER NOT NULL, seen INTEGER NOT NULL, ends INTEGER NOT NULL,
            device TEXT NOT NULL, address TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE page_codes (id BLOB PRIMARY KEY, ends INTEGER NOT NULL) WITHOUT ROWID;
        """;

    private readonly Database database;

    internal SignInTable(Database database) => this.database = database;

    /// <summary>Null until the user has set one up.</summary>
    public ValueTask<SignInSecret?> FindAsync(CancellationToken cancellationToken) => database.ReadAsync(
        db => db.First(
            "SELECT password, recovery, changed FROM page_sign_in",
            row => new SignInSecret(row.Text(0), row.Hash(1), row.Time(2))),
        cancellationToken);

    /// <param name="isFirst">Only where there is none; false when there is.</param>
    public async ValueTask<bool> PutAsync(SignInSecret signIn, bool isFirst, CancellationToken cancellationToken) =>
        await database.WriteAsync(db => Put(db, signIn, isFirst), cancellationToken);

    public ValueTask<List<PageSession>> SessionsAsync(DateTimeOffset now, CancellationToken cancellationToken) =>
        database.ReadAsync(
            db => db.Query(
                "SELECT id, created, seen, ends, device, address FROM page_sessions WHERE ends > ? ORDER BY seen DESC",
                row => new PageSession(
                    row.Hash(0), row.Time(1), row.Time(2), row.Time(3), row.Text(4), row.Text(5)),
                now),
            cancellationToken);

    public ValueTask AddAsync(PageSession session, CancellationToken cancellationToken) => database.WriteAsync(
        db =>
        {
            db.Execute("DELETE FROM page_sessions WHERE ends <= ?", session.Created);
            db.Execute(
                "INSERT INTO page_sessions (id, created, seen, ends, device, address) VALUES (?, ?, ?, ?, ?, ?)",
                session.Id, session.Created, session.Seen, session.Ends, session.Device, session.Address);
            db.Execute(
                "DELETE FROM page_sessions WHERE id NOT IN "
                    + "(SELECT id FROM page_sessions ORDER BY seen DESC LIMIT ?)",
                SessionsMax);
        },
        cancellationToken);

    public ValueTask SeenAsync(
        Hash256 id, DateTimeOffset seen, DateTimeOffset ends, CancellationToken cancellationToken) =>
        database.WriteAsync(
            db => { db.Execute("UPDATE page_sessions SET seen = ?, ends = ? WHERE id = ?", seen, ends, id); },
            cancellationToken);

    /// <param name="id">Null ends all but <paramref name="except"/>.</param>
    public ValueTask EndAsync(Hash256? id, Hash256? except, CancellationToken cancellationToken) =>
        database.WriteAsync(
            db =>
            {
                if (id is { } one) db.Execute("DELETE FROM page_sessions WHERE id = ?", one);
                else if (except is { } kept) db.Execute("DELETE FROM page_sessions WHERE id <> ?", kept);
                else db.Execute("DELETE FROM page_sessions");
            },
            cancellationToken);

    /// <summary>A code that signs in once, by its hash.</summary>
    public ValueTask AddCodeAsync(
        Hash256 id, DateTimeOffset now, DateTimeOffset ends, CancellationToken cancellationToken) =>
        database.WriteAsync(
            db =>
            {
                db.Execute("DELETE FROM page_codes WHERE ends <= ?", now);
                db.Execute("INSERT INTO page_codes (id, ends) VALUES (?, ?)", id, ends);
            },
            cancellationToken);

    /// <summary>Whether the code was good; it is so once.</summary>
    public async ValueTask<bool> TakeCodeAsync(Hash256 id, DateTimeOffset now, CancellationToken cancellationToken) =>
        await database.WriteAsync(
            db => db.Execute("DELETE FROM page_codes WHERE id = ? AND ends > ?", id, now), cancellationToken) > 0;

    private static bool Put(SqlSession db, SignInSecret signIn, bool isFirst) => db.Execute(
        isFirst
            ? "INSERT INTO page_sign_in VALUES (1, ?, ?, ?) ON CONFLICT DO NOTHING"
            : "INSERT OR REPLACE INTO page_sign_in VALUES (1, ?, ?, ?)",
        signIn.Password, signIn.Recovery, signIn.Changed) > 0;
}
