using Virga.Core;
using Virga.Hosting;
using Virga.Storage;
using Virga.Trust.Log;

namespace Virga.Repository.Log;

/// <summary>
/// Witnesses the logs of repositories whose chains are known here (C2SP tlog-witness): keeps the newest checkpoint that
/// it cosigned of each, durably before the cosignature is given out. Thread-safe.
/// </summary>
internal sealed class WitnessStore(
    Database database, ChainStore chains, PeerKeys keys, TimeProvider time, int logsMax)
{
    public const string SchemaSql =
        "CREATE TABLE log_witnessed(origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, "
        + "note BLOB NOT NULL) WITHOUT ROWID;";

    /// <exception cref="VirgaException">
    /// BadInput: the request is malformed. Denied: the log's repository is known to be fraudulent. Full: too many logs.
    /// </exception>
    public async ValueTask<(WitnessAnswer Answer, string? Cosignature)> AddAsync(
        ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
    {
        var request = AddCheckpoint.Parse(body.Span);
        var origin = Checkpoint.Parse(SignedNote.Parse(request.Note).Text).Origin;
        var log = await IdentityAsync(origin, cancellationToken);
        var latest = await database.ReadAsync(sql => LatestOf(sql, origin), cancellationToken);
        var answer = LogWitness.Judge(request, log, latest);
        if (answer.Accepted is not { } accepted) return (answer, null);
        var newer = await database.WriteAsync(sql => StoreAfter(sql, latest, accepted), cancellationToken);
        if (newer is not null) return (new WitnessAnswer(409, newer.Size), null);
        database.FlushToDisk();
        var name = LogIdentity.WitnessNameOf(keys.Id);
        return (answer, LogWitness.Cosign(accepted, name, keys.Identity.SigningKey, time.GetUtcNow()));
    }

    private async ValueTask<LogIdentity?> IdentityAsync(string origin, CancellationToken cancellationToken)
    {
        if (LogIdentity.RepositoryOf(origin) is not { } repository) return null;
        return await chains.FindAsync(repository, cancellationToken) is { } chain ? LogIdentity.Of(chain) : null;
    }

    private static Checkpoint? LatestOf(SqlSession sql, string origin) =>
        sql.First("SELECT size, root FROM log_witnessed WHERE origin=?1",
            row => new Checkpoint(origin, row.Long(0), row.Hash(1)), origin);

    /// <summary>What was cosigned meanwhile by another request, or null once the accepted one is stored.</summary>
    private Checkpoint? StoreAfter(SqlSession sql, Checkpoint? judged, SignedCheckpoint accepted)
    {
        var head = accepted.Head;
        var latest = LatestOf(sql, head.Origin);
        if (latest is not null && (latest.Size != judged?.Size || latest.Root != judged.Root)) return latest;
        if (latest is null && sql.Scalar("SELECT count(*) FROM log_witnessed") >= logsMax)
        {
            throw new VirgaException(FailureKind.Full, $"this witness keeps {logsMax} logs and takes no more",
                "Use another witness.");
        }

        sql.Execute(
            "INSERT INTO log_witnessed(origin,size,root,note) VALUES(?1,?2,?3,?4) "
                + "ON CONFLICT(origin) DO UPDATE SET size=?2, root=?3, note=?4",
            head.Origin, head.Size, head.Root, accepted.Note.Encode());
        return null;
    }
}
