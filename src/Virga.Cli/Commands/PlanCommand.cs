using System.CommandLine;
using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Protocol;

namespace Virga.Cli.Commands;

/// <summary><c>virga plan</c>.</summary>
internal static class PlanCommand
{
    public static Command Create(GlobalOptions options)
    {
        var link = Arguments.Link();
        var destination = new Destination(options, "the account, and the folder in it, that it would go into");
        var wishes = new PlanOptions();
        var select = Arguments.Select();
        var verb = new Verb("plan", "shows each way to bring a share into an account: time, cost, why; moves nothing")
        {
            Examples =
            {
                "virga plan 'virga:1:3f9c...#...' --to nas:photos/2025",
                "virga plan - --to cloud --prefer cheap --max-cost 0.25 < link.txt",
                "virga plan 'virga:1:3f9c...#...' --to nas --json",
            },
            Notes =
            {
                "The chosen way stands on top, the others below with the reason. The share's owner is asked what it "
                    + "offers, and its list of files is fetched; no content is. Costs are those of everybody together, "
                    + "by the prices that `virga prices` shows; times come from earlier transfers, where any were."
            },
        };
        verb.Add(link);
        destination.AddTo(verb);
        verb.Add(select);
        wishes.AddTo(verb);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var text = await Arguments.ReadLinkAsync(
                run.Parsed.GetRequiredValue(link), run.Terminal, cancellationToken);
            ShareLink.Parse(text);
            var into = destination.Of(run);
            using var agent = run.OpenAgent();
            var plan = await agent.PlanAsync(
                new PlanRequest(
                    text, into.Account, into.Path, wishes.Prefer(run.Parsed), wishes.MaxCost(run.Parsed),
                    wishes.NoRelay(run.Parsed), wishes.Check(run.Parsed), wishes.Copy(run.Parsed),
                    Arguments.Selected(run, select)),
                cancellationToken);
            if (run.IsJson) run.PrintJson(plan, ControlJson.Default.PlanInfo);
            else Print(run, plan);
            if (plan.Problem is null) return ExitCode.Ok;
            return run.Fail(plan.Problem);
        });
        return verb;
    }

    private static void Print(Invocation run, PlanInfo plan)
    {
        run.Print(
            $"{Display.Files(plan.Files)}, {Display.Bytes(plan.Bytes)} into "
            + Display.Safe(new Place(plan.Account, plan.Path).ToString()));
        var table = new TextTable("ROUTE", ">TIME", ">COST", ">OWNER'S AGENT", ">YOUR AGENT", "");
        foreach (var route in plan.Routes)
        {
            table.Add(
                (route.Route == plan.Chosen ? "> " : "  ") + route.Route, PlanWords.Time(route),
                PlanWords.Cost(route, plan.Currency), Through(route, route.OwnerAgentBytes),
                Through(route, route.YourAgentBytes),
                route.Route == plan.Chosen ? $"chosen: {route.Reason}"
                    : route.Possible ? route.Reason
                    : $"no: {route.Reason}");
        }
        table.Write(run.Terminal.Out, run.Terminal.OutPaint);
        if (plan.Routes.FirstOrDefault(r => r.Route == plan.Chosen) is not { } chosen) return;
        foreach (var cost in chosen.Costs.Where(c => c.Amount is not 0))
        {
            var amount = cost.Amount is { } known ? PlanWords.Amount(known, plan.Currency) : "not known";
            run.Print(Display.Safe($"  {amount} ({cost.Payer}): {cost.How}"));
        }
    }

    private static string Through(RouteInfo route, long bytes) => route.Cost is null ? "" : Display.Bytes(bytes);
}

/// <summary>Routes in words.</summary>
internal static class PlanWords
{
    /// <summary>A plan in one line: which way, why, how long, for how much.</summary>
    public static string Of(PlanInfo plan)
    {
        if (plan.Routes.FirstOrDefault(r => r.Route == plan.Chosen) is not { } chosen)
            return "no way will do";
        var unknown = chosen.Unknown is null ? "" : $" ({Display.Safe(chosen.Unknown)})";
        return $"{chosen.Route}, {Display.Safe(chosen.Reason)}: about {Time(chosen)}, "
            + $"{Amount(chosen.Cost ?? 0, plan.Currency)}{unknown}";
    }

    /// <summary>What a transfer has cost; null where there is nothing to say.</summary>
    public static string? Spent(TransferInfo transfer)
    {
        if (transfer.Spent is not { } spent || spent.Bytes.Count == 0) return null;
        var routes = string.Join(", ", spent.Bytes.Select(b => $"{Display.Bytes(b.Value)} by {b.Key}"));
        var saved = spent.Saved switch
        {
            > 0 => $", {Amount(spent.Saved, spent.Currency)} less than through the owner's agent",
            < 0 => $", {Amount(-spent.Saved, spent.Currency)} more than through the owner's agent",
            _ => "",
        };
        return $"it cost {Amount(spent.Spent, spent.Currency)} ({routes}){saved}";
    }

    public static string Time(RouteInfo route) =>
        route.Seconds is { } seconds
            ? Display.Duration(TimeSpan.FromSeconds(Math.Ceiling(Math.Min(seconds, 1e9))))
            : "";

    public static string Cost(RouteInfo route, string currency) =>
        route.Cost is not { } cost ? "" : Amount(cost, currency) + (route.Unknown is null ? "" : " + ?");

    public static string Amount(decimal amount, string currency) =>
        new Virga.Transfers.Planning.Money(amount, currency).ToString();
}
