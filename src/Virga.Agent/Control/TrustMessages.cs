namespace Virga.Agent.Control;

/// <summary>What this agent's user has decided about others.</summary>
/// <param name="Agent">This agent.</param>
/// <param name="Roots">Whose word counts without a vouch, this agent first.</param>
/// <param name="Vouches">This agent's own vouches that are in force.</param>
/// <param name="Refused">Ruled out by the user, or by a fraud proof.</param>
/// <param name="Names">What the user calls agents, by AgentId.</param>
/// <param name="Requests">How many requests for a vouch wait for the user's answer.</param>
public sealed record TrustInfo(
    string Agent, IReadOnlyList<string> Roots, IReadOnlyList<TrustLinkInfo> Vouches, IReadOnlyList<string> Refused,
    IReadOnlyDictionary<string, string> Names, int Requests = 0);

/// <summary>For who shows trust and wants to know when to ask anew.</summary>
/// <param name="Number">Another one after each change, of requests too; it means nothing else.</param>
public sealed record TrustVersion(long Number);

/// <summary>One vouch.</summary>
/// <param name="IssuerName">What the user calls it; null when it has no name.</param>
/// <param name="Depth">For how many more links the subject may pass trust on.</param>
public sealed record TrustLinkInfo(
    string Issuer, string? IssuerName, string Subject, string? SubjectName, int Seq, IReadOnlyList<string> Scopes,
    int Depth, DateTimeOffset Expires);

/// <summary>A vouch for an agent that does not count.</summary>
/// <param name="Fault">
/// None, NoDepthLeft, Disowned, Ended, Revoked, NotStarted, OtherScope, IssuerNotAdmitted or IssuerRefused.
/// </param>
/// <param name="Cut">For Revoked and Disowned, as far as known chains tell: the statement that did it.</param>
public sealed record TrustHintInfo(
    TrustLinkInfo Vouch, string Fault, DateTimeOffset? Starts, TrustCutInfo? Cut = null);

/// <summary>Who took a vouch back, or disowned what its issuer said, by which statement, and when.</summary>
public sealed record TrustCutInfo(string By, string? ByName, int Seq, DateTimeOffset At);

/// <summary>An agent that is admitted in a scope.</summary>
/// <param name="Depth">For how many more links it may pass trust on.</param>
public sealed record AdmittedInfo(string Agent, string? Name, int Depth);

/// <summary>Whether an agent is admitted, and on whose word.</summary>
/// <param name="Standing">Root, Admitted, NotKnown, NoChain or Refused.</param>
/// <param name="Chain">From a root to the agent; empty for roots and when it is not admitted.</param>
/// <param name="Hints">
/// When it is not admitted: vouches for it that come closest, and such as are past; also those for an issuer of one of
/// them that is itself not admitted.
/// </param>
/// <param name="Theirs">
/// Where it was asked for: whether the agent admits this one, as far as public chains tell; it may have other roots,
/// and refusals of its own. Null where its chain can't be had.
/// </param>
/// <param name="TheirsProblem">Why that is missing.</param>
public sealed record TrustWhy(
    string Agent, string? Name, string Scope, string Standing, int Depth, DateTimeOffset? Until,
    IReadOnlyList<TrustLinkInfo> Chain, IReadOnlyList<TrustHintInfo> Hints, TrustWhy? Theirs = null,
    string? TheirsProblem = null);

/// <summary>Those who are admitted in a scope and of whom a text is part of the name or the id.</summary>
/// <param name="Agents">Those with a name first, by it; then those who may pass trust on furthest.</param>
/// <param name="Total">How many there are, listed or not.</param>
public sealed record AdmittedFound(IReadOnlyList<AdmittedInfo> Agents, int Total);

/// <summary>The part of the graph of vouches around one agent, as far as it is known here.</summary>
/// <param name="Center">The agent in the middle: whether it is admitted, on whose word, and why not.</param>
/// <param name="IsOwn">Whether this agent itself vouches for it.</param>
/// <param name="Agents">The one in the middle first; each once.</param>
/// <param name="Vouches">Those between them.</param>
/// <param name="Vouchers">How many vouch for the one in the middle in all.</param>
/// <param name="VouchersEnd">How many of these were passed over or shown: <c>back</c> for those that follow.</param>
/// <param name="Vouched">For how many the one in the middle vouches in all.</param>
/// <param name="VouchedEnd">How many of these were passed over or shown: <c>from</c> for those that follow.</param>
/// <param name="Cut">
/// What <paramref name="Fallen"/> is about: revoke, remove-root or refuse; null where there is nothing to cut.
/// </param>
/// <param name="Fallen">How many would be admitted no more after that, the one in the middle among them.</param>
public sealed record TrustGraphInfo(
    TrustWhy Center, bool IsOwn, IReadOnlyList<TrustGraphAgent> Agents, IReadOnlyList<TrustGraphVouch> Vouches,
    int Vouchers, int VouchersEnd, int Vouched, int VouchedEnd, string? Cut, int Fallen);

/// <summary>One agent of the graph.</summary>
/// <param name="Ring">
/// 0: in the middle; 1 and more: so many vouches from there; -1: vouches for the one in the middle; -2 and less: so
/// many steps back along the chain to it.
/// </param>
/// <param name="Standing">Root, Admitted, NotKnown, NoChain or Refused.</param>
/// <param name="Depth">For how many more links it may pass trust on.</param>
/// <param name="Vouched">For how many it vouches.</param>
/// <param name="IsFallen">Whether it is one of those who would fall.</param>
public sealed record TrustGraphAgent(
    string Agent, string? Name, int Ring, string Standing, int Depth, int Vouched, bool IsFallen);

/// <summary>One vouch of the graph.</summary>
/// <param name="Fault">None when it counts, else what keeps it from that, as in <see cref="TrustHintInfo"/>.</param>
public sealed record TrustGraphVouch(string Issuer, string Subject, int Depth, DateTimeOffset Expires, string Fault);

/// <param name="Agent">An AgentId, an agent address (spec/v1/links.md) or a name that the user gave.</param>
/// <param name="Days">How long it holds, 1 to 1,830.</param>
/// <param name="Name">What the user calls the agent from now on; null leaves that as it is.</param>
public sealed record VouchRequest(string Agent, IReadOnlyList<string> Scopes, int Depth, int Days, string? Name = null);

/// <param name="Scopes">Empty: all.</param>
public sealed record RevokeRequest(string Agent, IReadOnlyList<string> Scopes);

/// <param name="From">Statements of the agent from this number on are not vouched for; at least 1.</param>
public sealed record DisownRequest(string Agent, int From);

/// <param name="Action">revoke, disown, refuse or remove-root.</param>
/// <param name="Scopes">For revoke; empty: all.</param>
/// <param name="From">For disown.</param>
public sealed record WhatIfRequest(string Action, string Agent, IReadOnlyList<string> Scopes, int From = 0);

/// <summary>Puts an agent on a list (roots, refused) or takes it off.</summary>
public sealed record TrustListRequest(string Agent, bool IsOn);

/// <param name="Name">Null or empty takes the name away.</param>
public sealed record NameRequest(string Agent, string? Name);

/// <summary>Somebody whose standing changes. Depths: null where it is not admitted.</summary>
public sealed record TrustChangeInfo(string Agent, string? Name, string Scope, int? Before, int? After);

/// <param name="Agent">Whom it was about, in full.</param>
/// <param name="Changes">Whose standing changed, or would.</param>
/// <param name="Problem">What could not be published yet; it goes on trying. Null when all went well.</param>
public sealed record TrustResult(string Agent, IReadOnlyList<TrustChangeInfo> Changes, string? Problem);
