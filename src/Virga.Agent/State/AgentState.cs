using System.Text.Json;
using Virga.Accounts;
using Virga.Agent.Control;
using Virga.BitTorrent;
using Virga.Core;
using Virga.Storage;

namespace Virga.Agent.State;

/// <summary>The agent's database and sealed files. What is secret in it is sealed with the data key.</summary>
internal sealed class AgentState : IAsyncDisposable
{
    private const int ApplicationId = 0x56524741; // "VRGA"

    private static readonly DatabaseSchema Schema = new(ApplicationId, "the agent's state",
    [
        """
        CREATE TABLE accounts (
            name TEXT PRIMARY KEY, adapter TEXT NOT NULL, settings TEXT NOT NULL, secrets BLOB NOT NULL,
            created INTEGER NOT NULL
        );
        CREATE TABLE shares (
            info_hash BLOB PRIMARY KEY, account TEXT NOT NULL REFERENCES accounts(name), path TEXT NOT NULL,
            audience INTEGER NOT NULL,
            readers TEXT NOT NULL, secret BLOB, proof_key BLOB, created INTEGER NOT NULL, files INTEGER NOT NULL,
            bytes INTEGER NOT NULL,
            skipped TEXT NOT NULL, feed TEXT
        );
        CREATE TABLE feeds (name TEXT PRIMARY KEY, version INTEGER NOT NULL);
        CREATE TABLE transfers (
            id TEXT PRIMARY KEY, info_hash BLOB NOT NULL, link BLOB NOT NULL, account TEXT NOT NULL, path TEXT NOT NULL,
            collision INTEGER NOT NULL, state INTEGER NOT NULL, created INTEGER NOT NULL, ended INTEGER,
            fetched INTEGER NOT NULL DEFAULT 0,
            started INTEGER NOT NULL DEFAULT 0, files_total INTEGER NOT NULL DEFAULT 0,
            bytes_total INTEGER NOT NULL DEFAULT 0,
            outcome TEXT
        );
        CREATE TABLE transfer_files (
            transfer TEXT NOT NULL, file INTEGER NOT NULL, PRIMARY KEY (transfer, file)
        ) WITHOUT ROWID;
        CREATE TABLE transfer_uploads (
            transfer TEXT NOT NULL, file INTEGER NOT NULL, token TEXT NOT NULL, part_bytes INTEGER NOT NULL,
            PRIMARY KEY (transfer, file)
        ) WITHOUT ROWID;
        CREATE TABLE transfer_parts (
            transfer TEXT NOT NULL, file INTEGER NOT NULL, part INTEGER NOT NULL, tag TEXT NOT NULL,
            PRIMARY KEY (transfer, file, part)
        ) WITHOUT ROWID;
        """,
        Hosting.ChainStore.SchemaSql,
        """
        ALTER TABLE shares ADD COLUMN reach INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE known_agents (
            agent BLOB PRIMARY KEY, is_root INTEGER NOT NULL DEFAULT 0, is_refused INTEGER NOT NULL DEFAULT 0,
            name TEXT UNIQUE, endpoint TEXT
        ) WITHOUT ROWID;
        """,
        Trust.RequestTable.SchemaSql,
        "ALTER TABLE shares ADD COLUMN direct INTEGER NOT NULL DEFAULT 0;",
        Hosting.LogService.SchemaSql + Network.RepositoriesInUse.SchemaSql,
        "ALTER TABLE transfers ADD COLUMN priority INTEGER NOT NULL DEFAULT 1;"
            + Transfers.LimitKeeper.SchemaSql,
        Planning.MeasuredRates.SchemaSql + "ALTER TABLE transfers ADD COLUMN plan TEXT;",
        Shares.CopyOpenings.SchemaSql,
        "ALTER TABLE transfers ADD COLUMN serve INTEGER NOT NULL DEFAULT 0;",
        Notices.WebhookTable.SchemaSql,
        """
        CREATE TABLE transfer_names (
            transfer TEXT NOT NULL, file INTEGER NOT NULL, path TEXT NOT NULL, PRIMARY KEY (transfer, file)
        ) WITHOUT ROWID;
        """,
        "ALTER TABLE accounts ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;",
        "ALTER TABLE shares ADD COLUMN hybrid_v1 BLOB; ALTER TABLE shares ADD COLUMN hybrid_v2 BLOB;",
        "ALTER TABLE transfers ADD COLUMN torrent TEXT;",
        "ALTER TABLE shares ADD COLUMN v1_alone BLOB;",
        SignInTable.SchemaSql,
        Api.ApiTokens.SchemaSql,
        "ALTER TABLE transfers ADD COLUMN receive INTEGER;",
        SignInTable.PasskeysSql,
        Uploads.FileUploadTable.SchemaSql,
        "ALTER TABLE transfers ADD COLUMN choice TEXT;",
        "ALTER TABLE shares ADD COLUMN ends INTEGER;" + Shares.EndedShares.SchemaSql,
    ]);

    /// <summary>Bound of what is recorded of one share, which grows with the share.</summary>
    internal const long SealedBytesMax = 1 << 30;

    private readonly DataFolder folder;

    private AgentState(DataFolder folder, Database database, DataKey key, RandomBytes random)
    {
        this.folder = folder;
        Database = database;
        Key = key;
        Random = random;
    }

    public Database Database { get; }

    public DataKey Key { get; }

    public RandomBytes Random { get; }

    public static AgentState Open(DataFolder folder, DataKey key, RandomBytes random)
    {
        foreach (var name in new[] { "shares", "transfers" }) Directory.CreateDirectory(folder.PathOf(name));
        return new AgentState(folder, Database.Open(folder.PathOf("agent.db"), Schema), key, random);
    }

    /// <summary>The database alone, wherever it lies.</summary>
    internal static Database OpenDatabase(string path) => Database.Open(path, Schema);

    /// <summary>Reads and opens what lies at one of the paths below.</summary>
    public ReadOnlyMemory<byte> ReadSealed(string path) => SealedFile.Read(path, Key, SealedBytesMax);

    /// <summary>Where a share's owner index lies, sealed.</summary>
    public string IndexPath(Hash256 infoHash) => folder.PathOf($"shares/{infoHash}.index");

    /// <summary>
    /// Where what its snapshot saw of the account lies, sealed, beside it; only a help for the next one.
    /// </summary>
    public string ListingPath(Hash256 infoHash) => folder.PathOf($"shares/{infoHash}.listing");

    /// <summary>Where the info dict of a share's hybrid torrent lies, sealed.</summary>
    public string HybridPath(Hash256 infoHash) => folder.PathOf($"shares/{infoHash}.hybrid");

    /// <summary>Where the key of this agent's feeds in the DHT lies, sealed.</summary>
    public string FeedKeyPath => folder.PathOf("feed-key");

    /// <summary>Where a transfer's torrent and manifest lie, sealed.</summary>
    public string ContentPath(string transfer) => folder.PathOf($"transfers/{transfer}.content");

    public byte[] Seal(ReadOnlySpan<byte> plain, string place) =>
        Key.Seal(plain, System.Text.Encoding.UTF8.GetBytes(place), Random);

    public byte[] Unseal(ReadOnlySpan<byte> box, string place) =>
        Key.Open(box, System.Text.Encoding.UTF8.GetBytes(place), place);

    public ValueTask DisposeAsync() => Database.DisposeAsync();
}

/// <summary>What the agent knows of one of its shares.</summary>
/// <param name="Secret">Of a share by link or for trusted agents.</param>
/// <param name="IsDirect">Whether readers get signed URLs of the storage (spec/v1/direct.md).</param>
/// <param name="CopyService">
/// The service inside which readers may copy (spec/v1/copies.md); null where they may not.
/// </param>
/// <param name="Reach">Of a share for trusted agents: how many more links a chain may have (spec/v1/trust.md).</param>
internal sealed record ShareRow(
    Hash256 InfoHash, string Account, EntryPath Path, AudienceKind Audience, IReadOnlyList<AgentId> Readers,
    byte[]? Secret, Hash256? ProofKey, DateTimeOffset Created, int Files, long Bytes,
    IReadOnlyList<Control.SkippedEntry> Skipped, string? Feed, int Reach = 0,
    bool IsDirect = false, string? CopyService = null)
{
    /// <summary>Info-hashes of its hybrid torrent; null where it has none.</summary>
    public (SwarmHash V1, Hash256 V2)? Hybrid { get; init; }

    /// <summary>Info-hash of the hybrid's v1 part as a torrent of its own; null where there is none.</summary>
    public SwarmHash? V1Alone { get; init; }

    /// <summary>When it is withdrawn by itself; null: never.</summary>
    public DateTimeOffset? Ends { get; init; }

    /// <summary>What its torrent is called.</summary>
    public string Name => Path.IsRoot ? "share" : Path.Name;

    public override string ToString() => InfoHash.ToString();
}

internal sealed class ShareTable(AgentState state)
{
    public ValueTask PutAsync(ShareRow row, CancellationToken cancellationToken)
    {
        var secret = row.Secret is { } plain ? state.Seal(plain, Place(row.InfoHash)) : null;
        var readers = string.Join(' ', row.Readers);
        var skipped = JsonSerializer.Serialize(row.Skipped.ToList(), StateJson.Default.ListSkippedEntry);
        return state.Database.WriteAsync(
            db =>
            {
                db.Execute(
                    "INSERT OR REPLACE INTO shares (info_hash, account, path, audience, readers, secret, "
                        + "proof_key, created, files, bytes, skipped, feed, reach, direct, copy_service, "
                        + "hybrid_v1, hybrid_v2, v1_alone, ends) "
                        + "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    row.InfoHash, row.Account, row.Path.Value, (int)row.Audience, readers, secret,
                    row.ProofKey, row.Created, row.Files, row.Bytes, skipped, row.Feed, row.Reach,
                    row.IsDirect ? 1 : 0, row.CopyService, row.Hybrid?.V1.ToArray(), row.Hybrid?.V2,
                    row.V1Alone?.ToArray(), row.Ends?.ToUnixTimeSeconds());
            },
            cancellationToken);
    }

    public async ValueTask<List<ShareRow>> ListAsync(CancellationToken cancellationToken)
    {
        var rows = await state.Database.ReadAsync(
            db => db.Query(
                "SELECT info_hash, account, path, audience, readers, secret, "
                    + "proof_key, created, files, bytes, skipped, feed, reach, direct, copy_service, "
                    + "hybrid_v1, hybrid_v2, v1_alone, ends FROM shares ORDER BY created",
                row => (
                    Hash: row.Hash(0), Account: row.Text(1), Path: row.Text(2),
                    Audience: (AudienceKind)row.Long(3), Readers: row.Text(4),
                    Secret: row.IsNull(5) ? null : row.Bytes(5),
                    ProofKey: row.IsNull(6) ? (Hash256?)null : row.Hash(6),
                    Created: row.Time(7), Files: (int)row.Long(8), Bytes: row.Long(9), Skipped: row.Text(10),
                    Feed: row.IsNull(11) ? null : row.Text(11), Reach: (int)row.Long(12),
                    IsDirect: row.Long(13) != 0, CopyService: row.IsNull(14) ? null : row.Text(14),
                    Hybrid: row.IsNull(15)
                        ? ((SwarmHash, Hash256)?)null : (new SwarmHash(row.Bytes(15)), row.Hash(16)),
                    V1Alone: row.IsNull(17) ? (SwarmHash?)null : new SwarmHash(row.Bytes(17)),
                    Ends: row.IsNull(18) ? (DateTimeOffset?)null : row.Time(18))),
            cancellationToken);
        return
        [
            .. rows.Select(r => new ShareRow(
                r.Hash, r.Account, EntryPath.Parse(r.Path), r.Audience,
                [.. r.Readers.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(AgentId.Parse)],
                r.Secret is { } box ? state.Unseal(box, Place(r.Hash)) : null, r.ProofKey, r.Created, r.Files, r.Bytes,
                JsonSerializer.Deserialize(r.Skipped, StateJson.Default.ListSkippedEntry)!, r.Feed, r.Reach,
                r.IsDirect, r.CopyService)
            {
                Hybrid = r.Hybrid, V1Alone = r.V1Alone, Ends = r.Ends,
            }),
        ];
    }

    public async ValueTask<bool> RemoveAsync(Hash256 infoHash, CancellationToken cancellationToken) =>
        await state.Database.WriteAsync(
            db => db.Execute("DELETE FROM shares WHERE info_hash = ?", infoHash), cancellationToken) > 0;

    /// <summary>The next version of a feed, recorded before it is published: none is used twice.</summary>
    public ValueTask<long> NextFeedVersionAsync(string name, CancellationToken cancellationToken) =>
        state.Database.WriteAsync(
            db =>
            {
                db.Execute(
                    "INSERT INTO feeds (name, version) VALUES (?, 1) "
                    + "ON CONFLICT (name) DO UPDATE SET version = version + 1",
                    name);
                return db.Scalar("SELECT version FROM feeds WHERE name = ?", name);
            },
            cancellationToken);

    /// <summary>The version that a feed has; 0 where there is no such feed.</summary>
    public ValueTask<long> FeedVersionAsync(string name, CancellationToken cancellationToken) =>
        state.Database.ReadAsync(
            db => db.Scalar("SELECT coalesce(max(version), 0) FROM feeds WHERE name = ?", name), cancellationToken);

    private static string Place(Hash256 infoHash) => $"secret of share {infoHash}";
}
