using SQLitePCL;
using Virga.Core;

namespace Virga.Storage;

/// <summary>
/// One connection, as seen inside <see cref="Database.WriteAsync{T}"/> and <see cref="Database.ReadAsync{T}"/>.
/// Statements are prepared once per SQL text, so the text must be a constant and values always parameters (<c>?1, ?2,
/// ...</c>). Not to be kept or used after the delegate has returned.
/// </summary>
public sealed class SqlSession : IDisposable
{
    private const int StatementsMax = 128;

    private readonly sqlite3 connection;
    private readonly Dictionary<string, SqlStatement> statements = new(ReferenceFirstComparer.Instance);
    private readonly string path;
    private readonly string what;

    private SqlSession(sqlite3 connection, string path, string what)
    {
        this.connection = connection;
        this.path = path;
        this.what = what;
    }

    /// <summary>Rowid of the newest row inserted on this connection.</summary>
    public long LastRowId => raw.sqlite3_last_insert_rowid(connection);

    internal bool InTransaction => raw.sqlite3_get_autocommit(connection) == 0;

    /// <summary>Runs one statement; returns how many rows it changed.</summary>
    /// <exception cref="VirgaException">
    /// Conflict where a constraint is broken, Full, ReadOnly, Corrupt, Unavailable.
    /// </exception>
    public int Execute(string sql, params ReadOnlySpan<SqlValue> values)
    {
        var statement = Start(sql, values);
        try
        {
            while (Step(statement)) { }
            return raw.sqlite3_changes(connection);
        }
        finally
        {
            statement.Finish();
        }
    }

    /// <summary>All rows. <paramref name="read"/> must not run other statements.</summary>
    public List<T> Query<T>(string sql, RowReader<T> read, params ReadOnlySpan<SqlValue> values)
    {
        var rows = new List<T>();
        var statement = Start(sql, values);
        try
        {
            while (Step(statement)) rows.Add(read(new SqlRow(statement.Handle)));
            return rows;
        }
        finally
        {
            statement.Finish();
        }
    }

    /// <summary>The first row, or default where there is none.</summary>
    public T? First<T>(string sql, RowReader<T> read, params ReadOnlySpan<SqlValue> values)
    {
        var statement = Start(sql, values);
        try
        {
            return Step(statement) ? read(new SqlRow(statement.Handle)) : default;
        }
        finally
        {
            statement.Finish();
        }
    }

    /// <summary>The first column of the first row as an integer; 0 where there is no row or it is NULL.</summary>
    public long Scalar(string sql, params ReadOnlySpan<SqlValue> values) =>
        First(sql, static row => row.Long(0), values);

    public void Dispose()
    {
        Clear();
        connection.Dispose();
    }

    internal static SqlSession Open(string path, string what, int cacheKiB, bool readOnly)
    {
        var code =
            raw.sqlite3_open_v2(path, out var connection, raw.SQLITE_OPEN_READWRITE | raw.SQLITE_OPEN_NOMUTEX, null);
        var session = new SqlSession(connection, path, what);
        try
        {
            session.Check(code);
            raw.sqlite3_extended_result_codes(connection, 1);
            raw.sqlite3_busy_timeout(connection, 5000);
            session.ExecuteScript(
                $"PRAGMA cache_size=-{cacheKiB}; PRAGMA foreign_keys=1; PRAGMA temp_store=2; PRAGMA trusted_schema=0;"
                + (readOnly
                    ? "PRAGMA query_only=1;"
                    : "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA secure_delete=1; "
                        + "PRAGMA journal_size_limit=8388608;"));
            return session;
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    internal void ExecuteScript(string sql) => Check(raw.sqlite3_exec(connection, sql));

    /// <summary>Rolls back what is open, if anything; never throws.</summary>
    internal void EndTransaction()
    {
        if (InTransaction) raw.sqlite3_exec(connection, "ROLLBACK");
    }

    /// <summary>Moves the log into the file, so that a copy of the file alone is whole. Best effort.</summary>
    internal void TryCheckpoint()
    {
        Clear();
        raw.sqlite3_wal_checkpoint_v2(connection, null, raw.SQLITE_CHECKPOINT_TRUNCATE, out _, out _);
    }

    private SqlStatement Start(string sql, ReadOnlySpan<SqlValue> values)
    {
        if (!statements.TryGetValue(sql, out var statement))
        {
            if (statements.Count >= StatementsMax) Clear();
            Check(raw.sqlite3_prepare_v3(connection, sql, raw.SQLITE_PREPARE_PERSISTENT, out var handle));
            statements.Add(sql, statement = new SqlStatement(handle));
        }

        statement.Begin();
        try
        {
            for (var i = 0; i < values.Length; i++) Check(values[i].Bind(statement.Handle, i + 1));
        }
        catch
        {
            statement.Finish();
            throw;
        }

        return statement;
    }

    private bool Step(SqlStatement statement)
    {
        var code = raw.sqlite3_step(statement.Handle);
        if (code == raw.SQLITE_ROW) return true;
        if (code == raw.SQLITE_DONE) return false;
        throw Failure(code);
    }

    private void Check(int code)
    {
        if (code != raw.SQLITE_OK) throw Failure(code);
    }

    private Exception Failure(int code) =>
        SqliteFailure.From(code, raw.sqlite3_errmsg(connection).utf8_to_string(), path, what);

    private void Clear()
    {
        foreach (var statement in statements.Values) statement.Handle.Dispose();
        statements.Clear();
    }

    /// <summary>SQL texts are constants, so nearly every look-up ends at the reference.</summary>
    private sealed class ReferenceFirstComparer : IEqualityComparer<string>
    {
        public static readonly ReferenceFirstComparer Instance = new();

        public bool Equals(string? x, string? y) =>
            ReferenceEquals(x, y) || string.Equals(x, y, StringComparison.Ordinal);

        public int GetHashCode(string obj) => obj.GetHashCode(StringComparison.Ordinal);
    }
}

/// <summary>Makes a value of the current row, whose spans are valid only during the call.</summary>
public delegate T RowReader<out T>(SqlRow row);

/// <summary>The current row; columns count from 0.</summary>
public readonly ref struct SqlRow
{
    private readonly sqlite3_stmt statement;

    internal SqlRow(sqlite3_stmt statement) => this.statement = statement;

    public bool IsNull(int column) => raw.sqlite3_column_type(statement, column) == raw.SQLITE_NULL;

    public long Long(int column) => raw.sqlite3_column_int64(statement, column);

    public int Int(int column) => checked((int)Long(column));

    public bool Bool(int column) => Long(column) != 0;

    public string Text(int column) => raw.sqlite3_column_text(statement, column).utf8_to_string() ?? "";

    public string? TextOrNull(int column) => IsNull(column) ? null : Text(column);

    public ReadOnlySpan<byte> Span(int column) => raw.sqlite3_column_blob(statement, column);

    public byte[] Bytes(int column) => Span(column).ToArray();

    public byte[]? BytesOrNull(int column) => IsNull(column) ? null : Bytes(column);

    /// <summary>A column of 32 bytes.</summary>
    public Hash256 Hash(int column) => new(Span(column));

    /// <summary>Whole seconds since 1970.</summary>
    public DateTimeOffset Time(int column) => DateTimeOffset.FromUnixTimeSeconds(Long(column));
}

internal sealed class SqlStatement(sqlite3_stmt handle)
{
    private bool running;

    public sqlite3_stmt Handle { get; } = handle;

    public void Begin()
    {
        if (running)
            throw new InvalidOperationException("a statement was started again while its rows were being read");
        running = true;
    }

    public void Finish()
    {
        running = false;
        raw.sqlite3_reset(Handle);
        raw.sqlite3_clear_bindings(Handle);
    }
}
