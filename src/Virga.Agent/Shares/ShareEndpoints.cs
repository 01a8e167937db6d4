using System.Globalization;
using Microsoft.AspNetCore.Http;
using Virga.Agent.Trust;
using Virga.Content;
using Virga.Content.Snapshots;
using Virga.Core;
using Virga.Core.Age;
using Virga.Hosting;
using Virga.Protocol;

namespace Virga.Agent.Shares;

/// <summary>What other agents read shares by (spec/v1/messages.md, "Agent").</summary>
internal sealed class ShareEndpoints(
    ShareService shares, Holdings holdings, GrantIssuer grants, CopyOpenings copies, TrustService trust,
    PeerIdentity self, Pace sending,
    TimeProvider time, RandomBytes random, Action<string> log)
{
    private static readonly TimeSpan UrlLifetime = TimeSpan.FromMinutes(5);

    private readonly RunningReads running = new();
    private readonly SentPieces sent = new(time);

    private const string Bytes = "application/octet-stream";

    public void Map(PeerRoutes routes)
    {
        const string share = "/v1/shares/{hash}/";
        routes.Signed("POST", share + "grant", async request =>
        {
            var infoHash = InfoHash(request.Context);
            var share = shares.Find(infoHash);
            if (share is null && holdings.Find(infoHash) is { } holding)
            {
                await WriteAsync(request.Context, await IssueHeldAsync(holding, request));
                return;
            }
            if (share is { Audience: AudienceKind.Trusted })
                await trust.AdmitsAsync(request.Chain.Id, share.Reach, request.Context.RequestAborted);
            var answer = grants.Issue(infoHash, share, request.Chain, request.Created, request.Body.Span,
                shares.FindEnded(infoHash));
            await WriteAsync(request.Context, answer);
        });
        routes.Public("GET", share + "info",
            async http => await WriteAsync(http, (await OpenAsync(http)).Info), RequestClass.Read);
        routes.Public("GET", share + "layers",
            async http => await WriteAsync(http, (await OpenAsync(http)).Layers), RequestClass.Read);
        routes.Public("GET", share + "extras", async http =>
        {
            var share = await OpenAsync(http);
            if (share is HeldServedShare { Extras: { } extras })
            {
                await WriteAsync(http, extras);
                return;
            }
            if (share is not OwnServedShare { Reader.Index: { IsPrivate: false } index })
                throw new VirgaException(FailureKind.NotFound, "there are no extras of this share here");
            var body = ShareExtras.Encode(self.Id, index.InfoHash, index.Manifest);
            await WriteAsync(http, SignedEnvelope.Sign(self.SigningKey, ShareExtras.SignatureType, body).Encode());
        }, RequestClass.Read);
        routes.Signed("POST", share + "urls", SignUrlsAsync);
        routes.Signed("POST", share + "copies", OpenCopiesAsync);
        routes.Public("GET", share + "blobs/{root}", ReadRangeAsync, RequestClass.Read);
        routes.Public("POST", share + "read", ReadManyAsync, RequestClass.Read);
        routes.Public("GET", share + "have", HaveAsync, RequestClass.Read);
    }

    /// <summary>
    /// Those who are not trusted any more: ends what they read, and says so. Their grants are refused from now on.
    /// </summary>
    public void Cut(IReadOnlyList<AgentId> fallen)
    {
        var cut = running.Cut(trust.IsAdmitted);
        foreach (var agent in fallen) log($"{agent} is not trusted any more: no chain of vouches leads to it");
        copies.Cut();
        if (cut > 0) log($"{cut} running answers were cut off");
    }

    /// <summary>
    /// URLs for those who may read now. They outlive a cut by their short life (spec/v1/direct.md), which their owner
    /// accepted when the share was made direct.
    /// </summary>
    private async Task SignUrlsAsync(SignedRequest request)
    {
        var http = request.Context;
        using var read = Enter(http);
        var infoHash = InfoHash(http);
        RequireOwnGrant(request);
        var wanted = ReadUrlsRequest.Parse(request.Body.Span);
        if (!request.Chain.ValidSealKeys.Contains(wanted.Seal))
            throw new VirgaException(FailureKind.Denied, "the key to seal to is none of the asker's");
        var urls = new List<ReadUrl>();
        if (shares.Find(infoHash) is { IsDirect: true })
        {
            var reader = ((OwnServedShare)await OpenAsync(http)).Reader;
            foreach (var root in wanted.Roots)
                if (await SignAsync(reader, root, http.RequestAborted) is { } url) urls.Add(url);
        }
        var answer = new ReadUrlsAnswer(time.GetUtcNow() + UrlLifetime, urls).Encode();
        await WriteAsync(http, SealedMessage.Seal(answer, new AgeRecipient(wanted.Seal), random));
    }

    /// <summary>Opens entries to the asker's account for copies inside the service (spec/v1/copies.md).</summary>
    private async Task OpenCopiesAsync(SignedRequest request)
    {
        var http = request.Context;
        using var read = Enter(http);
        var infoHash = InfoHash(http);
        RequireOwnGrant(request);
        var wanted = CopiesRequest.Parse(request.Body.Span);
        if (!request.Chain.ValidSealKeys.Contains(wanted.Seal))
            throw new VirgaException(FailureKind.Denied, "the key to seal to is none of the asker's");
        if (await OpenAsync(http) is not OwnServedShare { Reader: var reader }
            || shares.Find(infoHash) is not { } share)
            throw new VirgaException(FailureKind.NotFound, "the share was withdrawn, or is another agent's");
        CopiesAnswer answer;
        try
        {
            answer = await copies.OpenAsync(share, reader.Index, request.Asker, wanted, http.RequestAborted);
        }
        catch (VirgaException e) when (e.Kind is not (FailureKind.BadInput or FailureKind.Full))
        {
            // The reason names the owner's own places: not for others to know.
            log($"share {infoHash} can't be opened for copies: {e.Message}");
            throw e.Kind is FailureKind.Denied or FailureKind.Unsupported
                ? new VirgaException(FailureKind.Unsupported, "its owner's storage does not let it be copied")
                : new VirgaException(FailureKind.Unavailable, "its owner's storage can't be opened now");
        }
        catch (VirgaException e) when (e.Kind == FailureKind.Full)
        {
            throw new VirgaException(FailureKind.Full, "others are copying from its owner's storage");
        }
        await WriteAsync(http, SealedMessage.Seal(answer.Encode(), new AgeRecipient(wanted.Seal), random));
    }

    private void RequireOwnGrant(SignedRequest request)
    {
        var grant = grants.Accept(
            InfoHash(request.Context), request.Context.Request.Headers.Authorization.ToString());
        if (grant.Agent != request.Asker)
            throw new VirgaException(FailureKind.Denied, "the grant is another agent's", "Ask for one of your own.");
    }

    private static async ValueTask<ReadUrl?> SignAsync(
        ShareReader reader, Hash256 root, CancellationToken cancellationToken)
    {
        if (await reader.SignReadAsync(root, UrlLifetime, cancellationToken) is not { } signed) return null;
        var origin = new Uri(signed.Url.GetLeftPart(UriPartial.Authority));
        return new ReadUrl(
            root, new Protocol.Endpoint(origin, signed.CertSha256), signed.Url.PathAndQuery, signed.IfMatch);
    }

    private async Task ReadRangeAsync(HttpContext http)
    {
        using var read = Enter(http);
        var reader = await OpenAsync(http);
        var root = http.RouteHash("root");
        var length = reader.LengthOf(root);
        var range = ParseRange(http.Request.Headers.Range.ToString());
        if (range.End > length) throw Outside(range, length);
        BlobRange[] ranges = [new(root, range)];
        reader.Require(ranges, http.Request.Query.ContainsKey("fresh"));
        http.Response.StatusCode = StatusCodes.Status206PartialContent;
        http.Response.ContentType = Bytes;
        http.Response.ContentLength = range.Length;
        http.Response.Headers.ContentRange = $"bytes {range.Offset}-{range.End - 1}/{length}";
        await CopyAsync(http, reader, ranges);
    }

    private async Task ReadManyAsync(HttpContext http)
    {
        using var read = Enter(http);
        var reader = await OpenAsync(http);
        var body = await http.ReadBodyAsync(ProtocolLimits.MessageBytes, http.RequestAborted);
        var ranges = ReadRequest.Parse(body.Span);
        foreach (var (root, range) in ranges)
        {
            var length = reader.LengthOf(root);
            if (range.End > length) throw Outside(range, length);
        }
        reader.Require(ranges);
        http.Response.ContentType = Bytes;
        http.Response.ContentLength = ranges.Sum(r => r.Range.Length);
        await CopyAsync(http, reader, ranges);
    }

    /// <summary>What is here of a share; a question with a version waits until there is something new.</summary>
    private async Task HaveAsync(HttpContext http)
    {
        using var read = Enter(http);
        var share = await OpenAsync(http);
        var query = http.Request.Query;
        HaveVersion? known = Number("epoch") is { } epoch && Number("version") is { } version
            ? new HaveVersion(epoch, version) : null;
        var wait = TimeSpan.FromSeconds(Math.Min(Number("wait") ?? 0, ProtocolLimits.HaveWait.TotalSeconds));
        await WriteAsync(http, (await share.HaveAsync(known, wait, http.RequestAborted)).Encode());

        long? Number(string name) =>
            long.TryParse(query[name], NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
    }

    private async Task<byte[]> IssueHeldAsync(Holding holding, SignedRequest request)
    {
        var wanted = GrantIssuer.Read(request.Chain, request.Body.Span);
        var pass = await holdings.CheckAsync(
            holding, request.Chain.Id, wanted.Pass, request.Context.RequestAborted);
        holding.Share.Notice();
        return grants.IssueHeld(holding, pass, request.Chain, wanted);
    }

    /// <summary>
    /// Once bytes are on their way a failure can only be told by cutting the answer: what was announced in
    /// Content-Length never comes.
    /// </summary>
    private async Task CopyAsync(HttpContext http, ServedShare reader, IReadOnlyList<BlobRange> ranges)
    {
        using var paced = sending.BytesPerSecond is null ? null : new PacedWriter(http.Response.BodyWriter, sending);
        var output = paced ?? http.Response.BodyWriter;
        try
        {
            foreach (var (root, range) in ranges) await reader.CopyRangeAsync(root, range, output, http.RequestAborted);
            await output.FlushAsync(http.RequestAborted);
        }
        catch (VirgaException e) when (http.Response.HasStarted || output.UnflushedBytes > 0)
        {
            log($"an answer for share {reader.InfoHash} was cut: {e.Message}");
            http.Abort();
        }
        catch (VirgaException e)
        {
            if (e.Kind == FailureKind.Changed) log($"share {reader.InfoHash}: {e.Message}");
            http.Response.Headers.ContentRange = default;
            http.Response.ContentLength = null;
            // Which of the owner's entries it was is not for others to know.
            var (message, advice) = e.Kind == FailureKind.Changed
                ? ("the entry was changed after it was shared", "Ask the owner to share it again.")
                : ("the entry can't be read now", null);
            throw new VirgaException(e.Kind, message, advice) { RetryAfter = e.RetryAfter };
        }
    }

    private async ValueTask<ServedShare> OpenAsync(HttpContext http)
    {
        var infoHash = InfoHash(http);
        var grant = grants.Accept(infoHash, http.Request.Headers.Authorization.ToString());
        if (shares.Find(infoHash) is null && holdings.Find(infoHash) is { } holding)
        {
            // The owner's pass let it in; who is ruled out here gets nothing all the same.
            if (!trust.IsRefused(grant.Agent)) return new HeldServedShare(holding);
            throw new VirgaException(FailureKind.Denied, "nothing is given to this agent: it is ruled out here");
        }
        if (grant.Audience == AudienceKind.Trusted && !trust.IsAdmitted(grant.Agent, ReachOf(infoHash)))
        {
            throw new VirgaException(
                FailureKind.Denied,
                "access was withdrawn: nobody whom the share's owner trusts vouches for this agent any more",
                "Ask the owner, or somebody whom they trust, to vouch for it; then resume the transfer.");
        }
        // Its grant says that it could read the share while there was one.
        if (shares.Find(infoHash) is null && shares.FindEnded(infoHash) is { } over) throw EndedShares.Over(over);
        try
        {
            return new OwnServedShare(await shares.OpenAsync(infoHash, http.RequestAborted), sent);
        }
        catch (VirgaException e) when (shares.Find(infoHash) is not null)
        {
            // The reason names the owner's own files and accounts: not for others to know.
            log($"share {infoHash} can't be opened: {e.Message}");
            throw new VirgaException(
                FailureKind.Unavailable, "the share can't be read now",
                "Its owner finds the reason in the agent's log.");
        }
    }

    private int ReachOf(Hash256 infoHash) => shares.Find(infoHash)?.Reach ?? 0;

    private IDisposable? Enter(HttpContext http)
    {
        var infoHash = InfoHash(http);
        var grant = grants.Accept(infoHash, http.Request.Headers.Authorization.ToString());
        return grant.Audience == AudienceKind.Trusted && shares.Find(infoHash) is not null
            ? running.Enter(http, grant.Agent, ReachOf(infoHash)) : null;
    }

    private static async Task WriteAsync(HttpContext http, ReadOnlyMemory<byte> body)
    {
        http.Response.ContentType = Bytes;
        http.Response.ContentLength = body.Length;
        await http.Response.Body.WriteAsync(body, http.RequestAborted);
    }

    private static VirgaException Outside(ByteRange range, long? length) =>
        new(FailureKind.BadInput, $"the range {range} is outside of the blob's {length} bytes");

    private static Hash256 InfoHash(HttpContext http) => http.RouteHash("hash");

    /// <summary>One range with both ends, at most 8 MiB (spec/v1/messages.md): <c>bytes=a-b</c>.</summary>
    private static ByteRange ParseRange(string header)
    {
        const string unit = "bytes=";
        var text = header.AsSpan();
        if (text.StartsWith(unit, StringComparison.Ordinal))
        {
            text = text[unit.Length..];
            var dash = text.IndexOf('-');
            if (dash > 0
                && long.TryParse(text[..dash], NumberStyles.None, CultureInfo.InvariantCulture, out var first)
                && long.TryParse(text[(dash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var last)
                && last >= first && last - first < ProtocolLimits.RangeBytes)
                return new ByteRange(first, last - first + 1);
        }
        throw new VirgaException(
            FailureKind.BadInput, "a blob is read by one range of at most 8 MiB", "Send 'Range: bytes=first-last'.");
    }
}
