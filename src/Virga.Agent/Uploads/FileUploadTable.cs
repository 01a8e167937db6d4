using Virga.Accounts;
using Virga.Agent.State;
using Virga.Core;

namespace Virga.Agent.Uploads;

/// <summary>A file that comes in pieces, as it is recorded.</summary>
/// <param name="Key">What the sender knows the file by, to find it again; may be empty.</param>
/// <param name="Token">Of the account's upload; null where none was begun, or nothing of it outlives the process.
/// </param>
internal sealed record FileUploadRow(
    string Id, string Account, EntryPath Path, long Length, string Key, long PartBytes, string? Token,
    DateTimeOffset Began, DateTimeOffset Seen);

/// <summary>
/// What is known of files that come in pieces. The token is recorded before the first part is stored, each part after
/// it is stored: what is lost by a crash between is stored again.
/// </summary>
internal sealed class FileUploadTable(AgentState state)
{
    internal const string SchemaSql = """
        CREATE TABLE file_uploads (
            id TEXT PRIMARY KEY, account TEXT NOT NULL, path TEXT NOT NULL, length INTEGER NOT NULL, key TEXT NOT NULL,
            part_bytes INTEGER NOT NULL, token TEXT, began INTEGER NOT NULL, seen INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE file_upload_parts (
            upload TEXT NOT NULL, part INTEGER NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (upload, part)
        ) WITHOUT ROWID;
        """;

    public async Task<List<(FileUploadRow Row, List<PartReceipt> Parts)>> ListAsync(
        CancellationToken cancellationToken) => await state.Database.ReadAsync(
        db =>
        {
            var rows = db.Query(
                "SELECT id, account, path, length, key, part_bytes, token, began, seen FROM file_uploads",
                row => new FileUploadRow(
                    row.Text(0), row.Text(1), EntryPath.Parse(row.Text(2)), row.Long(3), row.Text(4), row.Long(5),
                    row.TextOrNull(6), row.Time(7), row.Time(8)));
            return rows.ConvertAll(row => (row, db.Query(
                "SELECT part, tag FROM file_upload_parts WHERE upload = ? ORDER BY part",
                part => new PartReceipt(part.Long(0), part.Text(1)), row.Id)));
        },
        cancellationToken);

    public ValueTask PutAsync(FileUploadRow row, CancellationToken cancellationToken) => state.Database.WriteAsync(
        db =>
        {
            db.Execute(
                "INSERT OR REPLACE INTO file_uploads (id, account, path, length, key, part_bytes, token, began, seen) "
                    + "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row.Id, row.Account, row.Path.Value, row.Length, row.Key, row.PartBytes, row.Token, row.Began,
                row.Seen);
        },
        cancellationToken);

    public ValueTask AddPartAsync(
        string id, PartReceipt part, DateTimeOffset now, CancellationToken cancellationToken) =>
        state.Database.WriteAsync(
            db =>
            {
                db.Execute("INSERT OR REPLACE INTO file_upload_parts VALUES (?, ?, ?)", id, part.Index, part.Tag);
                db.Execute("UPDATE file_uploads SET seen = ? WHERE id = ?", now, id);
            },
            cancellationToken);

    /// <summary>Nothing of it is stored any more.</summary>
    public ValueTask ClearPartsAsync(string id, CancellationToken cancellationToken) => state.Database.WriteAsync(
        db =>
        {
            db.Execute("DELETE FROM file_upload_parts WHERE upload = ?", id);
            db.Execute("UPDATE file_uploads SET token = NULL WHERE id = ?", id);
        },
        cancellationToken);

    public ValueTask RemoveAsync(string id, CancellationToken cancellationToken) => state.Database.WriteAsync(
        db =>
        {
            db.Execute("DELETE FROM file_upload_parts WHERE upload = ?", id);
            db.Execute("DELETE FROM file_uploads WHERE id = ?", id);
        },
        cancellationToken);
}
