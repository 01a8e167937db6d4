using System.CommandLine;
using System.Net;
using System.Reflection;
using Microsoft.Extensions.Logging;
using Virga.Cli.Terminals;
using Virga.Core;
using Virga.Hosting;
using Virga.Protocol;
using Virga.Repository;
using Virga.Repository.Tracker;
using Virga.Storage;

namespace Virga.Cli.Commands;

/// <summary>What <c>virga up</c> and <c>virga repository</c> have in common: options, logging, waiting for the
/// end.</summary>
internal sealed class PeerOptions
{
    private KeySecrets? keySecrets;
    private Task? draining;
    private MemoryTrimmer? trimmer;

    public Option<string?> Listen { get; } = new("--listen")
    {
        HelpName = "ADDRESS:PORT",
        Description = "where it listens for other peers (default: 127.0.0.1 and a free port, the same at each start); "
            + "0.0.0.0:8470 for all of the network",
    };

    public Option<string?> PublicUrl { get; } = new("--public-url")
    {
        HelpName = "URL",
        Description = "how others reach it, where that is not the address listened on: https://HOST[:PORT]",
    };

    public Option<bool> IsPinned { get; } = new("--forwarded")
    {
        Description = "connections to the public URL are forwarded as they are, as by a router: "
            + "others check our own certificate, not a public authority's",
    };

    public Option<bool> Verbose { get; } = new("--verbose", "-v")
    {
        Description = "log what it does, not warnings alone, to standard error",
    };

    public Option<bool> UntilInputEnds { get; } = new("--until-input-ends")
    {
        Hidden = true, Description = "stop when standard input closes, so that it does not outlive what started it",
    };

    public void AddTo(Command command)
    {
        command.Add(Listen);
        command.Add(PublicUrl);
        command.Add(IsPinned);
        command.Add(Verbose);
        command.Add(UntilInputEnds);
    }

    public static string Version { get; } =
        typeof(PeerOptions).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion
            ?? "";

    public Uri? PublicUrlOf(Invocation run) =>
        run.Parsed.GetValue(PublicUrl) is { } url ? ListenAddress.ParsePublicUrl(url) : null;

    /// <summary>Of this process; it looks while a peer is waited for.</summary>
    public MemoryTrimmer Trimmer => trimmer ??= MemoryTrimmer.OfProcess();

    public ILoggerProvider LoggerOf(Invocation run) => new LineLogger(
        run.Terminal.Error, run.Parsed.GetValue(Verbose) ? LogLevel.Information : LogLevel.Warning,
        TimeProvider.System);

    /// <summary>The repository's options, for the command of its own and for the one inside an agent.</summary>
    public RepositoryOptions RepositoryOptions(Invocation run, string dataFolder, IPEndPoint listen) => new()
    {
        DataFolder = dataFolder, Listen = listen, Time = TimeProvider.System, Random = Adapters.SystemRandom,
        Logger = LoggerOf(run), Version = Version, KeySecrets = KeySecretsOf(run),
    };

    /// <summary>One for all peers of this process, so that a passphrase is asked for once.</summary>
    public KeySecrets KeySecretsOf(Invocation run) => keySecrets ??= KeyCommands.SecretsOf(run.Terminal);

    /// <summary>
    /// Waits for a signal, for the control socket, or for the end of standard input where that was asked for.
    /// </summary>
    /// <param name="restartRequested">Where a peer can be started anew in this process.</param>
    /// <returns>Whether it is to be started anew.</returns>
    public async Task<bool> WaitAsync(
        Invocation run, Task stopRequested, CancellationToken cancellationToken, Task? restartRequested = null)
    {
        var ends = new List<Task> { stopRequested, Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken) };
        if (restartRequested is not null) ends.Add(restartRequested);
        if (run.Parsed.GetValue(UntilInputEnds))
            ends.Add(draining ??= Task.Run(() => DrainAsync(run.Terminal.In), CancellationToken.None));
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        ends.Add(Trimmer.RunAsync(stopping.Token));
        var isAgain = await Task.WhenAny(ends) == restartRequested;
        await stopping.CancelAsync();
        if (!run.IsJson) run.Terminal.Error.WriteLine(isAgain ? "starting anew ..." : "stopping ...");
        return isAgain;
    }

    /// <summary>The address asked for; else the loopback one with the port remembered.</summary>
    public static IPEndPoint AddressOf(string? asked, string peer, PortMemory ports) => asked is not null
        ? ListenAddress.Parse(asked) : new IPEndPoint(IPAddress.Loopback, ports.Recall(peer, IPAddress.Loopback));

    private static async Task DrainAsync(TextReader input)
    {
        var buffer = new char[256];
        while (await input.ReadAsync(buffer) > 0)
        {
        }
    }
}

/// <summary><c>virga repository</c>.</summary>
internal static class RepositoryCommand
{
    public static Command Create(GlobalOptions options)
    {
        var peer = new PeerOptions();
        var follow = new Option<string[]>("--follow")
        {
            HelpName = "URL",
            Description = "take in what another repository takes in, and catch it when it lies; may be repeated",
        };
        var witness = new Option<string[]>("--witness")
        {
            HelpName = "REPOSITORY",
            Description = "ask another repository to sign that this one's log only grows, by its address: "
                + "virga1...@https://...; may be repeated",
        };
        var tracker = new Option<string[]>("--tracker")
        {
            HelpName = "ADDRESS:PORT",
            Description = "be a tracker for ordinary BitTorrent clients there as well, over HTTP and UDP; "
                + "may be repeated, for IPv4 and IPv6",
        };
        var verb = new Verb(
            "repository", "runs a repository alone: where agents announce what they share and find each other")
        {
            Examples =
            {
                "virga repository",
                "virga repository --listen 0.0.0.0:8471 --public-url https://repo.example.org:8471 --forwarded "
                    + "--data /var/lib/virga-repository",
                "virga repository --follow 'https://other.example.org:8471!9f2c...'",
                "virga repository --tracker 0.0.0.0:6969 --tracker '[2001:db8::1]:6969'",
            },
            Notes =
            {
                "Agents use it with `virga up --repository URL`, with the URL as it is printed here: behind ! "
                    + "stands the hash of its certificate. It keeps signed statements, never content or keys; "
                    + "a folder of its own beside that of an agent.",
            },
        };
        peer.AddTo(verb);
        verb.Add(follow);
        verb.Add(witness);
        verb.Add(tracker);
        verb.Run(options, async (run, cancellationToken) =>
        {
            // Beside the agent's own folder, so that both can run with nothing said.
            var folder = run.Parsed.GetValue(options.Data) is null ? Path.Combine(run.DataFolder, "repository")
                : run.DataFolder;
            var asked = run.Parsed.GetValue(peer.Listen);
            var ports = new PortMemory(folder);
            await using var host = await RepositoryHost.StartAsync(
                peer.RepositoryOptions(run, folder, PeerOptions.AddressOf(asked, "repository", ports)) with
                {
                    PublicUrl = peer.PublicUrlOf(run), IsPublicUrlPinned = run.Parsed.GetValue(peer.IsPinned),
                    Follow = [.. (run.Parsed.GetValue(follow) ?? []).Select(Endpoint.FromUser)],
                    Witnesses = [.. (run.Parsed.GetValue(witness) ?? []).Select(WitnessOf)],
                    Tracker = run.Parsed.GetValue(tracker) is { Length: > 0 } places
                        ? new TrackerOptions { Listen = [.. places.Select(ListenAddress.Parse)] } : null,
                }, cancellationToken);
            if (asked is null && peer.PublicUrlOf(run) is null) ports.Remember("repository", host.Endpoint.Url.Port);
            Show(run, host);
            await peer.WaitAsync(run, host.StopRequested, cancellationToken);
            return ExitCode.Ok;
        });
        return verb;
    }

    private static AgentAddress WitnessOf(string text) => AgentAddress.Parse(text) is { Endpoint: not null } address
        ? address
        : throw new VirgaException(
            FailureKind.BadInput, "a witness is named without the place where it is",
            "Give its id and URL: virga1...@https://HOST:PORT!CERTIFICATE");

    private static void Show(Invocation run, RepositoryHost host)
    {
        if (run.IsJson)
        {
            run.PrintJson(
                new PeerUp("repository", host.Id.ToString(), host.Endpoint.ToText(), [], host.DataFolder,
                    Environment.ProcessId, host.Tracker?.Places.Select(place => place.ToString()).ToList()),
                CliJson.Default.PeerUp);
            return;
        }
        var paint = run.Terminal.OutPaint;
        run.Print($"{paint.Bold("The repository is up.")}\n");
        run.Print($"  Id    {host.Id}");
        run.Print($"  URL   {paint.Cyan(host.Endpoint.ToText())}");
        run.Print($"  Data  {Display.Safe(host.DataFolder)}\n");
        foreach (var place in host.Tracker?.Places ?? [])
            run.Print($"  Tracker for BitTorrent clients: http://{place}/announce and udp://{place}\n");
        run.Print($"Agents use it with:\n  virga up --repository '{host.Endpoint.ToText()}'\n");
        run.Print("Ctrl-C stops it.");
    }
}
