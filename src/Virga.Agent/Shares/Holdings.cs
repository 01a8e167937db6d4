using System.Collections.Concurrent;
using Virga.Agent.Network;
using Virga.Core;
using Virga.Protocol;
using Virga.Transfers.Engine;
using Virga.Transfers.Swarm;
using Virga.Trust.Following;

namespace Virga.Agent.Shares;

/// <summary>A share of another agent's that this one passes on (spec/v1/swarm.md).</summary>
/// <param name="Content">What describes it, as it was fetched and checked.</param>
/// <param name="Owners">Whose passes count.</param>
internal sealed record Holding(
    HeldShare Share, FetchedContent Content, ShareLink Link, IReadOnlyList<AgentId> Owners)
{
    public bool IsPublic => Content.SealedManifest is null;
}

/// <summary>What this agent passes on of others' shares: announced while it does, and withdrawn after.</summary>
internal sealed class Holdings(
    PeerClients clients, RepositoriesInUse repositories, ChainDirectory chains, Func<Endpoint> ownEndpoint,
    Func<AgentId, bool> isRefused, TimeProvider time, Action<string> log)
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan Renew = Lifetime / 3;
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(15);

    private readonly ConcurrentDictionary<Hash256, Holding> open = [];

    public Holding? Find(Hash256 infoHash) => open.GetValueOrDefault(infoHash);

    /// <summary>Passes a share on until it is cancelled: one at a time for a share.</summary>
    public async Task RunAsync(Holding holding, CancellationToken cancellationToken)
    {
        if (!open.TryAdd(holding.Share.InfoHash, holding)) return;
        try
        {
            holding.Share.Open();
            while (true)
            {
                var isAnnounced = await AnnounceAsync(holding, cancellationToken);
                await Task.Delay(isAnnounced ? Renew : Retry, time, cancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
            // The usual end.
        }
        finally
        {
            open.TryRemove(KeyValuePair.Create(holding.Share.InfoHash, holding));
            holding.Share.Close();
            await WithdrawAsync(holding);
        }
    }

    /// <summary>Throws Denied unless the pass is the owner's word that the asker may read the share now.</summary>
    public async Task<SharePass?> CheckAsync(
        Holding holding, AgentId asker, SignedEnvelope? signed, CancellationToken cancellationToken)
    {
        if (isRefused(asker))
            throw new VirgaException(FailureKind.Denied, "nothing is given to this agent: it is ruled out here");
        if (holding.IsPublic) return null;
        if (signed is null)
            throw Refused("this takes a pass from the share's owner");
        var pass = SharePass.Parse(signed.Body);
        if (pass.Share != holding.Share.InfoHash || pass.Agent != asker || !holding.Owners.Contains(pass.Issuer))
            throw Refused("the pass is for another share or agent, or not from the share's owner");
        if (pass.Expires < time.GetUtcNow()) throw Refused("the pass has expired");
        if (pass.Expires > time.GetUtcNow() + ProtocolLimits.PassLifetime + ProtocolLimits.ClockDifference)
            throw Refused("the pass holds for longer than a pass may");
        var places = clients.Places([.. holding.Link.Endpoints, .. holding.Link.Repositories, .. repositories.Now]);
        var chain = await chains.GetAsync(pass.Issuer, places, cancellationToken);
        return chain.ValidSigningKeys.Any(key => signed.Verify(key, SharePass.SignatureType))
            ? pass : throw Refused("the signature of the pass does not hold");
    }

    private static VirgaException Refused(string why) => new(
        FailureKind.Denied, why, "Ask the share's owner for a new grant, then come back with its pass.");

    private async Task<IReadOnlyList<Endpoint>> PlacesAsync(Holding holding, CancellationToken cancellationToken) =>
        await repositories.AllowAsync(holding.Link.Repositories.Concat(repositories.Now), cancellationToken);

    private async Task<bool> AnnounceAsync(Holding holding, CancellationToken cancellationToken)
    {
        var isAnnounced = true;
        foreach (var place in await PlacesAsync(holding, cancellationToken))
        {
            try
            {
                var client = clients.Repository(place);
                await client.PostChainAsync(clients.Self.Id, clients.OwnChain, cancellationToken);
                await client.AnnounceAsync([holding.Share.InfoHash], [ownEndpoint()], Lifetime, cancellationToken);
            }
            catch (VirgaException e)
            {
                isAnnounced = false;
                log($"announcing share {holding.Share.InfoHash} at {place.Url.Authority}: {e.Message}");
            }
        }
        return isAnnounced;
    }

    private async Task WithdrawAsync(Holding holding)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(3), time);
        try
        {
            foreach (var place in await PlacesAsync(holding, patience.Token))
                await clients.Repository(place).WithdrawAsync([holding.Share.InfoHash], patience.Token);
        }
        catch (Exception e) when (e is VirgaException or OperationCanceledException)
        {
            // They forget it by themselves when it expires.
            log($"withdrawing share {holding.Share.InfoHash}: {e.Message}");
        }
    }
}
