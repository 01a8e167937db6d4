using System.Collections.Concurrent;
using Virga.Accounts;
using Virga.Accounts.Feeds;
using Virga.Agent.Control;
using Virga.Agent.Network;
using Virga.Agent.State;
using Virga.Agent.Torrents;
using Virga.Agent.Trust;
using Virga.BitTorrent;
using Virga.BitTorrent.Downloads;
using Virga.Content.Snapshots;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Core.Age;
using Virga.Protocol;
using Virga.Storage;
using Virga.Trust;
using Virga.Trust.Following;

namespace Virga.Agent.Shares;

/// <summary>The shares of this agent's user: makes, lists, withdraws them, and opens them for reading.</summary>
internal sealed partial class ShareService(
    AgentState state, ShareTable table, AccountPool accounts, Announcer announcer, ChainDirectory chains,
    PeerClients clients, TrustService trust, AgentOptions options, Func<Endpoint> ownEndpoint,
    Func<IReadOnlyList<Endpoint>> repositories, Action<string> log) : IDisposable
{
    private const int SecretBytes = 32;

    private readonly ConcurrentDictionary<Hash256, ShareRow> rows = [];
    private readonly ReaderCache open = new(options.Time);
    private readonly SemaphoreSlim making = new(1, 1);

    /// <summary>Told when somebody may do less with a share than before.</summary>
    public Action? Narrowed { get; set; }

    /// <summary>Told when a share came or went.</summary>
    public Action? Changed { get; set; }

    /// <summary>How BitTorrent peers reach this machine, given how agents do; null where they can't.</summary>
    public Func<Uri, string?>? ReachOfPeers { get; set; }

    /// <summary>By which BitTorrent clients follow a feed; null where none is in the DHT.</summary>
    public Func<string, string?>? FeedMagnet { get; set; }

    /// <summary>Where browsers open shares; null where none can.</summary>
    public Func<string?>? PageOrigin { get; init; }

    public int Count => Live.Count();

    private IEnumerable<ShareRow> Live => rows.Values.Where(row => !IsOver(row));

    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        foreach (var row in await table.ListAsync(cancellationToken)) rows[row.InfoHash] = row;
        await ended.LoadAsync(cancellationToken);
        // An index whose share was never recorded is what a crash left (spec/v1/journal.md).
        foreach (var file in Directory.EnumerateFiles(Path.GetDirectoryName(state.IndexPath(default))!))
        {
            if (!Hash256.TryParse(Path.GetFileNameWithoutExtension(file), out var hash) || !rows.ContainsKey(hash))
                File.Delete(file);
        }
    }

    public ShareRow? Find(Hash256 infoHash) =>
        rows.GetValueOrDefault(infoHash) is { } row && !IsOver(row) ? row : null;

    public List<Hash256> InfoHashes => [.. Live.Select(row => row.InfoHash)];

    public List<ShareInfo> List() => [.. Live.OrderBy(r => r.Created).Select(r => Describe(r, null))];

    public bool Uses(string account) => rows.Values.Any(r => r.Account == account);

    public async Task<ShareInfo> CreateAsync(
        ShareRequest request, IProgress<SnapshotProgress>? progress, CancellationToken cancellationToken)
    {
        var audience = Audience(request);
        if (request.IsHybrid && audience != AudienceKind.Public)
        {
            throw new VirgaException(
                FailureKind.BadInput, "only public shares have hybrid torrents", "Share it with --public.");
        }
        var path = EntryPath.Parse(request.Path);
        var ends = EndsOf(request);
        var readers = request.Readers.Select(AgentAddress.Parse).ToList();
        var readerIds = readers.Select(r => r.Id).Distinct()
            .Order(Comparer<AgentId>.Create((x, y) => x.Hash.CompareTo(y.Hash))).ToList();
        var recipients = await RecipientsAsync(readerIds, readers, cancellationToken);
        var account = await accounts.GetAsync(request.Account, cancellationToken);
        if (request.IsDirect) RequireDirect(request.Account, account);
        var copyService = request.IsCopyable
            ? await CopyServiceAsync(request.Account, account, cancellationToken) : null;
        await making.WaitAsync(cancellationToken);
        try
        {
            var before = Live
                .Where(r => r.Account == request.Account && r.Path == path && r.Audience == audience)
                .OrderBy(r => r.Created).ThenBy(WrittenAt).LastOrDefault();
            // Who was trusted before keeps the old secret: what is shared after a cut has a new one, and new keys.
            var isAfterCut = audience == AudienceKind.Trusted && before is not null && trust.LastCut > before.Created;
            var secret = audience is not (AudienceKind.Link or AudienceKind.Trusted) ? null
                : isAfterCut ? NewSecret() : before?.Secret ?? NewSecret();
            if (secret is not null) recipients = [new LinkSecret(secret).Identity.Recipient];
            var previous = before is null ? null : await ReadIndexAsync(before.InfoHash, cancellationToken);
            var readerLeft = isAfterCut || (before is not null && before.Readers.Except(readerIds).Any());
            var snapshot = new SnapshotOptions(audience != AudienceKind.Public, recipients, previous, readerLeft)
            {
                Listing = before is null ? null : await ReadListingAsync(before.InfoHash, cancellationToken),
                HasV1 = request.IsHybrid,
            };
            var made = await new Snapshotter(options.Random, options.Time).CreateAsync(
                account, path, snapshot, progress, cancellationToken);
            var hybrid = request.IsHybrid ? HybridTorrent.Create(made.Index) : null;
            var hybridHashes = hybrid is null
                ? ((SwarmHash, Hash256)?)null : (new SwarmHash(hybrid.InfoHashV1), hybrid.InfoHashV2!.Value);
            var v1Alone = hybrid is null
                ? (SwarmHash?)null : new SwarmHash(HybridTorrent.CreateV1(made.Index).InfoHashV1);
            if (before is not null && IsSame(made.Index, previous!) && before.Readers.SequenceEqual(readerIds)
                && before.Reach == request.Reach)
            {
                await KeepListingAsync(before.InfoHash, made.Listing);
                var kept = before with
                {
                    IsDirect = request.IsDirect, CopyService = copyService, Hybrid = hybridHashes,
                    V1Alone = v1Alone, Ends = ends,
                };
                if (kept.IsDirect != before.IsDirect || kept.CopyService != before.CopyService
                    || kept.Hybrid != before.Hybrid || kept.Ends != before.Ends)
                {
                    if (hybrid is not null) WriteIndex(made.Index, hybrid);
                    await table.PutAsync(kept, cancellationToken);
                    rows[kept.InfoHash] = kept;
                    endsChanged.TrySetResult();
                    Narrowed?.Invoke();
                    Changed?.Invoke();
                    // What was announced before may last for longer, or for less.
                    if (kept.Ends != before.Ends) await announcer.AnnounceAsync([kept.InfoHash], cancellationToken);
                }
                return Describe(await FeedAsync(kept, request.Feed, cancellationToken), null);
            }
            var row = new ShareRow(
                made.Index.InfoHash, request.Account, path, audience, readerIds, secret,
                secret is null ? null : new LinkSecret(secret).ProofKey.PublicKey.Bytes, options.Time.GetUtcNow(),
                made.Index.Manifest.Entries.Count(e => e.Kind == EntryKind.File),
                made.Index.Manifest.Entries.Sum(e => e.Size),
                [.. made.Skipped.Select(s => new Control.SkippedEntry(s.Path, s.Reason))], request.Feed,
                request.Reach, request.IsDirect, copyService)
            {
                Hybrid = hybridHashes, V1Alone = v1Alone, Ends = ends,
            };
            WriteIndex(made.Index, hybrid);
            await table.PutAsync(row, cancellationToken);
            rows[row.InfoHash] = row;
            await ended.RemoveAsync(row.InfoHash, cancellationToken);
            endsChanged.TrySetResult();
            Changed?.Invoke();
            // After the share itself: without it the next one lists all. Only the newest is ever followed.
            await KeepListingAsync(row.InfoHash, made.Listing);
            if (before is not null && before.InfoHash != row.InfoHash) File.Delete(state.ListingPath(before.InfoHash));
            var problems = await announcer.AnnounceAsync([row.InfoHash], cancellationToken);
            row = await FeedAsync(row, request.Feed, cancellationToken);
            var problem = problems.Count == 0
                ? null
                : "not announced everywhere yet, it goes on trying: " + string.Join("; ", problems);
            return Describe(row, problem);
        }
        finally
        {
            making.Release();
        }
    }

    public async Task<bool> WithdrawAsync(Hash256 infoHash, CancellationToken cancellationToken)
    {
        if (!await table.RemoveAsync(infoHash, cancellationToken)) return false;
        await ForgetAsync(infoHash, cancellationToken);
        return true;
    }

    /// <summary>Nobody gets any more of it, and nobody is told of it.</summary>
    private async Task ForgetAsync(Hash256 infoHash, CancellationToken cancellationToken)
    {
        rows.TryRemove(infoHash, out _);
        open.Remove(infoHash);
        File.Delete(state.IndexPath(infoHash));
        File.Delete(state.ListingPath(infoHash));
        File.Delete(state.HybridPath(infoHash));
        Narrowed?.Invoke();
        Changed?.Invoke();
        await announcer.WithdrawAsync(infoHash, cancellationToken);
    }

    /// <summary>Opens a share for reading; NotFound when there is none.</summary>
    public async Task<ShareReader> OpenAsync(Hash256 infoHash, CancellationToken cancellationToken)
    {
        if (Find(infoHash) is not { } row)
        {
            if (FindEnded(infoHash) is { Audience: AudienceKind.Public } over) throw EndedShares.Over(over);
            throw new VirgaException(
                FailureKind.NotFound, $"there is no share {infoHash} here",
                "It may have been withdrawn: ask its owner for a new link.");
        }
        return await open.GetAsync(infoHash, () => LoadReaderAsync(row), cancellationToken);
    }

    public void Dispose() => open.Dispose();

    public ShareLink LinkOf(ShareRow row) => new(
        row.InfoHash, [clients.Self.Id], repositories(), [ownEndpoint()],
        row is { Audience: AudienceKind.Link, Secret: { } secret } ? new LinkSecret(secret) : null);

    /// <summary>Where a browser opens it; null where none can.</summary>
    public string? WebAddressOf(ShareRow row) => PageOrigin?.Invoke() is { } origin
        ? WebAddress.Of(
            origin, row.InfoHash, row.Audience,
            row is { Audience: AudienceKind.Link, Secret: { } secret } ? new LinkSecret(secret) : null)
        : null;

    /// <summary>What links to shares of this agent say of where they are: from the question mark on.</summary>
    public string LinkTail() =>
        new ShareLink(default, [clients.Self.Id], repositories(), [ownEndpoint()], null).ToText()
            is var text ? text[text.IndexOf('?')..text.IndexOf('#')] : "";

    /// <summary>A public share by a hash of its swarm, or of its hybrid torrent's; null for all others.</summary>
    public ShareRow? FindPublic(SwarmHash hash) => Live.FirstOrDefault(row => Swarms(row).Contains(hash));

    /// <summary>Feeds that point at a public share which has a hybrid torrent, with the v1 hash of that.</summary>
    public async Task<List<(string Feed, SwarmHash Torrent, long Version)>> PublicFeedsAsync(
        CancellationToken cancellationToken)
    {
        var feeds = new List<(string, SwarmHash, long)>();
        foreach (var row in Live)
        {
            if (row is { Feed: { } feed, Audience: AudienceKind.Public, Hybrid: { } hybrid })
                feeds.Add((feed, hybrid.V1, await table.FeedVersionAsync(feed, cancellationToken)));
        }
        return feeds;
    }

    /// <summary>Hashes of all swarms of public shares.</summary>
    public IEnumerable<SwarmHash> PublicSwarms() => Live.SelectMany(Swarms);

    private static IEnumerable<SwarmHash> Swarms(ShareRow row)
    {
        if (row.Audience != AudienceKind.Public) yield break;
        yield return SwarmHash.OfV2(row.InfoHash);
        if (row.Hybrid is not { } hybrid) yield break;
        yield return hybrid.V1;
        yield return SwarmHash.OfV2(hybrid.V2);
        if (row.V1Alone is { } v1) yield return v1;
    }

    /// <summary>Info dict of a share's hybrid torrent.</summary>
    public ReadOnlyMemory<byte> ReadHybrid(Hash256 infoHash) => state.ReadSealed(state.HybridPath(infoHash));

    /// <summary>The .torrent file of a share, with the agent as web seed where it is public.</summary>
    /// <param name="isV1">The one for clients that know v1 alone.</param>
    public async Task<byte[]> TorrentAsync(Hash256 infoHash, bool isV1, CancellationToken cancellationToken)
    {
        var reader = await OpenAsync(infoHash, cancellationToken);
        var row = Find(infoHash);
        if (isV1 && row?.V1Alone is null)
        {
            throw new VirgaException(
                FailureKind.NotFound, "the share has no torrent for clients that know v1 alone",
                "Share it again with --public --hybrid.");
        }
        var info = isV1 ? HybridTorrent.CreateV1(reader.Index)
            : row?.Hybrid is null ? reader.Index.Info : TorrentInfo.Parse(ReadHybrid(infoHash));
        return Torrent.Write(
            info, reader.Index.Layers, row is { Audience: AudienceKind.Public } ? [WebSeed(infoHash)] : [],
            row is { Audience: AudienceKind.Public } ? options.Trackers : []);
    }

    private string WebSeed(Hash256 infoHash) => $"{ownEndpoint().Origin}/{WebSeedEndpoints.Place}{infoHash}/";

    /// <summary>For BitTorrent clients; null where the share is not public.</summary>
    public string? MagnetOf(ShareRow row) => row.Audience != AudienceKind.Public ? null
        : MagnetOf(row, row.Hybrid?.V1, row.Hybrid?.V2 ?? row.InfoHash);

    private string MagnetOf(ShareRow row, SwarmHash? v1, Hash256? v2) => new MagnetLink
    {
        InfoHashV1 = v1, InfoHashV2 = v2, Name = row.Name,
        WebSeeds = [WebSeed(row.InfoHash)], Trackers = options.Trackers,
        Peers = ReachOfPeers?.Invoke(ownEndpoint().Url) is { } peer ? [peer] : [],
    }.ToText();

    private void WriteIndex(OwnerIndex index, TorrentInfo? hybrid)
    {
        if (hybrid is not null)
            SealedFile.Write(state.HybridPath(index.InfoHash), state.Key, hybrid.Raw.Span, options.Random);
        SealedFile.Write(state.IndexPath(index.InfoHash), state.Key, index.Encode, options.Random);
    }

    private async Task<ShareReader> LoadReaderAsync(ShareRow row)
    {
        var index = await Task.Run(() => OwnerIndex.ParseToServe(state.ReadSealed(state.IndexPath(row.InfoHash))));
        return new ShareReader(
            index, await accounts.GetAsync(row.Account, CancellationToken.None), options.Random);
    }

    private Task<OwnerIndex> ReadIndexAsync(Hash256 infoHash, CancellationToken cancellationToken) =>
        Task.Run(() => OwnerIndex.Parse(state.ReadSealed(state.IndexPath(infoHash))), cancellationToken);

    /// <summary>Which of two shares of one second is the newer: a restart knows their times no closer.</summary>
    private DateTime WrittenAt(ShareRow row) => File.GetLastWriteTimeUtc(state.IndexPath(row.InfoHash));

    private Task<FolderListing?> ReadListingAsync(Hash256 infoHash, CancellationToken cancellationToken) =>
        Task.Run(
            () =>
            {
                var path = state.ListingPath(infoHash);
                try
                {
                    return File.Exists(path) ? FolderListing.TryParse(state.ReadSealed(path).Span) : null;
                }
                // It can't be read: all is listed, and another one is kept.
                catch (VirgaException)
                {
                    return null;
                }
            },
            cancellationToken);

    private Task KeepListingAsync(Hash256 infoHash, FolderListing? listing) => Task.Run(() =>
    {
        var path = state.ListingPath(infoHash);
        try
        {
            // One that is longer than what is read again is not worth keeping.
            if (listing?.Encode() is { } bytes && bytes.LongLength < AgentState.SealedBytesMax - SealedFile.BytesMax)
                SealedFile.Write(path, state.Key, bytes, options.Random);
            else File.Delete(path);
        }
        catch (VirgaException)
        {
            // The share is made; an older listing must not be followed by what is newer.
            File.Delete(path);
        }
    });

    private static AudienceKind Audience(ShareRequest request) => request.Audience switch
    {
        "public" => AudienceKind.Public,
        "link" => AudienceKind.Link,
        "trusted" when request.Reach is >= 0 and <= VouchBody.MaxDepth => AudienceKind.Trusted,
        "trusted" => throw new VirgaException(
            FailureKind.BadInput, $"a share can't reach {request.Reach} links",
            $"It is 0 (whom you vouch for yourself) to {VouchBody.MaxDepth}."),
        "agents" when request.Readers.Count > 0 => AudienceKind.Agents,
        "agents" => throw new VirgaException(
            FailureKind.BadInput, "a share for named agents names none", "Say --with AGENT, once for each."),
        var other => throw new VirgaException(
            FailureKind.BadInput, $"'{other}' is no audience", "It is public, link, agents or trusted."),
    };

    /// <summary>Named readers, and the owner, so that another agent of the same keys can open the share, too.</summary>
    private async Task<List<AgeRecipient>> RecipientsAsync(
        List<AgentId> readers, List<AgentAddress> addresses, CancellationToken cancellationToken)
    {
        var recipients = new List<AgeRecipient>();
        foreach (var reader in readers)
        {
            var places = addresses.Where(a => a.Id == reader).Select(a => a.Endpoint).OfType<Endpoint>();
            recipients.Add(reader == clients.Self.Id
                ? clients.Self.SealIdentity.Recipient
                : new AgeRecipient(
                    (await chains.GetAsync(
                        reader, clients.Places([.. places, .. repositories()]), cancellationToken)).SealKey));
        }
        return recipients;
    }

    private static void RequireDirect(string name, IAccount account)
    {
        if (account.Traits.Pin == PinStrength.Strong && account.Find<ISignedReadUrls>() is not null) return;
        throw new VirgaException(
            FailureKind.Unsupported, $"account '{name}' can't let others read its storage directly",
            "That takes an S3 account with keys or an Azure account with its key, over https, or one at Google Cloud "
                + "Storage. Share it without --direct: this agent passes it on then.");
    }

    /// <summary>The service inside which it may be copied; tried before anything is shared.</summary>
    private static async Task<string> CopyServiceAsync(
        string name, IAccount account, CancellationToken cancellationToken)
    {
        if (account.Traits.Pin != PinStrength.Strong || account.Find<ICopyGrants>() is not { } grants)
        {
            throw new VirgaException(
                FailureKind.Unsupported, $"account '{name}' can't let others copy inside its service",
                "That takes an S3 account with keys, an Azure account with its key, or a Google Drive or Dropbox that "
                    + "was linked for writing, too. Share it without --copy: this agent passes it on then.");
        }
        await grants.ChangeAsync([], null, cancellationToken);
        return grants.Service;
    }

    private byte[] NewSecret()
    {
        var secret = new byte[SecretBytes];
        options.Random(secret);
        return secret;
    }

    /// <summary>The same entries with the same roots and keys; only the manifest was sealed anew.</summary>
    private static bool IsSame(OwnerIndex now, OwnerIndex before) =>
        now.Manifest.Encode().AsSpan().SequenceEqual(before.Manifest.Encode());

    private async Task<ShareRow> FeedAsync(ShareRow row, string? feed, CancellationToken cancellationToken)
    {
        if (feed is null) return row;
        var version = await table.NextFeedVersionAsync(feed, cancellationToken);
        foreach (var repository in repositories())
            await clients.Repository(repository).PutFeedAsync(feed, row.InfoHash, version, cancellationToken);
        // It points at one share alone.
        foreach (var older in rows.Values.Where(other => other.Feed == feed && other.InfoHash != row.InfoHash).ToList())
            await KeepAsync(older with { Feed = null }, cancellationToken);
        row = row with { Feed = feed };
        await KeepAsync(row, cancellationToken);
        Changed?.Invoke();
        return row;
    }

    private async Task KeepAsync(ShareRow row, CancellationToken cancellationToken)
    {
        await table.PutAsync(row, cancellationToken);
        rows[row.InfoHash] = row;
    }

    private ShareInfo Describe(ShareRow row, string? problem) => new(
        row.InfoHash.ToString(), LinkOf(row).ToText(), row.Account, row.Path.Value,
        row.Audience.ToString().ToLowerInvariant(), [.. row.Readers.Select(r => r.ToString())],
        row.Created, row.Files, row.Bytes, row.Skipped, row.Feed, problem,
        row.IsDirect, row.CopyService is not null, MagnetOf(row), row.Hybrid is not null,
        row.V1Alone is { } v1 ? MagnetOf(row, v1, null) : null, WebAddressOf(row), row.Ends,
        row is { Feed: { } feed, Audience: AudienceKind.Public, Hybrid: not null } ? FeedMagnet?.Invoke(feed) : null);
}
