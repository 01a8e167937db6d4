using Virga.Core;

namespace Virga.Trust;

/// <summary>One vouch of a chain, or one that does not count.</summary>
/// <param name="Seq">Its number in the issuer's sigchain.</param>
/// <param name="Scopes">What it still speaks for: later statements of the issuer may have taken scopes away.</param>
/// <param name="Depth">How many more links the subject may pass trust on.</param>
public readonly record struct TrustLink(
    AgentId Issuer, AgentId Subject, int Seq, TrustScopes Scopes, int Depth, DateTimeOffset Expires);

/// <summary>A vouch for an agent, and what keeps it from counting.</summary>
/// <param name="Starts">Only where it has not started yet.</param>
/// <param name="Cut">What revoked or disowned it, as far as <see cref="TrustHistory"/> was asked.</param>
public readonly record struct TrustHint(
    TrustLink Vouch, VouchFault Fault, DateTimeOffset? Starts, TrustCut? Cut = null);

/// <summary>The statement that took a vouch back, or disowned what its issuer said.</summary>
public readonly record struct TrustCut(AgentId By, int Seq, DateTimeOffset At);

/// <summary>Whether an agent is admitted, and on whose word.</summary>
public enum TrustStanding
{
    /// <summary>It is one of the roots.</summary>
    Root,
    /// <summary>A chain of vouches leads to it.</summary>
    Admitted,
    /// <summary>Nobody known here has ever vouched for it.</summary>
    NotKnown,
    /// <summary>It was vouched for, but no chain from a root counts.</summary>
    NoChain,
    /// <summary>A fraud proof, or the user, rules it out.</summary>
    Refused,
}

/// <summary>The answer for one agent and scope at one time.</summary>
/// <param name="Depth">How many more links it may pass trust on; 0 when it is not admitted.</param>
/// <param name="Chain">The vouches from a root to the agent; empty for roots and when it is not admitted.</param>
/// <param name="Hints">When it is not admitted: vouches for it, the ones that come closest first; at most 16.</param>
public sealed record TrustDecision(
    AgentId Agent, TrustScopes Scope, TrustStanding Standing, int Depth,
    IReadOnlyList<TrustLink> Chain, IReadOnlyList<TrustHint> Hints)
{
    public bool IsAdmitted => Standing is TrustStanding.Root or TrustStanding.Admitted;

    /// <summary>
    /// Until when the chain holds if nobody says anything; null for roots and when it is not admitted.
    /// </summary>
    public DateTimeOffset? Until => Chain.Count == 0 ? null : Chain.Min(link => link.Expires);
}

/// <summary>An agent whose standing changed. Depths are of what it may pass on; null: not admitted.</summary>
public readonly record struct TrustChange(AgentId Agent, TrustScopes Scope, int Reach, int? Before, int? After)
{
    public bool IsFallen => Before is not null && After is null;

    public bool IsAdmittedNow => Before is null && After is not null;
}

/// <summary>An agent and its share of what all roots give out; shares add up to at most 1.</summary>
public readonly record struct TrustShare(AgentId Agent, double Share);

/// <summary>Why a vouch does not count; the first that applies.</summary>
public enum VouchFault
{
    /// <summary>It counts.</summary>
    None,
    /// <summary>Its issuer is admitted, but no chain to it has depth left.</summary>
    NoDepthLeft,
    /// <summary>Someone on every chain to the issuer, or a root, disowned what it vouched for.</summary>
    Disowned,
    /// <summary>Its time has passed.</summary>
    Ended,
    /// <summary>Its issuer took it back.</summary>
    Revoked,
    /// <summary>Its time is still to come.</summary>
    NotStarted,
    /// <summary>It is about other scopes.</summary>
    OtherScope,
    /// <summary>Its issuer is not admitted.</summary>
    IssuerNotAdmitted,
    /// <summary>Its issuer is refused: by a fraud proof, or by the user.</summary>
    IssuerRefused,
}
