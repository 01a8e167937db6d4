using System.CommandLine;
using System.Net;
using Virga.Agent;
using Virga.BitTorrent;
using Virga.BitTorrent.Trackers;
using Virga.Cli.Terminals;
using Virga.Core;
using Virga.Protocol;
using Virga.Repository;
using Virga.Web;
using Endpoint = Virga.Protocol.Endpoint;

namespace Virga.Cli.Commands;

/// <summary><c>virga up</c>.</summary>
internal static class UpCommand
{
    private const string PagePort = "page";

    /// <summary>Tried at the first start.</summary>
    private const int PagePortDefault = 8480;

    private sealed record Choices(
        PeerOptions Peer, Option<string[]> Repositories, Option<bool> NoRepository, Option<string?> RepositoryListen,
        Option<string?> Torrent, Option<string[]> Trackers, Option<bool> TorrentLocal,
        Option<bool> Dht, Option<string[]> DhtNodes, Option<bool> LocalSearch, Option<bool> NoUtp,
        Option<string[]> Blocked,
        Option<string?> Page, Option<bool> NoPage,
        Option<string?> PageUrl, Option<bool> Open, Option<bool> NoOpen, SharePageOptions SharePage);

    public static Command Create(GlobalOptions options)
    {
        var choices = new Choices(
            new PeerOptions(),
            new Option<string[]>("--repository")
            {
                HelpName = "URL",
                Description =
                    "announce and look up there, as its owner gives it: https://host:port!certificate; may be repeated",
            },
            new Option<bool>("--no-repository") { Description = "run no repository beside the agent" },
            new Option<string?>("--repository-listen")
            {
                HelpName = "ADDRESS:PORT",
                Description = "where the repository beside the agent listens (default: as the agent, another port)",
            },
            new Option<string?>("--torrent")
            {
                HelpName = "ADDRESS:PORT",
                Description =
                    "give public shares to BitTorrent clients, which connect here: 0.0.0.0:6881, or [::]:6881 "
                        + "with IPv6 (default: none connect)",
            },
            new Option<string[]>("--torrent-tracker")
            {
                HelpName = "URL",
                Description = "announce public shares at this tracker, http://... or udp://...; may be repeated",
            },
            new Option<bool>("--torrent-local")
            {
                Description = "let torrents name peers, trackers and web seeds in your own network",
            },
            new Option<bool>("--torrent-dht")
            {
                Description = "find peers of torrents by BitTorrent's DHT, and announce public shares there",
            },
            new Option<string[]>("--torrent-dht-node")
            {
                HelpName = "HOST:PORT",
                Description = "join the DHT by this node instead of those that everybody uses; may be repeated",
            },
            new Option<bool>("--torrent-lsd")
            {
                Description = "find peers of torrents in your own network by calling into it (LSD), and announce "
                    + "public shares there",
            },
            new Option<bool>("--torrent-no-utp")
            {
                Description = "connect to BitTorrent clients by TCP alone, and refuse those that come by uTP",
            },
            new Option<string[]>("--torrent-block")
            {
                HelpName = "NETWORK|FILE",
                Description = "have nothing to do with these addresses in torrents: 198.51.100.0/24, a range, or a "
                    + "file of them, as eMule and PeerGuardian lists are; may be repeated",
            },
            new Option<string?>("--page")
            {
                HelpName = "ADDRESS:PORT",
                Description = "where the page for browsers is (default: 127.0.0.1 and port 8480, or another that is "
                    + "free, the same at each start)",
            },
            new Option<bool>("--no-page") { Description = "serve no page for browsers" },
            new Option<string?>("--page-url")
            {
                HelpName = "URL",
                Description = "how browsers reach the page, where a web server with TLS stands before it: "
                    + "https://HOST[:PORT]",
            },
            new Option<bool>("--open")
            {
                Description = "open the page in this desktop's browser (default: on a terminal of a desktop, not over "
                    + "ssh)",
            },
            new Option<bool>("--no-open") { Description = "open no browser" },
            new SharePageOptions());
        var verb = new Verb("up", "runs an agent, and a repository beside it unless told otherwise")
        {
            Examples =
            {
                "virga up",
                "virga up --repository 'https://repo.example.org:8471!9f2c...'",
                "virga up --listen 0.0.0.0:8470 --public-url https://box.example.org:8470 --forwarded "
                    + "--repository-listen 0.0.0.0:8471",
                "virga up --torrent 0.0.0.0:6881",
                "virga up --share-page 127.0.0.1:8490 --share-page-url https://share.example.org",
            },
            Notes =
            {
                "The repository beside the agent runs in the same process. "
                    + "It is left out with --no-repository, and when --repository names another, "
                    + "unless --repository-listen asks for it too.",
                "State, keys and the journal of transfers lie in the data folder; "
                    + "a transfer that was running goes on at the next start.",
            },
        };
        choices.Peer.AddTo(verb);
        verb.Add(choices.Repositories);
        verb.Add(choices.NoRepository);
        verb.Add(choices.RepositoryListen);
        verb.Add(choices.Torrent);
        verb.Add(choices.Trackers);
        verb.Add(choices.TorrentLocal);
        verb.Add(choices.Dht);
        verb.Add(choices.DhtNodes);
        verb.Add(choices.LocalSearch);
        verb.Add(choices.NoUtp);
        verb.Add(choices.Blocked);
        verb.Add(choices.Page);
        verb.Add(choices.NoPage);
        verb.Add(choices.PageUrl);
        verb.Add(choices.Open);
        verb.Add(choices.NoOpen);
        choices.SharePage.AddTo(verb);
        verb.Run(options, (run, cancellationToken) => RunAsync(run, choices, cancellationToken));
        return verb;
    }

    private static async Task<int> RunAsync(Invocation run, Choices choices, CancellationToken cancellationToken)
    {
        IPEndPoint? pageAt = null;
        bool isAgain;
        do (isAgain, pageAt) = await RunOnceAsync(run, choices, pageAt, cancellationToken);
        while (isAgain);
        return ExitCode.Ok;
    }

    /// <summary>Until it is stopped, or an agent from a backup takes its place.</summary>
    /// <param name="pageAt">Where the page was before: who waits there finds it again.</param>
    private static async Task<(bool IsAgain, IPEndPoint? PageAt)> RunOnceAsync(
        Invocation run, Choices choices, IPEndPoint? pageAt, CancellationToken cancellationToken)
    {
        var ports = new PortMemory(run.DataFolder);
        var asked = run.Parsed.GetValue(choices.Peer.Listen);
        var listen = PeerOptions.AddressOf(asked, "agent", ports);
        var named = (run.Parsed.GetValue(choices.Repositories) ?? []).Select(Endpoint.FromUser).ToList();
        var publicUrl = choices.Peer.PublicUrlOf(run);
        await using var repository = await StartRepositoryAsync(
            run, choices, named.Count > 0, listen.Address, ports, cancellationToken);
        var repositories = repository is null ? named : [repository.Endpoint, .. named];
        await using var agent = await AgentHost.StartAsync(
            new AgentOptions
            {
                DataFolder = run.DataFolder,
                Listen = listen,
                PublicUrl = publicUrl,
                IsPublicUrlPinned = run.Parsed.GetValue(choices.Peer.IsPinned),
                TorrentAddresses = new AddressRules
                {
                    AllowsLocal = run.Parsed.GetValue(choices.TorrentLocal),
                    Blocked = BlockedBy(run.Parsed.GetValue(choices.Blocked) ?? []),
                },
                Torrent = run.Parsed.GetValue(choices.Torrent) is { } torrent ? ListenAddress.Parse(torrent) : null,
                Trackers = TrackersOf(
                    run.Parsed.GetValue(choices.Trackers) ?? [], run.Parsed.GetValue(choices.Torrent)),
                Dht = run.Parsed.GetValue(choices.DhtNodes) is { Length: > 0 } nodes ? nodes
                    : run.Parsed.GetValue(choices.Dht) ? [] : null,
                TorrentLocalSearch = run.Parsed.GetValue(choices.LocalSearch),
                TorrentUtp = !run.Parsed.GetValue(choices.NoUtp),
                SharePage = choices.SharePage.ListenerOf(run),
                SharePageUrl = choices.SharePage.UrlOf(run),
                Repositories = repositories,
                Adapters = Adapters.All,
                Time = TimeProvider.System,
                Random = Adapters.SystemRandom,
                Logger = choices.Peer.LoggerOf(run),
                KeySecrets = choices.Peer.KeySecretsOf(run),
                Notice = run.IsJson ? null
                    : line => run.Say($"{Display.Moment(run.Terminal.Time.GetUtcNow())}  {Display.Safe(line)}"),
                Version = PeerOptions.Version,
            },
            cancellationToken);
        if (asked is null && publicUrl is null) ports.Remember("agent", agent.Endpoint.Url.Port);
        await using var page = await StartPageAsync(run, choices, agent, ports, pageAt, cancellationToken);
        if (page is not null) agent.PageLink = page.LinkAsync;
        if (run.IsJson)
        {
            run.PrintJson(
                new PeerUp(
                    "agent", agent.Id.ToString(), agent.Endpoint.ToText(), [.. repositories.Select(r => r.ToText())],
                    run.DataFolder, Environment.ProcessId, Page: page?.Url.AbsoluteUri),
                CliJson.Default.PeerUp);
        }
        else
        {
            var link = page is null ? null : await page.LinkAsync(cancellationToken);
            var isOpened = link is not null && pageAt is null && Opens(run, choices)
                && run.Terminal.OpenLink(link.AbsoluteUri);
            Show(
                run, agent, link, isOpened, repository, named,
                publicUrl is null && IPAddress.IsLoopback(listen.Address));
        }
        var isAgain = await choices.Peer.WaitAsync(
            run, agent.StopRequested, cancellationToken, agent.RestartRequested);
        return (isAgain, page?.Place);
    }

    /// <summary>A browser that nobody asked for, where nobody sees it, would use the link up.</summary>
    private static bool Opens(Invocation run, Choices choices)
    {
        if (run.Parsed.GetValue(choices.Open) && run.Parsed.GetValue(choices.NoOpen))
        {
            throw new VirgaException(
                FailureKind.BadInput, "--open and --no-open contradict each other", "Leave one of them out.");
        }
        return !run.Parsed.GetValue(choices.NoOpen)
            && (run.Parsed.GetValue(choices.Open) || run.Terminal.IsOutTerminal)
            && Desktop.IsHere(run.Terminal.Variable);
    }

    private static async Task<RepositoryHost?> StartRepositoryAsync(
        Invocation run, Choices choices, bool isAnotherNamed, IPAddress address, PortMemory ports,
        CancellationToken cancellationToken)
    {
        var asked = run.Parsed.GetValue(choices.RepositoryListen);
        if (run.Parsed.GetValue(choices.NoRepository))
        {
            return asked is null ? null : throw new VirgaException(
                FailureKind.BadInput, "--no-repository and --repository-listen contradict each other",
                "Leave one of them out.");
        }
        if (isAnotherNamed && asked is null) return null;
        // The folder around it holds the agent's keys: nobody else may look in, whoever makes it.
        if (!Directory.Exists(run.DataFolder) && !OperatingSystem.IsWindows())
            Directory.CreateDirectory(
                run.DataFolder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var listen = asked is not null
            ? ListenAddress.Parse(asked)
            : new IPEndPoint(address, ports.Recall("repository", address));
        var host = await RepositoryHost.StartAsync(
            choices.Peer.RepositoryOptions(run, Path.Combine(run.DataFolder, "repository"), listen) with
            {
                IsEmbedded = true,
                PublicUrl = BesideAgent(choices.Peer.PublicUrlOf(run), listen.Port),
                IsPublicUrlPinned = true,
            }, cancellationToken);
        if (asked is null && choices.Peer.PublicUrlOf(run) is null)
            ports.Remember("repository", host.Endpoint.Url.Port);
        return host;
    }

    private static async Task<PageServer?> StartPageAsync(
        Invocation run, Choices choices, AgentHost agent, PortMemory ports, IPEndPoint? pageAt,
        CancellationToken cancellationToken)
    {
        var asked = run.Parsed.GetValue(choices.Page);
        if (run.Parsed.GetValue(choices.NoPage))
        {
            return asked is null ? null : throw new VirgaException(
                FailureKind.BadInput, "--no-page and --page contradict each other", "Leave one of them out.");
        }
        if (pageAt is not null) return await StartAtAsync(pageAt);
        if (asked is not null) return await StartAtAsync(ListenAddress.Parse(asked));
        var loopback = new IPEndPoint(
            IPAddress.Loopback, ports.Recall(PagePort, IPAddress.Loopback, PagePortDefault));
        PageServer page;
        try
        {
            page = await StartAtAsync(loopback);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.InUse)
        {
            // Somebody was quicker: another agent that starts at the same time.
            page = await StartAtAsync(new IPEndPoint(IPAddress.Loopback, 0));
        }
        ports.Remember(PagePort, page.Place.Port);
        return page;

        Task<PageServer> StartAtAsync(IPEndPoint listen) => PageServer.StartAsync(
            new PageOptions
            {
                Listen = listen,
                PublicUrl = run.Parsed.GetValue(choices.PageUrl) is { } url ? ListenAddress.ParsePublicUrl(url) : null,
                DataFolder = run.DataFolder,
                SignIn = agent.SignIn,
                Adapters = Adapters.All,
                Time = TimeProvider.System,
                Random = Adapters.SystemRandom,
                Logger = choices.Peer.LoggerOf(run),
                Version = PeerOptions.Version,
                Emptied = choices.Peer.Trimmer.Expect,
            },
            cancellationToken);
    }

    private static AddressFilter BlockedBy(string[] listed)
    {
        if (listed.Length == 0) return AddressFilter.Nobody;
        var isFile = listed.ToLookup(text => !AddressFilter.CanParse(text));
        try
        {
            return AddressFilter.Parse(
                isFile[false].Concat(isFile[true].SelectMany(File.ReadLines)), string.Join(", ", listed));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"the addresses to block can't be read: {e.Message}",
                "Give a network such as 198.51.100.0/24, a range, or a file with one of them in each line.", e);
        }
    }

    private static string[] TrackersOf(string[] trackers, string? torrent)
    {
        foreach (var tracker in trackers)
        {
            if (TrackerClients.TryParse(tracker, out _)) continue;
            throw new VirgaException(
                FailureKind.BadInput, $"'{tracker}' is no tracker",
                "Give its announce URL, such as http://tracker.example.org:6969/announce or "
                    + "udp://tracker.example.org:6969.");
        }
        if (trackers.Length > 0 && torrent is null)
            throw new VirgaException(
                FailureKind.BadInput, "shares are announced at trackers only where BitTorrent clients may connect",
                "Give --torrent ADDRESS:PORT, too.");
        return trackers;
    }

    /// <summary>Where the agent has a public name, the repository has the same, with its own port.</summary>
    private static Uri? BesideAgent(Uri? agent, int port) =>
        agent is null || port == 0 ? null : new UriBuilder(agent) { Port = port }.Uri;

    private static void Show(
        Invocation run, AgentHost agent, Uri? page, bool isOpened, RepositoryHost? repository,
        IReadOnlyList<Endpoint> named, bool isForThisMachineAlone)
    {
        var paint = run.Terminal.OutPaint;
        run.Print($"{paint.Bold("The agent is up.")}\n");
        run.Print($"  AgentId     {paint.Cyan(agent.Id.ToString())}");
        run.Print($"  Endpoint    {agent.Endpoint.Origin}");
        if (page is not null) run.Print($"  Page        {page.GetLeftPart(UriPartial.Authority)}");
        if (repository is not null) run.Print($"  Repository  {repository.Endpoint.Origin} (beside the agent)");
        foreach (var other in named) run.Print($"  Repository  {other.Origin}");
        if (agent.PageUrl is { } shares)
            run.Print($"  Shares      {shares.GetLeftPart(UriPartial.Authority)} (in a browser, without Virga)");
        if (agent.TorrentListens is { } peers) run.Print($"  BitTorrent  {peers} (public shares alone)");
        run.Print($"  Data        {Display.Safe(run.DataFolder)}\n");
        run.Print("Others share with you by your address, which is no secret:");
        run.Print($"  {new AgentAddress(agent.Id, agent.Endpoint)}\n");
        if (isForThisMachineAlone)
            run.Print("Only programs on this machine reach it; for others see `virga up --help`: "
                + "--listen and --public-url.\n");
        if (page is not null)
        {
            run.Print(isOpened
                ? "It is open in your browser now. This link signs in once, unless the browser has used it, within a "
                    + "quarter of an hour; `virga page` makes another:"
                : "All of it is in your browser, too; this link signs in once, within a quarter of an hour, "
                    + "`virga page` makes another:");
            run.Print($"  {paint.Cyan(page.AbsoluteUri)}\n");
        }
        var data = run.DataFolder == DataFolders.Default(run.Terminal.Variable) ? "" : $" --data {run.DataFolder}";
        run.Print("Next, in another terminal:");
        run.Print($"  virga account add nas disk:/srv/data{data}   {paint.Dim("# bring in storage")}");
        run.Print($"  virga share nas:photos{data}                 {paint.Dim("# make a link to a folder")}");
        run.Print($"  virga get LINK nas:in{data}                  {paint.Dim("# bring in what others share")}\n");
        run.Print("Ctrl-C stops it; transfers go on at the next start.");
    }
}
