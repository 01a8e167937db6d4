using SQLitePCL;

namespace Virga.EndToEnd.Harness;

/// <summary>
/// What a killed agent had recorded of a transfer: read from a copy of its database, with its write-ahead log.
/// </summary>
/// <param name="Files">Indices of complete files.</param>
/// <param name="Parts">Stored parts of files in the making: file, part, length of a whole part.</param>
internal sealed record Recorded(HashSet<int> Files, List<(int File, long Part, long PartBytes)> Parts)
{
    // Made anew from the log by whoever opens it.
    private const string SharedIndex = "agent.db-shm";

    public static Recorded Read(string dataFolder, string transfer, string scratch)
    {
        using var db = OpenCopy(dataFolder, scratch);
        var files = Query(db, "SELECT file, 0, 0 FROM transfer_files WHERE transfer = ?", transfer)
            .Select(r => (int)r.A).ToHashSet();
        var parts = Query(
            db,
            "SELECT p.file, p.part, u.part_bytes FROM transfer_parts p JOIN transfer_uploads u USING (transfer, file) "
            + "WHERE transfer = ?",
            transfer);
        return new Recorded(files, [.. parts.Select(r => ((int)r.A, r.B, r.C))]);
    }

    /// <summary>The transfer into a folder.</summary>
    public static string IdOf(string dataFolder, string folder, string scratch)
    {
        using var db = OpenCopy(dataFolder, scratch);
        Check(raw.sqlite3_prepare_v2(db, "SELECT id FROM transfers WHERE path = ?", out var statement), db);
        using (statement)
        {
            raw.sqlite3_bind_text(statement, 1, folder);
            Assert.Equal(raw.SQLITE_ROW, raw.sqlite3_step(statement));
            return raw.sqlite3_column_text(statement, 0).utf8_to_string();
        }
    }

    private static sqlite3 OpenCopy(string dataFolder, string scratch)
    {
        Directory.CreateDirectory(scratch);
        foreach (var name in new[] { "agent.db", "agent.db-wal", SharedIndex })
        {
            File.Delete(Path.Combine(scratch, name));
            if (name != SharedIndex && File.Exists(Path.Combine(dataFolder, name))) File.Copy(
                Path.Combine(dataFolder, name), Path.Combine(scratch, name));
        }
        Batteries_V2.Init();
        Check(raw.sqlite3_open(Path.Combine(scratch, "agent.db"), out var db), db);
        return db;
    }

    private static List<(long A, long B, long C)> Query(sqlite3 db, string sql, string parameter)
    {
        Check(raw.sqlite3_prepare_v2(db, sql, out var statement), db);
        using (statement)
        {
            raw.sqlite3_bind_text(statement, 1, parameter);
            var rows = new List<(long, long, long)>();
            int code;
            while ((code = raw.sqlite3_step(statement)) == raw.SQLITE_ROW)
                rows.Add((raw.sqlite3_column_int64(statement, 0), raw.sqlite3_column_int64(statement, 1),
                    raw.sqlite3_column_int64(statement, 2)));
            Check(code == raw.SQLITE_DONE ? raw.SQLITE_OK : code, db);
            return rows;
        }
    }

    private static void Check(int code, sqlite3 db)
    {
        if (code != raw.SQLITE_OK) throw new InvalidOperationException(
            $"SQLite: {raw.sqlite3_errmsg(db).utf8_to_string()} ({code})");
    }
}
