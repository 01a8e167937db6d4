using Virga.Core;

namespace Virga.Trust;

/// <summary>
/// Says of an agent that is not admitted what the graph no longer holds: which vouches there were for it, who took them
/// back and when. Reads whole chains, only when somebody wants to know why.
/// </summary>
public static class TrustHistory
{
    private const int HintsMax = 16;
    private const int StepsBackMax = 4;

    /// <summary>
    /// A decision with more hints, those about the agent itself first: vouches that were revoked or have ended, dates
    /// of disowns, and for a vouch whose issuer is not admitted the same about that issuer. What is decided stays.
    /// </summary>
    /// <param name="issuers">Chains of those whose word counts, the user's own first.</param>
    public static TrustDecision Explain(TrustDecision decision, IReadOnlyList<Sigchain> issuers, DateTimeOffset now)
    {
        if (decision.IsAdmitted) return decision;
        var hints = decision.Hints.Select(hint => hint.Fault == VouchFault.Disowned
            ? hint with { Cut = DisownOf(hint.Vouch, issuers) } : hint).ToList();
        // Of a vouch that lost this scope alone the graph only sees that it is about others.
        var past = Past(decision.Agent, decision.Scope, issuers, now).ToList();
        hints = [.. past.Concat(hints.Where(hint => IsNew(hint, past))).Take(HintsMax)];
        var asked = new HashSet<AgentId> { decision.Agent };
        for (var at = 0; at < hints.Count && asked.Count <= StepsBackMax; at++)
        {
            var issuer = hints[at].Vouch.Issuer;
            if (hints[at].Fault != VouchFault.IssuerNotAdmitted || !asked.Add(issuer)) continue;
            hints.AddRange(Past(issuer, decision.Scope, issuers, now).Where(found => IsNew(found, hints))
                .Take(HintsMax - hints.Count));
        }
        var isVouchedFor = hints.Any(hint => hint.Vouch.Subject == decision.Agent);
        var standing = decision.Standing == TrustStanding.NotKnown && isVouchedFor
            ? TrustStanding.NoChain : decision.Standing;
        return decision with { Standing = standing, Hints = hints };
    }

    /// <summary>Vouches for an agent that were taken back or have ended, the newest end first.</summary>
    private static IEnumerable<TrustHint> Past(
        AgentId subject, TrustScopes scope, IReadOnlyList<Sigchain> issuers, DateTimeOffset now) =>
        issuers.Where(chain => chain.Id != subject).Select(chain => LastWord(chain, subject, scope, now))
            .Where(hint => hint is not null).Select(hint => hint!.Value)
            .OrderByDescending(hint => hint.Cut?.At ?? hint.Vouch.Expires);

    /// <summary>The last vouch of a chain for an agent in a scope, where it was taken back or has ended.</summary>
    private static TrustHint? LastWord(Sigchain chain, AgentId subject, TrustScopes scope, DateTimeOffset now)
    {
        TrustLink? vouch = null;
        TrustCut? cut = null;
        foreach (var statement in chain.Statements)
        {
            var seq = (int)statement.Seq;
            switch (statement.Type)
            {
                case StatementType.Vouch when VouchBody.Parse(statement) is var said
                    && said.Subject == subject && (said.Scopes & scope) != 0:
                    (vouch, cut) = (new TrustLink(chain.Id, subject, seq, said.Scopes, said.Depth, said.Expires), null);
                    break;
                case StatementType.Revoke when vouch is not null && cut is null
                    && RevokeBody.Parse(statement) is var said
                    && said.Subject == subject && (said.Scopes & scope) != 0:
                    cut = new TrustCut(chain.Id, seq, statement.Time);
                    break;
                case StatementType.Disown when vouch is { } before && cut is null
                    && DisownBody.Parse(statement) is var said && said.Subject == chain.Id && before.Seq >= said.From:
                    cut = new TrustCut(chain.Id, seq, statement.Time);
                    break;
            }
        }
        if (vouch is not { } last) return null;
        if (cut is not null) return new TrustHint(last, VouchFault.Revoked, null, cut);
        return last.Expires <= now ? new TrustHint(last, VouchFault.Ended, null) : null;
    }

    /// <summary>The newest disown in force that keeps a vouch from counting.</summary>
    private static TrustCut? DisownOf(TrustLink vouch, IReadOnlyList<Sigchain> issuers)
    {
        TrustCut? newest = null;
        foreach (var chain in issuers.Where(chain => chain.Id != vouch.Issuer))
        {
            if (DisownOf(chain, vouch) is { } found && (newest is null || found.At > newest.Value.At)) newest = found;
        }
        return newest;
    }

    private static TrustCut? DisownOf(Sigchain chain, TrustLink vouch)
    {
        TrustCut? cut = null;
        foreach (var statement in chain.Statements)
        {
            // A disown holds until its issuer vouches for that agent again, in whatever scope.
            if (statement.Type == StatementType.Vouch && VouchBody.Parse(statement).Subject == vouch.Issuer) cut = null;
            if (statement.Type != StatementType.Disown) continue;
            var said = DisownBody.Parse(statement);
            if (said.Subject == vouch.Issuer && said.From <= vouch.Seq)
                cut = new TrustCut(chain.Id, (int)statement.Seq, statement.Time);
        }
        return cut;
    }

    private static bool IsNew(TrustHint found, List<TrustHint> hints) =>
        !hints.Any(hint => hint.Vouch.Issuer == found.Vouch.Issuer && hint.Vouch.Seq == found.Vouch.Seq
            && hint.Vouch.Subject == found.Vouch.Subject);
}
