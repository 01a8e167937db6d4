using Virga.Core;
using Virga.Trust;

namespace Virga.Agent.Trust;

/// <summary>What one chain alone says: the vouches of its agent that are in force.</summary>
internal static class ChainVouches
{
    public static IReadOnlyList<TrustLink> Of(Sigchain chain, DateTimeOffset now)
    {
        var store = Read(chain, now);
        return
        [
            .. chain.Statements.Where(s => s.Type == StatementType.Vouch).Select(s => VouchBody.Parse(s).Subject)
                .Distinct().SelectMany(subject => Of(store, subject)),
        ];
    }

    /// <summary>Those for one agent.</summary>
    public static IReadOnlyList<TrustLink> Of(Sigchain chain, AgentId subject, DateTimeOffset now) =>
        [.. Of(Read(chain, now), subject)];

    private static TrustStore Read(Sigchain chain, DateTimeOffset now)
    {
        var store = new TrustStore([chain.Id], now);
        store.Add(chain);
        return store;
    }

    /// <summary>Each with the scopes in which it is the last word.</summary>
    private static IEnumerable<TrustLink> Of(TrustStore store, AgentId subject) => TrustScopeNames.All
        .Select(TrustScopeNames.Parse)
        .Select(scope => (Scope: scope, store.Decide(subject, scope, reach: 0).Chain))
        .Where(found => found.Chain.Count == 1)
        .GroupBy(found => found.Chain[0].Seq)
        .Select(found => found.First().Chain[0] with
        {
            Scopes = found.Aggregate(TrustScopes.None, (scopes, item) => scopes | item.Scope),
        });
}
