using Virga.Core;
using Virga.Protocol;
using Virga.Transfers.Swarm;

namespace Virga.Transfers.Sources;

/// <summary>
/// An agent that serves a share. Asks for a grant when it needs one, once at a time, and again before it expires.
/// </summary>
/// <param name="isRefused">
/// Whether nothing is taken from an agent any more, looked at again and again while bytes arrive; null: from all.
/// </param>
/// <param name="passes">The owner's word that others ask for; null where only the owner is asked.</param>
/// <param name="isOrigin">False for one that passes on what it received.</param>
public sealed class AgentSource(
    AgentClient client, Hash256 infoHash, LinkSecret? secret, TimeProvider time, Func<AgentId, bool>? isRefused = null,
    PassBook? passes = null, bool isOrigin = true)
    : ISource, IDisposable
{
    private const int LookedAtBytes = 256 << 10;
    private static readonly TimeSpan HaveWait = TimeSpan.FromSeconds(5);

    // A holder's grant ends with the pass, which may be short.
    private readonly TimeSpan renewBefore = TimeSpan.FromSeconds(isOrigin ? 60 : 5);

    private readonly SemaphoreSlim asking = new(1, 1);
    private volatile HeldGrant? held;
    private readonly Way way = new(time);

    public string Name { get; } = client.Endpoint.Url.GetLeftPart(UriPartial.Authority);

    public double WaitShare => way.WaitShare;

    public bool IsFar => way.IsFar;

    public bool IsOrigin => isOrigin;

    public AgentId? Agent => held?.Grant.Issuer;

    public PieceSet? Have { get; private set; }

    public PieceSet? Sent { get; private set; }

    private HaveVersion? version;
    private PieceNumbers? pieces;

    public async Task RefreshAsync(PieceNumbers numbers, CancellationToken cancellationToken)
    {
        pieces = numbers;
        // An origin has nothing new to say but what it has sent, which is not worth waiting for there.
        var known = isOrigin ? null : version;
        var answer = await WithGrantAsync(
            bearer => client.GetHaveAsync(infoHash, numbers.Total, known, HaveWait, bearer, cancellationToken),
            cancellationToken);
        Sent = answer.Sent is { } sent ? PieceSet.From(sent, numbers.Total) : null;
        if (answer.Version == version) return;
        if (answer.Have is null && !isOrigin)
        {
            var all = new PieceSet(numbers.Total);
            all.Add(0, numbers.Total);
            Have = all;
        }
        else if (answer.Have is { } have) Have = PieceSet.From(have, numbers.Total);
        version = answer.Version;
    }

    /// <summary>Asks for a new grant, and so for a new pass.</summary>
    internal Task AskAgainAsync(CancellationToken cancellationToken) => AskAsync(held, cancellationToken);

    public Task ReadAsync(Hash256 root, long offset, Memory<byte> destination, CancellationToken cancellationToken) =>
        WithGrantAsync(
            bearer => ReadRangeAsync(root, offset, destination, bearer, false, cancellationToken), cancellationToken);

    public async Task ReadFreshAsync(
        Hash256 root, long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        try
        {
            await WithGrantAsync(
                bearer => ReadRangeAsync(root, offset, destination, bearer, true, cancellationToken),
                cancellationToken);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.Conflict && pieces is not null)
        {
            await RefreshAsync(pieces, cancellationToken);
            throw;
        }
    }

    public Task ReadManyAsync(
        IReadOnlyList<BlobRange> ranges, Memory<byte> destination, CancellationToken cancellationToken) =>
        WithGrantAsync(
            bearer => client.ReadManyAsync(infoHash, ranges, destination, bearer, cancellationToken),
            cancellationToken);

    /// <summary>
    /// What the agent says that the share's audience is; a lie makes what follows unreadable, no more.
    /// </summary>
    public Task<AudienceKind> GetAudienceAsync(CancellationToken cancellationToken) =>
        WithGrantAsync(_ => Task.FromResult(held!.Grant.Audience), cancellationToken);

    /// <summary>What opens the manifest of a share for trusted agents; null for other audiences.</summary>
    public Task<LinkSecret?> GetSecretAsync(CancellationToken cancellationToken) =>
        WithGrantAsync(_ => Task.FromResult(held!.Secret ?? passes?.Secret), cancellationToken);

    public Task<byte[]> GetInfoAsync(CancellationToken cancellationToken) =>
        WithGrantAsync(bearer => client.GetInfoAsync(infoHash, bearer, cancellationToken), cancellationToken);

    public Task<byte[]> GetLayersAsync(CancellationToken cancellationToken) =>
        WithGrantAsync(bearer => client.GetLayersAsync(infoHash, bearer, cancellationToken), cancellationToken);

    public Task<SignedEnvelope?> GetExtrasAsync(CancellationToken cancellationToken) =>
        WithGrantAsync(bearer => client.GetExtrasAsync(infoHash, bearer, cancellationToken), cancellationToken);

    public Endpoint Endpoint => client.Endpoint;

    /// <summary>Whether the agent said, when it was asked last, that its storage may be read directly.</summary>
    public bool IsDirect => held?.IsDirect ?? false;

    /// <summary>Whether the agent, when it was asked last, was the one that made the share.</summary>
    public bool IsOwner => held is { } grant && grant.Grant.Issuer == grant.Owner;

    /// <summary>The service inside which the agent lets its entries be copied; null where it doesn't.</summary>
    public string? CopyService => held?.CopyService;

    /// <inheritdoc cref="AgentClient.OpenCopiesAsync"/>
    public Task<CopiesAnswer> OpenCopiesAsync(
        IReadOnlyList<string> done, string principal, string service, IReadOnlyList<Hash256> roots,
        CancellationToken cancellationToken) =>
        WithGrantAsync(
            bearer => client.OpenCopiesAsync(infoHash, done, principal, service, roots, bearer, cancellationToken),
            cancellationToken);

    /// <inheritdoc cref="AgentClient.GetReadUrlsAsync"/>
    public Task<ReadUrlsAnswer> GetReadUrlsAsync(IReadOnlyList<Hash256> roots, CancellationToken cancellationToken) =>
        WithGrantAsync(
            bearer => client.GetReadUrlsAsync(infoHash, roots, bearer, cancellationToken), cancellationToken);

    public void Dispose()
    {
        passes?.Remove(this);
        asking.Dispose();
    }

    private Task ReadRangeAsync(
        Hash256 root, long offset, Memory<byte> destination, string bearer, bool isFresh,
        CancellationToken cancellationToken)
    {
        var looked = 0;
        return way.ReadAsync(
            destination,
            (start, rest, progress) => client.ReadRangeAsync(
                infoHash, root, offset + start, rest, bearer, progress, cancellationToken, isFresh && start == 0),
            arrived =>
            {
                if (arrived < looked + LookedAtBytes) return;
                looked = arrived;
                RequireAccepted();
            });
    }

    /// <summary>Denied once its agent is refused.</summary>
    public void RequireAccepted()
    {
        if (held is not { } grant || isRefused?.Invoke(grant.Grant.Issuer) != true) return;
        throw new VirgaException(
            FailureKind.Denied, $"nothing is taken from {grant.Grant.Issuer} any more: it is ruled out",
            "See why with `virga trust why`; `virga trust accept` takes back what you decided yourself.");
    }

    private async Task<T> WithGrantAsync<T>(Func<string, Task<T>> call, CancellationToken cancellationToken)
    {
        var grant = held is { } have && time.GetUtcNow() < have.Grant.Expires - renewBefore
            ? have
            : await AskAsync(null, cancellationToken);
        RequireAccepted();
        try
        {
            return await call(grant.Bearer);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.Unauthenticated)
        {
            // The issuer cut the grant or lost its key; one new one, then it is final.
            return await call((await AskAsync(grant, cancellationToken)).Bearer);
        }
    }

    private Task WithGrantAsync(Func<string, Task> call, CancellationToken cancellationToken) =>
        WithGrantAsync(async bearer =>
        {
            await call(bearer);
            return true;
        }, cancellationToken);

    private async Task<HeldGrant> AskAsync(HeldGrant? refused, CancellationToken cancellationToken)
    {
        await asking.WaitAsync(cancellationToken);
        try
        {
            if (held is { } have && have != refused && time.GetUtcNow() < have.Grant.Expires - renewBefore) return have;
            if (isOrigin)
            {
                held = await client.GetGrantAsync(infoHash, secret, cancellationToken);
                passes?.Put(held);
                return held;
            }
            var pass = passes is null ? null : await passes.GetAsync(cancellationToken);
            return held = await client.GetGrantAsync(infoHash, null, cancellationToken, pass);
        }
        finally
        {
            asking.Release();
        }
    }
}
