using System.CommandLine;
using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Core;
using Virga.Protocol;

namespace Virga.Cli.Commands;

/// <summary><c>virga share</c>, <c>virga shares</c>, <c>virga unshare</c>.</summary>
internal static class ShareCommands
{
    public static Command Create(GlobalOptions options)
    {
        var place = Arguments.Place(options, "the folder or file to share");
        var isPublic = new Option<bool>("--public")
        {
            Description = "anybody may read it, unencrypted, by BitTorrent clients too (see `virga up --torrent`)",
        };
        var hybrid = new Option<bool>("--hybrid")
        {
            Description = "with --public: its torrent and magnet link are for BitTorrent clients that know no v2, too",
        };
        var isLink = new Option<bool>("--link") { Description = "whoever has the link may read it (the default)" };
        var with = new Option<string[]>("--with")
        {
            HelpName = "AGENT",
            Description = "only this agent may read it, as its `virga id` prints it (virga1...@https://...); "
                + "the part from @ on is not needed where both use the same repository; may be repeated",
            AllowMultipleArgumentsPerToken = true,
        };
        var trusted = new Option<bool>("--trusted")
        {
            Description = "those may read it whom you vouch for to exchange with; `virga trust list` shows them",
        };
        var reach = new Option<int?>("--reach")
        {
            HelpName = "N",
            Description = "with --trusted: how many links behind those whom you vouch for, 0 to 7 (default: 0, none); "
                + "a vouch that reaches less far still does",
        };
        var direct = new Option<bool>("--direct")
        {
            Description = "readers get the bytes from the storage itself, by URLs that end after 5 minutes: "
                + "faster, and at the storage's price alone; they learn where it lies (S3 and Azure accounts "
                    + "over https)",
        };
        var copy = new Option<bool>("--copy")
        {
            Description = "readers whose account is at the same service have it copy there: nothing leaves it; they "
                + "learn where it lies, and may read it there for 10 minutes (S3, Azure, Google Drive; Dropbox, "
                + "where it can't be taken back)",
        };
        var feed = new Option<string?>("--feed")
        {
            HelpName = "NAME",
            Description = "point this feed of yours at the new share; with --public --hybrid, and an agent that was "
                + "started with --torrent and --torrent-dht, BitTorrent clients follow it, too",
        };
        var length = new Option<string?>("--for")
        {
            HelpName = "TIME", Description = "withdraw it by itself after so long: 12h, 7d, 2w (default: never)",
        };
        var until = new Option<string?>("--until")
        {
            HelpName = "DATE",
            Description = "withdraw it by itself at this time of this machine's clock: 2026-12-31, 2026-12-31T12:00; "
                + "with Z for UTC",
        };
        var torrent = new Option<string?>("--torrent")
        {
            HelpName = "FILE", Description = "also write the share's .torrent file",
        };
        var torrentV1 = new Option<string?>("--torrent-v1")
        {
            HelpName = "FILE",
            Description = "with --hybrid: also write one without a v2 part, for clients that stumble over it (aria2)",
        };
        var verb = new Verb("share", "makes a share of a folder or file, and prints its link")
        {
            Examples =
            {
                "virga share nas:photos/2025",
                "virga share nas:photos/2025 --with \"$(ssh bob virga id)\" | ssh bob virga get - bobs:in --detach",
                "virga share nas:photos/2025 --trusted --reach 1",
                "virga share nas:photos/2025 --for 7d",
                "virga share work:videos --link --direct --copy",
                "virga share nas:talks --public --hybrid --torrent talks.torrent",
                "virga share nas:talks --public --hybrid --feed talks",
            },
            Notes =
            {
                "A share is a snapshot: what changes later is not in it. Share again to pass on the changes; "
                    + "only what changed is read. Entries that can't be kept are named, and the rest is shared.",
                "The link alone goes to standard output. Treat a --link share's link like a key: "
                    + "whoever has it can read the share.",
                "A --trusted share follows your vouches: whom you vouch for later may read it too, and whoever is no "
                    + "longer trusted is stopped within a second. With --direct it may take 5 minutes.",
                "--for and --until end it by itself, also when the agent was restarted meanwhile; who could read it is "
                    + "then told when it ended. Sharing the same again without them takes the end away.",
                "With --public --direct BitTorrent clients get it from the storage, too: they are sent there by URLs "
                    + "that end after an hour.",
            },
        };
        verb.Add(place);
        verb.Add(isPublic);
        verb.Add(hybrid);
        verb.Add(isLink);
        verb.Add(with);
        verb.Add(trusted);
        verb.Add(reach);
        verb.Add(direct);
        verb.Add(copy);
        verb.Add(feed);
        verb.Add(length);
        verb.Add(until);
        verb.Add(torrent);
        verb.Add(torrentV1);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var from = Place.Parse(run.Parsed.GetRequiredValue(place));
            var readers = run.Parsed.GetValue(with) ?? [];
            var audience = AudienceOf(
                run.Parsed.GetValue(isPublic), run.Parsed.GetValue(isLink), run.Parsed.GetValue(trusted), readers);
            var request = new ShareRequest(
                from.Account, from.Path, audience, readers, run.Parsed.GetValue(feed),
                ReachOf(run.Parsed.GetValue(reach), audience), run.Parsed.GetValue(direct),
                run.Parsed.GetValue(copy), run.Parsed.GetValue(hybrid),
                ShareEnd.Of(run.Parsed.GetValue(length), run.Parsed.GetValue(until), run.Terminal.Time));
            using var agent = run.OpenAgent();
            var (share, error) = await FollowAsync(run, agent, from, request, cancellationToken);
            if (error is not null) return run.Fail(error);
            if (run.Parsed.GetValue(torrent) is { } file)
                await WriteTorrentAsync(agent, share!.InfoHash, false, file, cancellationToken);
            if (run.Parsed.GetValue(torrentV1) is { } fileV1)
                await WriteTorrentAsync(agent, share!.InfoHash, true, fileV1, cancellationToken);
            if (run.IsJson) run.PrintJson(share!, ControlJson.Default.ShareInfo);
            else Show(run, share!);
            return ExitCode.Ok;
        });
        return verb;
    }

    public static Command CreateList(GlobalOptions options)
    {
        var links = new Option<bool>("--links") { Description = "print the links alone, one a line" };
        var verb = new Verb("shares", "lists what this agent shares")
        {
            Examples = { "virga shares", "virga shares --links" },
        };
        verb.Add(links);
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var shares = await agent.SharesAsync(cancellationToken);
            if (run.IsJson) run.PrintJson(shares, ControlJson.Default.ListShareInfo);
            else if (run.Parsed.GetValue(links)) foreach (var share in shares) run.Print(share.Link);
            else if (shares.Count == 0) run.Say("nothing is shared yet: `virga share ACCOUNT:PATH`");
            else
            {
                var table = new TextTable("SHARE", "FOR", ">FILES", ">SIZE", "MADE (UTC)", "WHAT", "");
                foreach (var s in shares)
                {
                    table.Add(
                        Display.Short(s.InfoHash), ForWhom(s), $"{s.Files:#,0}", Display.Bytes(s.Bytes),
                        Display.Moment(s.Created), new Place(s.Account, s.Path).ToString(),
                        string.Join("; ", Notes(s, run.Terminal.Time.GetUtcNow())));
                }
                table.Write(run.Terminal.Out, run.Terminal.OutPaint);
            }
            return ExitCode.Ok;
        });
        return verb;
    }

    public static Command CreateRemove(GlobalOptions options)
    {
        var share = new Argument<string>("SHARE")
        {
            Description = "the first characters of its info-hash, as `virga shares` shows them, or its link",
        };
        share.CompletionSources.Add(context => Completions.Shares(options, context));
        var verb = new Verb("unshare", "withdraws a share everywhere; the files stay as they are")
        {
            Examples = { "virga unshare 3f9c21aa04b7" },
            Notes = { "Whoever has read it already keeps what was read." },
        };
        verb.Add(share);
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var found = await FindAsync(agent, run.Parsed.GetRequiredValue(share), cancellationToken);
            await agent.UnshareAsync(found.InfoHash, cancellationToken);
            run.Say($"withdrawn: {Display.Safe(new Place(found.Account, found.Path).ToString())} is no longer shared");
            return ExitCode.Ok;
        });
        return verb;
    }

    internal static async Task<ShareInfo> FindAsync(
        ControlClient agent, string text, CancellationToken cancellationToken)
    {
        var shares = await agent.SharesAsync(cancellationToken);
        var found = shares.Where(s => s.Link == text
            || (text.Length >= 4 && s.InfoHash.StartsWith(text, StringComparison.OrdinalIgnoreCase))).ToList();
        return found.Count switch
        {
            1 => found[0],
            0 => throw new VirgaException(
                FailureKind.NotFound, $"there is no share '{Display.Fit(text, 40)}'", "See them with `virga shares`."),
            _ => throw new VirgaException(
                FailureKind.BadInput, $"'{text}' means {found.Count} shares",
                "Give more of the info-hash; `virga shares --json` shows it whole."),
        };
    }

    private static async Task<(ShareInfo? Share, ControlError? Error)> FollowAsync(
        Invocation run, ControlClient agent, Place from, ShareRequest request, CancellationToken cancellationToken)
    {
        var view = new ProgressView(run.Terminal);
        var rate = new RateMeter(run.Terminal.Time);
        try
        {
            await foreach (var line in agent.ShareAsync(request, cancellationToken))
            {
                if (line.Result is not null || line.Error is not null) return (line.Result, line.Error);
                if (line.Progress is not { } p || run.IsJson) continue;
                var unchanged = p.FilesUnchanged > 0 ? $", {p.FilesUnchanged:#,0} of them unchanged" : "";
                view.Show(new ProgressRow(
                    from.ToString(), p.BytesRead, 0, rate.Note(p.BytesRead),
                    $"read {p.FilesHashed + p.FilesUnchanged:#,0} of {Display.Files(p.FilesSeen)} "
                        + $"found so far{unchanged}"));
            }
        }
        finally
        {
            view.Clear();
        }
        throw new VirgaException(
            FailureKind.Unavailable, "the agent stopped before the share was made",
            "Start it again with `virga up`, then share again.");
    }

    private static void Show(Invocation run, ShareInfo share)
    {
        var paint = run.Terminal.Paint;
        var place = Display.Safe(new Place(share.Account, share.Path).ToString());
        run.Say($"shared {paint.Bold(place)}: "
            + $"{Display.Files(share.Files)}, {Display.Bytes(share.Bytes)}, for {ForWhom(share)}");
        foreach (var skipped in share.Skipped.Take(10))
            run.Say($"  {paint.Yellow("left out")} {Display.Safe(skipped.Path)}: {Display.Safe(skipped.Reason)}");
        if (share.Skipped.Count > 10)
            run.Say($"  and {share.Skipped.Count - 10:#,0} more: `virga shares --json` names them all");
        if (share.Problem is { } problem) run.Say($"  {paint.Yellow("note")}: {Display.Safe(problem)}");
        if (share.Ends is { } ends)
        {
            var left = ShareEnd.Left(ends, run.Terminal.Time.GetUtcNow());
            run.Say($"  {left}, at {Display.Moment(ends)} UTC");
        }
        if (share.Magnet is { } magnet) run.Say($"  for BitTorrent clients: {magnet}");
        if (share.MagnetV1 is { } magnetV1) run.Say($"  for those that know v1 alone: {magnetV1}");
        if (share.FeedMagnet is { } feed) run.Say($"  to follow it by BitTorrent: {feed}");
        if (share.WebAddress is { } web) run.Say($"  in a browser, without Virga: {web}");
        run.Print(share.Link);
    }

    private static IEnumerable<string> Notes(ShareInfo share, DateTimeOffset now)
    {
        if (share.Ends is not null) yield return ShareEnd.Left(share.Ends, now);
        if (share.Problem is { } problem) yield return problem;
    }

    private static string ForWhom(ShareInfo share) => share.Audience switch
    {
        "public" => "everybody",
        "link" => "whoever has the link",
        "trusted" => "whom you trust",
        _ => share.Readers.Count == 1
            ? Display.Short(share.Readers[0])
            : Display.Count(share.Readers.Count, "agent", "agents"),
    };

    private static string AudienceOf(bool isPublic, bool isLink, bool isTrusted, string[] readers)
    {
        if (new[] { isPublic, isLink, isTrusted, readers.Length > 0 }.Count(given => given) > 1)
            throw new VirgaException(
                FailureKind.BadInput, "a share has one audience",
                "Give one of --public, --link, --trusted and --with.");
        foreach (var reader in readers) AgentAddress.Parse(reader);
        return isPublic ? "public" : isTrusted ? "trusted" : readers.Length > 0 ? "agents" : "link";
    }

    private static int ReachOf(int? reach, string audience) => (reach, audience) switch
    {
        (null, _) => 0,
        ( >= 0 and <= 7, "trusted") => reach.Value,
        (_, "trusted") => throw new VirgaException(
            FailureKind.BadInput, $"a share can't reach {reach} links", "Give --reach a number from 0 to 7."),
        _ => throw new VirgaException(
            FailureKind.BadInput, "--reach is for shares with those you trust", "Give it together with --trusted."),
    };

    private static async Task WriteTorrentAsync(
        ControlClient agent, string infoHash, bool isV1, string file, CancellationToken cancellationToken)
    {
        await using var target = new FileStream(file, FileMode.Create, FileAccess.Write);
        await agent.TorrentAsync(infoHash, isV1, target, cancellationToken);
    }
}
