using System.Text.Json;
using Virga.Accounts;
using Virga.Agent.Control;
using Virga.Agent.Planning;
using Virga.Agent.Torrents;
using Virga.Agent.Transfers;
using Virga.BitTorrent.Downloads;
using Virga.Content;
using Virga.Core;
using Virga.Transfers.Engine;
using Virga.Transfers.Journal;

namespace Virga.Agent.State;

/// <summary>What is stored of one transfer.</summary>
/// <param name="Link">The link's text, with its secret.</param>
/// <param name="Plan">The user's wish, the plan once it is made, and what was moved by which route.</param>
/// <param name="Copies">How copies inside a service are checked; null: none are made.</param>
/// <param name="Fetched">Bytes fetched in all runs that ended in order; a run that was killed isn't counted.</param>
internal sealed record TransferRow(
    string Id, Hash256 InfoHash, string Link, string Account, EntryPath Path, CollisionPolicy Collision,
    TransferState State, DateTimeOffset Created, DateTimeOffset? Ended, long Fetched, int FilesTotal, long BytesTotal,
    TransferOutcome? Outcome, TransferPlan Plan, TransferPriority Priority = TransferPriority.Normal,
    CopyCheck? Copies = CopyCheck.Service, ServeMode Serve = ServeMode.WhileRunning)
{
    /// <summary>What the user wants of a torrent, whose magnet link is the link; null for a share.</summary>
    public TorrentWish? Torrent { get; init; }

    /// <summary>Bytes a second that it may fetch; null: no bound but that of all.</summary>
    public long? Receive { get; init; }

    /// <summary>Which files of a share are wanted; null: all. A torrent's wish has its own.</summary>
    public FileChoice? Choice { get; init; }

    /// <summary>The info-hash for people: 40 digits of a torrent that has a v1 part alone.</summary>
    public string ShownHash => Torrent is not null && MagnetLink.Parse(Link) is { InfoHashV2: null, InfoHashV1: { } v1 }
        ? v1.ToString() : InfoHash.ToString();

    /// <summary>A torrent's, as its link says; null where that doesn't, and of shares, which have none.</summary>
    public string? Name => Torrent is null ? null : MagnetLink.Parse(Link).Name;

    public override string ToString() => Id;
}

internal sealed class TransferTable(AgentState state)
{
    /// <summary>What holds more of a transfer.</summary>
    private static readonly string[] Its =
        ["transfer_files", "transfer_uploads", "transfer_parts", "transfer_copies", "transfer_names"];

    public ValueTask AddAsync(TransferRow row, CancellationToken cancellationToken)
    {
        var link = SealedLink(row);
        return state.Database.WriteAsync(db => Insert(db, row, link), cancellationToken);
    }

    /// <summary>Puts another agent's transfer in place of what was known of it here, with its journal.</summary>
    public ValueTask TakeOverAsync(TransferRow row, JournalState journal, CancellationToken cancellationToken)
    {
        var link = SealedLink(row);
        return state.Database.WriteAsync(
            db =>
            {
                db.Execute("DELETE FROM transfers WHERE id = ?", row.Id);
                foreach (var its in Its) db.Execute($"DELETE FROM {its} WHERE transfer = ?", row.Id);
                Insert(db, row, link);
                db.Execute(
                    "UPDATE transfers SET fetched = ?, files_total = ?, bytes_total = ? WHERE id = ?",
                    row.Fetched, row.FilesTotal, row.BytesTotal, row.Id);
                SqliteJournal.Insert(db, row.Id, journal);
            },
            cancellationToken);
    }

    private static string? Json(TorrentWish? wish) =>
        wish is null ? null : JsonSerializer.Serialize(wish, StateJson.Default.TorrentWish);

    private byte[] SealedLink(TransferRow row) =>
        state.Seal(System.Text.Encoding.UTF8.GetBytes(row.Link), Place(row.Id));

    private static void Insert(Storage.SqlSession db, TransferRow row, byte[] link) =>
        db.Execute(
            "INSERT INTO transfers (id, info_hash, link, account, path, collision, state, created, priority, "
                + "plan, copy_check, serve, receive, torrent, choice) "
                + "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row.Id, row.InfoHash, link, row.Account, row.Path.Value, (int)row.Collision,
            (int)row.State, row.Created, (int)row.Priority, Json(row.Plan), (int?)row.Copies ?? 0,
            (int)row.Serve, row.Receive, Json(row.Torrent),
            row.Choice is null ? null : JsonSerializer.Serialize(row.Choice, StateJson.Default.FileChoice));

    /// <param name="also">Written with it, or not at all.</param>
    public ValueTask UpdateAsync(TransferRow row, Action<Storage.SqlSession>? also, CancellationToken cancellationToken)
    {
        var outcome = row.Outcome is null
            ? null
            : JsonSerializer.Serialize(row.Outcome, StateJson.Default.TransferOutcome);
        return state.Database.WriteAsync(
            db =>
            {
                db.Execute(
                    "UPDATE transfers SET state = ?, ended = ?, fetched = ?, "
                        + "files_total = ?, bytes_total = ?, outcome = ?, priority = ?, plan = ?, serve = ?, "
                        + "receive = ?, torrent = ? WHERE id = ?",
                    (int)row.State, row.Ended?.ToUnixTimeSeconds(), row.Fetched, row.FilesTotal, row.BytesTotal,
                    outcome, (int)row.Priority, Json(row.Plan), (int)row.Serve, row.Receive,
                    Json(row.Torrent), row.Id);
                also?.Invoke(db);
            },
            cancellationToken);
    }

    public async ValueTask<List<TransferRow>> ListAsync(CancellationToken cancellationToken)
    {
        var rows = await state.Database.ReadAsync(
            db => db.Query(
                "SELECT id, info_hash, link, account, path, collision, state, created, ended, "
                    + "fetched, files_total, bytes_total, outcome, priority, plan, copy_check, serve, torrent, "
                    + "receive, choice FROM transfers "
                    + "ORDER BY created, id",
                row => (
                    Id: row.Text(0), Hash: row.Hash(1), Link: row.Bytes(2), Account: row.Text(3), Path: row.Text(4),
                    Collision: (CollisionPolicy)row.Long(5), State: (TransferState)row.Long(6),
                    Created: row.Time(7), Ended: row.IsNull(8) ? (DateTimeOffset?)null : row.Time(8),
                    Fetched: row.Long(9), Files: (int)row.Long(10), Bytes: row.Long(11),
                    Outcome: row.TextOrNull(12), Priority: (TransferPriority)row.Long(13), Plan: row.TextOrNull(14),
                    Copies: row.Long(15) == 0 ? (CopyCheck?)null : (CopyCheck)row.Long(15),
                    Serve: (ServeMode)row.Long(16), Torrent: row.TextOrNull(17),
                    Receive: row.IsNull(18) ? (long?)null : row.Long(18), Choice: row.TextOrNull(19))),
            cancellationToken);
        return
        [
            .. rows.Select(r => new TransferRow(
                r.Id, r.Hash, System.Text.Encoding.UTF8.GetString(state.Unseal(r.Link, Place(r.Id))),
                r.Account, EntryPath.Parse(r.Path), r.Collision,
                r.State, r.Created, r.Ended, r.Fetched, r.Files, r.Bytes,
                r.Outcome is null ? null : JsonSerializer.Deserialize(r.Outcome, StateJson.Default.TransferOutcome),
                r.Plan is null
                    ? TransferPlan.None
                    : JsonSerializer.Deserialize(r.Plan, StateJson.Default.TransferPlan)!,
                r.Priority, r.Copies, r.Serve)
            {
                Torrent = r.Torrent is null
                    ? null : JsonSerializer.Deserialize(r.Torrent, StateJson.Default.TorrentWish),
                Receive = r.Receive,
                Choice = r.Choice is null
                    ? null : JsonSerializer.Deserialize(r.Choice, StateJson.Default.FileChoice),
            }),
        ];
    }

    private static string Json(TransferPlan plan) => JsonSerializer.Serialize(plan, StateJson.Default.TransferPlan);

    private static string Place(string id) => $"link of transfer {id}";
}

/// <summary>The journal of one transfer in the agent's database (spec/v1/journal.md).</summary>
internal sealed class SqliteJournal(AgentState state, string transfer) : ITransferJournal
{
    public ValueTask<JournalState> LoadAsync(CancellationToken cancellationToken) =>
        state.Database.ReadAsync(
            db =>
            {
                var started = db.Scalar("SELECT started FROM transfers WHERE id = ?", transfer) != 0;
                var files = db.Query(
                    "SELECT file FROM transfer_files WHERE transfer = ?", row => (int)row.Long(0), transfer);
                var parts = db.Query(
                    "SELECT file, part, tag FROM transfer_parts WHERE transfer = ?",
                    row => (File: (int)row.Long(0), Receipt: new PartReceipt(row.Long(1), row.Text(2))), transfer)
                    .ToLookup(p => p.File, p => p.Receipt);
                var uploads = db.Query(
                    "SELECT file, token, part_bytes FROM transfer_uploads WHERE transfer = ?",
                    row => (File: (int)row.Long(0), Token: row.Text(1), PartBytes: row.Long(2)), transfer)
                    .ToDictionary(u => u.File, u => new RecordedUpload(u.Token, u.PartBytes, [.. parts[u.File]]));
                var copies = db.Query(
                    "SELECT file, checked FROM transfer_copies WHERE transfer = ?",
                    row => (File: (int)row.Long(0), How: (CopyCheck)row.Long(1)), transfer)
                    .ToDictionary(c => c.File, c => c.How == 0 ? (CopyCheck?)null : c.How);
                var names = db.Query(
                    "SELECT file, path FROM transfer_names WHERE transfer = ?",
                    row => (File: (int)row.Long(0), Path: EntryPath.Parse(row.Text(1))), transfer)
                    .ToDictionary(n => n.File, n => n.Path);
                return new JournalState(started, files.ToHashSet(), uploads) { Copies = copies, Renamed = names };
            },
            cancellationToken);

    public ValueTask StartedAsync(
        IReadOnlyDictionary<int, EntryPath> renamed, CancellationToken cancellationToken) =>
        WriteAsync(
            db =>
            {
                foreach (var (file, path) in renamed)
                {
                    db.Execute(
                        "INSERT OR REPLACE INTO transfer_names (transfer, file, path) VALUES (?, ?, ?)", transfer, file,
                        path.Value);
                }
                db.Execute("UPDATE transfers SET started = 1 WHERE id = ?", transfer);
            },
            cancellationToken);

    public ValueTask UploadBegunAsync(int file, string token, long partBytes, CancellationToken cancellationToken) =>
        WriteAsync(
            db =>
            {
                db.Execute("DELETE FROM transfer_parts WHERE transfer = ? AND file = ?", transfer, file);
                db.Execute(
                    "INSERT OR REPLACE INTO transfer_uploads (transfer, file, token, part_bytes) VALUES (?, ?, ?, ?)",
                    transfer, file, token, partBytes);
            },
            cancellationToken);

    public ValueTask PartStoredAsync(int file, PartReceipt receipt, CancellationToken cancellationToken) =>
        WriteAsync(
            db => db.Execute(
                "INSERT OR REPLACE INTO transfer_parts (transfer, file, part, tag) VALUES (?, ?, ?, ?)",
                transfer, file, receipt.Index, receipt.Tag),
            cancellationToken);

    public ValueTask UploadEndedAsync(int file, CancellationToken cancellationToken) =>
        WriteAsync(db => Forget(db, file), cancellationToken);

    public ValueTask FileCompletedAsync(int file, CancellationToken cancellationToken) =>
        WriteAsync(
            db =>
            {
                db.Execute("INSERT OR IGNORE INTO transfer_files (transfer, file) VALUES (?, ?)", transfer, file);
                Forget(db, file);
            },
            cancellationToken);

    public ValueTask CopyBegunAsync(int file, CancellationToken cancellationToken) =>
        WriteAsync(db => SetCopy(db, file, 0), cancellationToken);

    public ValueTask CopyCompletedAsync(int file, CopyCheck how, CancellationToken cancellationToken) =>
        WriteAsync(
            db =>
            {
                SetCopy(db, file, (int)how);
                db.Execute("INSERT OR IGNORE INTO transfer_files (transfer, file) VALUES (?, ?)", transfer, file);
                Forget(db, file);
            },
            cancellationToken);

    public ValueTask CopyDroppedAsync(int file, CancellationToken cancellationToken) =>
        WriteAsync(
            db =>
            {
                db.Execute("DELETE FROM transfer_copies WHERE transfer = ? AND file = ?", transfer, file);
                Forget(db, file);
            },
            cancellationToken);

    /// <summary>What another agent recorded of a transfer that has no journal here.</summary>
    internal static void Insert(Storage.SqlSession db, string transfer, JournalState journal)
    {
        foreach (var (file, path) in journal.Renamed)
        {
            db.Execute(
                "INSERT INTO transfer_names (transfer, file, path) VALUES (?, ?, ?)", transfer, file, path.Value);
        }
        foreach (var file in journal.Completed)
            db.Execute("INSERT INTO transfer_files (transfer, file) VALUES (?, ?)", transfer, file);
        foreach (var (file, how) in journal.Copies)
        {
            db.Execute(
                "INSERT INTO transfer_copies (transfer, file, checked) VALUES (?, ?, ?)", transfer, file,
                (int?)how ?? 0);
        }
        foreach (var (file, upload) in journal.Uploads)
        {
            db.Execute(
                "INSERT INTO transfer_uploads (transfer, file, token, part_bytes) VALUES (?, ?, ?, ?)",
                transfer, file, upload.Token, upload.PartBytes);
            foreach (var part in upload.Parts)
            {
                db.Execute(
                    "INSERT OR REPLACE INTO transfer_parts (transfer, file, part, tag) VALUES (?, ?, ?, ?)",
                    transfer, file, part.Index, part.Tag);
            }
        }
        if (journal.HasStarted) db.Execute("UPDATE transfers SET started = 1 WHERE id = ?", transfer);
    }

    private void SetCopy(Storage.SqlSession db, int file, int how) => db.Execute(
        "INSERT OR REPLACE INTO transfer_copies (transfer, file, checked) VALUES (?, ?, ?)", transfer, file, how);

    private void Forget(Storage.SqlSession db, int file)
    {
        db.Execute("DELETE FROM transfer_uploads WHERE transfer = ? AND file = ?", transfer, file);
        db.Execute("DELETE FROM transfer_parts WHERE transfer = ? AND file = ?", transfer, file);
    }

    private ValueTask WriteAsync(Action<Storage.SqlSession> write, CancellationToken cancellationToken) =>
        state.Database.WriteAsync(write, cancellationToken);
}
