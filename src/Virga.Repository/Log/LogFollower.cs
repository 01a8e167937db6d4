using Virga.Core;
using Virga.Hosting;
using Virga.Protocol;
using Virga.Storage;
using Virga.Trust;
using Virga.Trust.Log;

namespace Virga.Repository.Log;

/// <summary>How far another repository's log was followed.</summary>
/// <param name="Size">Entries of the log that were taken in or refused.</param>
/// <param name="Refused">Entries that were no good statements.</param>
internal sealed record FollowState(long Size, long Refused, bool IsAtHead);

/// <summary>
/// Reads another repository's log from where it stopped, checks that it is one history, and takes its statements in. In
/// bounded steps; each is recorded once everything of it was taken in, so that a crash repeats at most one. For one
/// caller at a time.
/// </summary>
internal sealed class LogFollower(
    Database database, ChainStore chains, LogClient client, LogService logs, TimeProvider time)
{
    public const string SchemaSql =
        "CREATE TABLE log_followed(agent BLOB PRIMARY KEY, endpoint TEXT NOT NULL, size INTEGER NOT NULL, "
        + "edge BLOB NOT NULL, note BLOB, refused INTEGER NOT NULL, breach TEXT) WITHOUT ROWID;";

    private const int BundlesPerStep = 16;
    private const int BytesPerStep = 8 << 20;
    private const int AtOnce = 16;

    private AgentId? known;
    private LogWatch? watch;

    public Endpoint Endpoint => client.Endpoint;

    /// <summary>The proof that the followed repository lied; it is followed no more then.</summary>
    public LogBreach? Breach { get; private set; }

    /// <summary>One bounded step; call again until it is at the head.</summary>
    /// <exception cref="VirgaException">
    /// The repository does not answer, its log is damaged or held back, or there is no room here. Denied: it is another
    /// one than before, or a proven liar.
    /// </exception>
    public async ValueTask<FollowState> StepAsync(CancellationToken cancellationToken)
    {
        var agent = known ??= await WhoAsync(cancellationToken);
        var state = await LoadAsync(agent, cancellationToken) ?? new Row(agent, 0, [], null, 0, null);
        if (state.Breach is { } proof) throw Liar(Breach ??= LogBreach.Parse(proof));
        // Somebody else may have proven it.
        if (logs.Keeper.BreachOf(agent)?.Breach is { } heard) throw await StopAsync(agent, heard, cancellationToken);
        watch ??= await WatchAsync(state, cancellationToken);
        if (watch.Newest is null || watch.Newest.Head.Size <= state.Size)
        {
            var sighting = await SeeAsync(state, cancellationToken);
            if (sighting.Breach is { } breach) throw await StopAsync(agent, breach, cancellationToken);
        }

        var head = watch.Newest!;
        if (head.Head.Size <= state.Size)
        {
            // A head without new entries may be dated later, and binds the repository for longer.
            var seen = state with { Note = head.Note.Encode() };
            await SaveAsync(seen, cancellationToken);
            return new FollowState(state.Size, state.Refused, IsAtHead: true);
        }

        var (edge, entries) = await ReadAsync(state, head, cancellationToken);
        var refused = await TakeInAsync(entries, cancellationToken);
        state = state with
        {
            Size = edge.Size,
            Edge = edge.Encode(),
            Note = head.Note.Encode(),
            Refused = state.Refused + refused,
        };
        await SaveAsync(state, cancellationToken);
        return new FollowState(state.Size, state.Refused, state.Size == head.Head.Size);
    }

    private ValueTask<byte[]?> FetchAsync(string path, CancellationToken cancellationToken) =>
        client.ReadAsync(path, LogReader.FileBytesMax, cancellationToken);

    private async ValueTask<LogSighting> SeeAsync(Row state, CancellationToken cancellationToken)
    {
        try
        {
            return await watch!.RefreshAsync(FetchAsync, cancellationToken);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.Unauthenticated)
        {
            // Perhaps it has another key now.
            watch!.Repository = await ChainAsync(state.Agent, cancellationToken);
            return await watch.RefreshAsync(FetchAsync, cancellationToken);
        }
    }

    /// <summary>The next entries, shown to be what the checkpoint says before any of them is looked into.</summary>
    private async ValueTask<(LogFrontier Edge, List<ReadOnlyMemory<byte>> Entries)> ReadAsync(
        Row state, SignedCheckpoint head, CancellationToken cancellationToken)
    {
        var edge = LogFrontier.Parse(state.Size, state.Edge);
        var reader = new LogReader(FetchAsync, head.Head.Size);
        var entries = new List<ReadOnlyMemory<byte>>();
        var bytes = 0L;
        for (var i = 0; i < BundlesPerStep && bytes < BytesPerStep && edge.Size < head.Head.Size; i++)
        {
            var bundle = await reader.EntriesAsync(edge.Size / LogTile.FullWidth, cancellationToken);
            foreach (var entry in bundle.Skip((int)(edge.Size % LogTile.FullWidth)))
            {
                edge.Append(LogTree.LeafHash(entry.Span));
                entries.Add(entry);
                bytes += entry.Length;
            }
        }

        var isShown = edge.Size == head.Head.Size
            ? edge.Root == head.Head.Root
            : LogProof.IsConsistent(edge.Size, head.Head.Size, edge.Root, head.Head.Root,
                await reader.ConsistencyAsync(edge.Size, isWhole: false, cancellationToken));
        return isShown ? (edge, entries) : throw new VirgaException(FailureKind.Corrupt,
            $"the entries {state.Size} to {edge.Size - 1} of the log at {Endpoint.Origin} don't fit its checkpoint",
            "Its log is damaged or was altered on the way. It is tried again; if it stays, follow another repository.");
    }

    /// <summary>
    /// Takes the statements of the repository's own log in again, where its database was lost. What was refused or has
    /// made room is passed over.
    /// </summary>
    public static async ValueTask RestoreAsync(
        ChainStore chains, IReadOnlyList<ReadOnlyMemory<byte>> entries, CancellationToken cancellationToken)
    {
        foreach (var (agent, statements) in ByAgent(entries, out _))
        {
            try
            {
                foreach (var page in SignedEnvelope.Pages(statements))
                    await chains.AppendAsync(agent, page, cancellationToken);
            }
            catch (VirgaException e) when (IsRefusal(e) || e.Kind == FailureKind.BadInput)
            {
                // The log keeps more than the store: chains that nobody used for long are not whole any more.
            }
        }
    }

    private static Dictionary<AgentId, List<SignedEnvelope>> ByAgent(
        IReadOnlyList<ReadOnlyMemory<byte>> entries, out long unread)
    {
        unread = 0;
        var byAgent = new Dictionary<AgentId, List<SignedEnvelope>>();
        foreach (var entry in entries)
        {
            try
            {
                var parsed = LogEntry.Parse(entry.Span);
                if (!byAgent.TryGetValue(parsed.Agent, out var list)) byAgent.Add(parsed.Agent, list = []);
                list.AddRange(parsed.Envelopes.Select(item => new SignedEnvelope(item.Body, item.Signature)));
            }
            catch (VirgaException)
            {
                unread++;
            }
        }

        return byAgent;
    }

    private async ValueTask<long> TakeInAsync(
        List<ReadOnlyMemory<byte>> entries, CancellationToken cancellationToken)
    {
        var byAgent = ByAgent(entries, out var refused);
        var options = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(byAgent, options, async (pair, token) =>
        {
            if (!await TakeInAsync(pair.Key, pair.Value, token)) Interlocked.Add(ref refused, pair.Value.Count);
        });
        return refused;
    }

    /// <summary>False where the statements are not good; anything that may pass is thrown.</summary>
    private async ValueTask<bool> TakeInAsync(
        AgentId agent, List<SignedEnvelope> statements, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var page in SignedEnvelope.Pages(statements))
                await chains.AppendAsync(agent, page, cancellationToken);
            return true;
        }
        catch (VirgaException e) when (e.Kind is FailureKind.BadInput or FailureKind.Denied)
        {
            // Statements before these may have made room here, been refused when a clock was wrong, or be a fraud that
            // the whole chain settles.
            return await TakeInWholeAsync(agent, cancellationToken);
        }
        catch (VirgaException e) when (IsRefusal(e))
        {
            return false;
        }
    }

    private async ValueTask<bool> TakeInWholeAsync(AgentId agent, CancellationToken cancellationToken)
    {
        try
        {
            var chain = await client.GetWholeChainAsync(agent, Sigchain.MaxStatements, cancellationToken);
            foreach (var page in SignedEnvelope.Pages(chain)) await chains.AppendAsync(agent, page, cancellationToken);
            return chain.Count > 0;
        }
        catch (VirgaException e) when (IsRefusal(e) || e.Kind is FailureKind.BadInput or FailureKind.NotFound)
        {
            return false;
        }
    }

    private static bool IsRefusal(VirgaException e) =>
        e.Kind is FailureKind.Unauthenticated or FailureKind.Denied or FailureKind.ClockSkew or FailureKind.Conflict;

    private async ValueTask<Sigchain> ChainAsync(AgentId agent, CancellationToken cancellationToken)
    {
        var chain = await client.GetWholeChainAsync(agent, Sigchain.MaxStatements, cancellationToken);
        var known = Sigchain.Check(chain.Select(item => (item.Body, item.Signature)), time.GetUtcNow());
        return known.Id == agent ? known : throw Other(known.Id, agent);
    }

    /// <summary>
    /// What is known of a repository is known by its id, so that it lies no better from another address.
    /// </summary>
    private async ValueTask<AgentId> WhoAsync(CancellationToken cancellationToken)
    {
        var agent = (await client.GetPeerAsync(cancellationToken)).Agent;
        var before = await database.ReadAsync(
            sql => sql.Query("SELECT agent FROM log_followed WHERE endpoint=?1",
                static row => new AgentId(row.Hash(0)), Endpoint.ToText()), cancellationToken);
        return before.Count == 0 || before.Contains(agent) ? agent : throw Other(agent, before[0]);
    }

    private async ValueTask<LogWatch> WatchAsync(Row state, CancellationToken cancellationToken)
    {
        var chain = await ChainAsync(state.Agent, cancellationToken);
        var newest = state.Note is { } note ? SignedCheckpoint.Open(note, LogIdentity.Ever(chain)) : null;
        return new LogWatch(chain, newest);
    }

    private async ValueTask<VirgaException> StopAsync(
        AgentId breached, LogBreach breach, CancellationToken cancellationToken)
    {
        Breach = breach;
        logs.Report(breach);
        await database.WriteAsync(
            sql => sql.Execute("UPDATE log_followed SET breach=?2 WHERE agent=?1", breached, breach.ToText()),
            cancellationToken);
        return Liar(breach);
    }

    private VirgaException Liar(LogBreach breach) => new(FailureKind.Denied,
        $"the repository at {Endpoint.Origin} has broken its log ({breach.Kind}), which is proven",
        "It is followed no more. Tell its users; the proof is kept.");

    private VirgaException Other(AgentId found, AgentId wanted) => new(FailureKind.Denied,
        $"at {Endpoint.Origin} answers {found}, not {wanted} as before",
        "Follow its new address, or stop following it.");

    private ValueTask<Row?> LoadAsync(AgentId agent, CancellationToken cancellationToken) => database.ReadAsync(
        sql => sql.First("SELECT size,edge,note,refused,breach FROM log_followed WHERE agent=?1",
            row => new Row(agent, row.Long(0), row.Bytes(1), row.BytesOrNull(2), row.Long(3), row.TextOrNull(4)),
            agent), cancellationToken);

    private async ValueTask SaveAsync(Row row, CancellationToken cancellationToken) => await database.WriteAsync(
        sql => sql.Execute(
            "INSERT INTO log_followed(endpoint,agent,size,edge,note,refused) VALUES(?1,?2,?3,?4,?5,?6) "
                + "ON CONFLICT(agent) DO UPDATE SET endpoint=?1, size=?3, edge=?4, note=?5, refused=?6",
            Endpoint.ToText(), row.Agent, row.Size, row.Edge, row.Note, row.Refused), cancellationToken);

    private sealed record Row(
        AgentId Agent, long Size, byte[] Edge, byte[]? Note, long Refused, string? Breach);
}
