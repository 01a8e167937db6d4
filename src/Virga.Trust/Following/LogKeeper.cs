using Virga.Core;

namespace Virga.Trust.Following;

/// <summary>
/// What a peer keeps of repositories' logs (spec/v1/log.md): watches those of the repositories that it uses, compares
/// the heads that it saw with those that others saw, holds repositories to what they promised, and keeps and passes on
/// every proof. Knows no network: the places that it is given do.
/// </summary>
/// <param name="directory">For the repositories' own chains, whose keys sign their logs.</param>
/// <param name="log">For what goes wrong and is tried again.</param>
public sealed class LogKeeper(ChainDirectory directory, TimeProvider time, Action<string> log)
{
    private readonly List<Evidence> evidence = [];
    private readonly Dictionary<AgentId, Evidence> proven = [];

    /// <summary>
    /// Told of each proof once, found here or elsewhere, after it was checked, with whom it proves a fraud or a liar.
    /// </summary>
    public Action<Evidence, AgentId>? Found { get; set; }

    /// <summary>The proofs that are held, in the order in which they came.</summary>
    public IReadOnlyList<Evidence> All => evidence;

    /// <summary>The proof that a repository broke its log; null while there is none.</summary>
    public Evidence? BreachOf(AgentId repository) =>
        proven.GetValueOrDefault(repository) is { Breach: not null } proof ? proof : null;

    /// <summary>Checks and keeps a proof. Returns whom it proves a fraud or a liar.</summary>
    /// <exception cref="VirgaException">BadInput or Unauthenticated: it proves nothing, and why.</exception>
    public AgentId Take(Evidence proof)
    {
        var who = proof.Check(time.GetUtcNow());
        if (evidence.Any(held => held.Id == proof.Id)) return who;
        evidence.Add(proof);
        proven.TryAdd(who, proof);
        log($"{who} is proven " + (proof.Breach is null ? "to have told two histories" : "to have broken its log"));
        Found?.Invoke(proof, who);
        return who;
    }

    /// <summary>The heads that were seen here, for others (<see cref="Log.LogHeadsMessage"/>).</summary>
    public byte[] Heads() => throw new NotImplementedException();

    /// <summary>What another peer tells of heads that it saw: compared with ours. Returns ours.</summary>
    /// <exception cref="VirgaException">BadInput: the message is broken.</exception>
    public Task<byte[]> HearAsync(ITrustPlace? from, byte[] heads, CancellationToken cancellationToken) =>
        throw new NotImplementedException();

    /// <summary>
    /// Holds a repository to an entry that was posted to it: it must promise it a place within a minute, and keep it.
    /// </summary>
    public void Expect(AgentId repository, Hash256 leaf) => throw new NotImplementedException();

    /// <summary>
    /// One round: each repository's newest checkpoint, its evidence, the promises that are due; then heads are
    /// exchanged with all places, and their evidence is read. What fails is logged and tried in the next round.
    /// </summary>
    /// <param name="repositories">Those in use; proven liars among them are left out.</param>
    /// <param name="others">Agents that were spoken with lately.</param>
    public Task RoundAsync(
        IReadOnlyList<ITrustPlace> repositories, IReadOnlyList<ITrustPlace> others,
        CancellationToken cancellationToken)
    {
        _ = directory;
        throw new NotImplementedException();
    }
}
