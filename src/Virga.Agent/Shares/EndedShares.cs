using System.Collections.Concurrent;
using Virga.Accounts;
using Virga.Agent.State;
using Virga.Core;
using Virga.Protocol;

namespace Virga.Agent.Shares;

/// <summary>
/// Shares whose time is over, kept so that who could read them is told so. Of each only what says who that was.
/// </summary>
internal sealed class EndedShares(AgentState state)
{
    internal const string SchemaSql = """
        CREATE TABLE ended_shares (
            info_hash BLOB PRIMARY KEY, audience INTEGER NOT NULL, readers TEXT NOT NULL, proof_key BLOB,
            reach INTEGER NOT NULL, ends INTEGER NOT NULL
        ) WITHOUT ROWID;
        """;

    /// <summary>Older ones are as if they had never been.</summary>
    private const int KeptMost = 1000;

    private readonly ConcurrentDictionary<Hash256, ShareRow> rows = [];

    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        var loaded = await state.Database.ReadAsync(
            db => db.Query(
                "SELECT info_hash, audience, readers, proof_key, reach, ends FROM ended_shares",
                row => new ShareRow(
                    row.Hash(0), "", EntryPath.Root, (AudienceKind)row.Long(1),
                    [.. row.Text(2).Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(AgentId.Parse)], null,
                    row.IsNull(3) ? null : row.Hash(3), default, 0, 0, [], null, (int)row.Long(4))
                {
                    Ends = row.Time(5),
                }),
            cancellationToken);
        foreach (var row in loaded) rows[row.InfoHash] = row;
    }

    /// <summary>What can't be told of any more is null, like what never was.</summary>
    public ShareRow? Find(Hash256 infoHash) => rows.GetValueOrDefault(infoHash);

    /// <summary>Puts a share here in place of where it stood, in one step.</summary>
    public async Task AddAsync(ShareRow row, CancellationToken cancellationToken)
    {
        var readers = string.Join(' ', row.Readers);
        await state.Database.WriteAsync(
            db =>
            {
                db.Execute("DELETE FROM shares WHERE info_hash = ?", row.InfoHash);
                db.Execute(
                    "INSERT OR REPLACE INTO ended_shares (info_hash, audience, readers, proof_key, reach, ends) "
                        + "VALUES (?, ?, ?, ?, ?, ?)",
                    row.InfoHash, (int)row.Audience, readers, row.ProofKey, row.Reach, row.Ends!.Value);
                db.Execute(
                    "DELETE FROM ended_shares WHERE info_hash NOT IN "
                        + "(SELECT info_hash FROM ended_shares ORDER BY ends DESC LIMIT ?)", KeptMost);
            },
            cancellationToken);
        rows[row.InfoHash] = row;
        foreach (var old in rows.Values.OrderByDescending(r => r.Ends).Skip(KeptMost))
            rows.TryRemove(old.InfoHash, out _);
    }

    /// <summary>It is shared again.</summary>
    public async Task RemoveAsync(Hash256 infoHash, CancellationToken cancellationToken)
    {
        if (!rows.TryRemove(infoHash, out _)) return;
        await state.Database.WriteAsync(
            db => { db.Execute("DELETE FROM ended_shares WHERE info_hash = ?", infoHash); }, cancellationToken);
    }

    /// <summary>What who could read it is told.</summary>
    public static VirgaException Over(ShareRow ended) => new(
        FailureKind.NotFound,
        $"this share ended at {ended.Ends!.Value.UtcDateTime:yyyy-MM-dd HH:mm} UTC, as its owner wanted when they "
            + "made it",
        "What you have of it is yours; for the rest ask its owner to share it again.");
}
