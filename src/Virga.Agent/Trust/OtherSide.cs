using Virga.Core;
using Virga.Protocol;
using Virga.Trust;
using Virga.Trust.Following;

namespace Virga.Agent.Trust;

/// <summary>
/// What another agent would say of this one, as far as public chains tell: evaluated with that agent as the only root.
/// It may have other roots and refusals of its own, which nobody else knows.
/// </summary>
internal sealed class OtherSide(TrustService trust, ChainDirectory directory, TimeProvider time)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    /// <summary>The decision about this agent; null, and why, where the other's chain can't be had.</summary>
    public async Task<(TrustDecision? Decision, string? Problem)> DecideAsync(
        AgentAddress other, TrustScopes scope, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            await directory.GetAsync(other.Id, trust.PlacesOf(other), either.Token);
        }
        catch (VirgaException e)
        {
            return (null, e.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (null, "it did not answer in time");
        }
        var now = time.GetUtcNow();
        var store = new TrustStore([other.Id], now);
        store.Add(trust.OwnChain);
        // Also of those whom the other does not admit: on whose word it is not.
        foreach (var chain in directory.All) store.Add(chain);
        // What goes wrong on the way is in the log of the agent's own looks already.
        var follower = new TrustFollower(
            trust.Self, store, directory, agent => trust.PlacesOf(new AgentAddress(agent, null)), static _ => { }, time,
            static _ => { });
        await follower.RefreshAsync(cancellationToken);
        var decision = store.Decide(trust.Self, scope);
        return (TrustHistory.Explain(decision, TrustService.IssuersOf(store, scope, other.Id, directory), now), null);
    }
}
