using Microsoft.AspNetCore.Http;
using Virga.Agent.Trust;
using Virga.Core;
using Virga.Hosting;
using Virga.Trust;

namespace Virga.Agent.Control;

/// <summary>The local API's part about trust.</summary>
internal sealed class TrustEndpoints(TrustService trust, VouchRequests requests, OtherSide others)
{
    private const int DaysMax = 1_830;

    public void Map(PeerRoutes routes)
    {
        routes.Control("GET", "/control/trust", async http => await ControlEndpoints.JsonAsync(
            http, Describe(await requests.CountWaitingAsync(http.RequestAborted)), ControlJson.Default.TrustInfo));
        routes.Control("GET", "/control/trust/version", http => ControlEndpoints.JsonAsync(
            http, new TrustVersion(trust.Alterations + requests.Alterations), ControlJson.Default.TrustVersion));
        routes.Control("GET", "/control/trust/agents", async http =>
        {
            await trust.RefreshAsync(http.RequestAborted);
            var admitted = trust.Admitted(Scope(http));
            var list = admitted.Select(a => new AdmittedInfo(a.Agent.ToString(), Name(a.Agent), a.Depth)).ToList();
            await ControlEndpoints.JsonAsync(http, list, ControlJson.Default.ListAdmittedInfo);
        });
        routes.Control("GET", "/control/trust/agents/{who}", async http =>
        {
            var agent = trust.Known.Find(http.RouteText("who")).Id;
            await trust.RefreshAsync(http.RequestAborted);
            await ControlEndpoints.JsonAsync(
                http, Why(trust.Decide(agent, Scope(http))), ControlJson.Default.TrustWhy);
        });
        routes.Control("GET", "/control/trust/sides", SidesAsync);
        new TrustGraphEndpoints(trust).Map(routes);
        MapStatements(routes);
        routes.Control("POST", "/control/trust/what-if", async http =>
        {
            var request = await ControlEndpoints.BodyAsync(http, ControlJson.Default.WhatIfRequest);
            var agent = trust.Known.Find(request.Agent).Id;
            var changes = request.Action switch
            {
                "revoke" => trust.WhatIfRevoked(agent, Scopes(request.Scopes, isAllWhenEmpty: true)),
                "disown" => trust.WhatIfDisowned(agent, From(request.From)),
                "refuse" => trust.WhatIfRefused(agent),
                "remove-root" => trust.WhatIfRootRemoved(agent),
                var other => throw new VirgaException(
                    FailureKind.BadInput, $"'{other}' is nothing that can be tried",
                    "It is revoke, disown, refuse or remove-root."),
            };
            await AnswerAsync(http, agent, changes, null);
        });
        MapLists(routes);
    }

    private async Task SidesAsync(HttpContext http)
    {
        // An address holds slashes, which a path would not carry.
        var agent = trust.Known.Find(http.Request.Query["who"].ToString());
        await trust.RefreshAsync(http.RequestAborted);
        var mine = Why(trust.Decide(agent.Id, Scope(http)));
        var (theirs, problem) = agent.Id == trust.Self
            ? default : await others.DecideAsync(agent, Scope(http), http.RequestAborted);
        await ControlEndpoints.JsonAsync(
            http, mine with { Theirs = theirs is null ? null : Why(theirs), TheirsProblem = problem },
            ControlJson.Default.TrustWhy);
    }

    private void MapStatements(PeerRoutes routes)
    {
        routes.Control("POST", "/control/trust/vouch", async http =>
        {
            var request = await ControlEndpoints.BodyAsync(http, ControlJson.Default.VouchRequest);
            var subject = trust.Known.Find(request.Agent);
            CheckBounds(request.Depth, request.Days);
            var scopes = Scopes(request.Scopes, isAllWhenEmpty: false);
            var name = KnownAgents.CheckName(request.Name);
            if (name is not null)
                await trust.Known.SetAsync(subject.Id, a => a with { Name = name }, http.RequestAborted);
            var (changes, problem) =
                await trust.VouchAsync(subject, scopes, request.Depth, request.Days, http.RequestAborted);
            await requests.NoteVouchAsync(subject.Id, scopes, http.RequestAborted);
            await AnswerAsync(http, subject.Id, changes, problem);
        });
        routes.Control("POST", "/control/trust/revoke", async http =>
        {
            var request = await ControlEndpoints.BodyAsync(http, ControlJson.Default.RevokeRequest);
            var subject = trust.Known.Find(request.Agent).Id;
            var (changes, problem) = await trust.RevokeAsync(
                subject, Scopes(request.Scopes, isAllWhenEmpty: true), http.RequestAborted);
            await AnswerAsync(http, subject, changes, problem);
        });
        routes.Control("POST", "/control/trust/disown", async http =>
        {
            var request = await ControlEndpoints.BodyAsync(http, ControlJson.Default.DisownRequest);
            var subject = trust.Known.Find(request.Agent).Id;
            var (changes, problem) = await trust.DisownAsync(subject, From(request.From), http.RequestAborted);
            await AnswerAsync(http, subject, changes, problem);
        });
    }

    private void MapLists(PeerRoutes routes)
    {
        routes.Control("POST", "/control/trust/roots", async http =>
        {
            var request = await ControlEndpoints.BodyAsync(http, ControlJson.Default.TrustListRequest);
            var agent = trust.Known.Find(request.Agent);
            await AnswerAsync(
                http, agent.Id, await trust.SetRootAsync(agent, request.IsOn, http.RequestAborted), null);
        });
        routes.Control("POST", "/control/trust/refused", async http =>
        {
            var request = await ControlEndpoints.BodyAsync(http, ControlJson.Default.TrustListRequest);
            var agent = trust.Known.Find(request.Agent).Id;
            if (request.IsOn) await requests.WithdrawAsync(agent, http.RequestAborted);
            await AnswerAsync(
                http, agent, await trust.SetRefusedAsync(agent, request.IsOn, http.RequestAborted), null);
        });
        routes.Control("POST", "/control/trust/names", async http =>
        {
            var request = await ControlEndpoints.BodyAsync(http, ControlJson.Default.NameRequest);
            var agent = trust.Known.Find(request.Agent);
            var name = KnownAgents.CheckName(request.Name);
            await trust.Known.SetAsync(
                agent.Id, a => a with { Name = name, Endpoint = agent.Endpoint ?? a.Endpoint }, http.RequestAborted);
            await AnswerAsync(http, agent.Id, [], null);
        });
    }

    private TrustInfo Describe(int waiting)
    {
        var all = trust.Known.All;
        return new TrustInfo(
            trust.Self.ToString(),
            [trust.Self.ToString(), .. all.Where(a => a.IsRoot).Select(a => a.Agent.ToString())],
            [.. trust.OwnVouches().Select(Link)],
            [.. all.Where(a => a.IsRefused).Select(a => a.Agent.ToString())],
            all.Where(a => a.Name is not null).ToDictionary(a => a.Agent.ToString(), a => a.Name!), waiting);
    }

    private TrustWhy Why(TrustDecision decision) => Why(decision, trust.Known);

    public static TrustWhy Why(TrustDecision decision, KnownAgents known) => new(
        decision.Agent.ToString(), known.NameOf(decision.Agent), TrustScopeNames.Of(decision.Scope)[0],
        decision.Standing.ToString(), decision.Depth, decision.Until,
        [.. decision.Chain.Select(link => Link(link, known))],
        [.. decision.Hints.Select(h => new TrustHintInfo(
            Link(h.Vouch, known), h.Fault.ToString(), h.Starts, Cut(h.Cut, known)))]);

    private static TrustCutInfo? Cut(TrustCut? cut, KnownAgents known) =>
        cut is { } c ? new TrustCutInfo(c.By.ToString(), known.NameOf(c.By), c.Seq, c.At) : null;

    private TrustLinkInfo Link(TrustLink link) => Link(link, trust.Known);

    public static TrustLinkInfo Link(TrustLink link, KnownAgents known) => new(
        link.Issuer.ToString(), known.NameOf(link.Issuer), link.Subject.ToString(), known.NameOf(link.Subject),
        link.Seq, TrustScopeNames.Of(link.Scopes), link.Depth, link.Expires);

    private string? Name(AgentId agent) => trust.Known.NameOf(agent);

    /// <summary>Only what holds whatever a share's reach is: reach by reach it would be told many times.</summary>
    private Task AnswerAsync(HttpContext http, AgentId agent, IReadOnlyList<TrustChange> changes, string? problem) =>
        AnswerAsync(http, trust, agent, changes, problem);

    /// <inheritdoc cref="AnswerAsync(HttpContext, AgentId, IReadOnlyList{TrustChange}, string?)"/>
    public static Task AnswerAsync(
        HttpContext http, TrustService trust, AgentId agent, IReadOnlyList<TrustChange> changes, string? problem)
    {
        var told = changes.Where(c => c.Reach == VouchBody.MaxDepth && c.Agent != trust.Self).Select(
            c => new TrustChangeInfo(
                c.Agent.ToString(), trust.Known.NameOf(c.Agent), TrustScopeNames.Of(c.Scope)[0], c.Before, c.After));
        return ControlEndpoints.JsonAsync(
            http, new TrustResult(agent.ToString(), [.. told], problem), ControlJson.Default.TrustResult);
    }

    public static TrustScopes Scope(HttpContext http) =>
        http.Request.Query["scope"].ToString() is { Length: > 0 } name
            ? TrustScopeNames.Parse(name) : TrustScopes.Exchange;

    public static TrustScopes Scopes(IReadOnlyList<string> names, bool isAllWhenEmpty)
    {
        if (names.Count == 0)
        {
            return isAllWhenEmpty ? TrustScopes.All : throw new VirgaException(
                FailureKind.BadInput, "a vouch names no scope",
                $"The scopes are {string.Join(", ", TrustScopeNames.All)}.");
        }
        return names.Aggregate(TrustScopes.None, (scopes, name) => scopes | TrustScopeNames.Parse(name));
    }

    /// <summary>BadInput unless a vouch can have them.</summary>
    public static void CheckBounds(int depth, int days)
    {
        if (depth is < 0 or > VouchBody.MaxDepth)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"a depth of {depth} can't be vouched for",
                $"It is 0 (the agent alone) to {VouchBody.MaxDepth}.");
        }
        if (days is < 1 or > DaysMax)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"a vouch can't hold for {days} days", $"It is 1 to {DaysMax:N0}.");
        }
    }

    private static int From(int from) => from is >= 1 and < Sigchain.MaxStatements
        ? from
        : throw new VirgaException(
            FailureKind.BadInput, $"there is no statement number {from} to begin from",
            "Numbers begin with 1; 'virga trust why' shows those of vouches.");
}
