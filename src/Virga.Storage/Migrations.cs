using Virga.Core;

namespace Virga.Storage;

internal static class Migrations
{
    public static void Apply(SqlSession session, string path, DatabaseSchema schema, DatabaseOptions options)
    {
        var version = CheckHeader(session, path, schema);
        CheckPages(session, path, schema, options);
        for (var next = version; next < schema.Migrations.Count; next++) ApplyOne(session, schema, next);
    }

    private static int CheckHeader(SqlSession session, string path, DatabaseSchema schema)
    {
        var id = session.Scalar("PRAGMA application_id");
        var version = (int)session.Scalar("PRAGMA user_version");
        var empty = id == 0 && version == 0 && session.Scalar("SELECT count(*) FROM sqlite_master") == 0;
        if (!empty && id != schema.ApplicationId)
            throw SqliteFailure.Damaged(path, schema.What, "it is a database, but of something else");
        if (version > schema.Migrations.Count)
        {
            throw new VirgaException(FailureKind.Unsupported,
                $"{schema.What}: {path} was written by a newer version of virga "
                + $"(schema {version}, this one knows {schema.Migrations.Count})",
                "Run the newer version of virga, or restore the backup that was made before it was used.");
        }

        return version;
    }

    private static void CheckPages(SqlSession session, string path, DatabaseSchema schema, DatabaseOptions options)
    {
        if (new FileInfo(path).Length > options.CheckBytesMax) return;
        var verdict = session.First("PRAGMA quick_check(1)", static row => row.Text(0));
        if (verdict is not "ok") throw SqliteFailure.Damaged(path, schema.What, "its pages are damaged");
    }

    private static void ApplyOne(SqlSession session, DatabaseSchema schema, int index)
    {
        session.Execute("BEGIN IMMEDIATE");
        try
        {
            session.ExecuteScript(schema.Migrations[index]);
            session.ExecuteScript($"PRAGMA application_id={schema.ApplicationId}; PRAGMA user_version={index + 1};");
            session.Execute("COMMIT");
        }
        finally
        {
            session.EndTransaction();
        }
    }
}
