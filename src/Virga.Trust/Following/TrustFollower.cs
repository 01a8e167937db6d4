using Virga.Core;

namespace Virga.Trust.Following;

/// <summary>
/// Keeps a <see cref="TrustStore"/> at what others say (spec/v1/trust.md, "When it is acted on"): looks at the chains
/// of all who may pass trust on, again and again, and tells at once what has changed. Knows no network: the places that
/// it is given do.
/// </summary>
/// <param name="placesOf">Where an agent's chain may be had now.</param>
/// <param name="changed">Told of changes before anything else happens; none when nothing changed.</param>
/// <param name="log">For what goes wrong and is tried again.</param>
public sealed class TrustFollower(
    AgentId self, TrustStore store, ChainDirectory directory,
    Func<AgentId, IReadOnlyList<ITrustPlace>> placesOf, Action<IReadOnlyList<TrustChange>> changed, TimeProvider time,
    Action<string> log)
{
    /// <summary>How long a vouch or a revoke of somebody else may go unseen (spec/v1/trust.md).</summary>
    public static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan LookAgainAfter = TimeSpan.FromSeconds(2);
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);
    private const int LooksAtOnce = 8;
    private const int IssuersMax = 1_000;

    private readonly Turnstile looking = new();
    private DateTimeOffset lookBegan;

    /// <summary>Looks until it is cancelled.</summary>
    public Task RunAsync(CancellationToken cancellationToken) =>
        Task.WhenAll(LookAgainAsync(cancellationToken), AdvanceAsync(cancellationToken));

    private async Task LookAgainAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var began = time.GetUtcNow();
            await LookAsync(began, cancellationToken);
            var wait = began + LookEvery - time.GetUtcNow();
            // Also where a look takes long, or the clock was set.
            wait = wait < LookAgainAfter ? LookAgainAfter : wait < LookEvery ? wait : LookEvery;
            await Task.Delay(wait, time, cancellationToken);
        }
    }

    /// <summary>Vouches begin and end on the hour, whoever does not answer a look meanwhile.</summary>
    private async Task AdvanceAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var now = time.GetUtcNow();
            var wait = VouchBody.TimeOf(VouchBody.HourOf(now) + 1) - now;
            await Task.Delay(wait < LookEvery ? wait : LookEvery, time, cancellationToken);
            changed(store.Advance(time.GetUtcNow()));
        }
    }

    /// <summary>
    /// Whether an asker is admitted within a reach. An unknown one may have been vouched for just now: those who may
    /// vouch are looked at again first, every two seconds at most, for all who ask meanwhile.
    /// </summary>
    public async Task<bool> AdmitsAsync(
        AgentId asker, TrustScopes scope, int reach, CancellationToken cancellationToken)
    {
        if (store.IsAdmitted(asker, scope, reach)) return true;
        var asked = time.GetUtcNow();
        var wait = lookBegan + LookAgainAfter - asked;
        if (wait > TimeSpan.Zero) await Task.Delay(wait, time, cancellationToken);
        await LookAsync(asked, cancellationToken);
        return store.IsAdmitted(asker, scope, reach);
    }

    /// <summary>
    /// Looks before a person is answered, as long as a person likes to wait: what is known already will do where
    /// somebody does not answer.
    /// </summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            await LookAsync(time.GetUtcNow() - LookAgainAfter, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            log("not all who may vouch have answered in time");
        }
    }

    /// <summary>
    /// Takes in the newest chains of all who may vouch, until nobody new comes up; unless that was begun after a
    /// moment already.
    /// </summary>
    public async Task LookAsync(DateTimeOffset since, CancellationToken cancellationToken)
    {
        await looking.WaitAsync(cancellationToken);
        try
        {
            if (lookBegan > since) return;
            var now = time.GetUtcNow();
            var seen = new HashSet<AgentId> { self };
            var silent = new HashSet<string>(StringComparer.Ordinal);
            while (seen.Count <= IssuersMax)
            {
                var next = Vouchers().Where(seen.Add).ToList();
                if (next.Count == 0) break;
                await LookAtAllAsync(next, silent, cancellationToken);
            }
            lookBegan = now;
        }
        finally
        {
            looking.Release();
        }
    }

    /// <summary>Takes in a chain that came another way, e.g. with a request.</summary>
    public void TakeIn(Sigchain chain, bool isReplaced = false) =>
        changed(isReplaced ? store.Replace(chain) : store.Add(chain));

    /// <summary>
    /// Whose own vouches count: roots, and those that may pass trust on, in any scope. And those who are refused as
    /// frauds though somebody has vouched for them: a rotation may have settled which of their histories stands.
    /// </summary>
    private IEnumerable<AgentId> Vouchers() => TrustScopeNames.All
        .SelectMany(name => store.Admitted(TrustScopeNames.Parse(name)))
        .Where(a => a.Depth > 0).Select(a => a.Agent)
        .Concat(directory.Contested.Where(store.IsVouchedFor)).Distinct();

    /// <param name="silent">Places that have kept this look waiting.</param>
    private async Task LookAtAllAsync(
        List<AgentId> agents, HashSet<string> silent, CancellationToken cancellationToken)
    {
        var unchanged = AskForAll(agents, silent, cancellationToken);
        var room = new Turnstile(LooksAtOnce);
        await Task.WhenAll(agents.Select(async agent =>
        {
            await room.WaitAsync(cancellationToken);
            try
            {
                await LookAtAsync(agent, unchanged, silent, cancellationToken);
            }
            finally
            {
                room.Release();
            }
        }));
    }

    /// <summary>
    /// Mostly there is nothing new: each place that may have several of the chains is asked once for all of them.
    /// </summary>
    /// <returns>By the places' names, whose chains are as they are known.</returns>
    private Dictionary<string, Task<IReadOnlySet<AgentId>>> AskForAll(
        List<AgentId> agents, HashSet<string> silent, CancellationToken cancellationToken)
    {
        var places = agents.Where(agent => directory.Find(agent) is not null)
            .SelectMany(agent => placesOf(agent).Select(place => (Agent: agent, Place: place)))
            .GroupBy(item => item.Place.Name, StringComparer.Ordinal).Where(group => group.Skip(1).Any()).ToList();
        lock (silent) places.RemoveAll(group => silent.Contains(group.Key));
        return places.ToDictionary(
            group => group.Key,
            group => directory.UnchangedAsync(
                [.. group.Select(item => item.Agent)], group.First().Place, cancellationToken),
            StringComparer.Ordinal);
    }

    /// <summary>
    /// Asks all places at once, and takes in what each has when it comes. One that is silent holds up neither the
    /// others nor the next agent: it is left out of the rest of this look, and what it says in the end counts all the
    /// same.
    /// </summary>
    private async Task LookAtAsync(
        AgentId agent, Dictionary<string, Task<IReadOnlySet<AgentId>>> unchanged, HashSet<string> silent,
        CancellationToken cancellationToken)
    {
        List<ITrustPlace> places;
        lock (silent) places = [.. placesOf(agent).Where(place => !silent.Contains(place.Name))];
        var asked = places.ConvertAll(
            place => AskAsync(agent, place, unchanged.GetValueOrDefault(place.Name), cancellationToken));
        try
        {
            var all = await Task.WhenAll(asked).WaitAsync(Patience, time, cancellationToken);
            // What is known of it stands until more is known.
            if (all.All(problem => problem is not null))
                log($"the chain of {agent} can't be looked at: {string.Join("; ", all)}");
        }
        catch (TimeoutException)
        {
            lock (silent)
            {
                for (var i = 0; i < places.Count; i++)
                    if (!asked[i].IsCompleted) silent.Add(places[i].Name);
            }
        }
    }

    /// <param name="unchanged">Whose chains are there as they are known; null where that was not asked.</param>
    /// <returns>What went wrong; null where nothing did.</returns>
    private async Task<string?> AskAsync(
        AgentId agent, ITrustPlace place, Task<IReadOnlySet<AgentId>>? unchanged, CancellationToken cancellationToken)
    {
        try
        {
            var known = unchanged is not null && (await unchanged).Contains(agent) ? directory.Find(agent) : null;
            var news = known is not null ? new ChainNews(known, IsReplaced: false)
                : await directory.AskAsync(agent, place, cancellationToken);
            TakeIn(news.Chain, news.IsReplaced);
            return null;
        }
        catch (VirgaException e)
        {
            return $"{place.Name}: {e.Message}";
        }
    }
}
