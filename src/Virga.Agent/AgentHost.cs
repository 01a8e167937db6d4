using Microsoft.Extensions.Logging;
using Virga.Accounts;
using Virga.Agent.Api;
using Virga.Agent.Backups;
using Virga.Agent.Control;
using Virga.Agent.Network;
using Virga.Agent.Notices;
using Virga.Agent.Pages;
using Virga.Agent.Planning;
using Virga.Agent.Shares;
using Virga.Agent.Trust;
using Virga.Agent.State;
using Virga.Agent.Torrents;
using Virga.Agent.Transfers;
using Virga.BitTorrent;
using Virga.Core;
using Virga.Hosting;
using Virga.Protocol;
using Virga.Storage;
using Virga.Trust;
using Virga.Trust.Following;

namespace Virga.Agent;

/// <summary>Settings of a running agent.</summary>
public sealed record AgentOptions
{
    /// <summary>Holds state, keys, journal and control socket; made when missing. One agent at a time.</summary>
    public required string DataFolder { get; init; }

    /// <summary>Address and port for other agents; port 0 takes a free one.</summary>
    public System.Net.IPEndPoint Listen { get; init; } = new(System.Net.IPAddress.Loopback, 0);

    /// <summary>How others reach this agent, where that isn't <see cref="Listen"/>.</summary>
    public Uri? PublicUrl { get; init; }

    /// <inheritdoc cref="PeerServerOptions.IsPublicUrlPinned"/>
    public bool IsPublicUrlPinned { get; init; }

    /// <summary>Where BitTorrent peers are taken, for public shares; null takes none. Port 0 takes a free one.
    /// </summary>
    public System.Net.IPEndPoint? Torrent { get; init; }

    /// <summary>Trackers at which public shares are announced while peers are taken, by their URLs.</summary>
    public IReadOnlyList<string> Trackers { get; init; } = [];

    /// <summary>
    /// HOST:PORT of nodes by which BitTorrent's DHT is joined, to find peers and to announce public shares while peers
    /// are taken; empty for those that everybody uses; null to stay out of it.
    /// </summary>
    public IReadOnlyList<string>? Dht { get; init; }

    /// <summary>
    /// Peers of torrents are looked for in the network around this machine (LSD, BEP 14), and public shares announced
    /// there while peers are taken.
    /// </summary>
    public bool TorrentLocalSearch { get; init; }

    /// <summary>
    /// Peers that take no TCP are connected to by uTP (BEP 29), and those that come by it are taken; else they are
    /// refused.
    /// </summary>
    public bool TorrentUtp { get; init; } = true;

    /// <summary>Where peers, trackers and web seeds that a torrent names may lie.</summary>
    public AddressRules TorrentAddresses { get; init; } = AddressRules.PublicOnly;

    /// <summary>Where people without an agent open shares in a browser; it is served beside the rest, too.</summary>
    public GuestListener? SharePage { get; init; }

    /// <summary>How browsers reach that page, where that isn't the address listened on.</summary>
    public Uri? SharePageUrl { get; init; }

    public IReadOnlyList<Endpoint> Repositories { get; init; } = [];

    public required IReadOnlyList<IAccountAdapter> Adapters { get; init; }

    public required TimeProvider Time { get; init; }

    public required RandomBytes Random { get; init; }

    /// <summary>Opens the data folder's key where that is locked.</summary>
    public KeySecrets? KeySecrets { get; init; }

    public ILoggerProvider? Logger { get; init; }

    /// <summary>Told, in one line each, what the user should see at once; the log where it is null.</summary>
    public Action<string>? Notice { get; init; }

    public PeerLimits Limits { get; init; } = new();

    public string Version { get; init; } = "";
}

/// <summary>A running agent: composes accounts, shares and transfers behind one HTTP service.</summary>
public sealed class AgentHost : IAsyncDisposable
{
    public const string ControlSocketName = "control.sock";

    /// <summary>Agents that are asked which heads they saw, a few each round.</summary>
    private const int OthersMax = 64;

    private readonly AgentOptions options;
    private readonly CancellationTokenSource stopping = new();
    private readonly TaskCompletionSource stopRequested = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource restartRequested = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SemaphoreSlim restoring = new(1, 1);
    private readonly Stack<object> owned = new();
    private readonly List<Task> tending = [];
    private readonly long startedAt;
    private PeerServer? server;
    private PeerKeys? keys;
    private Announcer? announcer;
    private AccountPool? accounts;
    private AccountTable? accountTable;
    private ShareService? shares;
    private TransferService? transfers;
    private TorrentHub? torrents;

    private AgentHost(AgentOptions options)
    {
        this.options = options;
        startedAt = options.Time.GetTimestamp();
    }

    public AgentId Id => keys!.Id;

    public Endpoint Endpoint => server!.Endpoint;

    /// <summary>Where BitTorrent peers are taken; null where none are.</summary>
    public System.Net.IPEndPoint? TorrentListens => torrents?.Listens;

    /// <summary>How the user signs in on the agent's page.</summary>
    public SignInTable SignIn { get; private set; } = null!;

    /// <summary>Makes a link that signs in once on the agent's page; null where there is no page.</summary>
    public Func<CancellationToken, Task<Uri>>? PageLink { get; set; }

    /// <summary>Where browsers open shares; null where none can.</summary>
    /// <remarks>Behind a proxy of our public URL, browsers trust that one's certificate.</remarks>
    public Uri? PageUrl => options.SharePageUrl ?? server?.GuestUrl
        ?? (options.PublicUrl is { } url && !options.IsPublicUrlPinned ? url : null);

    /// <summary>For who wants to wait until the logs were looked at.</summary>
    internal LogWatcher? Logs { get; private set; }

    /// <summary>What can be asked of the local API.</summary>
    internal IEnumerable<(string Method, string Pattern)> Operations => server!.ControlOperations;

    /// <summary>What browsers may ask where the share page is.</summary>
    internal IEnumerable<(string Method, string Pattern)> GuestOperations => server!.GuestOperations;

    /// <summary>Looks now, and not only each half hour, whether feeds that are followed have something newer.</summary>
    internal Task FollowFeedsAsync(CancellationToken cancellationToken) =>
        transfers!.FollowOnceAsync(cancellationToken);

    internal RepositoriesInUse? InUse { get; private set; }

    /// <summary>Files that come in pieces.</summary>
    internal Uploads.FileUploads? FileUploads { get; private set; }

    /// <summary>Completes when somebody asked the agent to stop over the control socket.</summary>
    public Task StopRequested => stopRequested.Task;

    /// <summary>
    /// Completes when a backup was given that takes this agent's place: whoever runs it ends it, and starts it anew.
    /// </summary>
    public Task RestartRequested => restartRequested.Task;

    /// <summary>Opens the data folder, starts listening, resumes transfers, announces.</summary>
    /// <exception cref="VirgaException">InUse (folder or port), Corrupt (state), Denied, Full.</exception>
    public static async Task<AgentHost> StartAsync(AgentOptions options, CancellationToken cancellationToken)
    {
        var host = new AgentHost(options);
        try
        {
            await host.OpenAsync(cancellationToken);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>Stops gracefully: running answers end within a bound, transfers are left resumable.</summary>
    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        if (transfers is not null) await transfers.DisposeAsync();
        shares?.Dispose();
        try
        {
            await Task.WhenAll(tending);
        }
        catch (OperationCanceledException)
        {
        }
        while (owned.TryPop(out var item))
        {
            if (item is IAsyncDisposable asynchronous) await asynchronous.DisposeAsync();
            else ((IDisposable)item).Dispose();
        }
        stopping.Dispose();
        restoring.Dispose();
    }

    /// <summary>Runs beside everything else until the agent stops.</summary>
    private void Tend(Func<CancellationToken, Task> work) =>
        tending.Add(Task.Run(() => work(stopping.Token), CancellationToken.None));

    private T Own<T>(T item) where T : class
    {
        owned.Push(item);
        return item;
    }

    private async Task OpenAsync(CancellationToken cancellationToken)
    {
        var log = Logger();
        var folder = Own(DataFolder.Open(options.DataFolder));
        StagedRestore.TakeOver(folder);
        keys = Own(PeerKeys.LoadOrCreate(folder.Path, options.Time, options.Random, options.KeySecrets));
        var state = Own(AgentState.Open(folder, keys.DataKey, options.Random));
        SignIn = new SignInTable(state.Database);
        var chainStore = new ChainStore(state.Database, keys, options.Time);
        if (Telemetry.StartExport() is { } telemetry) Own(telemetry);
        var queue = new TransferQueue(TransferLimits.AtOnceDefault);
        var limits = new LimitKeeper(state, queue, options.Time);
        await limits.LoadAsync(cancellationToken);
        var webhooks = Own(new Webhooks(new WebhookTable(state), options.Time, options.Random, log));
        await webhooks.LoadAsync(cancellationToken);
        var paced = PeerHttpOptions.Default with { Receiving = limits.Receiving };
        var http = Own(new PeerHttp(options.Time, options.Random, paced));
        var storage = Own(new StorageHttp(options.Time, options.Random, paced));
        var clients = new PeerClients(http, keys.Identity, () => keys.Envelopes);
        var directory = new ChainDirectory(options.Time);
        accountTable = new AccountTable(state, options.Time);
        accounts = Own(new AccountPool(accountTable, options.Adapters, options));
        var trust = new TrustService(
            keys, new KnownAgents(state), directory, clients, options, () => InUse!.Now, log);
        await trust.LoadAsync(cancellationToken);
        var logs = Own(new LogService(state.Database, chainStore, directory, null, options.Time, log));
        var verdicts = new Verdicts(trust, directory, chainStore, logs, options.Notice ?? log);
        var inUse = InUse = new RepositoriesInUse(options.Repositories, state, clients, options.Time, log)
        {
            WhyNot = verdicts.WhyNot, IsAnybodyRuledOut = () => verdicts.IsAnybodyRuledOut,
            Admitted = () => trust.Vouched(TrustScopes.Repository), EndpointsAsync = trust.EndpointsAsync,
        };
        await inUse.LoadAsync(cancellationToken);
        await logs.LoadAsync(cancellationToken);
        Logs = new LogWatcher(
            logs, inUse, directory, clients, () => trust.OtherEndpoints(OthersMax), options.Time, log);
        announcer = new Announcer(
            clients, inUse, () => Endpoint, _ => Task.FromResult(shares!.InfoHashes), options.Time, log)
        {
            Posted = Logs.Posted, EndOf = hash => shares!.EndOf(hash),
        };
        trust.Posted = Logs.Posted;
        shares = new ShareService(
            state, new ShareTable(state), accounts, announcer, directory, clients, trust, options, () => Endpoint,
            () => inUse.Now, log)
        {
            PageOrigin = () => PageUrl?.GetLeftPart(UriPartial.Authority),
        };
        await shares.LoadAsync(cancellationToken);
        var plans = new PlanService(
            folder.Path, accounts, new MeasuredRates(state, options.Time), options.Time);
        var holdings = new Holdings(clients, inUse, directory, () => Endpoint, trust.IsRefused, options.Time, log);
        var contents = new TransferContents(
            state, clients, directory, inUse, trust.IsRefused, options, log);
        var hub = torrents = Own(new TorrentHub(options, limits.Sending, log));
        transfers = new TransferService(
            state, new TransferTable(state), contents, accounts, keys.Id, storage, options, queue, limits, plans,
            new Sharing(holdings, shares, options.Time, options.Random, log),
            new TorrentRuns(hub, contents, shares, options, log), webhooks, log);
        var openings = new CopyOpenings(
            state, accounts, shares.Find,
            (share, agent) => share.Audience != AudienceKind.Trusted || trust.IsAdmitted(agent, share.Reach),
            options, log);
        await openings.LoadAsync(cancellationToken);
        var swarms = Own(new ShareSwarms(shares, hub, options, log));
        hub.Add(swarms.FindAsync, shares.PublicSwarms);
        shares.ReachOfPeers = hub.Reach;
        var shareTrackers = Own(new ShareTrackers(shares, hub, options, log));
        var feeds = Own(new PublishedFeeds(shares, hub, state, options));
        shares.FeedMagnet = feeds.MagnetOf;
        shares.Changed = () =>
        {
            shareTrackers.Changed();
            feeds.Changed();
        };
        shares.Narrowed = () =>
        {
            openings.Cut();
            swarms.Cut();
        };
        var ranges = new HttpRanges(limits.Sending, log);
        var webSeedEndpoints = new WebSeedEndpoints(shares, ranges, new StorageLinks(options.Time, log));
        var guestEndpoints = new GuestEndpoints(shares, keys.Identity, ranges, options.Time);
        var shareEndpoints = new ShareEndpoints(
            shares, holdings, new GrantIssuer(keys.Identity, trust, options.Time, options.Random), openings, trust,
            keys.Identity, limits.Sending, options.Time, options.Random, log);
        trust.Fallen = shareEndpoints.Cut;
        var requests = new VouchRequests(
            new RequestTable(state), chainStore, trust, directory, clients, options.Time, options.Notice ?? log);
        var trustEndpoints = new TrustEndpoints(trust, requests, new OtherSide(trust, directory, options.Time));
        var requestEndpoints = new RequestEndpoints(requests, trust, options.Time);
        var logEndpoints = new LogEndpoints(logs, inUse, trust.Known);
        var webhookEndpoints = new WebhookEndpoints(webhooks);
        var uploadEndpoints = new UploadEndpoints(new PendingUploads(state, accounts, options.Time));
        var fileUploads = FileUploads = Own(new Uploads.FileUploads(
            new Uploads.FileUploadTable(state), accounts, options, options.Notice ?? log));
        await fileUploads.LoadAsync(cancellationToken);
        var fileUploadEndpoints = new FileUploadEndpoints(fileUploads);
        var limitEndpoints = new LimitEndpoints(limits);
        var planEndpoints = new PlanEndpoints(transfers, plans);
        var links = new AccountLinks(accountTable, accounts, options);
        var linkEndpoints = new LinkEndpoints(links);
        var control = new ControlEndpoints(
            shares, transfers, openings, accounts, links, options.Time, StatusAsync,
            () => stopRequested.TrySetResult());
        var tokens = new ApiTokens(state, options.Time, options.Random);
        await tokens.LoadAsync(cancellationToken);
        var tokenEndpoints = new TokenEndpoints(tokens, options.Version);
        var entryEndpoints = new EntryEndpoints(accounts);
        var searchEndpoints = new SearchEndpoints(accounts, options.Time);
        var pageEndpoints = new PageEndpoints(() => PageLink);
        var backupEndpoints = new BackupEndpoints(
            (passphrase, output, token) => AgentBackup.WriteAsync(
                folder.Path, state.Database, keys, options.Version, passphrase, options.Time, options.Random, output,
                token),
            RestoreAsync, () => restartRequested.TrySetResult(), log);
        server = Own(await PeerServer.StartAsync(
            new PeerServerOptions
            {
                Kind = PeerInfo.AgentKind, DataFolder = folder.Path, Keys = keys, Chains = chainStore,
                Time = options.Time, Random = options.Random,
                Listen = options.Listen, PublicUrl = options.PublicUrl, IsPublicUrlPinned = options.IsPublicUrlPinned,
                ControlSocket = folder.PathOf(ControlSocketName), Limits = options.Limits, Logger = options.Logger,
                Guests = options.SharePage, RequireToken = tokens.RequireAsync,
            },
            routes =>
            {
                shareEndpoints.Map(routes);
                control.Map(routes);
                linkEndpoints.Map(routes);
                trustEndpoints.Map(routes);
                requestEndpoints.Map(routes);
                planEndpoints.Map(routes);
                logs.Map(routes, takesEvidence: false);
                logEndpoints.Map(routes);
                limitEndpoints.Map(routes);
                uploadEndpoints.Map(routes);
                fileUploadEndpoints.Map(routes);
                webhookEndpoints.Map(routes);
                webSeedEndpoints.Map(routes);
                pageEndpoints.Map(routes);
                backupEndpoints.Map(routes);
                tokenEndpoints.Map(routes);
                guestEndpoints.Map(routes);
                new PageFiles().Map(routes);
                entryEndpoints.Map(routes);
                searchEndpoints.Map(routes);
            },
            cancellationToken));
        await CatchUpAsync(folder, clients, inUse, cancellationToken);
        await keys.StateEndpointsAsync([Endpoint], cancellationToken);
        hub.Start();
        await transfers.LoadAsync(cancellationToken);
        Tend(announcer.RunAsync);
        Tend(shares.RunAsync);
        Tend(shareTrackers.RunAsync);
        Tend(feeds.RunAsync);
        Tend(transfers.FollowFeedsAsync);
        Tend(trust.RunAsync);
        Tend(openings.RunAsync);
        Tend(Logs.RunAsync);
        Tend(limits.RunAsync);
        Tend(webhooks.RunAsync);
        Tend(fileUploads.RunAsync);
    }

    /// <summary>
    /// An agent that was restored first learns what it said after the backup was made: to say something else in its
    /// place would be fraud.
    /// </summary>
    private async Task CatchUpAsync(
        DataFolder folder, PeerClients clients, RepositoriesInUse repositories, CancellationToken cancellationToken)
    {
        var mark = folder.PathOf(AgentBackup.RestoredName);
        if (!File.Exists(mark)) return;
        var problems = new List<string>();
        var places = repositories.Now.ToList();
        foreach (var place in places)
        {
            try
            {
                var chain = await clients.Log(place).GetWholeChainAsync(
                    keys!.Id, Sigchain.MaxStatements, cancellationToken);
                await keys.CatchUpAsync(chain, cancellationToken);
            }
            catch (VirgaException e) when (e.Kind == FailureKind.NotFound)
            {
                // It never heard of this agent.
            }
            catch (VirgaException e) when (e.Kind is not (FailureKind.Conflict or FailureKind.Denied))
            {
                problems.Add($"{place.Url.Authority}: {e.Message}");
            }
        }
        if (places.Count > 0 && problems.Count == places.Count)
        {
            throw new VirgaException(
                FailureKind.Unavailable,
                "this agent was restored from a backup, and no repository tells what it said since: "
                    + string.Join("; ", problems),
                $"Start it again when one of them can be reached. If it said nothing since, delete {mark}.");
        }
        File.Delete(mark);
    }

    /// <summary>Stages a backup, as long as nothing was done with this agent that it would replace.</summary>
    private async Task<BackupLabel> RestoreAsync(
        Stream backup, Core.Age.AgePassphrase passphrase, Hash256? session, CancellationToken cancellationToken)
    {
        if (await SignIn.FindAsync(cancellationToken) is not null || shares!.Count > 0
            || (await accountTable!.ListAsync(cancellationToken)).Count > 0
            || keys!.Chain.Statements.Any(s => s.Type == StatementType.Vouch))
        {
            throw new VirgaException(
                FailureKind.Conflict, "this agent is in use already: nothing takes its place",
                "Restore the backup into an empty folder: virga restore FILE --data FOLDER.");
        }
        if (!await restoring.WaitAsync(TimeSpan.Zero, cancellationToken))
            throw new VirgaException(FailureKind.InUse, "a backup is being restored already", "Wait until it is.");
        try
        {
            var sessions = await SignIn.SessionsAsync(options.Time.GetUtcNow(), cancellationToken);
            return await StagedRestore.StageAsync(
                backup, options.DataFolder, passphrase, sessions.Find(s => s.Id == session), cancellationToken);
        }
        finally
        {
            restoring.Release();
        }
    }

    private async Task<AgentStatus> StatusAsync(CancellationToken cancellationToken)
    {
        var accountCount = (await accountTable!.ListAsync(cancellationToken)).Count;
        return new AgentStatus(
            Id.ToString(), new AgentAddress(Id, Endpoint).ToText(), options.Version, Endpoint.Origin,
            Endpoint.Certificate?.ToString() ?? "", announcer!.States,
            keys!.Identity.SealIdentity.Recipient.ToString(), options.DataFolder,
            options.Time.GetElapsedTime(startedAt).TotalSeconds, accountCount, shares!.Count, transfers!.RunningCount);
    }

    private Action<string> Logger()
    {
        if (options.Logger is not { } provider) return static _ => { };
        var logger = provider.CreateLogger("Virga.Agent");
        return message => logger.LogInformation("{Message}", message);
    }
}
