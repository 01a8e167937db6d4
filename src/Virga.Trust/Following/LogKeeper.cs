using System.Security.Cryptography;
using System.Text;
using Virga.Core;
using Virga.Trust.Log;

namespace Virga.Trust.Following;

/// <summary>What is known of a repository's log, for people.</summary>
/// <param name="Place">Where it was reached last; null of one that is only heard of.</param>
/// <param name="Newest">The newest head that was accepted.</param>
/// <param name="Witnesses">How many other repositories have cosigned that.</param>
/// <param name="SeenAt">When it last showed a head that nothing speaks against.</param>
/// <param name="Problem">What is wrong now though nothing is proven, and since when.</param>
/// <param name="Proof">That it is a liar.</param>
public sealed record LogState(
    AgentId Repository, string? Place, Checkpoint? Newest, DateTimeOffset? HeadTime, int Witnesses,
    DateTimeOffset? SeenAt, (DateTimeOffset Since, string What)? Problem, Evidence? Proof);

/// <summary>
/// What a peer keeps of repositories' logs (spec/v1/log.md): watches those of the repositories that it uses, compares
/// the heads that it saw with those that others saw, holds repositories to what they promised, and keeps and passes on
/// every proof. Knows no network: the places that it is given do. Safe for several callers at once.
/// </summary>
/// <param name="directory">For the repositories' own chains, whose keys sign their logs.</param>
/// <param name="log">For what goes wrong and is tried again.</param>
public sealed class LogKeeper(ChainDirectory directory, TimeProvider time, Action<string> log)
{
    /// <summary>How long a repository may have lied before it is noticed (spec/v1/log.md).</summary>
    public static readonly TimeSpan RoundEvery = TimeSpan.FromSeconds(30);

    private const int LogsMax = 256;
    private const int MetMax = 16_384;
    private const int PlacesMax = 1_000;
    private const int ProofsAtOnce = 16;
    private const long ProofBytesAtOnce = 8 << 20;
    private const int ProofsPostedAtOnce = 4;
    private const int WitnessesAskedAtOnce = 4;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(25);

    private readonly Turnstile round = new();
    private readonly Lock state = new();
    private readonly ProofShelf shelf = new();
    private readonly Dictionary<AgentId, KeptLog> logs = [];
    private readonly Dictionary<AgentId, long> readAt = [];
    private readonly Dictionary<string, (AgentId? Who, string? Problem)> places = [];
    private readonly HashSet<string> failed = [];
    private readonly Dictionary<AgentId, HashSet<Hash256>> heldAt = [];
    private readonly HashSet<Hash256> met = [];
    private ((long Changes, int Proofs) Version, byte[] Message)? told;

    /// <summary>
    /// Told of each proof once, found here or elsewhere, after it was checked, with whom it proves a fraud or a liar.
    /// </summary>
    public Action<Evidence, AgentId>? Found { get; set; }

    /// <summary>Records durably what is kept of a log; before any other peer is told of it.</summary>
    public Func<KeptHeads, CancellationToken, ValueTask>? SaveAsync { get; set; }

    /// <summary>A chain that is held elsewhere than in the directory; for logs that are only heard of.</summary>
    public Func<AgentId, CancellationToken, ValueTask<Sigchain?>>? FindChainAsync { get; set; }

    /// <summary>A repository's own id: it does not watch itself.</summary>
    public AgentId? Self { get; init; }

    /// <summary>The proofs that are held, in the order in which they came.</summary>
    public IReadOnlyList<Evidence> All => shelf.All;

    /// <summary>Of each log that is known; those that were only heard of last.</summary>
    public IReadOnlyList<LogState> States =>
        [.. Snapshot().OrderBy(kept => kept.Place is null).ThenBy(kept => kept.Repository.ToString(),
            StringComparer.Ordinal).Select(kept => new LogState(
                kept.Repository, kept.Place?.Name, kept.Newest?.Head, kept.Newest?.Time, Witnesses(kept),
                kept.SeenAt, kept.Problem, BreachOf(kept.Repository)))];

    /// <summary>Of each place that was named in a round: who answers there, and what is wrong.</summary>
    public IReadOnlyDictionary<string, (AgentId? Who, string? Problem)> Places
    {
        get
        {
            lock (state) return new Dictionary<string, (AgentId? Who, string? Problem)>(places);
        }
    }

    /// <summary>The proof that a repository broke its log; null while there is none.</summary>
    public Evidence? BreachOf(AgentId repository) => shelf.Find(repository, isBreach: true);

    /// <summary>Who answered at a place when it was last asked; null when that is not known.</summary>
    public AgentId? WhoAt(string place)
    {
        lock (state) return places.GetValueOrDefault(place).Who;
    }

    /// <summary>Takes in what an earlier run kept. Told of like anything that is found.</summary>
    /// <param name="isSettled">Of a proof that counts no more, but keeps its number.</param>
    public void Load(
        IEnumerable<Evidence> proofs, IEnumerable<KeptHeads> heads, Func<Evidence, bool>? isSettled = null)
    {
        foreach (var proof in proofs)
        {
            try
            {
                if (isSettled?.Invoke(proof) != true) Take(proof);
                else if (shelf.Add(proof, proof.Fraud!.Agent, isStranger: false, _ => true))
                    shelf.Void(proof.Fraud!.Agent);
            }
            catch (VirgaException e)
            {
                log($"a proof that was kept proves nothing any more: {e.Message}");
            }
        }
        foreach (var kept in heads)
        {
            try
            {
                directory.TakeIn(kept.Repository, kept.Chain);
            }
            catch (VirgaException e)
            {
                log($"the chain that was kept of {kept.Repository}: {e.Message}");
            }
            Log(kept.Repository).Load(kept);
        }
    }

    /// <summary>Checks and keeps a proof. Returns whom it proves a fraud or a liar.</summary>
    /// <exception cref="VirgaException">BadInput or Unauthenticated: it proves nothing, and why.</exception>
    public AgentId Take(Evidence proof)
    {
        if (shelf.WhoIn(proof.Id) is { } known) return known;
        var who = proof.Check(time.GetUtcNow());
        var chain = directory.Find(who);
        if (chain is not null && proof.Fraud?.IsSettledBy(chain) == true)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"{who} has settled with a rotation which of these statements stands",
                "Don't act on the proof: it counts no more.");
        }
        var isStranger = chain is null && !IsWatched(who);
        if (!shelf.Add(proof, who, isStranger, held => chain is not null && held.Fraud?.IsSettledBy(chain) == true))
            return who;
        log($"{who} is proven " + (proof.Breach is null ? "to have told two histories"
            : $"to have broken its log ({proof.Breach.Kind.ToString().ToLowerInvariant()})"));
        Found?.Invoke(proof, who);
        return who;
    }

    /// <summary>As <see cref="Take"/>, with what is known of the accused elsewhere than in the directory.</summary>
    /// <inheritdoc cref="Take"/>
    public async Task<AgentId> TakeAsync(Evidence proof, CancellationToken cancellationToken)
    {
        if (proof.Fraud is { } fraud && FindChainAsync is not null
            && await FindChainAsync(fraud.Agent, cancellationToken) is { } chain)
            directory.TakeIn(chain.Id, [.. chain.Statements.Select(item => (item.Bytes, item.Signature))]);
        return Take(proof);
    }

    /// <summary>A rotation has settled which history of an agent stands: the proof against it counts no more.</summary>
    public void Settle(Sigchain chain)
    {
        if (shelf.Find(chain.Id, isBreach: false)?.Fraud?.IsSettledBy(chain) == true) shelf.Void(chain.Id);
    }

    /// <summary>The proof of an agent's two histories, where nothing has settled it; null for none.</summary>
    public Evidence? FraudOf(AgentId agent) => shelf.Find(agent, isBreach: false);

    /// <summary>The heads that were seen here, for others (<see cref="LogHeadsMessage"/>).</summary>
    public byte[] Heads()
    {
        var version = (Snapshot().Sum(kept => kept.Changes), shelf.All.Count);
        lock (state)
            if (told is { } before && before.Version == version) return before.Message;
        var message = EncodeHeads();
        lock (state) told = (version, message);
        return message;
    }

    private byte[] EncodeHeads()
    {
        // The newest of each log before an older one of any.
        var told = Snapshot().Where(kept => BreachOf(kept.Repository) is null)
            .OrderBy(kept => kept.Place is null).ThenByDescending(kept => kept.HeardAt)
            .Select(kept => kept.Told()).ToList();
        var longest = told.Count == 0 ? 0 : told.Max(heads => heads.Count);
        return LogHeadsMessage.Encode(Enumerable.Range(0, longest)
            .SelectMany(i => told.Where(heads => i < heads.Count).Select(heads => heads[i])));
    }

    /// <summary>
    /// What another peer tells of heads that it saw: compared with ours, and with all that were heard. Those that only
    /// the log's tiles can judge are judged at once where it is known who tells them, else in the next round. Returns
    /// ours.
    /// </summary>
    /// <param name="from">Null where anybody might have sent it.</param>
    /// <exception cref="VirgaException">BadInput: the message is broken.</exception>
    public async Task<byte[]> HearAsync(ITrustPlace? from, byte[] heads, CancellationToken cancellationToken)
    {
        var touched = new HashSet<KeptLog>();
        foreach (var note in LogHeadsMessage.Parse(heads))
        {
            // Everybody tells the same heads again and again.
            var digest = new Hash256(SHA256.HashData(note));
            lock (state)
                if (met.Contains(digest)) continue;
            if (RepositoryOf(note) is not { } repository || repository == Self || BreachOf(repository) is not null)
                continue;
            try
            {
                if (await ChainAsync(repository, cancellationToken) is not { } chain) continue;
                var kept = Log(repository);
                var forgotten = kept.Forgotten;
                if (kept.Meet(note, chain, time.GetUtcNow()) is { } breach) Take(Evidence.Of(breach));
                else touched.Add(kept);
                lock (state)
                {
                    if (met.Count >= MetMax || kept.Forgotten != forgotten) met.Clear();
                    met.Add(digest);
                }
            }
            catch (VirgaException e) when (e.Kind is FailureKind.BadInput or FailureKind.Unauthenticated)
            {
                // It proves nothing, or it is by a key that is still to be learnt of: it will be told again.
            }
        }
        if (from is null) return Heads();
        foreach (var kept in touched)
            await GuardedAsync(kept, () => kept.JudgeAsync(cancellationToken), cancellationToken);
        return Heads();
    }

    /// <summary>
    /// Holds a repository to an entry that was posted to it: it must promise it a place within a minute, and keep it.
    /// </summary>
    public void Expect(AgentId repository, Hash256 leaf)
    {
        if (repository != Self) Log(repository).Expect(leaf, time.GetUtcNow());
    }

    /// <summary>
    /// One round: each repository's newest checkpoint, its evidence, the promises that are due; then heads are
    /// exchanged with all places, and their evidence is read. What fails is logged and tried in the next round.
    /// </summary>
    /// <param name="repositories">Those in use; proven liars among them are left out.</param>
    /// <param name="others">Agents that were spoken with lately.</param>
    public async Task RoundAsync(
        IReadOnlyList<ITrustPlace> repositories, IReadOnlyList<ITrustPlace> others,
        CancellationToken cancellationToken)
    {
        await round.WaitAsync(cancellationToken);
        try
        {
            lock (state) failed.Clear();
            await Task.WhenAll(repositories.Select(place =>
                AtAsync(place, token => LookAsync(place, repositories, token), cancellationToken)));
            await SaveAllAsync(cancellationToken);
            await Task.WhenAll(repositories.Concat(others).Select(place =>
                AtAsync(place, token => TalkAsync(place, token), cancellationToken)));
            await Task.WhenAll(repositories.OfType<ITakesEvidence>().Select(place =>
                AtAsync(place, token => PostProofsAsync(place, token), cancellationToken)));
            foreach (var place in repositories.Concat(others)) Settle(place);
            await SaveAllAsync(cancellationToken);
        }
        finally
        {
            round.Release();
        }
    }

    /// <summary>What goes wrong at one place keeps nobody from asking the others.</summary>
    private async Task AtAsync(
        ITrustPlace place, Func<CancellationToken, Task> act, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            await act(either.Token);
        }
        catch (VirgaException e)
        {
            Fail(place, e.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            Fail(place, "it did not answer in time");
        }
    }

    private void Settle(ITrustPlace place)
    {
        AgentId? who;
        lock (state)
        {
            who = places.GetValueOrDefault(place.Name).Who;
            if (!failed.Contains(place.Name)) Note(place.Name, who, null);
        }
        if (who is { } repository && Find(repository) is { Place: not null } kept) kept.Settle(time.GetUtcNow());
    }

    private void Fail(ITrustPlace place, string what)
    {
        bool isNew;
        AgentId? who;
        lock (state)
        {
            failed.Add(place.Name);
            var before = places.GetValueOrDefault(place.Name);
            (who, isNew) = (before.Who, before.Problem != what);
            Note(place.Name, who, what);
        }
        // Once, not every round.
        if (isNew) log($"the log at {place.Name}: {what}");
        if (who is { } repository && Find(repository) is { Place: not null } kept) kept.Fail(what, time.GetUtcNow());
    }

    private async Task LookAsync(
        ITrustPlace place, IReadOnlyList<ITrustPlace> repositories, CancellationToken cancellationToken)
    {
        var who = await WhoAsync(place, cancellationToken);
        if (who == Self || BreachOf(who) is not null) return;
        var kept = Log(who);
        await GuardedAsync(kept, async () =>
        {
            kept.Place = place;
            var now = time.GetUtcNow();
            return await RefreshAsync(kept, place, repositories, now, cancellationToken)
                ?? await kept.HoldAsync(now, log, cancellationToken);
        }, cancellationToken);
        await MeetWitnessesAsync(kept, repositories, cancellationToken);
    }

    private async Task<LogBreach?> RefreshAsync(
        KeptLog kept, ITrustPlace place, IReadOnlyList<ITrustPlace> repositories, DateTimeOffset now,
        CancellationToken cancellationToken)
    {
        var chain = await directory.GetAsync(kept.Repository, [place], cancellationToken);
        try
        {
            return await kept.RefreshAsync(chain, now, cancellationToken);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.Unauthenticated)
        {
            // Perhaps it has another key now; others may know of it where it does not say so itself.
            var everywhere = repositories.Where(other => other != place).Prepend(place).ToList();
            chain = (await directory.GetNewestAsync(kept.Repository, everywhere, cancellationToken)).Chain;
            return await kept.RefreshAsync(chain, now, cancellationToken);
        }
    }

    private async Task TalkAsync(ITrustPlace place, CancellationToken cancellationToken)
    {
        var who = await WhoAsync(place, cancellationToken);
        if (BreachOf(who) is not null) return;
        await HearAsync(place, await place.ExchangeHeadsAsync(Heads(), cancellationToken), cancellationToken);
        // After that: it may have found a proof in what it was told just now.
        await ReadProofsAsync(place, who, cancellationToken);
    }

    /// <summary>
    /// The proofs that a place holds from where we stopped there. Where it goes on without an end, it is read so much
    /// a round.
    /// </summary>
    private async Task ReadProofsAsync(ITrustPlace place, AgentId who, CancellationToken cancellationToken)
    {
        long at;
        lock (state) at = readAt.GetValueOrDefault(who);
        var bytes = 0L;
        for (var i = 0; i < ProofsAtOnce && bytes < ProofBytesAtOnce; i++)
        {
            if (await place.ReadEvidenceAsync(at, cancellationToken) is not { } data) break;
            bytes += data.Length;
            at++;
            try
            {
                var proof = Evidence.Parse(data);
                lock (state) HeldAt(who).Add(proof.Id);
                await TakeAsync(proof, cancellationToken);
            }
            catch (VirgaException e) when (e.Kind is FailureKind.BadInput or FailureKind.Unauthenticated
                or FailureKind.ClockSkew or FailureKind.Corrupt)
            {
                log($"evidence {at - 1} at {place.Name} proves nothing: {e.Message}");
            }
            lock (state)
            {
                if (readAt.Count >= PlacesMax) readAt.Clear();
                readAt[who] = at;
            }
        }
    }

    /// <summary>What it does not have yet, a few each round.</summary>
    private async Task PostProofsAsync(ITakesEvidence place, CancellationToken cancellationToken)
    {
        if (WhoAt(place.Name) is not { } who || BreachOf(who) is not null || FraudOf(who) is not null) return;
        List<Evidence> missing;
        lock (state) missing = [.. All.Where(proof => !HeldAt(who).Contains(proof.Id)).Take(ProofsPostedAtOnce)];
        foreach (var proof in missing)
        {
            try
            {
                await place.PostEvidenceAsync(proof.Bytes, cancellationToken);
            }
            catch (VirgaException e) when (!e.IsTransient)
            {
                // It has another one against the same agent, or none of its own takes it.
                log($"evidence at {place.Name} is not taken: {e.Message}");
            }
            lock (state) HeldAt(who).Add(proof.Id);
        }
    }

    private HashSet<Hash256> HeldAt(AgentId who)
    {
        if (heldAt.TryGetValue(who, out var ids)) return ids;
        if (heldAt.Count >= LogsMax) heldAt.Clear();
        return heldAt[who] = [];
    }

    private async Task<AgentId> WhoAsync(ITrustPlace place, CancellationToken cancellationToken)
    {
        var who = await place.WhoAsync(cancellationToken);
        AgentId? before;
        lock (state)
        {
            var known = places.GetValueOrDefault(place.Name);
            before = known.Who;
            Note(place.Name, who, before == who ? known.Problem : null);
        }
        if (before is { } other && other != who) log($"at {place.Name} answers {who} now, not {other} as before");
        return who;
    }

    private void Note(string place, AgentId? who, string? problem)
    {
        if (places.Count >= PlacesMax && !places.ContainsKey(place)) places.Clear();
        places[place] = (who, problem);
    }

    /// <summary>One at a time reads a log; what it proves is kept.</summary>
    private async Task GuardedAsync(KeptLog kept, Func<Task<LogBreach?>> act, CancellationToken cancellationToken)
    {
        await kept.Gate.WaitAsync(cancellationToken);
        try
        {
            if (await act() is { } breach) Take(Evidence.Of(breach));
        }
        finally
        {
            kept.Gate.Release();
        }
    }

    private async Task SaveAllAsync(CancellationToken cancellationToken)
    {
        if (SaveAsync is null) return;
        foreach (var kept in Snapshot())
        {
            if (kept.Save() is not { } heads) continue;
            try
            {
                await SaveAsync(heads, cancellationToken);
            }
            catch (VirgaException e)
            {
                // What is seen in this run holds for this run; it is written down as soon as that is possible.
                kept.Unsave();
                log($"what is known of the log of {kept.Repository} can't be written down: {e.Message}");
            }
        }
    }

    /// <summary>Learns the keys of those who have cosigned, a few each round.</summary>
    private async Task MeetWitnessesAsync(
        KeptLog kept, IReadOnlyList<ITrustPlace> repositories, CancellationToken cancellationToken)
    {
        foreach (var witness in WitnessesOf(kept.Newest).Where(id => directory.Find(id) is null)
            .Take(WitnessesAskedAtOnce))
        {
            try
            {
                await directory.GetAsync(witness, repositories, cancellationToken);
            }
            catch (VirgaException)
            {
                // Its cosignature is not counted as long as nobody knows it.
            }
        }
    }

    private int Witnesses(KeptLog kept) => kept.Newest is not { } newest ? 0 : WitnessesOf(newest).Count(id =>
        directory.Find(id) is { } chain && newest.Witnesses(chain.ValidSigningKeys.Select(key =>
            new NoteKey(LogIdentity.WitnessNameOf(id), NoteKeyType.Cosignature, key))).Count > 0);

    private static IEnumerable<AgentId> WitnessesOf(SignedCheckpoint? head) => head is null ? []
        : head.Note.Signatures.Select(line => line.Name)
            .Where(name => name.EndsWith("/witness", StringComparison.Ordinal))
            .Select(name => AgentId.TryParse(name[..^"/witness".Length], out var id) ? (AgentId?)id : null)
            .OfType<AgentId>().Distinct();

    private async ValueTask<Sigchain?> ChainAsync(AgentId repository, CancellationToken cancellationToken)
    {
        var held = FindChainAsync is null ? null : await FindChainAsync(repository, cancellationToken);
        var known = directory.Find(repository);
        return held is null || known?.Statements.Count >= held.Statements.Count ? known : held;
    }

    private KeptLog? Find(AgentId repository)
    {
        lock (state) return logs.GetValueOrDefault(repository);
    }

    private bool IsWatched(AgentId repository) => Find(repository) is not null;

    private List<KeptLog> Snapshot()
    {
        lock (state) return [.. logs.Values];
    }

    private KeptLog Log(AgentId repository)
    {
        lock (state)
        {
            if (logs.TryGetValue(repository, out var kept)) return kept;
            var idle = logs.Count < LogsMax ? null
                : logs.Values.Where(item => item.Place is null).MinBy(item => item.HeardAt);
            if (idle is not null) logs.Remove(idle.Repository);
            return logs[repository] = new KeptLog(repository);
        }
    }

    private static AgentId? RepositoryOf(byte[] note)
    {
        var end = note.AsSpan().IndexOf((byte)'\n');
        return end is < 1 or > 512 ? null : LogIdentity.RepositoryOf(Encoding.UTF8.GetString(note, 0, end));
    }
}
