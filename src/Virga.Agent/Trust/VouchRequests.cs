using Virga.Agent.Network;
using Virga.Core;
using Virga.Hosting;
using Virga.Protocol;
using Virga.Trust;
using Virga.Trust.Following;

namespace Virga.Agent.Trust;

/// <summary>What came of a request that this agent sent, as far as is known now.</summary>
/// <param name="Vouch">The vouch in the other's chain, where it stands there.</param>
/// <param name="Problem">What could not be found out; null when the other, or its chain, has said.</param>
internal sealed record AskedNews(AskedRow Row, TrustLink? Vouch, string? Problem);

/// <summary>
/// Requests for a vouch (spec/v1/messages.md): what others ask of this agent's user, kept until it is answered, and
/// what the user asks of others. No vouch is ever made here but by the user's answer.
/// </summary>
internal sealed class VouchRequests(
    RequestTable table, ChainStore chains, TrustService trust, ChainDirectory directory, PeerClients clients,
    TimeProvider time, Action<string> notice)
{
    /// <summary>How long a request, and the answer to it, are kept.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromDays(30);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    // Counted in UTF-16, in which a character may take two.
    private const int CleanCharsMax = 2 * VouchAsk.NoteCharsMax;

    private static readonly TimeSpan ClockDifference = TimeSpan.FromMinutes(5);

    public Task<List<RequestRow>> ListAsync(CancellationToken cancellationToken) =>
        table.ListAsync(time.GetUtcNow(), cancellationToken).AsTask();

    /// <inheritdoc cref="RequestTable.Alterations"/>
    public long Alterations => table.Alterations;

    public async Task<int> CountWaitingAsync(CancellationToken cancellationToken) =>
        (await ListAsync(cancellationToken)).Count(row => row.State == VouchAskState.Waiting);

    /// <summary>Takes in what another agent asks; told to the user once.</summary>
    public async Task<RequestRow> TakeInAsync(AgentId asker, VouchAsk ask, CancellationToken cancellationToken)
    {
        if (asker == trust.Self)
            throw new VirgaException(FailureKind.BadInput, "an agent can't be vouched for by itself", "Ask another.");
        if (trust.Known.IsRefused(asker))
        {
            throw new VirgaException(
                FailureKind.Denied, "this agent's user takes no requests of yours", "Talk to the person.");
        }
        var clean = ask.Note is null ? null : PeerText.Clean(ask.Note, CleanCharsMax);
        var now = time.GetUtcNow();
        var (row, isNew) = await table.AddAsync(
            asker, ask with { Note = string.IsNullOrEmpty(clean) ? null : clean }, now, now + Lifetime,
            cancellationToken);
        if (isNew)
        {
            notice($"{trust.Known.NameOf(asker) ?? asker.ToString()} asks you to vouch for it "
                + $"(request {row.Id}); see: virga trust requests");
        }
        return row;
    }

    /// <summary>What an asker may know of its own request; NotFound where there is none.</summary>
    public async Task<VouchAskStatus> StatusOfAsync(AgentId asker, CancellationToken cancellationToken)
    {
        var row = await table.FindAsync(asker, time.GetUtcNow(), cancellationToken) ?? throw new VirgaException(
            FailureKind.NotFound, "no request of yours is kept here", "It has expired, or was dropped; ask again.");
        return new VouchAskStatus(row.State, row.Reason, row.Expires);
    }

    /// <summary>Drops an agent's request: it takes it back, or is ruled out.</summary>
    public Task<bool> WithdrawAsync(AgentId asker, CancellationToken cancellationToken) =>
        table.RemoveOfAsync(asker, cancellationToken).AsTask();

    /// <summary>The user's yes, to as much as was asked or less.</summary>
    public async Task<(AgentId Agent, IReadOnlyList<TrustChange> Changes, string? Problem)> AcceptAsync(
        long id, TrustScopes scopes, int depth, int days, string? name, CancellationToken cancellationToken)
    {
        var row = await table.RequireWaitingAsync(id, time.GetUtcNow(), cancellationToken);
        if ((scopes & ~row.Ask.Scopes) != 0 || depth > row.Ask.Depth || days > row.Ask.Days)
        {
            throw new VirgaException(
                FailureKind.BadInput, "that is more than was asked for",
                "Give what was asked, or less; more is given by: virga trust vouch");
        }
        if (name is not null) await trust.Known.SetAsync(row.Agent, a => a with { Name = name }, cancellationToken);
        // The asker posted its chain with the request, and need not be reachable now.
        if (await chains.FindAsync(row.Agent, cancellationToken) is { } chain)
            directory.TakeIn(row.Agent, [.. chain.Statements.Select(s => (s.Bytes, s.Signature))]);
        var (changes, problem) = await trust.VouchAsync(
            new AgentAddress(row.Agent, null), scopes, depth, days, cancellationToken);
        // Where it was taken back meanwhile, or asks for something else: the vouch is what the user saw, and stands.
        await table.AnswerAsync(id, VouchAskState.Vouched, null, time.GetUtcNow() + Lifetime, cancellationToken);
        return (row.Agent, changes, problem);
    }

    /// <summary>A vouch that was made in another way answers what waits, too, if it gives some of it.</summary>
    public async Task NoteVouchAsync(AgentId agent, TrustScopes scopes, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        if (await table.FindAsync(agent, now, cancellationToken) is { State: VouchAskState.Waiting } row
            && (row.Ask.Scopes & scopes) != 0)
            await table.AnswerAsync(row.Id, VouchAskState.Vouched, null, now + Lifetime, cancellationToken);
    }

    /// <summary>The user's no; the asker is told, with the reason if there is one.</summary>
    public async Task<AgentId> RefuseAsync(long id, string? reason, CancellationToken cancellationToken)
    {
        var row = await table.RequireWaitingAsync(id, time.GetUtcNow(), cancellationToken);
        reason = VouchAsk.CheckNote(reason, "reason");
        var isThere = await table.AnswerAsync(
            id, VouchAskState.Refused, reason, time.GetUtcNow() + Lifetime, cancellationToken);
        return isThere ? row.Agent : throw RequestTable.NoSuch(id);
    }

    public Task DropAsync(long id, CancellationToken cancellationToken) =>
        table.RemoveAsync(id, cancellationToken).AsTask();

    /// <summary>Asks another agent; it is kept in the place of an earlier request to the same.</summary>
    public async Task<AskedNews> AskAsync(AgentAddress agent, VouchAsk ask, CancellationToken cancellationToken)
    {
        if (agent.Id == trust.Self)
            throw new VirgaException(FailureKind.BadInput, "that is this agent itself", "Ask another one.");
        var (endpoint, expires) = await AtAgentAsync(
            agent, (client, token) => client.AskForVouchAsync(ask.Encode(), token), cancellationToken);
        if (agent.Endpoint is { } given)
            await trust.Known.SetAsync(agent.Id, a => a with { Endpoint = given }, cancellationToken);
        var row = new AskedRow(
            agent.Id, endpoint, ask, time.GetUtcNow(), expires, VouchAskState.Waiting, null);
        await table.PutAskedAsync(row, cancellationToken);
        return new AskedNews(row, null, null);
    }

    /// <summary>All that was asked, each looked up anew as long as a person likes to wait.</summary>
    public async Task<IReadOnlyList<AskedNews>> AskedAsync(CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        var rows = await table.ListAskedAsync(cancellationToken);
        const int looksAtOnce = 8;
        using var room = new SemaphoreSlim(looksAtOnce, looksAtOnce);
        return await Task.WhenAll(rows.Select(async row =>
        {
            var isIn = false;
            try
            {
                await room.WaitAsync(either.Token);
                isIn = true;
                return await LookAsync(row, either.Token);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                return new AskedNews(row, VouchIn(row), "it did not answer in time");
            }
            finally
            {
                if (isIn) room.Release();
            }
        }));
    }

    /// <summary>
    /// Takes back what was asked. Returns why the other could not be told: there it then waits until it expires.
    /// </summary>
    /// <exception cref="VirgaException">NotFound: nothing was asked.</exception>
    public async Task<string?> TakeBackAsync(AgentId agent, CancellationToken cancellationToken)
    {
        var rows = await table.ListAskedAsync(cancellationToken);
        var row = rows.FirstOrDefault(row => row.Agent == agent) ?? throw new VirgaException(
            FailureKind.NotFound, "that agent was not asked for anything", "See: virga trust asked");
        await table.RemoveAskedAsync(agent, cancellationToken);
        if (row.State != VouchAskState.Waiting || row.Expires <= time.GetUtcNow()) return null;
        using var patience = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            await AtAgentAsync(
                new AgentAddress(row.Agent, row.Endpoint), (client, token) => client.WithdrawVouchRequestAsync(token),
                either.Token);
            return null;
        }
        catch (VirgaException e)
        {
            return e.Message;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return "it did not answer in time";
        }
    }

    private async Task<AskedNews> LookAsync(AskedRow row, CancellationToken cancellationToken)
    {
        string? problem = null;
        var address = new AgentAddress(row.Agent, row.Endpoint);
        try
        {
            await directory.GetNewestAsync(row.Agent, trust.PlacesOf(address), cancellationToken);
        }
        catch (VirgaException e)
        {
            problem = e.Message;
        }
        var vouch = VouchIn(row);
        if (row.State == VouchAskState.Waiting && row.Expires > time.GetUtcNow())
        {
            try
            {
                var (_, body) = await AtAgentAsync(
                    address, (client, token) => client.GetVouchRequestAsync(token), cancellationToken);
                var status = VouchAskStatus.Parse(body);
                row = row with { State = status.State, Expires = status.Expires, Reason = Clean(status.Reason) };
                problem = null;
            }
            catch (VirgaException e) when (e.Kind == FailureKind.NotFound && vouch is null)
            {
                // Its user dropped it without an answer, or it was lost there.
                problem = "it is no longer kept there; ask again";
            }
            catch (VirgaException e)
            {
                problem = vouch is null ? e.Message : null;
            }
            if (vouch is not null) row = row with { State = VouchAskState.Vouched };
            await table.PutAskedAsync(row, cancellationToken);
        }
        return new AskedNews(row, vouch, problem);
    }

    /// <summary>
    /// The vouch in force in the other's chain, as far as it is known, that was given since it was asked for.
    /// </summary>
    private TrustLink? VouchIn(AskedRow row)
    {
        if (directory.Find(row.Agent) is not { } chain) return null;
        var since = row.Asked - ClockDifference;
        var found = ChainVouches.Of(chain, trust.Self, time.GetUtcNow())
            .Where(link => (link.Scopes & row.Ask.Scopes) != 0 && chain.Statements[link.Seq].Time >= since).ToList();
        return found.Count == 0 ? null : found.MaxBy(link => link.Seq);
    }

    /// <summary>Calls the agent at the first endpoint where it answers.</summary>
    private async Task<(Endpoint Endpoint, T Answer)> AtAgentAsync<T>(
        AgentAddress agent, Func<AgentClient, CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        VirgaException? problem = null;
        foreach (var endpoint in await trust.EndpointsOfAsync(agent, cancellationToken))
        {
            try
            {
                return (endpoint, await call(clients.Agent(endpoint, agent.Id), cancellationToken));
            }
            catch (VirgaException e) when (e.IsTransient && e.Kind != FailureKind.Throttled)
            {
                problem = e;
            }
        }
        throw problem ?? new VirgaException(
            FailureKind.NotFound, $"nobody says where {agent.Id} is reached",
            "Ask its owner for the whole address, virga1...@https://..., as 'virga id' prints it there.");
    }

    private static string? Clean(string? text) =>
        text is null ? null : PeerText.Clean(text, CleanCharsMax) is { Length: > 0 } clean ? clean : null;
}
