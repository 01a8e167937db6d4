using Virga.Core;
using Virga.Hosting;
using Virga.Storage;
using Virga.Trust;
using Virga.Trust.Log;

namespace Virga.Repository.Log;

/// <summary>
/// The log of everything that the repository accepts (spec/v1/log.md), as tiles in a folder. Entries are numbered in
/// the transaction that accepts them; they are published behind it, in this order: database flushed to the disk; tiles;
/// checkpoint. So whatever is interrupted, the log goes on from every checkpoint that it ever gave out. A database that
/// is behind the checkpoint, because it was lost or restored, is filled again from the tiles. Thread-safe.
/// </summary>
internal sealed class TransparencyLog : IStatementLog, IAsyncDisposable
{
    /// <summary>The tables: one migration.</summary>
    public const string SchemaSql = """
        CREATE TABLE log_entry(number INTEGER PRIMARY KEY, entry BLOB NOT NULL);
        CREATE TABLE log_place(leaf BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE log_owner(epoch INTEGER NOT NULL);
        INSERT INTO log_owner(epoch) VALUES(0);
        """;

    private const string CheckpointName = "checkpoint";
    private const int BatchEntries = 1_024;
    private const int ImportEntries = 1_000;

    private readonly Database database;
    private readonly LogFolder folder;
    private readonly PeerKeys keys;
    private readonly TimeProvider time;
    private readonly SemaphoreSlim publishing = new(1, 1);
    private readonly SemaphoreSlim wanted = new(0, 1);
    private readonly CancellationTokenSource stopping = new();
    private Task running = Task.CompletedTask;
    private LogEdge edge = new();
    private volatile SignedCheckpoint? current;
    private long epoch;
    private int ownLogged;
    private bool isRestoring;
    private bool disposed;

    private TransparencyLog(Database database, LogFolder folder, PeerKeys keys, TimeProvider time)
    {
        this.database = database;
        this.folder = folder;
        this.keys = keys;
        this.time = time;
    }

    /// <summary>First line of every checkpoint.</summary>
    public string Origin => LogIdentity.OriginOf(keys.Id);

    /// <summary>What was published last; others may have seen it.</summary>
    public SignedCheckpoint Current => current ?? throw new InvalidOperationException("the log is not open yet");

    /// <summary>Told after each checkpoint that has more entries than the one before.</summary>
    public Action<SignedCheckpoint>? Published { get; set; }

    /// <summary>Told of a publication in the background that failed; it is tried again.</summary>
    public Action<Exception>? Failed { get; set; }

    /// <summary>How long after a failure the next try comes.</summary>
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Checks the log against its last checkpoint, takes in what was accepted before there was a log, and publishes
    /// whatever is not yet.
    /// </summary>
    /// <param name="restore">
    /// Takes statements in again that the checkpoint has and the database not; what it appends meanwhile is in the log
    /// already, and passed over.
    /// </param>
    /// <exception cref="VirgaException">
    /// Corrupt: database and folder don't belong together, or tiles are damaged; nothing is signed then.
    /// </exception>
    public static async Task<TransparencyLog> OpenAsync(
        Database database, LogFolder folder, PeerKeys keys, TimeProvider time,
        Func<TransparencyLog, IReadOnlyList<ReadOnlyMemory<byte>>, CancellationToken, ValueTask>? restore,
        CancellationToken cancellationToken)
    {
        var log = new TransparencyLog(database, folder, keys, time);
        await Task.Run(() => log.RecoverAsync(restore, cancellationToken), cancellationToken);
        await log.ImportAsync(cancellationToken);
        await log.PublishAsync(cancellationToken);
        return log;
    }

    /// <summary>Publishes in the background from now on, whenever something is accepted.</summary>
    public void Start() => running = Task.Run(RunAsync, stopping.Token);

    /// <inheritdoc/>
    public void Append(SqlSession sql, AcceptedStatement statement) =>
        Append(sql, LogEntry.Of(statement.Envelope.Body, statement.Envelope.Signature));

    /// <summary>
    /// The entry gets its number inside the transaction, and is published soon after. One that stands in the log, such
    /// as those of a chain that made room and came back, gets none again.
    /// </summary>
    public void Append(SqlSession sql, byte[] entry)
    {
        if (isRestoring) return;
        AppendNew(sql, entry);
        Wake();
    }

    /// <summary>Publishes everything that was committed before the call.</summary>
    /// <exception cref="VirgaException">
    /// Full, Denied, Unavailable: what was published before stays as it is.
    /// </exception>
    public async ValueTask PublishAsync(CancellationToken cancellationToken)
    {
        await publishing.WaitAsync(cancellationToken);
        try
        {
            await AppendOwnAsync(cancellationToken);
            // A write ends behind all that were begun before it.
            await database.WriteAsync(RequireOwner, cancellationToken);
            while (await PublishSomeAsync(cancellationToken)) { }
            if (current is null) await SignAsync(edge, [], cancellationToken);
        }
        finally
        {
            publishing.Release();
        }
    }

    /// <summary>Where an entry with that leaf hash stands; null where it is not published.</summary>
    public async ValueTask<LogPromise?> FindAsync(Hash256 leaf, CancellationToken cancellationToken)
    {
        if (await PlaceAsync(leaf, cancellationToken) is { } known) return known;
        await PublishAsync(cancellationToken);
        return await PlaceAsync(leaf, cancellationToken);
    }

    /// <summary>A file of the log by its path; null where there is none.</summary>
    public async ValueTask<byte[]?> ReadAsync(string path, CancellationToken cancellationToken)
    {
        if (path == CheckpointName) return Current.Note.Encode();
        return LogTile.TryParse(path, out var tile) && LogTile.WidthAt(tile.Level, tile.Index, Current.Head.Size)
            >= tile.Width ? await folder.ReadAsync(path, cancellationToken) : null;
    }

    /// <summary>Adds a witness' cosignature, unless a newer checkpoint was published meanwhile.</summary>
    public async ValueTask AddCosignaturesAsync(
        SignedNote cosigned, IReadOnlyCollection<NoteKey> witnesses, CancellationToken cancellationToken)
    {
        await publishing.WaitAsync(cancellationToken);
        try
        {
            var held = Current;
            if (held.Note.Text != cosigned.Text) return;
            var fresh = cosigned.Signatures.Where(line => witnesses.Any(key => key.IsOf(line))).ToList();
            var kept = held.Note.Signatures.Where(line => !fresh.Exists(
                other => other.Name == line.Name && other.KeyId == line.KeyId));
            var note = new SignedNote(held.Note.Text, [.. kept.Concat(fresh).Take(SignedNote.SignaturesMax)]);
            await WriteCheckpointAsync(note, cancellationToken);
            current = held with { Note = note };
        }
        finally
        {
            publishing.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (disposed) return;
        disposed = true;
        await stopping.CancelAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stopping.Dispose();
        publishing.Dispose();
        wanted.Dispose();
    }

    private async ValueTask<LogPromise?> PlaceAsync(Hash256 leaf, CancellationToken cancellationToken)
    {
        var number = await database.ReadAsync(
            sql => sql.Scalar("SELECT number FROM log_place WHERE leaf=?1", leaf), cancellationToken);
        var held = Current;
        return number == 0 || number > held.Head.Size ? null
            : new LogPromise(Origin, number - 1, leaf, NotBefore(held));
    }

    private void Wake()
    {
        if (disposed || wanted.CurrentCount > 0) return;
        try
        {
            wanted.Release();
        }
        catch (SemaphoreFullException)
        {
            // Somebody else has just done it.
        }
    }

    private async Task RunAsync()
    {
        try
        {
            while (true)
            {
                await wanted.WaitAsync(stopping.Token);
                await TryPublishAsync();
            }
        }
        catch (OperationCanceledException)
        {
            // The log is being closed; what is not published yet will be at the next start.
        }
    }

    private async Task TryPublishAsync()
    {
        try
        {
            await PublishAsync(stopping.Token);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            Failed?.Invoke(e);
            await Task.Delay(RetryAfter, time, stopping.Token);
            Wake();
        }
    }

    private static void AppendNew(SqlSession sql, byte[] entry)
    {
        var isNew = sql.Execute(
            "INSERT OR IGNORE INTO log_place(leaf,number) "
                + "VALUES(?1,(SELECT coalesce(max(number),0)+1 FROM log_entry))", LogTree.LeafHash(entry)) == 1;
        if (isNew) sql.Execute("INSERT INTO log_entry(entry) VALUES(?1)", entry);
    }

    private async Task RecoverAsync(
        Func<TransparencyLog, IReadOnlyList<ReadOnlyMemory<byte>>, CancellationToken, ValueTask>? restore,
        CancellationToken cancellationToken)
    {
        epoch = await database.WriteAsync(static sql =>
        {
            sql.Execute("UPDATE log_owner SET epoch=epoch+1");
            return sql.Scalar("SELECT epoch FROM log_owner");
        }, cancellationToken);
        var given = OpenOwn(folder.Read(CheckpointName));
        var size = given?.Head.Size ?? 0;
        var (first, last) = await NumbersAsync(cancellationToken);
        if (last < size)
        {
            await RestoreAsync(last, size, restore, cancellationToken);
            (first, last) = await NumbersAsync(cancellationToken);
        }

        var start = Math.Max(0, first - 1);
        if (start % LogTile.FullWidth != 0) throw Broken($"the database begins inside of a bundle, at entry {start}");
        if (start > size) throw Broken($"the database begins at entry {start}, behind the checkpoint's end");
        edge = LogEdge.Restore(start, ReadFull);
        while (edge.Size < size)
        {
            var count = Math.Min(BatchEntries, size - edge.Size);
            foreach (var entry in await EntriesAsync(edge.Size, count, cancellationToken))
                edge.Append(entry, LogTree.LeafHash(entry), null);
        }

        if (given is not null && edge.Root != given.Head.Root)
            throw Broken($"its tiles and entries don't lead to the checkpoint of {size} entries");
        current = given;
    }

    private ValueTask<(long First, long Last)> NumbersAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(
            static sql => sql.First("SELECT coalesce(min(number),0), coalesce(max(number),0) FROM log_entry",
                static row => (row.Long(0), row.Long(1))), cancellationToken);

    /// <summary>
    /// First the statements, then the entries' numbers: whatever is interrupted is done again at the next start.
    /// </summary>
    private async Task RestoreAsync(
        long from, long size,
        Func<TransparencyLog, IReadOnlyList<ReadOnlyMemory<byte>>, CancellationToken, ValueTask>? restore,
        CancellationToken cancellationToken)
    {
        var reader = new LogReader((path, _) => ValueTask.FromResult(folder.Read(path)), size);
        isRestoring = true;
        for (var bundle = from / LogTile.FullWidth; restore is not null && bundle * LogTile.FullWidth < size; bundle++)
            await restore(this, await reader.EntriesAsync(bundle, cancellationToken), cancellationToken);
        isRestoring = false;
        for (var bundle = from / LogTile.FullWidth; bundle * LogTile.FullWidth < size; bundle++)
        {
            var number = bundle * LogTile.FullWidth;
            var entries = await reader.EntriesAsync(bundle, cancellationToken);
            await database.WriteAsync(sql =>
            {
                foreach (var entry in entries)
                {
                    number++;
                    sql.Execute("INSERT OR IGNORE INTO log_entry(number,entry) VALUES(?1,?2)", number, entry);
                    sql.Execute("INSERT OR IGNORE INTO log_place(leaf,number) VALUES(?1,?2)",
                        LogTree.LeafHash(entry.Span), number);
                }
            }, cancellationToken);
        }
    }

    private SignedCheckpoint? OpenOwn(byte[]? note)
    {
        try
        {
            if (note is null) return null;
            var given = SignedCheckpoint.Open(note, LogIdentity.Ever(keys.Chain));
            return given.Time is not null ? given : throw Broken("the time of its checkpoint is damaged");
        }
        catch (VirgaException e) when (e.Kind != FailureKind.Corrupt)
        {
            throw Broken($"its checkpoint is not one of this repository's: {e.Message}", e);
        }
    }

    private Hash256[] ReadFull(LogTile tile) =>
        tile.ParseHashes(folder.Read(tile.Path) ?? throw Broken($"{tile.Path} is missing"));

    /// <summary>
    /// What was accepted before there was a log, in that order. Each row leaves the list when its entry has a number.
    /// </summary>
    private async Task ImportAsync(CancellationToken cancellationToken)
    {
        while (await database.WriteAsync(ImportSome, cancellationToken) > 0) { }
    }

    private static int ImportSome(SqlSession sql)
    {
        var rows = sql.Query(
            "SELECT o.number, s.body, s.sig FROM statement_order o "
                + "LEFT JOIN statement s ON s.agent=o.agent AND s.seq=o.seq ORDER BY o.number LIMIT ?1",
            static row => (Number: row.Long(0), Body: row.BytesOrNull(1), Signature: row.BytesOrNull(2)),
            ImportEntries);
        foreach (var (number, body, signature) in rows)
        {
            // A chain that made room for others has left nothing behind but its place in the order.
            if (body is not null && signature is not null) AppendNew(sql, LogEntry.Of(body, signature));
            sql.Execute("DELETE FROM statement_order WHERE number=?1", number);
        }

        return rows.Count;
    }

    /// <summary>The repository's own statements stand in its log as well.</summary>
    private async ValueTask AppendOwnAsync(CancellationToken cancellationToken)
    {
        var own = keys.Envelopes;
        if (own.Count == ownLogged) return;
        var fresh = own.Skip(ownLogged).Select(envelope => LogEntry.Of(envelope.Body, envelope.Signature)).ToList();
        await database.WriteAsync(sql => fresh.ForEach(entry => AppendNew(sql, entry)), cancellationToken);
        ownLogged = own.Count;
    }

    private async ValueTask<List<byte[]>> EntriesAsync(long from, long count, CancellationToken cancellationToken)
    {
        var rows = await database.ReadAsync(
            sql => sql.Query("SELECT number, entry FROM log_entry WHERE number>?1 ORDER BY number LIMIT ?2",
                static row => (Number: row.Long(0), Entry: row.Bytes(1)), from, count), cancellationToken);
        for (var i = 0; i < rows.Count; i++)
        {
            if (rows[i].Number != from + i + 1) throw Broken($"entry {from + i} is missing in the database");
        }

        return [.. rows.Select(row => row.Entry)];
    }

    private async ValueTask<bool> PublishSomeAsync(CancellationToken cancellationToken)
    {
        var entries = await EntriesAsync(edge.Size, BatchEntries, cancellationToken);
        if (entries.Count == 0) return false;
        // What the checkpoint is about to say must outlast a power cut.
        database.FlushToDisk();
        var next = edge.Copy();
        var filled = new List<LogTile>();
        foreach (var entry in entries)
        {
            next.Append(entry, LogTree.LeafHash(entry), (tile, data) =>
            {
                folder.Write(tile.Path, data);
                filled.Add(tile);
            });
        }

        foreach (var (tile, data) in next.Partial()) folder.Write(tile.Path, data);
        await SignAsync(next, filled, cancellationToken);
        Published?.Invoke(Current);
        return true;
    }

    /// <summary>
    /// The checkpoint is written while the database's writer is held: of two processes that both hold this log, against
    /// all locks, only the one that opened it last gets it out. What the full tiles hold is not kept a second time.
    /// </summary>
    private async ValueTask SignAsync(
        LogEdge next, IReadOnlyList<LogTile> filled, CancellationToken cancellationToken)
    {
        var signed = SignedCheckpoint.Sign(
            new Checkpoint(Origin, next.Size, next.Root), keys.Identity.SigningKey, NotBefore(current));
        var kept = Math.Max(0, next.Size - 1) / LogTile.FullWidth * LogTile.FullWidth;
        await WriteCheckpointAsync(signed.Note, cancellationToken);
        edge = next;
        current = signed;
        await database.WriteAsync(
            sql => sql.Execute("DELETE FROM log_entry WHERE number<=?1", kept), cancellationToken);
        foreach (var tile in filled) folder.TryDelete(tile.Path + ".p");
    }

    private ValueTask WriteCheckpointAsync(SignedNote note, CancellationToken cancellationToken) =>
        database.WriteAsync(sql =>
        {
            RequireOwner(sql);
            folder.Write(CheckpointName, note.Encode());
        }, cancellationToken);

    private void RequireOwner(SqlSession sql)
    {
        if (sql.Scalar("SELECT epoch FROM log_owner") == epoch) return;
        throw new VirgaException(FailureKind.InUse, $"another process writes the log in {folder.Path}",
            "Stop one of them: a log has one writer.");
    }

    /// <summary>Times in the log never go back, even where the clock does: a reader would take it for a lie.</summary>
    private DateTimeOffset NotBefore(SignedCheckpoint? checkpoint)
    {
        var now = time.GetUtcNow();
        return checkpoint?.Time is { } last && last > now ? last : now;
    }

    private VirgaException Broken(string how, Exception? inner = null) => new(FailureKind.Corrupt,
        $"the log in {folder.Path} can't go on: {how}",
        "Restore the whole data folder, with the newest log that you have: going on from an older one would show two "
            + "histories.", inner);
}
