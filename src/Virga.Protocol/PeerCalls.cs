using System.Net.Http.Headers;
using Virga.Core;

namespace Virga.Protocol;

/// <summary>What both typed clients do: plain calls, signed calls, chains.</summary>
internal sealed class PeerCalls(
    PeerHttp http, Endpoint endpoint, PeerIdentity self, Func<IReadOnlyList<SignedEnvelope>> ownChain,
    AgentId? expected)
{
    public const string Bencode = "application/x-bencode";
    private const int ErrorBytes = 64 << 10;

    private readonly Lock gate = new();
    private AgentId? known;

    public Endpoint Endpoint => endpoint;

    public string Peer => endpoint.Origin;

    public PeerIdentity Self => self;

    public PeerHttp Http => http;

    /// <summary>Denied when another agent answers than the one that was expected.</summary>
    public async Task<PeerInfo> GetPeerAsync(CancellationToken cancellationToken)
    {
        var answer = await CallAsync(
            HttpMethod.Get, "/v1/peer", "", null, null, ProtocolLimits.MessageBytes, cancellationToken);
        var info = Understand(answer, body => PeerInfo.Parse(body));
        if (expected is { } wanted && info.Agent != wanted)
        {
            throw new VirgaException(FailureKind.Denied, $"at {Peer} answers {info.Agent}, not {wanted}",
                "The address belongs to another agent now; look it up again.");
        }
        lock (gate) known = info.Agent;
        return info;
    }

    public async Task<IReadOnlyList<SignedEnvelope>> GetChainAsync(
        AgentId agent, long from, CancellationToken cancellationToken) =>
        Understand(
            await CallAsync(
                HttpMethod.Get, $"/v1/chains/{agent}", $"?from={from}", null, null, ProtocolLimits.MessageBytes,
                cancellationToken),
            body => SignedEnvelope.ParseList(body, ProtocolLimits.ChainPageEnvelopes));

    /// <summary>Where the chains of some agents end there, in the same order; null where it can't say.</summary>
    public async Task<IReadOnlyList<(long Next, Hash256 Last)?>> GetTipsAsync(
        IReadOnlyList<AgentId> agents, CancellationToken cancellationToken)
    {
        var tips = new List<(long Next, Hash256 Last)?>(agents.Count);
        foreach (var some in agents.Chunk(ChainTips.AgentsMax))
        {
            var answer = await CallAsync(
                HttpMethod.Post, "/v1/tips", "", ChainTips.EncodeRequest(some), null, ProtocolLimits.MessageBytes,
                cancellationToken);
            tips.AddRange(Understand(answer, body => ChainTips.ParseAnswer(body, some.Length)));
        }
        return tips;
    }

    /// <summary>In as many requests as the limits need; returns the peer's next seq.</summary>
    public async Task<long> PostChainAsync(
        AgentId agent, IReadOnlyList<SignedEnvelope> statements, CancellationToken cancellationToken)
    {
        long next = 0;
        foreach (var page in SignedEnvelope.Pages(statements))
        {
            var answer = await CallAsync(
                HttpMethod.Post, $"/v1/chains/{agent}", "", SignedEnvelope.EncodeList(page), null,
                ProtocolLimits.MessageBytes, cancellationToken);
            next = Understand(answer, body => NumberAnswer.Parse(body, "next"));
        }
        return next;
    }

    /// <summary>A call without signature; <paramref name="bearer"/> is a grant where one is needed.</summary>
    public async Task<byte[]> CallAsync(
        HttpMethod method, string path, string query, byte[]? body, string? bearer, int maxBytes,
        CancellationToken cancellationToken)
    {
        using var request = Request(method, path + query, body, bearer);
        using var response = await http.SendAsync(endpoint, request, cancellationToken);
        await RequireAsync(response, 200);
        return await response.ReadBodyAsync(maxBytes, Peer);
    }

    /// <summary>A signed call. A peer that does not know us gets our chain, once.</summary>
    /// <param name="body">Made for the receiver and the time of signing.</param>
    public async Task<byte[]> CallSignedAsync(
        HttpMethod method, string path, Func<AgentId, DateTimeOffset, byte[]> body, CancellationToken cancellationToken,
        string? bearer = null)
    {
        try
        {
            return await SignAndCallAsync(method, path, body, bearer, cancellationToken);
        }
        catch (VirgaException refused) when (ErrorCode.Of(refused) == ErrorCode.UnknownAgent)
        {
            await PostChainAsync(self.Id, ownChain(), cancellationToken);
            return await SignAndCallAsync(method, path, body, bearer, cancellationToken);
        }
    }

    public async Task<AgentId> ReceiverAsync(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if ((known ?? expected) is { } receiver) return receiver;
        }
        return (await GetPeerAsync(cancellationToken)).Agent;
    }

    public HttpRequestMessage Request(HttpMethod method, string pathAndQuery, byte[]? body, string? bearer)
    {
        var request = new HttpRequestMessage(method, new Uri(endpoint.Url, pathAndQuery));
        if (bearer is not null) request.Headers.TryAddWithoutValidation("Authorization", Grant.Authorization(bearer));
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue(Bencode);
        }
        return request;
    }

    /// <summary>Throws what the peer's error says, unless the answer has that status.</summary>
    public async Task RequireAsync(PeerResponse response, int status)
    {
        if (response.Status == status) return;
        if (response.Status is >= 200 and <= 399)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"{Peer} answered with status {response.Status}, where {status} is due",
                "It is not a Virga peer, or something in between answers for it.");
        }
        byte[] body;
        try
        {
            body = await response.ReadBodyAsync(ErrorBytes, Peer);
        }
        catch (VirgaException)
        {
            // The status says enough; what came with it can't be read.
            body = [];
        }
        throw ErrorMessage.ToException(response.Status, body, response.RetryAfter, Peer, http.Time.GetUtcNow());
    }

    /// <summary>Says of an answer that breaks its format whose it was.</summary>
    public T Understand<T>(byte[] body, Func<byte[], T> parse)
    {
        try
        {
            return parse(body);
        }
        catch (VirgaException bad)
        {
            throw new VirgaException(bad.Kind, $"{Peer}: {bad.Message}", bad.Advice, bad);
        }
    }

    private async Task<byte[]> SignAndCallAsync(
        HttpMethod method, string path, Func<AgentId, DateTimeOffset, byte[]> makeBody, string? bearer,
        CancellationToken cancellationToken)
    {
        var receiver = await ReceiverAsync(cancellationToken);
        var created = Wire.WholeSeconds(http.Time.GetUtcNow());
        var body = makeBody(receiver, created);
        var nonce = new byte[RequestSignature.NonceBytes];
        http.Random(nonce);
        using var request = Request(method, path, body, bearer);
        var headers = RequestSignature.Sign(self, receiver, method.Method, path, "", body, created, nonce);
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        using var response = await http.SendAsync(endpoint, request, cancellationToken);
        await RequireAsync(response, 200);
        return await response.ReadBodyAsync(ProtocolLimits.MessageBytes, Peer);
    }
}
