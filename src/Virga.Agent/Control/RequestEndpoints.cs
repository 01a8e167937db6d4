using System.Globalization;
using Microsoft.AspNetCore.Http;
using Virga.Agent.Trust;
using Virga.Core;
using Virga.Hosting;
using Virga.Protocol;
using Virga.Trust;

namespace Virga.Agent.Control;

/// <summary>
/// Requests for a vouch: what other agents send (spec/v1/messages.md), and the local API's part about them.
/// </summary>
internal sealed class RequestEndpoints(VouchRequests requests, TrustService trust, TimeProvider time)
{
    private const string Path = "/v1/vouch-requests";

    public void Map(PeerRoutes routes)
    {
        routes.Signed("POST", Path, async request =>
        {
            var token = request.Context.RequestAborted;
            var row = await requests.TakeInAsync(request.Asker, VouchAsk.Parse(request.Body.Span), token);
            await request.Context.AnswerAsync(NumberAnswer.Encode("expires", row.Expires.ToUnixTimeSeconds()));
        }, RequestClass.Rare);
        routes.Signed("GET", Path, async request =>
        {
            var status = await requests.StatusOfAsync(request.Asker, request.Context.RequestAborted);
            await request.Context.AnswerAsync(status.Encode());
        });
        routes.Signed("DELETE", Path, async request =>
        {
            var isThere = await requests.WithdrawAsync(request.Asker, request.Context.RequestAborted);
            await request.Context.AnswerAsync(NumberAnswer.Encode("removed", isThere ? 1 : 0));
        });
        MapRequests(routes);
        MapAsked(routes);
    }

    private void MapRequests(PeerRoutes routes)
    {
        routes.Control("GET", "/control/trust/requests", async http =>
        {
            await trust.RefreshAsync(http.RequestAborted);
            List<RequestInfo> list = [.. (await requests.ListAsync(http.RequestAborted)).Select(Info)];
            await ControlEndpoints.JsonAsync(http, list, ControlJson.Default.ListRequestInfo);
        });
        routes.Control("POST", "/control/trust/requests/{id}", async http =>
        {
            var answer = await ControlEndpoints.BodyAsync(http, ControlJson.Default.AnswerRequest);
            var token = http.RequestAborted;
            if (!answer.IsYes)
            {
                var refused = await requests.RefuseAsync(Id(http), answer.Reason, token);
                await TrustEndpoints.AnswerAsync(http, trust, refused, [], null);
                return;
            }
            TrustEndpoints.CheckBounds(answer.Depth, answer.Days);
            var scopes = TrustEndpoints.Scopes(answer.Scopes, isAllWhenEmpty: false);
            var name = KnownAgents.CheckName(answer.Name);
            var (agent, changes, problem) = await requests.AcceptAsync(
                Id(http), scopes, answer.Depth, answer.Days, name, token);
            await TrustEndpoints.AnswerAsync(http, trust, agent, changes, problem);
        });
        routes.Control("DELETE", "/control/trust/requests/{id}", async http =>
        {
            await requests.DropAsync(Id(http), http.RequestAborted);
            http.Response.StatusCode = StatusCodes.Status204NoContent;
        });
    }

    private void MapAsked(PeerRoutes routes)
    {
        routes.Control("GET", "/control/trust/asked", async http =>
        {
            List<AskedInfo> list = [.. (await requests.AskedAsync(http.RequestAborted)).Select(Info)];
            await ControlEndpoints.JsonAsync(http, list, ControlJson.Default.ListAskedInfo);
        });
        routes.Control("POST", "/control/trust/asked", async http =>
        {
            var asked = await ControlEndpoints.BodyAsync(http, ControlJson.Default.AskRequest);
            TrustEndpoints.CheckBounds(asked.Depth, asked.Days);
            var ask = new VouchAsk(
                TrustEndpoints.Scopes(asked.Scopes, isAllWhenEmpty: false), asked.Depth, asked.Days,
                VouchAsk.CheckNote(asked.Note, "note"));
            var news = await requests.AskAsync(trust.Known.Find(asked.Agent), ask, http.RequestAborted);
            await ControlEndpoints.JsonAsync(http, Info(news), ControlJson.Default.AskedInfo);
        });
        routes.Control("DELETE", "/control/trust/asked/{who}", async http =>
        {
            var agent = trust.Known.Find(http.RouteText("who")).Id;
            var problem = await requests.TakeBackAsync(agent, http.RequestAborted);
            await TrustEndpoints.AnswerAsync(http, trust, agent, [], problem);
        });
    }

    private RequestInfo Info(RequestRow row)
    {
        var decisions = TrustScopeNames.All.Select(name => trust.Decide(row.Agent, TrustScopeNames.Parse(name)))
            .Where(decision => decision.IsAdmitted).ToList();
        return new RequestInfo(
            row.Id, row.Agent.ToString(), trust.Known.NameOf(row.Agent), FingerprintWords.Of(row.Agent),
            TrustScopeNames.Of(row.Ask.Scopes), row.Ask.Depth, row.Ask.Days, row.Ask.Note, row.Asked, row.Expires,
            row.State.ToString(), row.Reason,
            [.. decisions.Select(decision => TrustScopeNames.Of(decision.Scope)[0])],
            [.. (decisions.FirstOrDefault()?.Chain ?? []).Select(link => TrustEndpoints.Link(link, trust.Known))]);
    }

    private AskedInfo Info(AskedNews news)
    {
        var row = news.Row;
        var isOver = row.State == VouchAskState.Waiting && row.Expires <= time.GetUtcNow();
        return new AskedInfo(
            row.Agent.ToString(), trust.Known.NameOf(row.Agent), TrustScopeNames.Of(row.Ask.Scopes), row.Ask.Depth,
            row.Ask.Days, row.Ask.Note, row.Asked, row.Expires, isOver ? "Expired" : row.State.ToString(),
            news.Vouch is { } vouch ? TrustEndpoints.Link(vouch, trust.Known) : null, row.Reason, news.Problem);
    }

    private static long Id(HttpContext http) =>
        long.TryParse(http.RouteText("id"), NumberStyles.None, CultureInfo.InvariantCulture, out var id)
            ? id
            : throw new VirgaException(
                FailureKind.BadInput, "that is no number of a request", "See them with: virga trust requests");
}
