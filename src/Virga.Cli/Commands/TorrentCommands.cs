using System.CommandLine;
using Virga.Agent.Control;
using Virga.BitTorrent.Downloads;
using Virga.Cli.Terminals;
using Virga.Content.Torrents;
using Virga.Core;

namespace Virga.Cli.Commands;

/// <summary><c>virga torrent</c>.</summary>
internal static class TorrentCommands
{
    /// <summary>Longer torrents hold millions of files, which the agent refuses in any case.</summary>
    private const int TorrentBytesMax = 64 << 20;
    private const double RatioDefault = 1;

    public static Command Create(GlobalOptions options) =>
        new Verb("torrent", "brings anybody's torrent into an account")
        {
            Examples = { "virga torrent add 'magnet:?xt=urn:btih:...' --to cloud:films" },
            Subcommands = { CreateAdd(options) },
        };

    private static Verb CreateAdd(GlobalOptions options)
    {
        var what = new Argument<string>("MAGNET|FILE")
        {
            Description = "a magnet link, in quotes, or a .torrent file; - reads a link from standard input",
        };
        var destination = new Destination(
            options, "the account, and the folder in it, that it goes into; the folder is made when missing");
        var select = Arguments.Select();
        var peers = new Option<string[]>("--peer")
        {
            HelpName = "HOST:PORT", Description = "ask this peer, too (may be given again)",
        };
        var ratio = new Option<double?>("--ratio")
        {
            HelpName = "N",
            Description = "give it to others until N times its size was given, also when it is complete (default: 1, "
                + "or no such bound with --seed-hours)",
        };
        var hours = new Option<double?>("--seed-hours")
        {
            HelpName = "N", Description = "give it to others for so long after it is complete",
        };
        var noSeed = new Option<bool>("--no-seed") { Description = "give nothing to others once it is complete" };
        var share = new Option<bool>("--share")
        {
            Description = "make a public Virga share of what arrived; `virga shares` shows its link",
        };
        var collision = Arguments.OnCollision();
        var priority = Arguments.Priority();
        var detach = Arguments.Detach();
        var limit = LimitCommands.RateOption("--limit", "what it may fetch, within `virga limits`");
        var verb = new Verb("add", "brings a torrent into an account, every piece checked, without a local disk")
        {
            Examples =
            {
                "virga torrent add 'magnet:?xt=urn:btih:...' --to cloud:films",
                "virga torrent add album.torrent --to nas:music --select '*.flac' --no-seed",
                "virga torrent add debian.torrent --to cloud --ratio 2 --share --detach",
            },
            Notes =
            {
                "It is a transfer like every other: `virga transfers` lists it, `virga watch`, `virga pause`, "
                    + "`virga resume` and `virga cancel` are for it, too, and it survives the agent's end. "
                    + "`virga cancel` of a complete one ends giving it to others.",
                "A link of a feed (magnet:?xs=urn:btpk:...) brings the newest torrent of it, and each newer one when "
                    + "it comes, without fetching again what is unchanged; `virga cancel` ends following it. It takes "
                    + "`virga up --torrent-dht`.",
                "Peers see the address of the machine that the agent runs on. Peers, trackers and web seeds in a "
                    + "private network are left out, but for those named with --peer; `virga up --torrent-local` "
                    + "allows them.",
            },
        };
        verb.Add(what);
        destination.AddTo(verb);
        foreach (var option in new Option[]
            {
                select, peers, ratio, hours, noSeed, share, collision, priority, limit, detach,
            }) verb.Add(option);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var into = destination.Of(run);
            var seeds = Seeds(run.Parsed.GetValue(noSeed), run.Parsed.GetValue(ratio), run.Parsed.GetValue(hours));
            var request = new TorrentRequest(
                null, null, into.Account, into.Path, run.Parsed.GetValue(collision)!,
                TransferCommands.Priority(run.Parsed.GetValue(priority)!), run.Parsed.GetValue(select) ?? [],
                run.Parsed.GetValue(peers) ?? [], seeds.Ratio, seeds.Hours, run.Parsed.GetValue(share),
                LimitCommands.RateOr(run, limit, null));
            var text = await Arguments.ReadLinkAsync(
                run.Parsed.GetRequiredValue(what), run.Terminal, cancellationToken);
            // What is wrong with it is told here, also when no agent runs.
            if (MagnetLink.IsMagnet(text)) request = request with { Magnet = MagnetLink.Parse(text).ToText() };
            else request = request with { File = await ReadFileAsync(text, cancellationToken) };
            using var agent = run.OpenAgent();
            var transfer = await agent.StartTorrentAsync(request, cancellationToken);
            return await new TransferWatch(run, agent).StartedAsync(
                transfer, run.Parsed.GetValue(detach), cancellationToken);
        });
        return verb;
    }

    private static (double? Ratio, double? Hours) Seeds(bool none, double? ratio, double? hours)
    {
        if (!none) return (ratio ?? (hours is null ? RatioDefault : null), hours);
        return ratio is null && hours is null ? (0, 0) : throw new VirgaException(
            FailureKind.BadInput, "--no-seed says the opposite of --ratio and --seed-hours",
            "Say one of them, or none.");
    }

    internal static async Task<byte[]> ReadFileAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            var file = new FileInfo(path);
            if (file.Exists && file.Length > TorrentBytesMax)
                throw new VirgaException(
                    FailureKind.BadInput, $"it has {file.Length:N0} bytes, which no torrent has");
            var bytes = await File.ReadAllBytesAsync(path, cancellationToken);
            Torrent.Parse(bytes);
            return bytes;
        }
        catch (VirgaException e) when (e.Kind == FailureKind.BadInput)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"'{Display.Safe(path)}' is not a torrent that can be used: {e.Message}",
                "Give a .torrent file that is whole, or a magnet link in quotes.", e);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new VirgaException(
                FailureKind.NotFound, $"there is no file '{Display.Safe(path)}'",
                "Give a .torrent file, or a magnet link in quotes.", e);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            throw new VirgaException(FailureKind.Denied, $"'{Display.Safe(path)}' can't be read: {e.Message}", null, e);
        }
    }
}
