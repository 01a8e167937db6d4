using System.Globalization;
using Microsoft.AspNetCore.Http;
using Virga.Core;
using Virga.Protocol;

namespace Virga.Hosting;

/// <summary>What both peers answer (spec/v1/messages.md, "Both peers").</summary>
internal sealed class ChainEndpoints(PeerServerOptions options)
{
    private readonly RequestLimiter<ClientAddress> newChains = new(options.Limits.NewChains, options.Time);

    public void Map(PeerRoutes routes)
    {
        routes.Public("GET", "/v1/peer", PeerAsync);
        routes.Public("GET", "/v1/chains/{agent}", GetAsync);
        routes.Public("POST", "/v1/chains/{agent}", PostAsync);
        routes.Public("POST", "/v1/tips", TipsAsync);
    }

    private Task PeerAsync(HttpContext context) =>
        context.AnswerAsync(new PeerInfo(options.Keys.Id, options.Kind, options.Time.GetUtcNow()).Encode());

    private async Task GetAsync(HttpContext context)
    {
        var from = FromOf(context.Request);
        var agent = context.RouteAgent();
        var page = await options.Chains.ReadAsync(agent, from, context.RequestAborted)
            ?? throw new VirgaException(FailureKind.NotFound, $"the chain of {agent} is not known here",
                "Ask another repository, or the agent itself.");
        await context.AnswerAsync(SignedEnvelope.EncodeList(page));
    }

    private async Task TipsAsync(HttpContext context)
    {
        var body = await context.ReadBodyAsync(ProtocolLimits.MessageBytes, context.RequestAborted);
        var tips = await options.Chains.TipsAsync(ChainTips.ParseRequest(body.Span), context.RequestAborted);
        await context.AnswerAsync(ChainTips.EncodeAnswer(tips));
    }

    private async Task PostAsync(HttpContext context)
    {
        var agent = context.RouteAgent();
        var body = await context.ReadBodyAsync(ProtocolLimits.MessageBytes, context.RequestAborted);
        var statements = SignedEnvelope.ParseList(body.Span, ProtocolLimits.ChainPageEnvelopes);
        if (!await options.Chains.KnowsAsync(agent, context.RequestAborted))
            Refusals.RequireRate(newChains.TryAcquire(ClientAddress.Of(context.AskerAddress())),
                "this address that bring new agents");
        var result = await options.Chains.AppendAsync(agent, statements, context.RequestAborted);
        if (result.Proof is { } proof)
        {
            throw Refusals.WithProof(
                new VirgaException(FailureKind.Conflict, $"{agent} has signed two different statements with one number",
                "The agent is trusted no more; its owner must make a new identity."), proof);
        }

        await context.AnswerAsync(NumberAnswer.Encode("next", result.Next));
    }

    private static long FromOf(HttpRequest request)
    {
        var text = request.Query["from"];
        if (text.Count == 0) return 0;
        if (text.Count == 1
            && long.TryParse(text[0], NumberStyles.None, CultureInfo.InvariantCulture, out var from)) return from;
        throw new VirgaException(FailureKind.BadInput, "from is not a number",
            "Give the seq of the first statement that is wanted, e.g. from=0.");
    }
}
