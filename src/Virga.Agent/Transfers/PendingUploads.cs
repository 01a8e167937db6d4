using Virga.Accounts;
using Virga.Agent.Control;
using Virga.Agent.State;
using Virga.Core;

namespace Virga.Agent.Transfers;

/// <summary>
/// Uploads that were begun in an account and neither completed nor ended. Services keep and charge for what is stored
/// of them. Those of this agent's own transfers end with these; others were left by an agent that is gone, or belong to
/// another program that is still at work.
/// </summary>
internal sealed class PendingUploads(AgentState state, AccountPool accounts, TimeProvider time)
{
    /// <summary>In the order of their paths.</summary>
    /// <exception cref="VirgaException">Unsupported: nothing pending outlives a process there.</exception>
    public async Task<List<UploadInfo>> ListAsync(string account, CancellationToken cancellationToken)
    {
        var owners = await OwnersAsync(account, cancellationToken);
        var list = new List<UploadInfo>();
        await foreach (var upload in (await OpenAsync(account, cancellationToken))
            .ListUploadsAsync(EntryPath.Root, cancellationToken))
        {
            list.Add(new UploadInfo(
                upload.Path.Value, upload.Started, owners.GetValueOrDefault(upload.Token)));
        }
        list.Sort((a, b) => string.CompareOrdinal(a.Path, b.Path));
        return list;
    }

    /// <summary>
    /// Ends those that no transfer of this agent goes on with and that were begun before so long; of which it is not
    /// known when they were begun only where the age is zero. Returns them.
    /// </summary>
    public async Task<List<UploadInfo>> EndAsync(string account, TimeSpan age, CancellationToken cancellationToken)
    {
        var uploads = await OpenAsync(account, cancellationToken);
        // A transfer records what it begins after it has begun: what is young may be one's own.
        var before = time.GetUtcNow() - age;
        var orphans = new List<PendingUpload>();
        await foreach (var upload in uploads.ListUploadsAsync(EntryPath.Root, cancellationToken))
            if (age == TimeSpan.Zero || upload.Started <= before) orphans.Add(upload);
        var owners = await OwnersAsync(account, cancellationToken);
        var ended = new List<UploadInfo>();
        foreach (var orphan in orphans.Where(o => !owners.ContainsKey(o.Token)))
        {
            await uploads.AbortUploadAsync(orphan, cancellationToken);
            ended.Add(new UploadInfo(orphan.Path.Value, orphan.Started, null));
        }
        ended.Sort((a, b) => string.CompareOrdinal(a.Path, b.Path));
        return ended;
    }

    private async Task<IResumableUploads> OpenAsync(string account, CancellationToken cancellationToken) =>
        (await accounts.GetAsync(account, cancellationToken)).Find<IResumableUploads>() ?? throw new VirgaException(
            FailureKind.Unsupported, $"the account '{account}' does not tell of uploads that are pending",
            "Nothing that was begun there outlives the program that began it, or only its own tools show it.");

    /// <summary>What goes on with uploads, by token: transfers, and files that come in pieces.</summary>
    private async Task<Dictionary<string, string>> OwnersAsync(string account, CancellationToken cancellationToken)
    {
        var rows = await state.Database.ReadAsync(
            db => db.Query(
                "SELECT u.token, u.transfer FROM transfer_uploads u JOIN transfers t ON t.id = u.transfer "
                    + "WHERE t.account = ?1 UNION ALL "
                    + "SELECT token, id FROM file_uploads WHERE account = ?1 AND token IS NOT NULL",
                row => (Token: row.Text(0), Transfer: row.Text(1)), account),
            cancellationToken);
        return rows.DistinctBy(r => r.Token).ToDictionary(r => r.Token, r => r.Transfer, StringComparer.Ordinal);
    }
}
