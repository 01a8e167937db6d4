using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Http;
using Virga.Core;
using Virga.Hosting;
using Virga.Protocol;

namespace Virga.Repository;

/// <summary>The requests of spec/v1/announces.md.</summary>
internal sealed class RepositoryEndpoints(AnnounceBoard board, FeedStore feeds, ChainStore chains, TimeProvider time,
    Meter meter)
{
    private readonly Counter<long> announces =
        meter.CreateCounter<long>("virga.repository.announces", "{record}", "Announces accepted");
    private readonly Counter<long> lookUps =
        meter.CreateCounter<long>("virga.repository.lookups", "{request}", "Info-hashes looked up");
    private readonly Counter<long> withdrawals =
        meter.CreateCounter<long>("virga.repository.withdrawals", "{record}", "Withdrawals accepted");
    private readonly Counter<long> feedPuts =
        meter.CreateCounter<long>("virga.repository.feed.puts", "{record}", "Feeds accepted");

    public void Map(PeerRoutes routes)
    {
        routes.Signed("POST", "/v1/announces", AnnounceAsync);
        routes.Public("GET", "/v1/announces/{hash}", LookUpAsync);
        routes.Signed("POST", "/v1/withdrawals", WithdrawAsync);
        routes.Signed("PUT", "/v1/feeds/{agent}/{name}", PutFeedAsync);
        routes.Public("GET", "/v1/feeds/{agent}/{name}", GetFeedAsync);
    }

    private async Task AnnounceAsync(SignedRequest request)
    {
        var message = AnnounceRequest.Parse(request.Body.Span, out var announce);
        request.RequireOwn(message.Record, Announce.SignatureType, announce.Agent);
        RequireTime(announce.Time, "announce");
        if (announce.Expires <= time.GetUtcNow())
            throw new VirgaException(FailureKind.BadInput, "the announce has expired already", "Make a new one.");
        board.Add(announce, message.Record, message.InfoHashes);
        announces.Add(1);
        await request.Context.AnswerAsync(NumberAnswer.Encode("expires", announce.Expires.ToUnixTimeSeconds()));
    }

    private async Task LookUpAsync(HttpContext context)
    {
        var found = board.LookUp(context.RouteHash("hash"));
        lookUps.Add(1, new KeyValuePair<string, object?>("found", found.Count > 0));
        await context.AnswerAsync(SignedEnvelope.EncodeList(found));
    }

    private async Task WithdrawAsync(SignedRequest request)
    {
        var record = SignedEnvelope.Parse(request.Body.Span);
        var withdraw = Withdraw.Parse(record.Body);
        request.RequireOwn(record, Withdraw.SignatureType, withdraw.Agent);
        RequireTime(withdraw.Time, "withdraw");
        var removed = board.Withdraw(withdraw.Agent, withdraw.InfoHashes, withdraw.Time);
        withdrawals.Add(1);
        await request.Context.AnswerAsync(NumberAnswer.Encode("removed", removed));
    }

    private async Task PutFeedAsync(SignedRequest request)
    {
        var record = SignedEnvelope.Parse(request.Body.Span);
        var feed = Feed.Parse(record.Body);
        request.RequireOwn(record, Feed.SignatureType, feed.Agent);
        if (feed.Agent != request.Context.RouteAgent() || feed.Name != request.Context.RouteText("name"))
            throw new VirgaException(FailureKind.BadInput, "the feed is not the one that the path names",
                "Put it under its own agent and name.");
        RequireTime(feed.Time, "feed");
        await feeds.PutAsync(feed, record, request.Context.RequestAborted);
        feedPuts.Add(1);
        await request.Context.AnswerAsync(NumberAnswer.Encode("version", feed.Version));
    }

    private async Task GetFeedAsync(HttpContext context)
    {
        var (agent, name) = (context.RouteAgent(), context.RouteText("name"));
        Feed.RequireName(name);
        await chains.FindAsync(agent, context.RequestAborted);
        var feed = await feeds.FindAsync(agent, name, context.RequestAborted)
            ?? throw new VirgaException(FailureKind.NotFound, $"{agent} has no feed '{name}' here",
                "Check its name, or ask another repository.");
        await context.AnswerAsync(feed.Encode());
    }

    private void RequireTime(DateTimeOffset made, string what)
    {
        var now = time.GetUtcNow();
        if ((now - made).Duration() <= ProtocolLimits.ClockDifference) return;
        throw new VirgaException(FailureKind.ClockSkew,
            $"the {what} was made at {made.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC, "
            + $"but it is {now.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC here",
            "Set the clock that is wrong, then try again.");
    }
}
