using System.Globalization;
using Microsoft.AspNetCore.Http;
using Virga.Agent.Trust;
using Virga.Core;
using Virga.Hosting;
using Virga.Trust;

namespace Virga.Agent.Control;

/// <summary>
/// What a picture of the graph of vouches needs. It is answered from what is known now, whoever is slow to tell news:
/// who walks the graph goes on at once.
/// </summary>
internal sealed class TrustGraphEndpoints(TrustService trust)
{
    private const int FoundMax = 500;
    private const int RingsMax = 3;
    private const int MostMax = 40;

    public void Map(PeerRoutes routes)
    {
        routes.Control("GET", "/control/trust/find", http => ControlEndpoints.JsonAsync(
            http,
            Find(Scope(http), http.Request.Query["text"].ToString().Trim(), Number(http, "most", 100, 1, FoundMax)),
            ControlJson.Default.AdmittedFound));
        routes.Control("GET", "/control/trust/graph", http =>
        {
            var limits = new TrustAroundLimits(
                Number(http, "rings", 1, 1, RingsMax), Number(http, "most", 10, 1, MostMax),
                Number(http, "from", 0, 0, int.MaxValue), Number(http, "back", 0, 0, int.MaxValue));
            var who = http.Request.Query["who"].ToString();
            var agent = who.Length == 0 ? trust.Self : trust.Known.Find(who).Id;
            return ControlEndpoints.JsonAsync(
                http, Around(agent, Scope(http), limits), ControlJson.Default.TrustGraphInfo);
        });
    }

    private AdmittedFound Find(TrustScopes scope, string text, int most)
    {
        var found = trust.Admitted(scope)
            .Select(a => (a.Depth, Info: new AdmittedInfo(a.Agent.ToString(), trust.Known.NameOf(a.Agent), a.Depth)))
            .Where(a => a.Info.Agent.Contains(text, StringComparison.OrdinalIgnoreCase)
                || a.Info.Name?.Contains(text, StringComparison.OrdinalIgnoreCase) == true)
            .Select(a => a.Info).ToList();
        return new AdmittedFound(
            [.. found.OrderBy(a => a.Name is null).ThenBy(a => a.Name, StringComparer.OrdinalIgnoreCase)
                .ThenByDescending(a => a.Depth).ThenBy(a => a.Agent, StringComparer.Ordinal).Take(most)],
            found.Count);
    }

    private TrustGraphInfo Around(AgentId agent, TrustScopes scope, TrustAroundLimits limits)
    {
        var around = trust.Around(agent, scope, limits);
        var isOwn = trust.OwnVouches().Any(link => link.Subject == agent);
        var (cut, changes) = trust.WhatIfCut(agent);
        var fallen = changes.Where(c => c.IsFallen && c.Scope == scope && c.Reach == VouchBody.MaxDepth)
            .Select(c => c.Agent).ToHashSet();
        return new TrustGraphInfo(
            TrustEndpoints.Why(trust.Decide(agent, scope), trust.Known), isOwn,
            [.. around.Agents.Select(a => new TrustGraphAgent(
                a.Agent.ToString(), trust.Known.NameOf(a.Agent), a.Ring, a.Standing.ToString(), a.Depth, a.Vouched,
                fallen.Contains(a.Agent)))],
            [.. around.Vouches.Select(v => new TrustGraphVouch(
                v.Vouch.Issuer.ToString(), v.Vouch.Subject.ToString(), v.Vouch.Depth, v.Vouch.Expires,
                v.Fault.ToString()))],
            around.Vouchers, around.VouchersEnd, around.Vouched, around.VouchedEnd, cut, fallen.Count);
    }

    private static TrustScopes Scope(HttpContext http) => TrustEndpoints.Scope(http);

    private static int Number(HttpContext http, string name, int usual, int least, int most)
    {
        var text = http.Request.Query[name].ToString();
        if (text.Length == 0) return usual;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number >= least && number <= most
                ? number
                : throw new VirgaException(
                    FailureKind.BadInput, $"'{name}' is no number from {least} to {most}", "Leave it out.");
    }
}
