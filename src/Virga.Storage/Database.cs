using System.Diagnostics.Metrics;
using System.Threading.Channels;
using SQLitePCL;
using Virga.Core;

namespace Virga.Storage;

/// <summary>What a database file holds and how it came to be so.</summary>
/// <param name="ApplicationId">
/// Stands in the file's header, so that a file of another kind is never opened by mistake.
/// </param>
/// <param name="What">Its name in messages, e.g. "the agent's state".</param>
/// <param name="Migrations">
/// SQL scripts; the file's <c>user_version</c> is how many of them it has had. Only ever append.
/// </param>
public sealed record DatabaseSchema(int ApplicationId, string What, IReadOnlyList<string> Migrations);

/// <param name="QueueMax">Writes that may wait; further callers wait for room.</param>
/// <param name="BatchMax">Most writes in one transaction.</param>
/// <param name="ReadersMax">Most connections that read at once.</param>
/// <param name="CacheKiB">Bound of all connections' page caches together.</param>
/// <param name="CheckBytesMax">Files up to this size are checked for damage whenever they are opened.</param>
public sealed record DatabaseOptions(
    int QueueMax = 4096, int BatchMax = 512, int ReadersMax = 3, int CacheKiB = 4096, long CheckBytesMax = 16 << 20);

/// <summary>
/// One SQLite file in WAL mode: a single writer that commits queued writes in groups, and a few readers beside it. What
/// has been committed survives <c>kill -9</c> (spec/v1/journal.md); a power cut may lose the newest commits, never the
/// file. Safe to use from any thread. The file belongs to one process: open its <see cref="DataFolder"/> first.
/// </summary>
public sealed class Database : IAsyncDisposable
{
    private static readonly Meter Meter = new("Virga.Storage");
    private static readonly Counter<long> Commits = Meter.CreateCounter<long>("virga.storage.commits", "{transaction}");
    private static readonly Counter<long> Writes = Meter.CreateCounter<long>("virga.storage.writes", "{write}");

    private readonly DatabaseSchema schema;
    private readonly DatabaseOptions options;
    private readonly SqlSession writer;
    private readonly Channel<Write> queue;
    private readonly Task writing;
    private readonly SemaphoreSlim readerSlots;
    private readonly Stack<SqlSession> idleReaders = new();
    private bool disposed;

    static Database() => Batteries_V2.Init();

    private Database(string path, DatabaseSchema schema, DatabaseOptions options, SqlSession writer)
    {
        Path = path;
        this.schema = schema;
        this.options = options;
        this.writer = writer;
        readerSlots = new SemaphoreSlim(options.ReadersMax);
        queue = Channel.CreateBounded<Write>(new BoundedChannelOptions(options.QueueMax) { SingleReader = true });
        writing = Task.Run(RunWriterAsync);
    }

    public string Path { get; }

    /// <summary>
    /// Opens or creates the file and brings it to the newest schema, each migration in a transaction of its own.
    /// </summary>
    /// <exception cref="VirgaException">
    /// Corrupt (damaged, or not ours; nothing is overwritten), Unsupported (written by a newer version), InUse, Denied,
    /// Full, ReadOnly.
    /// </exception>
    public static Database Open(string path, DatabaseSchema schema, DatabaseOptions? options = null)
    {
        options ??= new DatabaseOptions();
        path = System.IO.Path.GetFullPath(path);
        PrepareFile(path, schema);
        SqlSession? session = null;
        try
        {
            session = SqlSession.Open(path, schema.What, options.CacheKiB / 2, readOnly: false);
            Migrations.Apply(session, path, schema, options);
            return new Database(path, schema, options, session);
        }
        catch
        {
            session?.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Queues a write and completes when it is committed. All writes run one after another, in the order queued, and
    /// those that wait together share a transaction; one that throws is undone alone and its caller gets the exception.
    /// The delegate runs on the writer's thread: it must only use the session, and be quick. A cancelled token takes it
    /// out of the queue; once begun it is finished.
    /// </summary>
    public async ValueTask<T> WriteAsync<T>(Func<SqlSession, T> write, CancellationToken cancellationToken = default)
    {
        var item = new Write<T>(write, cancellationToken);
        await EnqueueAsync(item, cancellationToken);
        return await item.Task;
    }

    /// <inheritdoc cref="WriteAsync{T}"/>
    public async ValueTask WriteAsync(Action<SqlSession> write, CancellationToken cancellationToken = default)
    {
        var item = new Write<bool>(session =>
        {
            write(session);
            return true;
        }, cancellationToken);
        await EnqueueAsync(item, cancellationToken);
        await item.Task;
    }

    /// <summary>
    /// Reads in one consistent snapshot, on a connection of its own and the caller's thread; what was committed before
    /// is seen. The delegate must not wait for anything.
    /// </summary>
    public async ValueTask<T> ReadAsync<T>(Func<SqlSession, T> read, CancellationToken cancellationToken = default)
    {
        await readerSlots.WaitAsync(cancellationToken);
        try
        {
            return ReadOnConnection(read);
        }
        finally
        {
            readerSlots.Release();
        }
    }

    /// <summary>
    /// Writes a consistent copy of all that is committed into a file that is not there yet; others go on meanwhile.
    /// </summary>
    /// <exception cref="VirgaException">Full, Denied, Corrupt.</exception>
    public Task CopyToAsync(string path, CancellationToken cancellationToken) => Task.Run(
        () =>
        {
            using var session = SqlSession.Open(Path, schema.What, options.CacheKiB / 2, readOnly: false);
            session.Execute("VACUUM INTO ?", path);
        },
        cancellationToken);

    /// <summary>
    /// Makes what has been committed survive a power cut as well; for what others are about to be told for good. Takes
    /// as long as the disk needs.
    /// </summary>
    /// <exception cref="VirgaException">Unavailable, Full.</exception>
    public void FlushToDisk()
    {
        // Commits that are no longer in the log were flushed when they were moved into the file.
        var log = Path + "-wal";
        try
        {
            if (!File.Exists(log)) return;
            using var handle = File.OpenHandle(
                log, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            RandomAccess.FlushToDisk(handle);
        }
        catch (IOException e)
        {
            throw SqliteFailure.FromIo(e, log, schema.What);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (disposed) return;
        disposed = true;
        queue.Writer.Complete();
        await writing;
        for (var i = 0; i < options.ReadersMax; i++) await readerSlots.WaitAsync();
        lock (idleReaders)
        {
            foreach (var reader in idleReaders) reader.Dispose();
            idleReaders.Clear();
        }

        writer.TryCheckpoint();
        writer.Dispose();
        readerSlots.Dispose();
    }

    private static void PrepareFile(string path, DatabaseSchema schema)
    {
        try
        {
            var create = new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate,
                Access = FileAccess.ReadWrite,
                Share = FileShare.ReadWrite,
            };
            if (!OperatingSystem.IsWindows()) create.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            using var file = new FileStream(path, create);
            if (file.Length == 0) return;
            Span<byte> head = stackalloc byte[16];
            var read = file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
            if (!head[..read].SequenceEqual("SQLite format 3\0"u8))
                throw SqliteFailure.Damaged(path, schema.What, "it is not a database");
        }
        catch (UnauthorizedAccessException e)
        {
            throw new VirgaException(FailureKind.Denied, $"{schema.What}: not allowed to open {path}",
                "Make the file and its folder readable and writable for the user that runs virga.", e);
        }
        catch (DirectoryNotFoundException e)
        {
            throw new VirgaException(FailureKind.NotFound, $"{schema.What}: there is no folder for {path}",
                "Create the folder.", e);
        }
        catch (IOException e)
        {
            throw SqliteFailure.FromIo(e, path, schema.What);
        }
    }

    private async ValueTask EnqueueAsync(Write item, CancellationToken cancellationToken)
    {
        try
        {
            await queue.Writer.WriteAsync(item, cancellationToken);
        }
        catch (ChannelClosedException e)
        {
            throw new ObjectDisposedException($"database {Path}", e);
        }
    }

    private T ReadOnConnection<T>(Func<SqlSession, T> read)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        SqlSession? session;
        lock (idleReaders) idleReaders.TryPop(out session);
        session ??= SqlSession.Open(Path, schema.What, options.CacheKiB / 2 / options.ReadersMax, readOnly: true);
        var healthy = false;
        try
        {
            session.Execute("BEGIN");
            try
            {
                return read(session);
            }
            finally
            {
                session.EndTransaction();
                healthy = true;
            }
        }
        finally
        {
            if (healthy) lock (idleReaders) idleReaders.Push(session);
            else session.Dispose();
        }
    }

    private async Task RunWriterAsync()
    {
        var batch = new List<Write>(options.BatchMax);
        while (await queue.Reader.WaitToReadAsync())
        {
            while (batch.Count < options.BatchMax && queue.Reader.TryRead(out var next)) batch.Add(next);
            Commit(batch);
            batch.Clear();
        }
    }

    /// <summary>
    /// Runs the batch in one transaction. Where SQLite itself gives the transaction up (disk full, IO error), those
    /// that ran in it fail together and the rest goes on in a new one.
    /// </summary>
    private void Commit(List<Write> batch)
    {
        var done = 0;
        for (var i = 0; i < batch.Count; i++)
        {
            try
            {
                if (!writer.InTransaction) writer.Execute("BEGIN IMMEDIATE");
                RunOne(batch[i]);
            }
            catch (Exception e)
            {
                batch[i].Fail(e);
                if (writer.InTransaction) continue;
                FailAll(batch, done, i, e);
                done = i + 1;
            }
        }

        try
        {
            if (writer.InTransaction) writer.Execute("COMMIT");
        }
        catch (Exception e)
        {
            writer.EndTransaction();
            FailAll(batch, done, batch.Count, e);
            return;
        }

        Commits.Add(1);
        Writes.Add(batch.Count - done);
        for (var i = done; i < batch.Count; i++) batch[i].Complete();
    }

    private void RunOne(Write write)
    {
        writer.Execute("SAVEPOINT one");
        try
        {
            write.Run(writer);
        }
        catch
        {
            if (writer.InTransaction)
            {
                writer.Execute("ROLLBACK TO one");
                writer.Execute("RELEASE one");
            }

            throw;
        }

        writer.Execute("RELEASE one");
    }

    private static void FailAll(List<Write> batch, int from, int to, Exception e)
    {
        for (var i = from; i < to; i++) batch[i].Fail(e);
    }

    /// <summary>A queued write. Failing it twice or completing a failed one does nothing.</summary>
    private abstract class Write
    {
        public abstract void Run(SqlSession session);

        public abstract void Complete();

        public abstract void Fail(Exception e);
    }

    private sealed class Write<T>(Func<SqlSession, T> body, CancellationToken cancellationToken) : Write
    {
        private readonly TaskCompletionSource<T> completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private T? result;

        public Task<T> Task => completion.Task;

        public override void Run(SqlSession session)
        {
            cancellationToken.ThrowIfCancellationRequested();
            result = body(session);
        }

        public override void Complete() => completion.TrySetResult(result!);

        public override void Fail(Exception e)
        {
            if (e is OperationCanceledException && cancellationToken.IsCancellationRequested)
                completion.TrySetCanceled(cancellationToken);
            else completion.TrySetException(e);
        }
    }
}
