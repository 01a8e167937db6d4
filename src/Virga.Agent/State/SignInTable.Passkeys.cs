using Virga.Core;
using Virga.Storage;

namespace Virga.Agent.State;

/// <summary>A passkey with which one signs in on the page. It holds nothing that is secret.</summary>
/// <param name="User">What authenticators know the page's user by; the same for all passkeys of an agent.</param>
/// <param name="Name">What the user calls it.</param>
/// <param name="Host">The host name that it is good for (WebAuthn's relying party).</param>
/// <param name="SignCount">As the authenticator last told; 0 where it doesn't count.</param>
/// <param name="Transports">How browsers reach it (usb, nfc, internal, ...), with blanks between.</param>
public sealed record PagePasskey(
    byte[] Id, string User, string Name, string Host, byte[] PublicKey, DateTimeOffset Created, DateTimeOffset? Used,
    long SignCount, string Transports, bool IsBackupEligible, bool IsBackedUp);

/// <summary>The passkeys.</summary>
public sealed partial class SignInTable
{
    public const int PasskeysMax = 32;

    internal const string PasskeysSql = """
        CREATE TABLE page_passkeys (
            id BLOB PRIMARY KEY, user TEXT NOT NULL, name TEXT NOT NULL, host TEXT NOT NULL, public_key BLOB NOT NULL,
            created INTEGER NOT NULL, used INTEGER, sign_count INTEGER NOT NULL, transports TEXT NOT NULL,
            backup_eligible INTEGER NOT NULL, backed_up INTEGER NOT NULL
        ) WITHOUT ROWID;
        """;

    /// <summary>Oldest first.</summary>
    public ValueTask<List<PagePasskey>> PasskeysAsync(CancellationToken cancellationToken) => database.ReadAsync(
        db => db.Query(
            "SELECT id, user, name, host, public_key, created, used, sign_count, transports, backup_eligible, "
                + "backed_up FROM page_passkeys ORDER BY created, id",
            row => new PagePasskey(
                row.Bytes(0), row.Text(1), row.Text(2), row.Text(3), row.Bytes(4), row.Time(5),
                row.IsNull(6) ? null : row.Time(6), row.Long(7), row.Text(8), row.Bool(9), row.Bool(10))),
        cancellationToken);

    /// <summary>False where there are too many already, or this one is known.</summary>
    public ValueTask<bool> AddAsync(PagePasskey passkey, CancellationToken cancellationToken) =>
        database.WriteAsync(db => Add(db, passkey), cancellationToken);

    /// <summary>The first way to sign in, with its passkey; false where somebody was first.</summary>
    public ValueTask<bool> PutFirstAsync(
        SignInSecret signIn, PagePasskey passkey, CancellationToken cancellationToken) =>
        database.WriteAsync(db => Put(db, signIn, isFirst: true) && Add(db, passkey), cancellationToken);

    /// <summary>After it was used; false where it was removed meanwhile.</summary>
    public async ValueTask<bool> UsedAsync(
        byte[] id, long signCount, bool isBackedUp, DateTimeOffset now, CancellationToken cancellationToken) =>
        await database.WriteAsync(
            db => db.Execute(
                "UPDATE page_passkeys SET sign_count = ?, backed_up = ?, used = ? WHERE id = ?",
                signCount, isBackedUp, now, id),
            cancellationToken) > 0;

    public async ValueTask<bool> RenameAsync(byte[] id, string name, CancellationToken cancellationToken) =>
        await database.WriteAsync(
            db => db.Execute("UPDATE page_passkeys SET name = ? WHERE id = ?", name, id), cancellationToken) > 0;

    /// <summary>False where nobody could sign in any more: it is the last one, and there is no password.</summary>
    public ValueTask<bool> RemoveAsync(byte[] id, CancellationToken cancellationToken) => database.WriteAsync(
        db =>
        {
            var isNeeded = db.Scalar("SELECT COUNT(*) FROM page_sign_in WHERE password <> ''") == 0
                && db.Scalar("SELECT COUNT(*) FROM page_passkeys WHERE id <> ?", id) == 0;
            if (isNeeded) return false;
            db.Execute("DELETE FROM page_passkeys WHERE id = ?", id);
            return true;
        },
        cancellationToken);

    private static bool Add(SqlSession db, PagePasskey passkey) =>
        db.Scalar("SELECT COUNT(*) FROM page_passkeys") < PasskeysMax
            && db.Execute(
                "INSERT INTO page_passkeys (id, user, name, host, public_key, created, used, sign_count, transports, "
                    + "backup_eligible, backed_up) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                passkey.Id, passkey.User, passkey.Name, passkey.Host, passkey.PublicKey, passkey.Created,
                passkey.Used is { } used ? used : SqlValue.Null, passkey.SignCount, passkey.Transports,
                passkey.IsBackupEligible, passkey.IsBackedUp) > 0;
}
