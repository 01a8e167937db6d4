using Virga.Core;
using Virga.Protocol;

namespace Virga.Transfers.Sources;

/// <summary>
/// The owner's pass for one share (spec/v1/swarm.md): kept from the answers of the owner's agent, and asked for again
/// before it ends. Safe for many threads.
/// </summary>
public sealed class PassBook(TimeProvider time)
{
    private static readonly TimeSpan RenewBefore = TimeSpan.FromSeconds(75);
    private static readonly TimeSpan AskAgain = TimeSpan.FromSeconds(10);

    private readonly Lock gate = new();
    private readonly SemaphoreSlim asking = new(1, 1);
    private readonly List<AgentSource> owners = [];
    private HeldPass? current;
    private DateTimeOffset asked = DateTimeOffset.MinValue;

    /// <summary>What opens the manifest of a share for trusted agents, as the owner told it.</summary>
    public LinkSecret? Secret { get; private set; }

    /// <summary>Whom the owner's answers named as the owner.</summary>
    public AgentId? Owner { get; private set; }

    /// <summary>An agent of the owner's, to ask for a new pass.</summary>
    public void Add(AgentSource owner)
    {
        lock (gate) owners.Add(owner);
    }

    internal void Remove(AgentSource owner)
    {
        lock (gate) owners.Remove(owner);
    }

    internal void Put(HeldGrant grant)
    {
        lock (gate)
        {
            Owner = grant.Owner;
            Secret = grant.Secret ?? Secret;
            if (grant.Pass is { } pass && !(current?.Pass.Expires > pass.Pass.Expires)) current = pass;
        }
    }

    /// <summary>The pass to show now; null where the owner gave none, as for a public share.</summary>
    internal async Task<SignedEnvelope?> GetAsync(CancellationToken cancellationToken)
    {
        if (Fresh() is { } fresh) return fresh;
        await asking.WaitAsync(cancellationToken);
        try
        {
            if (Fresh() is { } meanwhile) return meanwhile;
            if (time.GetUtcNow() - asked > AskAgain)
            {
                asked = time.GetUtcNow();
                await AskAsync(cancellationToken);
            }
            lock (gate) return current is { } last && last.Pass.Expires > time.GetUtcNow() ? last.Signed : null;
        }
        finally
        {
            asking.Release();
        }
    }

    private SignedEnvelope? Fresh()
    {
        var now = time.GetUtcNow();
        lock (gate) return current is { } pass && pass.Pass.Expires - RenewBefore > now ? pass.Signed : null;
    }

    private async Task AskAsync(CancellationToken cancellationToken)
    {
        List<AgentSource> all;
        lock (gate) all = [.. owners];
        foreach (var owner in all)
        {
            try
            {
                await owner.AskAgainAsync(cancellationToken);
                return;
            }
            catch (VirgaException)
            {
                // The pass that is there holds until it ends.
            }
        }
    }
}
