using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using Virga.Core;

namespace Virga.Protocol;

/// <summary>
/// Typed client of spec/v1 "Both peers" and "Agent". Failures are VirgaExceptions with the peer's message and advice.
/// Thread-safe.
/// </summary>
public sealed class AgentClient
{
    private const string VouchRequestsPath = "/v1/vouch-requests";

    private readonly PeerCalls calls;
    private readonly Pace? pace;

    /// <param name="ownChain">Our sigchain's envelopes, posted when the peer answers <c>unknown-agent</c>.</param>
    /// <param name="expected">The agent that must answer there, where it is known; any other is Denied.</param>
    /// <param name="pace">Bounds what is read of shares, in place of what bounds all; null: that alone does.</param>
    public AgentClient(
        PeerHttp http, Endpoint endpoint, PeerIdentity self, Func<IReadOnlyList<SignedEnvelope>> ownChain,
        AgentId? expected = null, Pace? pace = null)
    {
        calls = new PeerCalls(http, endpoint, self, ownChain, expected);
        this.pace = pace;
    }

    public Endpoint Endpoint => calls.Endpoint;

    public Task<PeerInfo> GetPeerAsync(CancellationToken cancellationToken) => calls.GetPeerAsync(cancellationToken);

    /// <summary>At most 256 statements from that seq on; NotFound when the peer does not know the agent.</summary>
    public Task<IReadOnlyList<SignedEnvelope>> GetChainAsync(
        AgentId agent, long from, CancellationToken cancellationToken) =>
        calls.GetChainAsync(agent, from, cancellationToken);

    /// <summary>The seq that the peer expects next.</summary>
    public Task<long> PostChainAsync(
        AgentId agent, IReadOnlyList<SignedEnvelope> statements, CancellationToken cancellationToken) =>
        calls.PostChainAsync(agent, statements, cancellationToken);

    /// <summary>Asks for a grant; returns the signed grant's bytes (the bearer secret) and the grant in it.</summary>
    /// <param name="pass">Shown to a holder that is not the share's owner.</param>
    public async Task<HeldGrant> GetGrantAsync(
        Hash256 infoHash, LinkSecret? secret, CancellationToken cancellationToken, SignedEnvelope? pass = null)
    {
        var self = calls.Self;
        var sealKey = self.SealIdentity.Recipient.PublicKey;
        var sealedAnswer = await calls.CallSignedAsync(
            HttpMethod.Post, $"/v1/shares/{infoHash}/grant",
            (receiver, created) =>
            {
                var proof = secret is null ? null : LinkProof.Make(secret, infoHash, self.Id, receiver, created);
                return new GrantRequest(proof, sealKey, pass).Encode();
            },
            cancellationToken);
        var answer =
            calls.Understand(sealedAnswer, body => GrantAnswer.Parse(SealedMessage.Open(body, self.SealIdentity)));
        var grant = calls.Understand(answer.Grant.Body, body => Grant.Parse(body));
        if (grant.Agent != self.Id || grant.Share != infoHash
            || grant.Issuer != await calls.ReceiverAsync(cancellationToken))
        {
            throw new VirgaException(FailureKind.BadInput, $"{calls.Peer} gave a grant that is not the one asked for",
                "The peer is broken or lies; get the share from another source.");
        }
        var given = answer.Pass is { } signed && grant.Issuer == answer.Owner
            ? new HeldPass(signed, calls.Understand(signed.Body, body => SharePass.Parse(body)))
            : null;
        return new HeldGrant(
            Base64Url.EncodeToString(answer.Grant.Encode()), grant, answer.Owner, answer.Secret, answer.IsDirect,
            answer.CopyService, given);
    }

    /// <summary>
    /// Which pieces of the share the agent has (spec/v1/swarm.md). Waits there up to <paramref name="wait"/> while it
    /// has what it had at that version.
    /// </summary>
    /// <param name="pieces">How many the share has: an answer with another number is refused.</param>
    public async Task<HaveAnswer> GetHaveAsync(
        Hash256 infoHash, int pieces, HaveVersion? known, TimeSpan wait, string bearer,
        CancellationToken cancellationToken)
    {
        var query = known is { } version
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"?epoch={version.Epoch}&version={version.Number}&wait={(int)wait.TotalSeconds}")
            : "";
        var body = await calls.CallAsync(
            HttpMethod.Get, $"/v1/shares/{infoHash}/have", query, null, bearer, ProtocolLimits.MessageBytes,
            cancellationToken);
        return calls.Understand(body, bytes => HaveAnswer.Parse(bytes, pieces));
    }

    /// <summary>Signed URLs of the storage for blobs of a share: for as many of them as the agent can sign.</summary>
    /// <param name="roots">At most <see cref="ReadUrlsRequest.RootsMax"/>.</param>
    public async Task<ReadUrlsAnswer> GetReadUrlsAsync(
        Hash256 infoHash, IReadOnlyList<Hash256> roots, string bearer, CancellationToken cancellationToken)
    {
        var self = calls.Self;
        var body = new ReadUrlsRequest(roots, self.SealIdentity.Recipient.PublicKey).Encode();
        var sealedAnswer = await calls.CallSignedAsync(
            HttpMethod.Post, $"/v1/shares/{infoHash}/urls", (_, _) => body, cancellationToken, bearer);
        return calls.Understand(
            sealedAnswer, bytes => ReadUrlsAnswer.Parse(SealedMessage.Open(bytes, self.SealIdentity)));
    }

    /// <summary>Opens entries of the share to an account at the same service, and closes others.</summary>
    /// <param name="done">At most <see cref="CopiesRequest.DoneMax"/> ids of openings.</param>
    /// <param name="roots">At most <see cref="CopiesRequest.RootsMax"/>.</param>
    public async Task<CopiesAnswer> OpenCopiesAsync(
        Hash256 infoHash, IReadOnlyList<string> done, string principal, string service, IReadOnlyList<Hash256> roots,
        string bearer, CancellationToken cancellationToken)
    {
        var self = calls.Self;
        var body = new CopiesRequest(done, principal, roots, self.SealIdentity.Recipient.PublicKey, service).Encode();
        var sealedAnswer = await calls.CallSignedAsync(
            HttpMethod.Post, $"/v1/shares/{infoHash}/copies", (_, _) => body, cancellationToken, bearer);
        return calls.Understand(
            sealedAnswer, bytes => CopiesAnswer.Parse(SealedMessage.Open(bytes, self.SealIdentity)));
    }

    /// <summary>Asks the agent's user for a vouch; returns until when the request is kept there.</summary>
    /// <param name="request">spec/v1/messages.md, "Requests for a vouch".</param>
    public async Task<DateTimeOffset> AskForVouchAsync(byte[] request, CancellationToken cancellationToken)
    {
        var answer = await calls.CallSignedAsync(
            HttpMethod.Post, VouchRequestsPath, (_, _) => request, cancellationToken);
        var seconds = calls.Understand(answer, body => NumberAnswer.Parse(body, "expires"));
        return DateTimeOffset.FromUnixTimeSeconds(Math.Min(seconds, ProtocolLimits.LastUnixSeconds));
    }

    /// <summary>What has become of our request, unparsed; NotFound where none is kept.</summary>
    public Task<byte[]> GetVouchRequestAsync(CancellationToken cancellationToken) =>
        calls.CallSignedAsync(HttpMethod.Get, VouchRequestsPath, static (_, _) => [], cancellationToken);

    /// <summary>Takes our request back; returns how many were dropped, 0 or 1.</summary>
    public async Task<long> WithdrawVouchRequestAsync(CancellationToken cancellationToken)
    {
        var answer = await calls.CallSignedAsync(
            HttpMethod.Delete, VouchRequestsPath, static (_, _) => [], cancellationToken);
        return calls.Understand(answer, body => NumberAnswer.Parse(body, "removed"));
    }

    /// <summary>The bencoded info dict; Corrupt unless its SHA-256 is the info-hash.</summary>
    public async Task<byte[]> GetInfoAsync(Hash256 infoHash, string bearer, CancellationToken cancellationToken)
    {
        var info = await calls.CallAsync(
            HttpMethod.Get, $"/v1/shares/{infoHash}/info", "", null, bearer, ProtocolLimits.InfoBytes,
            cancellationToken);
        if (infoHash.Matches(SHA256.HashData(info))) return info;
        throw new VirgaException(
            FailureKind.Corrupt, $"{calls.Peer} sent an info dict that is not that of share {infoHash}",
            "The peer is broken or lies; get the share from another source.");
    }

    /// <summary>The bencoded dictionary of piece layers, not yet verified.</summary>
    public Task<byte[]> GetLayersAsync(Hash256 infoHash, string bearer, CancellationToken cancellationToken) =>
        calls.CallAsync(
            HttpMethod.Get, $"/v1/shares/{infoHash}/layers", "", null, bearer, ProtocolLimits.LayersBytes,
            cancellationToken);

    /// <summary>Signed extras of a public share; null where there are none.</summary>
    public async Task<SignedEnvelope?> GetExtrasAsync(
        Hash256 infoHash, string bearer, CancellationToken cancellationToken)
    {
        try
        {
            var body = await calls.CallAsync(
                HttpMethod.Get, $"/v1/shares/{infoHash}/extras", "", null, bearer, ProtocolLimits.ExtrasBytes,
                cancellationToken);
            return calls.Understand(body, bytes => SignedEnvelope.Parse(bytes, ProtocolLimits.ExtrasBytes));
        }
        catch (VirgaException failure) when (failure.Kind == FailureKind.NotFound)
        {
            return null;
        }
    }

    /// <summary>
    /// Fills the whole destination with a blob's bytes from the given offset (at most 8 MiB), reading straight into it.
    /// <paramref name="progress"/> is told the number of bytes that are there so far, so that pieces can be verified as
    /// they come.
    /// </summary>
    /// <param name="isFresh">
    /// Conflict when it is an owner that has begun to send it to somebody (spec/v1/swarm.md).
    /// </param>
    public async Task ReadRangeAsync(
        Hash256 infoHash, Hash256 root, long offset, Memory<byte> destination, string bearer, Action<int>? progress,
        CancellationToken cancellationToken, bool isFresh = false)
    {
        RequireLength(destination.Length);
        var last = offset + destination.Length - 1;
        var path = $"/v1/shares/{infoHash}/blobs/{root}{(isFresh ? "?fresh=1" : "")}";
        using var request = calls.Request(HttpMethod.Get, path, null, bearer);
        request.Headers.TryAddWithoutValidation(
            "Range", string.Create(CultureInfo.InvariantCulture, $"bytes={offset}-{last}"));
        using var response = await calls.Http.SendAsync(calls.Endpoint, request, cancellationToken);
        await calls.RequireAsync(response, 206);
        if (response.ContentRange is not { Unit: "bytes", From: { } from, To: { } to } || from != offset || to != last)
            throw WrongAnswer($"another range than the bytes {offset} to {last} that were asked for");
        RequireBodyLength(response, destination.Length);
        await response.FillAsync(destination, progress, pace);
    }

    /// <summary>Fills the destination with several ranges, one after the other (the batch read).</summary>
    public async Task ReadManyAsync(
        Hash256 infoHash, IReadOnlyList<BlobRange> ranges, Memory<byte> destination, string bearer,
        CancellationToken cancellationToken)
    {
        RequireLength(destination.Length);
        if (ranges.Count > ProtocolLimits.RangesPerRead)
            throw new ArgumentException(
                $"at most {ProtocolLimits.RangesPerRead} ranges are read at once", nameof(ranges));
        if (ranges.Sum(item => item.Range.Length) != destination.Length)
            throw new ArgumentException(
                "the destination's length is not that of the ranges together", nameof(destination));
        var body = ReadRequest.Encode(ranges);
        using var request = calls.Request(HttpMethod.Post, $"/v1/shares/{infoHash}/read", body, bearer);
        using var response = await calls.Http.SendAsync(calls.Endpoint, request, cancellationToken);
        await calls.RequireAsync(response, 200);
        RequireBodyLength(response, destination.Length);
        await response.FillAsync(destination, null, pace);
    }

    private static void RequireLength(int length)
    {
        if (length is < 1 or > ProtocolLimits.RangeBytes)
            throw new ArgumentOutOfRangeException(
                nameof(length), length, $"a read has 1 to {ProtocolLimits.RangeBytes} bytes");
    }

    private void RequireBodyLength(PeerResponse response, int expected)
    {
        if (response.Length == expected) return;
        throw WrongAnswer(response.Length is { } length
            ? $"{length} bytes, where {expected} are due"
            : $"a body without length, where {expected} bytes are due");
    }

    private VirgaException WrongAnswer(string what) =>
        new(FailureKind.BadInput, $"{calls.Peer} answered a read with {what}",
        "The peer is broken or lies; get the share from another source.");
}
