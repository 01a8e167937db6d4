using System.Diagnostics.Metrics;
using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Virga.Core;
using Virga.Hosting;
using Virga.Protocol;
using Virga.Repository.Log;
using Virga.Repository.Tracker;
using Virga.Storage;
using Virga.Trust.Following;
using Virga.Trust.Log;
using Endpoint = Virga.Protocol.Endpoint;

namespace Virga.Repository;

/// <summary>Settings of a running repository.</summary>
public sealed record RepositoryOptions
{
    /// <summary>
    /// Holds state, keys and control socket; made when missing. One repository at a time, and no agent beside it in the
    /// same folder.
    /// </summary>
    public required string DataFolder { get; init; }

    /// <summary>Address and port; port 0 takes a free one.</summary>
    public IPEndPoint Listen { get; init; } = new(IPAddress.Loopback, 0);

    /// <inheritdoc cref="PeerServerOptions.PublicUrl"/>
    public Uri? PublicUrl { get; init; }

    /// <inheritdoc cref="PeerServerOptions.IsPublicUrlPinned"/>
    public bool IsPublicUrlPinned { get; init; }

    public required TimeProvider Time { get; init; }

    public required RandomBytes Random { get; init; }

    /// <summary>Opens the data folder's key where that is locked.</summary>
    public KeySecrets? KeySecrets { get; init; }

    public PeerLimits Limits { get; init; } = new();

    public AnnounceLimits Announces { get; init; } = new();

    public ChainLimits Chains { get; init; } = ChainLimits.ForRepository;

    public int FeedsPerAgentMax { get; init; } = 1_000;

    /// <summary>Told of accepted statements besides the transparency log, in the same transaction.</summary>
    public IStatementLog? Log { get; init; }

    /// <summary>
    /// Where the log's files lie, for any web server to serve; null for <c>log</c> in the data folder.
    /// </summary>
    public string? LogFolder { get; init; }

    /// <summary>Repositories whose logs are read, so that what is published there is known here too.</summary>
    public IReadOnlyList<Endpoint> Follow { get; init; } = [];

    /// <summary>Repositories that are asked to cosign each checkpoint; each with its endpoint.</summary>
    public IReadOnlyList<AgentAddress> Witnesses { get; init; } = [];

    /// <summary>How often followed logs are looked at, and missing cosignatures asked for.</summary>
    public TimeSpan FollowInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Logs that this repository witnesses at most.</summary>
    public int WitnessedMax { get; init; } = 10_000;

    /// <summary>Makes it a tracker for ordinary BitTorrent clients as well; null for none.</summary>
    public TrackerOptions? Tracker { get; init; }

    /// <summary>True where an agent in the same process offers the local API and exports the metrics of both.</summary>
    public bool IsEmbedded { get; init; }

    public ILoggerProvider? Logger { get; init; }

    public string Version { get; init; } = "";
}

/// <summary>Answer of <c>GET /control/status</c> on a repository's control socket.</summary>
/// <param name="Repository">Its AgentId.</param>
/// <param name="Certificate">
/// SHA-256 of its certificate, 64 hex digits; null where public authorities vouch for it.
/// </param>
/// <param name="Announced">Announced info-hashes, each agent's counted.</param>
/// <param name="Tracker">Its tracker for BitTorrent clients; null where it has none.</param>
public sealed record RepositoryInfo(
    string Repository, string Version, string Endpoint, string? Certificate, string DataFolder, double UptimeSeconds,
    int Announcers, int Announced, long Feeds, TrackerInfo? Tracker = null);

/// <param name="Places">Where it listens, over HTTP and UDP.</param>
public sealed record TrackerInfo(IReadOnlyList<string> Places, int Swarms, int Peers);

/// <summary>Reads and writes the control socket's answers without reflection.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(RepositoryInfo))]
public sealed partial class RepositoryJson : JsonSerializerContext;

/// <summary>
/// A running repository: announces in memory, chains and feeds in SQLite (spec/v1/announces.md). May run beside an
/// agent in one process, on a port and in a data folder of its own.
/// </summary>
public sealed class RepositoryHost : IAsyncDisposable
{
    /// <summary>"VRep" in the header of the database file.</summary>
    private const int ApplicationId = 0x56526570;

    internal static readonly DatabaseSchema Schema = new(
        ApplicationId, "the repository's state",
    [
        ChainStore.SchemaSql + FeedStore.SchemaSql + OrderLog.SchemaSql,
        TransparencyLog.SchemaSql + WitnessStore.SchemaSql + LogFollower.SchemaSql,
        LogService.SchemaSql,
    ]);

    private readonly RepositoryOptions options;
    private readonly DataFolder folder;
    private readonly PeerKeys keys;
    private readonly Database database;
    private readonly AnnounceBoard board;
    private readonly FeedStore feeds;
    private readonly Meter meter = new("Virga.Repository");
    private readonly TaskCompletionSource stopRequested = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly long started;
    private readonly List<LogLoop> loops = [];
    private readonly List<LogFollower> followers = [];
    private Task taking = Task.CompletedTask;
    private bool isLoaded;
    private PeerHttp? http;
    private TransparencyLog? log;
    private LogService? logs;
    private PeerServer? server;
    private TrackerHost? tracker;
    private IDisposable? export;

    private RepositoryHost(RepositoryOptions options, DataFolder folder, PeerKeys keys, Database database)
    {
        this.options = options;
        this.folder = folder;
        this.keys = keys;
        this.database = database;
        started = options.Time.GetTimestamp();
        board = new AnnounceBoard(options.Time, options.Announces);
        feeds = new FeedStore(database, options.FeedsPerAgentMax);
        meter.CreateObservableGauge(
            "virga.repository.announced", () => board.Count, "{share}", "Shares announced at the moment");
        meter.CreateObservableGauge(
            "virga.repository.announcers", () => board.Agents, "{agent}", "Agents that announce at the moment");
    }

    public AgentId Id => keys.Id;

    internal PeerKeys Keys => keys;

    /// <summary>The logs that it watches, and the proofs that it holds.</summary>
    public LogKeeper Logs => logs!.Keeper;

    /// <summary>The newest checkpoint of the log, as a signed note.</summary>
    public SignedCheckpoint Checkpoint => log!.Current;

    /// <summary>The proofs against followed repositories that lied.</summary>
    public IReadOnlyList<LogBreach> Breaches =>
        [.. followers.Where(follower => follower.Breach is not null).Select(follower => follower.Breach!)];

    public Endpoint Endpoint => server!.Endpoint;

    /// <summary>Its tracker for ordinary BitTorrent clients; null where it has none.</summary>
    public TrackerHost? Tracker => tracker;

    /// <summary>The control socket is <c>control.sock</c> in here.</summary>
    public string DataFolder => folder.Path;

    /// <summary>Completes when somebody asked the repository to stop over the control socket.</summary>
    public Task StopRequested => stopRequested.Task;

    /// <exception cref="VirgaException">
    /// InUse (data folder or port), Corrupt, Unsupported, Denied, Full, ReadOnly, BadInput.
    /// </exception>
    public static async Task<RepositoryHost> StartAsync(RepositoryOptions options, CancellationToken cancellationToken)
    {
        var folder = Storage.DataFolder.Open(options.DataFolder);
        PeerKeys? keys = null;
        Database? database = null;
        try
        {
            keys = PeerKeys.LoadOrCreate(folder.Path, options.Time, options.Random, options.KeySecrets);
            database = Database.Open(folder.PathOf("repository.db"), Schema);
        }
        catch
        {
            keys?.Dispose();
            folder.Dispose();
            throw;
        }

        var host = new RepositoryHost(options, folder, keys, database);
        try
        {
            await host.ListenAsync(cancellationToken);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Stops gracefully: running answers end within <see cref="PeerLimits.Drain"/>. Announces are forgotten.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        if (tracker is not null) await tracker.DisposeAsync();
        if (server is not null) await server.DisposeAsync();
        foreach (var loop in loops) await loop.DisposeAsync();
        if (log is not null) await log.DisposeAsync();
        await taking;
        if (logs is not null) await logs.DisposeAsync();
        http?.Dispose();
        export?.Dispose();
        meter.Dispose();
        await database.DisposeAsync();
        keys.Dispose();
        folder.Dispose();
    }

    private async Task ListenAsync(CancellationToken cancellationToken)
    {
        var logger = options.Logger?.CreateLogger("Virga.Repository.Log");
        var files = new LogFolder(options.LogFolder ?? folder.PathOf("log"));
        var chains = new ChainStore(database, keys, options.Time, options.Chains, Accepted)
        {
            FraudFound = board.RemoveAgent,
            ProofStored = (sql, proof) => log?.Append(sql, proof),
        };
        logs = new LogService(
            database, chains, new ChainDirectory(options.Time), keys.Id, options.Time,
            message => logger?.LogInformation("{Message}", message))
        {
            Found = (proof, who) => Act(chains, proof, who, logger),
        };
        log = await TransparencyLog.OpenAsync(
            database, files, keys, options.Time, (opening, entries, token) =>
            {
                log = opening;
                return LogFollower.RestoreAsync(chains, entries, token);
            }, cancellationToken);
        log.Failed = e => logger?.LogError("the log could not be published: {Message}", e.Message);
        var witness = new WitnessStore(database, chains, keys, options.Time, options.WitnessedMax);
        var logEndpoints = new LogEndpoints(log, witness, keys);
        var endpoints = new RepositoryEndpoints(board, feeds, chains, options.Time, meter);
        server = await PeerServer.StartAsync(new PeerServerOptions
        {
            Kind = PeerInfo.RepositoryKind,
            DataFolder = folder.Path,
            Keys = keys,
            Chains = chains,
            Time = options.Time,
            Random = options.Random,
            Listen = options.Listen,
            PublicUrl = options.PublicUrl,
            IsPublicUrlPinned = options.IsPublicUrlPinned,
            ControlSocket = options.IsEmbedded ? null : folder.PathOf("control.sock"),
            Limits = options.Limits,
            Logger = options.Logger,
        }, routes =>
        {
            endpoints.Map(routes);
            logEndpoints.Map(routes);
            logs.Map(routes, takesEvidence: true);
            routes.Control("GET", "/control/status", StatusAsync);
            routes.Control("POST", "/control/stop", StopAsync);
        }, cancellationToken);
        if (options.Tracker is { } asked)
            tracker = await TrackerHost.StartAsync(
                asked, options.Time, options.Random, options.Logger, cancellationToken);
        if (!options.IsEmbedded) export = Telemetry.StartExport();
        await logs.LoadAsync(cancellationToken);
        isLoaded = true;
        log.Start();
        StartLoops(chains, logger);
    }

    private void Accepted(SqlSession sql, AcceptedStatement statement)
    {
        log!.Append(sql, statement);
        options.Log?.Append(sql, statement);
    }

    private void StartLoops(ChainStore chains, ILogger? logger)
    {
        http = new PeerHttp(options.Time, options.Random);
        foreach (var endpoint in options.Follow)
        {
            var follower = new LogFollower(database, chains, ClientOf(endpoint, null), logs!, options.Time);
            followers.Add(follower);
            Loop($"following {endpoint.Origin}", async token =>
            {
                while (!(await follower.StepAsync(token)).IsAtHead) { }
            });
        }

        foreach (var (id, endpoint) in options.Witnesses)
        {
            if (endpoint is null) throw new VirgaException(FailureKind.BadInput,
                $"the witness {id} has no endpoint", "Name it as ID@ENDPOINT.");
            var cosigner = new LogCosigner(log!, keys, ClientOf(endpoint, id), id, options.Time);
            var loop = Loop($"cosignatures of {endpoint.Origin}", cosigner.AskAsync);
            log!.Published += _ => loop.Wake();
        }

        if (options.Follow.Count > 0)
        {
            Loop("the logs that are followed", async token => await RoundAsync(token), LogKeeper.RoundEvery);
        }

        LogLoop Loop(string name, Func<CancellationToken, ValueTask> work, TimeSpan? interval = null)
        {
            var loop = new LogLoop(name, work, interval ?? options.FollowInterval, options.Time, logger);
            loops.Add(loop);
            return loop;
        }
    }

    /// <summary>
    /// Who told two histories is refused here, too; in the log it stands by the statements themselves. A repository
    /// that broke its log is followed no more.
    /// </summary>
    private void Act(ChainStore chains, Evidence proof, AgentId who, ILogger? logger)
    {
        if (proof.Breach is { } breach)
            logger?.LogWarning("{Repository} has broken its log ({Kind}), which is proven", who, breach.Kind);
        if (proof.Fraud is not { } fraud || who == Id || !isLoaded) return;
        List<SignedEnvelope> statements =
        [
            .. proof.Chain.Select(item => new SignedEnvelope(item.Body, item.Signature)),
            new(fraud.BodyA, fraud.SignatureA), new(fraud.BodyB, fraud.SignatureB),
        ];
        lock (followers) taking = TakeInAsync(taking, chains, who, statements, logger);
    }

    private async Task TakeInAsync(
        Task before, ChainStore chains, AgentId who, List<SignedEnvelope> statements, ILogger? logger)
    {
        await before;
        // Whoever found it may hold the lock of that very chain.
        await Task.Yield();
        try
        {
            foreach (var page in SignedEnvelope.Pages(statements))
                await chains.AppendAsync(who, page, CancellationToken.None);
        }
        catch (VirgaException e)
        {
            logger?.LogInformation("the fraud of {Agent} is not taken in: {Message}", who, e.Message);
        }
    }

    private LogClient ClientOf(Endpoint endpoint, AgentId? expected) =>
        new(http!, endpoint, keys.Identity, () => keys.Envelopes, expected);

    internal IReadOnlyList<LogFollower> Followers => followers;

    /// <summary>Compares what was seen of the followed logs with what others saw, once, now.</summary>
    internal async Task RoundAsync(CancellationToken cancellationToken)
    {
        await logs!.Keeper.RoundAsync(
            [.. options.Follow.Select(endpoint => new PeerPlace(ClientOf(endpoint, null)))], [], cancellationToken);
        await logs.WrittenAsync();
    }

    /// <summary>Follows and asks for cosignatures once, now; failures are thrown.</summary>
    internal async ValueTask DriveAsync(CancellationToken cancellationToken)
    {
        foreach (var loop in loops) await loop.DriveAsync(cancellationToken);
    }

    private async Task StatusAsync(HttpContext context)
    {
        var info = new RepositoryInfo(
            Id.ToString(), options.Version, Endpoint.Origin, Endpoint.Certificate?.ToString(), folder.Path,
            options.Time.GetElapsedTime(started).TotalSeconds, board.Agents, board.Count,
            await feeds.CountAsync(context.RequestAborted),
            tracker is null ? null : new TrackerInfo(
                [.. tracker.Places.Select(place => place.ToString())], tracker.Swarms, tracker.Peers));
        context.Response.ContentType = "application/json";
        await JsonSerializer.SerializeAsync(context.Response.Body, info, RepositoryJson.Default.RepositoryInfo,
            context.RequestAborted);
    }

    private Task StopAsync(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status202Accepted;
        stopRequested.TrySetResult();
        return Task.CompletedTask;
    }
}
