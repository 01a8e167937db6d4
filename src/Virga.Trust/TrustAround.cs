using Virga.Core;

namespace Virga.Trust;

/// <summary>How much of the graph around one agent is wanted.</summary>
/// <param name="Rings">How many steps outwards, at least 1.</param>
/// <param name="Most">Agents in the first ring; the ring n has at most n times as many.</param>
/// <param name="From">How many of those that the agent vouches for are passed over: they were seen.</param>
/// <param name="Back">The same of those that vouch for it.</param>
public readonly record struct TrustAroundLimits(int Rings, int Most, int From = 0, int Back = 0);

/// <summary>
/// The part of the graph of vouches around one agent, seen from the roots: what a picture of it shows. Never more than
/// it was asked for, however large the graph is.
/// </summary>
/// <param name="Center">The agent itself, with its chain.</param>
/// <param name="Agents">The agent first, each once.</param>
/// <param name="Vouches">
/// Those between two of them in the scope that have begun and not ended, whether they count or not; at most 1,000.
/// </param>
/// <param name="Vouchers">How many vouch for the agent in all.</param>
/// <param name="VouchersEnd">How many of these were passed over or shown; from there others can be asked for.</param>
/// <param name="Vouched">For how many the agent vouches in all.</param>
/// <param name="VouchedEnd">How many of these were passed over or shown.</param>
public sealed record TrustAround(
    TrustDecision Center, IReadOnlyList<TrustAroundAgent> Agents, IReadOnlyList<TrustAroundVouch> Vouches,
    int Vouchers, int VouchersEnd, int Vouched, int VouchedEnd);

/// <summary>One agent of a <see cref="TrustAround"/>.</summary>
/// <param name="Ring">
/// 0: the agent in the middle; 1 and more: so many vouches from it; -1: vouches for it; -2 and less: so many steps back
/// along the chain to it.
/// </param>
/// <param name="Depth">How many more links it may pass trust on; 0 when it is not admitted.</param>
/// <param name="Vouched">For how many it vouches.</param>
public readonly record struct TrustAroundAgent(
    AgentId Agent, int Ring, TrustStanding Standing, int Depth, int Vouched);

/// <summary>A vouch between two agents, and what keeps it from counting.</summary>
public readonly record struct TrustAroundVouch(TrustLink Vouch, VouchFault Fault);
