using System.CommandLine;
using System.Globalization;
using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Core;

namespace Virga.Cli.Commands;

/// <summary><c>virga limits</c>.</summary>
internal static class LimitCommands
{
    private const string None = "none";

    public static Command Create(GlobalOptions options)
    {
        var verb = new Verb("limits", "shows and sets how much the agent may receive and send, and when")
        {
            Examples =
            {
                "virga limits",
                "virga limits set --receive 20MB/s --send 5MB/s --at-once 2",
                "virga limits at 'Mon-Fri 08:00-18:00' --receive 2MB/s --send 1MB/s",
                "virga limits at 'Sat,Sun 18:00-23:00' --hold",
                "virga limits remove 'Mon-Fri 08:00-18:00'",
            },
            Notes =
            {
                "They hold for all transfers, and all readers of the agent's shares, together. The first window that "
                    + "holds counts; outside of windows it is what `virga limits set` says. What runs follows within "
                    + "a second.",
            },
        };
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            Show(run, await agent.LimitsAsync(cancellationToken));
            return ExitCode.Ok;
        });
        verb.Add(CreateSet(options));
        verb.Add(CreateAt(options));
        verb.Add(CreateRemove(options));
        return verb;
    }

    private static Verb CreateSet(GlobalOptions options)
    {
        var receive = RateOption("--receive", "what all transfers together may fetch");
        var send = RateOption("--send", "what all readers of the shares together may get");
        var atOnce = new Option<int?>("--at-once")
        {
            HelpName = "N", Description = "transfers that run at once: 1 to 16",
        };
        var zone = new Option<string?>("--zone")
        {
            HelpName = "ZONE",
            Description = "the clock that windows go by, such as Europe/Amsterdam (local: the machine's own)",
        };
        var verb = new Verb("set", "sets what holds outside of windows")
        {
            Examples = { "virga limits set --receive 20MB/s", "virga limits set --receive none --send none" },
        };
        verb.Add(receive);
        verb.Add(send);
        verb.Add(atOnce);
        verb.Add(zone);
        verb.Run(options, (run, cancellationToken) => ChangeAsync(
            run,
            now => now with
            {
                Receive = RateOr(run, receive, now.Receive),
                Send = RateOr(run, send, now.Send),
                AtOnce = run.Parsed.GetValue(atOnce) ?? now.AtOnce,
                Zone = run.Parsed.GetValue(zone) switch { null => now.Zone, "local" => null, var name => name },
            },
            cancellationToken));
        return verb;
    }

    private static Verb CreateAt(GlobalOptions options)
    {
        var window = WindowArgument();
        var receive = RateOption("--receive", "as in `virga limits set`, for this window (default: no bound)");
        var send = RateOption("--send", "as in `virga limits set`, for this window (default: no bound)");
        var hold = new Option<bool>("--hold") { Description = "no transfer runs in it; shares are still served" };
        var verb = new Verb("at", "sets what holds in a window of time")
        {
            Examples =
            {
                "virga limits at 'Mon-Fri 08:00-18:00' --receive 2MB/s --send 1MB/s",
                "virga limits at 22:00-06:00 --hold",
            },
        };
        verb.Add(window);
        verb.Add(receive);
        verb.Add(send);
        verb.Add(hold);
        verb.Run(options, (run, cancellationToken) => ChangeAsync(
            run,
            now =>
            {
                var text = run.Parsed.GetRequiredValue(window);
                var isHeld = run.Parsed.GetValue(hold);
                var rule = new LimitWindow(text, RateOr(run, receive, null), RateOr(run, send, null), isHeld);
                if (rule is { Receive: null, Send: null, IsHeld: false })
                {
                    throw new VirgaException(
                        FailureKind.BadInput, "nothing is said about the window",
                        "Add --receive, --send or --hold; `none` lifts a bound: --receive none --send 1MB/s.");
                }
                return now with { Windows = [rule, .. Others(now, text)] };
            },
            cancellationToken));
        return verb;
    }

    private static Verb CreateRemove(GlobalOptions options)
    {
        var window = WindowArgument();
        var verb = new Verb("remove", "forgets a window")
        {
            Examples = { "virga limits remove 'Mon-Fri 08:00-18:00'" },
        };
        verb.Aliases.Add("rm");
        verb.Add(window);
        verb.Run(options, (run, cancellationToken) => ChangeAsync(
            run,
            now =>
            {
                var text = run.Parsed.GetRequiredValue(window);
                var others = Others(now, text);
                return others.Count < now.Windows.Count ? now with { Windows = others } : throw new VirgaException(
                    FailureKind.NotFound, $"there is no window '{Display.Fit(text, 60)}'",
                    now.Windows.Count == 0 ? "There is none at all."
                        : "There are: " + string.Join("; ", now.Windows.Select(w => w.Window)));
            },
            cancellationToken));
        return verb;
    }

    private static Argument<string> WindowArgument() => new("WINDOW")
    {
        Description = "days and hours: 'Mon-Fri 08:00-18:00', 'Sat,Sun 00:00-24:00', 22:00-06:00",
    };

    internal static Option<string?> RateOption(string name, string description) =>
        new(name) { HelpName = "RATE", Description = $"{description}: 500KB/s, 20MB/s, none" };

    private static List<LimitWindow> Others(LimitsRequest now, string window)
    {
        static string Plain(string text) => string.Join(
            ' ', text.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToUpperInvariant();
        return [.. now.Windows.Where(w => Plain(w.Window) != Plain(window))];
    }

    private static async Task<int> ChangeAsync(
        Invocation run, Func<LimitsRequest, LimitsRequest> change, CancellationToken cancellationToken)
    {
        using var agent = run.OpenAgent();
        var now = await agent.LimitsAsync(cancellationToken);
        Show(run, await agent.SetLimitsAsync(change(now.Limits), cancellationToken));
        return ExitCode.Ok;
    }

    private static void Show(Invocation run, LimitsInfo info)
    {
        if (run.IsJson)
        {
            run.PrintJson(info, ControlJson.Default.LimitsInfo);
            return;
        }
        var limits = info.Limits;
        var table = new TextTable("WHEN", "RECEIVE", "SEND", "");
        foreach (var window in limits.Windows)
        {
            table.Add(
                window.Window, window.IsHeld ? "held" : RateText(window.Receive), RateText(window.Send),
                window.Window == info.NowWindow ? "now" : "");
        }
        table.Add(
            limits.Windows.Count == 0 ? "always" : "otherwise", RateText(limits.Receive), RateText(limits.Send),
            info.NowWindow is null ? "now" : "");
        table.Write(run.Terminal.Out, run.Terminal.OutPaint);
        run.Print($"\n{limits.AtOnce} transfers at once"
            + (limits.Windows.Count > 0 ? $"; hours of {Display.Safe(limits.Zone ?? "this machine's clock")}" : ""));
        if (info.Until is { } until) run.Print($"This holds until {Display.Moment(until)}.");
    }

    internal static string RateText(long? bytes) => bytes is { } rate ? Display.Rate(rate) : "no bound";

    internal static long? RateOr(Invocation run, Option<string?> option, long? otherwise) =>
        run.Parsed.GetValue(option) is { } text ? RateOrNone(text) : otherwise;

    internal static long? RateOrNone(string text) => text == None ? null : Rate(text);

    /// <summary>Bytes a second: a number and B, KB, MB, GB (powers of 1,000), KiB, MiB or GiB; /s may follow.</summary>
    internal static long Rate(string text)
    {
        var plain = text.Trim();
        if (plain.EndsWith("/s", StringComparison.OrdinalIgnoreCase)) plain = plain[..^2].TrimEnd();
        var digits = plain.AsSpan().IndexOfAnyExcept("0123456789.");
        var unit = digits < 0 ? "" : plain[digits..].Trim().ToUpperInvariant();
        long? factor = unit switch
        {
            "B" => 1, "K" or "KB" => 1_000, "M" or "MB" => 1_000_000, "G" or "GB" => 1_000_000_000,
            "KIB" => 1 << 10, "MIB" => 1 << 20, "GIB" => 1 << 30, _ => null,
        };
        if (factor is { } times && digits > 0
            && decimal.TryParse(
                plain.AsSpan(0, digits), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
            && number > 0 && number * times < long.MaxValue) return (long)(number * times);
        throw new VirgaException(
            FailureKind.BadInput, $"'{Display.Fit(text, 40)}' is no rate",
            "Write a number with its unit, such as 500KB/s or 20MB/s; `none` for no bound.");
    }
}
