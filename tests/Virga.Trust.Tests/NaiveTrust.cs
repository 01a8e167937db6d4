using Virga.Core;

namespace Virga.Trust.Tests;

/// <summary>
/// The rules of spec/v1/trust.md word for word, without any thought of speed: whole lists of statements, read anew for
/// each question. Shares no code with what it judges but the parsing of bodies.
/// </summary>
/// <param name="reader">One that has read the same chains for other roots.</param>
internal sealed class NaiveTrust(IReadOnlyList<AgentId> roots, NaiveTrust? reader = null)
{
    private readonly Dictionary<AgentId, List<(long Seq, object Body)>> read = reader?.read ?? [];

    public Dictionary<AgentId, IReadOnlyList<Statement>> Chains { get; } = reader?.Chains ?? [];

    public HashSet<AgentId> Refused { get; } = [];

    /// <summary>Each admitted agent with the depth that is left to it.</summary>
    public Dictionary<AgentId, int> Admitted(TrustScopes scope, int reach, DateTimeOffset now)
    {
        var seen = new HashSet<(AgentId Agent, int Depth, long Limit)>();
        var next = new Queue<(AgentId Agent, int Depth, long Limit)>();
        foreach (var root in roots.Where(root => !Refused.Contains(root)))
            next.Enqueue((root, reach + 1, long.MaxValue));
        while (next.TryDequeue(out var state))
        {
            if (!seen.Add(state) || state.Depth == 0) continue;
            foreach (var (seq, vouch) in VouchesThatCount(state.Agent, scope, now))
            {
                var isDisowned = seq >= state.Limit || roots.Any(root => seq >= Limit(root, state.Agent));
                if (isDisowned || Refused.Contains(vouch.Subject)) continue;
                var depth = Math.Min(state.Depth - 1, vouch.Depth);
                next.Enqueue((vouch.Subject, depth, Limit(state.Agent, vouch.Subject)));
            }
        }
        return seen.GroupBy(state => state.Agent).ToDictionary(group => group.Key, group => group.Max(s => s.Depth));
    }

    /// <summary>Whether a chain, as it was given out, follows the rules and leaves this depth.</summary>
    public bool IsChain(IReadOnlyList<TrustLink> chain, TrustScopes scope, int reach, DateTimeOffset now, int depthLeft)
    {
        if (!roots.Contains(chain[0].Issuer) || Refused.Contains(chain[0].Issuer)) return false;
        var (depth, limit) = (reach + 1, long.MaxValue);
        var at = chain[0].Issuer;
        foreach (var link in chain)
        {
            var vouch = VouchesThatCount(at, scope, now).SingleOrDefault(v => v.Seq == link.Seq).Vouch;
            var isRight = link.Issuer == at && vouch is not null && vouch.Subject == link.Subject && depth > 0
                && link.Seq < limit && roots.All(root => link.Seq < Limit(root, at)) && vouch.Expires == link.Expires
                && vouch.Depth == link.Depth && !Refused.Contains(link.Subject);
            if (!isRight) return false;
            (depth, limit) = (Math.Min(depth - 1, vouch!.Depth), Limit(at, link.Subject));
            at = link.Subject;
        }
        return depth == depthLeft;
    }

    public IEnumerable<(long Seq, VouchBody Vouch)> VouchesThatCount(
        AgentId issuer, TrustScopes scope, DateTimeOffset now)
    {
        var all = Of(issuer);
        foreach (var (seq, body) in all)
        {
            var counts = body is VouchBody vouch && vouch.Scopes.HasFlag(scope) && vouch.NotBefore <= now
                && now < vouch.Expires
                && !all.Any(later => later.Seq > seq && TakesBack(later, issuer, seq, vouch, scope));
            if (counts) yield return (seq, (VouchBody)body);
        }
    }

    private static bool TakesBack((long, object) later, AgentId issuer, long seq, VouchBody vouch, TrustScopes scope) =>
        later.Item2 switch
        {
            VouchBody other => other.Subject == vouch.Subject && other.Scopes.HasFlag(scope),
            RevokeBody other => other.Subject == vouch.Subject && other.Scopes.HasFlag(scope),
            DisownBody other => other.Subject == issuer && other.From <= seq,
            _ => false,
        };

    public long Limit(AgentId issuer, AgentId subject)
    {
        var limit = long.MaxValue;
        foreach (var (_, body) in Of(issuer).Where(_ => issuer != subject))
        {
            if (body is VouchBody vouch && vouch.Subject == subject) limit = long.MaxValue;
            if (body is DisownBody disown && disown.Subject == subject) limit = Math.Min(limit, disown.From);
        }
        return limit;
    }

    private List<(long Seq, object Body)> Of(AgentId agent)
    {
        var chain = Chains.GetValueOrDefault(agent, []);
        if (read.TryGetValue(agent, out var known) && known.Count == chain.Count) return known;
        return read[agent] = [.. chain.Select(statement => (statement.Seq, Read(statement)))];
    }

    private static object Read(Statement statement) => statement.Type switch
    {
        StatementType.Vouch => VouchBody.Parse(statement),
        StatementType.Revoke => RevokeBody.Parse(statement),
        StatementType.Disown => DisownBody.Parse(statement),
        _ => statement,
    };
}
