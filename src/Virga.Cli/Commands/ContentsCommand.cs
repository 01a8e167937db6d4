using System.CommandLine;
using Virga.Agent.Control;
using Virga.BitTorrent.Downloads;
using Virga.Cli.Terminals;
using Virga.Core;
using Virga.Protocol;

namespace Virga.Cli.Commands;

/// <summary><c>virga contents</c>.</summary>
internal static class ContentsCommand
{
    public static Command Create(GlobalOptions options)
    {
        var what = new Argument<string>("LINK|MAGNET|FILE")
        {
            Description = "a virga: link or a magnet link, in quotes, or a .torrent file; - reads a link from "
                + "standard input",
        };
        var peers = new Option<string[]>("--peer")
        {
            HelpName = "HOST:PORT", Description = "of a magnet link: ask this peer, too (may be given again)",
        };
        var verb = new Verb("contents", "shows what is in a share or torrent; brings none of it over")
        {
            Examples =
            {
                "virga contents 'virga:1:3f9c...#...'",
                "virga contents 'magnet:?xt=urn:btih:...'",
                "virga contents album.torrent --json",
            },
            Notes =
            {
                "What a magnet link names comes from peers first, which may take a while; Ctrl-C gives up. "
                    + "`virga get --select` and `virga torrent add --select` then bring over only some of it.",
            },
        };
        verb.Add(what);
        verb.Add(peers);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var text = await Arguments.ReadLinkAsync(
                run.Parsed.GetRequiredValue(what), run.Terminal, cancellationToken);
            var request = new ContentsRequest(null, Peers: run.Parsed.GetValue(peers));
            // What is wrong with it is told here, also when no agent runs.
            if (MagnetLink.IsMagnet(text)) request = request with { Magnet = MagnetLink.Parse(text).ToText() };
            else if (text.StartsWith("virga:", StringComparison.OrdinalIgnoreCase))
                request = request with { Link = ShareLink.Parse(text).ToText() };
            else request = request with { File = await TorrentCommands.ReadFileAsync(text, cancellationToken) };
            using var agent = run.OpenAgent();
            var (contents, error) = await FollowAsync(run, agent, request, cancellationToken);
            if (error is not null) return run.Fail(error);
            if (run.IsJson) run.PrintJson(contents!, ControlJson.Default.ContentsInfo);
            else Show(run, contents!);
            return ExitCode.Ok;
        });
        return verb;
    }

    private static async Task<(ContentsInfo? Contents, ControlError? Error)> FollowAsync(
        Invocation run, ControlClient agent, ContentsRequest request, CancellationToken cancellationToken)
    {
        var view = new ProgressView(run.Terminal);
        try
        {
            await foreach (var line in agent.ContentsAsync(request, cancellationToken))
            {
                if (line.Result is not null || line.Error is not null) return (line.Result, line.Error);
                if (line.Step is { } step && !run.IsJson)
                    view.Show(new ProgressRow("looking", 0, 0, 0, Display.Safe(step)));
            }
        }
        finally
        {
            view.Clear();
        }
        throw new VirgaException(
            FailureKind.Unavailable, "the agent stopped before it knew what is in it",
            "Start it again with `virga up`, then ask again.");
    }

    private static void Show(Invocation run, ContentsInfo contents)
    {
        foreach (var file in contents.Files)
            run.Print($"{Display.Bytes(file.Bytes),9}  {Display.Safe(file.Path)}");
        var name = contents.Name is null ? "" : $"{Display.Safe(contents.Name)}: ";
        run.Say($"{name}{Display.Files(contents.Files.Count)}, {Display.Bytes(contents.Bytes)}");
    }
}
