using System.Globalization;
using Microsoft.AspNetCore.Http;
using Virga.Core;
using Virga.Protocol;
using Virga.Storage;
using Virga.Trust;
using Virga.Trust.Following;
using Virga.Trust.Log;

namespace Virga.Hosting;

/// <summary>
/// What both peers do about repositories' logs (spec/v1/log.md): a <see cref="LogKeeper"/> with its state in SQLite,
/// and the requests by which heads and proofs go from peer to peer. Thread-safe.
/// </summary>
public sealed class LogService : IAsyncDisposable
{
    /// <summary>Its tables: one migration of the database that it is given.</summary>
    public const string SchemaSql = """
        CREATE TABLE log_kept(repository BLOB PRIMARY KEY, kept BLOB NOT NULL) WITHOUT ROWID;
        CREATE TABLE evidence(number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, agent BLOB NOT NULL,
            is_fraud INTEGER NOT NULL, is_settled INTEGER NOT NULL DEFAULT 0, proof BLOB NOT NULL);
        """;

    private const int FraudsMax = 10_000;

    /// <summary>Heads of one address: a peer exchanges them every half minute.</summary>
    private static readonly RequestRate HeadsRate = new(PerSecond: 1, Burst: 60);

    /// <summary>Proofs of one address: checking a long one takes a second.</summary>
    private static readonly RequestRate EvidenceRate = new(PerSecond: 0.1, Burst: 20);

    private readonly Database database;
    private readonly ChainStore chains;
    private readonly ChainDirectory directory;
    private readonly Action<string> log;
    private readonly RequestLimiter<ClientAddress> heads;
    private readonly RequestLimiter<ClientAddress> proofs;
    private readonly SemaphoreSlim checking = new(1, 1);
    private readonly Lock gate = new();
    private Task writing = Task.CompletedTask;
    private bool isLoaded;

    /// <param name="self">Of a repository, which does not watch itself; null of an agent.</param>
    public LogService(
        Database database, ChainStore chains, ChainDirectory directory, AgentId? self, TimeProvider time,
        Action<string> log)
    {
        this.database = database;
        this.chains = chains;
        this.directory = directory;
        this.log = log;
        heads = new RequestLimiter<ClientAddress>(HeadsRate, time);
        proofs = new RequestLimiter<ClientAddress>(EvidenceRate, time);
        Keeper = new LogKeeper(directory, time, log)
        {
            Self = self, Found = Take, SaveAsync = SaveAsync, FindChainAsync = FindChainAsync,
        };
        chains.FraudProven = (proof, chain) => Report(proof, chain);
        chains.FraudSettled = Settle;
    }

    public LogKeeper Keeper { get; }

    /// <summary>Told of each proof, after a restart anew, before it is written down.</summary>
    public Action<Evidence, AgentId>? Found { get; set; }

    /// <summary>Reads what an earlier run kept.</summary>
    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        var rows = await database.ReadAsync(
            sql => sql.Query("SELECT id, is_settled, proof FROM evidence ORDER BY number",
                static row => (Id: row.Hash(0), IsSettled: row.Bool(1), Proof: row.Bytes(2))), cancellationToken);
        var kept = await database.ReadAsync(
            sql => sql.Query("SELECT repository, kept FROM log_kept",
                static row => KeptHeads.Parse(new AgentId(row.Hash(0)), row.Bytes(1))), cancellationToken);
        var settled = rows.Where(row => row.IsSettled).Select(row => row.Id).ToHashSet();
        Keeper.Load(rows.Select(row => Evidence.Parse(row.Proof)), kept, proof => settled.Contains(proof.Id));
        lock (gate) isLoaded = true;
        // What was found before proofs were kept here.
        foreach (var (proof, chain) in await chains.FraudsAsync(FraudsMax, cancellationToken)) Report(proof, chain);
    }

    /// <summary>A fraud that was found here.</summary>
    public void Report(FraudProof proof, Sigchain chain) => TakeQuietly(() => Evidence.Of(proof, chain));

    /// <summary>A breach that was found here.</summary>
    public void Report(LogBreach breach) => TakeQuietly(() => Evidence.Of(breach));

    /// <summary>A rotation has settled which history of an agent stands.</summary>
    public void Settle(Sigchain chain)
    {
        Keeper.Settle(chain);
        if (Keeper.FraudOf(chain.Id) is not null) return;
        Write(sql => sql.Execute("UPDATE evidence SET is_settled=1 WHERE agent=?1 AND is_fraud=1", chain.Id));
    }

    /// <summary>Completes when all that was found by now is durable.</summary>
    public Task WrittenAsync()
    {
        lock (gate) return writing;
    }

    /// <param name="takesEvidence">Of a repository: anybody may hand it a proof.</param>
    public void Map(PeerRoutes routes, bool takesEvidence)
    {
        routes.Public("POST", "/v1/heads", ExchangeHeadsAsync);
        routes.Public("GET", "/v1/evidence/{number}", ReadEvidenceAsync);
        if (takesEvidence) routes.Public("POST", "/v1/evidence", PostEvidenceAsync);
    }

    public async ValueTask DisposeAsync()
    {
        await WrittenAsync();
        checking.Dispose();
    }

    private async Task ExchangeHeadsAsync(HttpContext context)
    {
        Refusals.RequireRate(heads.TryAcquire(ClientAddress.Of(context.AskerAddress())), "this address with heads");
        var body = await context.ReadBodyAsync(ProtocolLimits.MessageBytes, context.RequestAborted);
        await context.AnswerAsync(await Keeper.HearAsync(null, body.ToArray(), context.RequestAborted));
    }

    private async Task ReadEvidenceAsync(HttpContext context)
    {
        var text = context.RouteText("number");
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            throw new VirgaException(FailureKind.BadInput, "the number of a proof is not one",
                "Proofs are counted from 0 on.");
        }
        var all = Keeper.All;
        if (number >= all.Count)
            throw new VirgaException(FailureKind.NotFound, $"there are {all.Count} proofs here", "Ask again later.");
        await context.AnswerAsync(all[number].Bytes);
    }

    private async Task PostEvidenceAsync(HttpContext context)
    {
        Refusals.RequireRate(proofs.TryAcquire(ClientAddress.Of(context.AskerAddress())), "this address with proofs");
        var body = await context.ReadBodyAsync(ProtocolLimits.MessageBytes, context.RequestAborted);
        var proof = Evidence.Parse(body.ToArray());
        // One at a time: whoever sends many long ones waits for himself.
        await checking.WaitAsync(context.RequestAborted);
        AgentId who;
        try
        {
            who = await Keeper.TakeAsync(proof, context.RequestAborted);
        }
        finally
        {
            checking.Release();
        }
        if (Keeper.BreachOf(who) is null && Keeper.FraudOf(who) is null)
        {
            throw new VirgaException(FailureKind.Full, "this peer keeps as many proofs as it can",
                "Hand it to another repository.");
        }
        await WrittenAsync();
        await context.AnswerAsync("de"u8.ToArray());
    }

    private void TakeQuietly(Func<Evidence> proof)
    {
        try
        {
            Keeper.Take(proof());
        }
        catch (VirgaException e)
        {
            log($"a proof that was found here does not hold: {e.Message}");
        }
    }

    private void Take(Evidence proof, AgentId who)
    {
        Found?.Invoke(proof, who);
        lock (gate)
        {
            // It is being read from there.
            if (!isLoaded) return;
        }
        Write(sql => sql.Execute(
            "INSERT INTO evidence(id,agent,is_fraud,proof) VALUES(?1,?2,?3,?4) ON CONFLICT DO NOTHING",
            proof.Id, who, proof.Fraud is null ? 0 : 1, proof.Bytes));
    }

    private void Write(Action<SqlSession> write)
    {
        lock (gate) writing = WriteAfterAsync(writing, write);
    }

    private async Task WriteAfterAsync(Task before, Action<SqlSession> write)
    {
        await before;
        try
        {
            await database.WriteAsync(write, CancellationToken.None);
        }
        catch (VirgaException e)
        {
            // It holds in memory, and is learnt anew from others after a restart.
            log($"a proof can't be written down: {e.Message}");
        }
    }

    private async ValueTask SaveAsync(KeptHeads kept, CancellationToken cancellationToken) =>
        await database.WriteAsync(
            sql => sql.Execute("INSERT OR REPLACE INTO log_kept(repository,kept) VALUES(?1,?2)",
                kept.Repository, kept.Encode()), cancellationToken);

    private async ValueTask<Sigchain?> FindChainAsync(AgentId agent, CancellationToken cancellationToken)
    {
        try
        {
            return await chains.FindAsync(agent, cancellationToken);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.Denied)
        {
            return null;
        }
    }
}
