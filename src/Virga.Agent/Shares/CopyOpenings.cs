using System.Collections.Concurrent;
using Virga.Accounts;
using Virga.Agent.State;
using Virga.Content.Snapshots;
using Virga.Core;
using Virga.Protocol;

namespace Virga.Agent.Shares;

/// <param name="Ends">When it is taken away, if it isn't done or cut before.</param>
internal sealed record CopyOpeningRow(
    string Id, Hash256 Share, AgentId Agent, string Account, DateTimeOffset Ends);

/// <summary>
/// What this agent has opened to others for copies inside a service (spec/v1/copies.md): recorded before it is opened,
/// forgotten after it is closed, and closed when it is done, over, cut or withdrawn, also after a crash.
/// </summary>
internal sealed class CopyOpenings(
    AgentState state, AccountPool accounts, Func<Hash256, ShareRow?> find, Func<ShareRow, AgentId, bool> mayRead,
    AgentOptions options, Action<string> log)
{
    public const string SchemaSql = """
        ALTER TABLE shares ADD COLUMN copy_service TEXT;
        ALTER TABLE transfers ADD COLUMN copy_check INTEGER NOT NULL DEFAULT 1;
        CREATE TABLE transfer_copies (
            transfer TEXT NOT NULL, file INTEGER NOT NULL, checked INTEGER NOT NULL, PRIMARY KEY (transfer, file)
        ) WITHOUT ROWID;
        CREATE TABLE copy_openings (
            id TEXT PRIMARY KEY, share BLOB NOT NULL, agent BLOB NOT NULL, account TEXT NOT NULL, ends INTEGER NOT NULL
        ) WITHOUT ROWID;
        """;

    /// <summary>Of an asker and a share. A transfer has two at once, and a third that it is just done with.</summary>
    private const int OpenMax = 4;

    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<string, CopyOpeningRow> rows = new(StringComparer.Ordinal);

    /// <summary>Openings that are being made or closed; they are not swept meanwhile.</summary>
    private readonly ConcurrentDictionary<string, bool> busy = new(StringComparer.Ordinal);

    /// <summary>One change of permissions at a time for a service: they are read, changed and written back.</summary>
    private readonly ConcurrentDictionary<string, SemaphoreSlim> gates = new(StringComparer.Ordinal);

    private readonly SemaphoreSlim wake = new(0);

    public bool Uses(string account) => rows.Values.Any(r => r.Account == account);

    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        var known = await state.Database.ReadAsync(
            db => db.Query(
                "SELECT id, share, agent, account, ends FROM copy_openings",
                row => new CopyOpeningRow(
                    row.Text(0), row.Hash(1), new AgentId(row.Hash(2)), row.Text(3), row.Time(4))),
            cancellationToken);
        foreach (var row in known) rows[row.Id] = row;
    }

    /// <summary>Opens what the request names, as far as it can be, and closes what it says is done.</summary>
    public async Task<CopiesAnswer> OpenAsync(
        ShareRow share, OwnerIndex index, AgentId asker, CopiesRequest request, CancellationToken cancellationToken)
    {
        var account = await accounts.GetAsync(share.Account, cancellationToken);
        if (share.CopyService is null || account.Find<ICopyGrants>() is not { } grants)
            throw new VirgaException(FailureKind.Unsupported, "this share can't be copied inside a service");
        if (request.Service != grants.Service)
            throw new VirgaException(FailureKind.Unsupported, "this share lies at another service");
        var done = request.Done.Where(id => rows.TryGetValue(id, out var row)
            && row.Agent == asker && row.Share == share.InfoHash).ToList();
        var opening = new CopyOpeningRow(
            NewId(), share.InfoHash, asker, share.Account, options.Time.GetUtcNow() + Lifetime);
        var blobs = request.Roots.Distinct().Select(index.Find).OfType<OwnedBlob>().ToList();
        if (blobs.Count == 0)
        {
            await CloseAsync(share.Account, grants, done, cancellationToken);
            return new CopiesAnswer(opening.Ends, opening.Id, []);
        }
        done.AddRange(TooMany(share.InfoHash, asker, done));
        busy[opening.Id] = true;
        try
        {
            await RecordAsync(opening, cancellationToken);
            var sources = await ChangeAsync(share, grants, opening, done, blobs, request, cancellationToken);
            var opened = blobs.Zip(sources).Where(p => p.Second is not null).Select(p => new OpenedCopy(
                p.First.Blob.Root, p.Second!.Container, p.Second.Name, p.Second.Pin.Value)).ToList();
            await ForgetAsync(opened.Count > 0 ? done : [.. done, opening.Id], cancellationToken);
            return new CopiesAnswer(opening.Ends, opening.Id, opened);
        }
        catch
        {
            // Perhaps it was opened: then it is closed, too.
            if (rows.TryGetValue(opening.Id, out var row)) rows[opening.Id] = row with { Ends = default };
            throw;
        }
        finally
        {
            busy.TryRemove(opening.Id, out _);
            wake.Release();
        }
    }

    /// <summary>The oldest that an asker has not closed: perhaps it was killed, and doesn't know of them.</summary>
    private IEnumerable<string> TooMany(Hash256 share, AgentId asker, List<string> done)
    {
        var own = rows.Values.Where(r => r.Agent == asker && r.Share == share && !busy.ContainsKey(r.Id)
            && !done.Contains(r.Id)).OrderBy(r => r.Ends).Select(r => r.Id).ToList();
        return own.Take(Math.Max(0, own.Count - (OpenMax - 1)));
    }

    /// <summary>Closes what was opened to those who may not read any more.</summary>
    public void Cut() => wake.Release();

    /// <summary>Looks again and again for what is over, and closes it.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            await SweepAsync(cancellationToken);
            await wake.WaitAsync(LookEvery, cancellationToken);
        }
    }

    /// <summary>Closes what is over, as far as its services can be reached.</summary>
    internal async Task SweepAsync(CancellationToken cancellationToken)
    {
        foreach (var group in rows.Values.Where(IsOver).GroupBy(r => r.Account).ToList())
        {
            try
            {
                var account = await accounts.GetAsync(group.Key, cancellationToken);
                if (account.Find<ICopyGrants>() is { } grants)
                    await CloseAsync(group.Key, grants, [.. group.Select(r => r.Id)], cancellationToken);
            }
            catch (VirgaException e)
            {
                log($"what was opened for copies in account '{group.Key}' is closed later: {e.Message}");
            }
        }
    }

    private bool IsOver(CopyOpeningRow row) => !busy.ContainsKey(row.Id)
        && (row.Ends <= options.Time.GetUtcNow() || !IsAllowed(row));

    private bool IsAllowed(CopyOpeningRow row) =>
        find(row.Share) is { CopyService: not null } share && mayRead(share, row.Agent);

    private async Task<IReadOnlyList<CopySource?>> ChangeAsync(
        ShareRow share, ICopyGrants grants, CopyOpeningRow opening, List<string> done, List<OwnedBlob> blobs,
        CopiesRequest request, CancellationToken cancellationToken)
    {
        var gate = GateOf(grants);
        await gate.WaitAsync(cancellationToken);
        try
        {
            // Looked at again behind the gate: whoever is cut from now on is closed after this.
            if (!IsAllowed(opening))
                throw new VirgaException(FailureKind.Denied, "access was withdrawn");
            return await grants.ChangeAsync(
                done,
                new CopyOpening(
                    opening.Id, request.Principal, opening.Ends, [.. blobs.Select(b => (b.Path, b.Version))]),
                cancellationToken);
        }
        finally
        {
            gate.Release();
        }
    }

    private async Task CloseAsync(
        string account, ICopyGrants grants, IReadOnlyList<string> ids, CancellationToken cancellationToken)
    {
        if (ids.Count == 0) return;
        var gate = GateOf(grants);
        await gate.WaitAsync(cancellationToken);
        try
        {
            await grants.ChangeAsync(ids, null, cancellationToken);
        }
        // The account's bucket is gone, and its permissions with it.
        catch (VirgaException e) when (e.Kind == FailureKind.NotFound)
        {
            log($"account '{account}' has nothing left to close: {e.Message}");
        }
        finally
        {
            gate.Release();
        }
        await ForgetAsync(ids, cancellationToken);
    }

    private SemaphoreSlim GateOf(ICopyGrants grants) => gates.GetOrAdd(grants.Service, _ => new SemaphoreSlim(1, 1));

    private async Task RecordAsync(CopyOpeningRow row, CancellationToken cancellationToken)
    {
        await state.Database.WriteAsync(
            db => db.Execute(
                "INSERT INTO copy_openings (id, share, agent, account, ends) VALUES (?, ?, ?, ?, ?)",
                row.Id, row.Share, row.Agent.Hash, row.Account, row.Ends),
            cancellationToken);
        rows[row.Id] = row;
    }

    private async Task ForgetAsync(IReadOnlyList<string> ids, CancellationToken cancellationToken)
    {
        if (ids.Count == 0) return;
        await state.Database.WriteAsync(
            db =>
            {
                foreach (var id in ids) db.Execute("DELETE FROM copy_openings WHERE id = ?", id);
            },
            cancellationToken);
        foreach (var id in ids) rows.TryRemove(id, out _);
    }

    private string NewId()
    {
        var id = new byte[CopiesAnswer.IdBytes];
        options.Random(id);
        return Convert.ToHexStringLower(id);
    }
}
