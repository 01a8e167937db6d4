using System.CommandLine;
using System.Globalization;
using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Core;

namespace Virga.Cli.Commands;

/// <summary><c>virga prices</c>.</summary>
internal static class PricesCommand
{
    public static Command Create(GlobalOptions options)
    {
        var verb = new Verb("prices", "shows the prices that plans are made with, their dates and where they are from")
        {
            Examples = { "virga prices", "virga prices --json", "virga prices set aws-s3.egressPerGB 0.05" },
            Notes =
            {
                "They are list prices without free allowances. Your own go into prices.json in the data folder, figure "
                    + "by figure, and which of your accounts is at which service; a change counts at once.",
            },
        };
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var prices = await agent.PricesAsync(cancellationToken);
            if (run.IsJson) run.PrintJson(prices, ControlJson.Default.PricesInfo);
            else Print(run, prices);
            return ExitCode.Ok;
        });
        verb.Add(CreateSet(options));
        verb.Add(CreateUnset(options));
        return verb;
    }

    private static Verb CreateSet(GlobalOptions options)
    {
        var figure = Figure();
        var amount = new Argument<string>("AMOUNT")
        {
            Description = "in the currency of the list, such as 0.05; `unknown` where nobody knows it",
        };
        var verb = new Verb("set", "sets a figure of your own")
        {
            Examples = { "virga prices set aws-s3.egressPerGB 0.05", "virga prices set hourIsWorth 2" },
        };
        verb.Add(figure);
        verb.Add(amount);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var text = run.Parsed.GetRequiredValue(amount);
            var isUnknown = text == "unknown";
            decimal? number = isUnknown ? null
                : decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var read)
                    ? read : throw new VirgaException(
                        FailureKind.BadInput, $"'{Display.Fit(text, 40)}' is no amount",
                        "Write a number, such as 0.05.");
            return await ChangeAsync(run, run.Parsed.GetRequiredValue(figure), number, isUnknown, cancellationToken);
        });
        return verb;
    }

    private static Verb CreateUnset(GlobalOptions options)
    {
        var figure = Figure();
        var verb = new Verb("unset", "takes a figure of your own away: what ships with virga counts again")
        {
            Examples = { "virga prices unset aws-s3.egressPerGB" },
        };
        verb.Add(figure);
        verb.Run(options, (run, cancellationToken) =>
            ChangeAsync(run, run.Parsed.GetRequiredValue(figure), null, false, cancellationToken));
        return verb;
    }

    private static Argument<string> Figure() => new("FIGURE")
    {
        Description = "as `virga prices` names it: SERVICE.FIGURE, or FIGURE alone where it belongs to no service",
    };

    private static async Task<int> ChangeAsync(
        Invocation run, string figure, decimal? amount, bool isUnknown, CancellationToken cancellationToken)
    {
        var dot = figure.LastIndexOf('.');
        var change = new PriceChange(dot < 0 ? null : figure[..dot], figure[(dot + 1)..], amount, isUnknown);
        using var agent = run.OpenAgent();
        var prices = await agent.SetPricesAsync(new PricesRequest([change]), cancellationToken);
        if (run.IsJson) run.PrintJson(prices, ControlJson.Default.PricesInfo);
        else run.Say($"it counts from the next plan on; your own figures: {Display.Safe(prices.File)}");
        return ExitCode.Ok;
    }

    private static void Print(Invocation run, PricesInfo prices)
    {
        var table = new TextTable("SERVICE", "FIGURE", $">{prices.Currency}", "FOR", "DATE", "FROM");
        foreach (var figure in prices.Figures) Add(table, "", figure);
        foreach (var service in prices.Services)
        {
            var isFree = service.Unknown.Count == 0 && service.Figures.All(f => f.Amount == 0);
            if (isFree) table.Add(service.Service, "all", "0", "", Date(service.Figures[0]), service.Figures[0].Source);
            else foreach (var figure in service.Figures) Add(table, service.Service, figure);
            foreach (var name in service.Unknown.Where(_ => service.Figures.Count > 0))
                table.Add(service.Service, name, "?", "", "", "not known");
            if (service.Figures.Count == 0) table.Add(service.Service, "all", "?", "", "", "not known");
        }
        table.Write(run.Terminal.Out, run.Terminal.OutPaint);
        run.Print("");
        foreach (var service in prices.Services.Where(s => s.Accounts.Count > 0))
            run.Print(Display.Safe($"{string.Join(", ", service.Accounts)}: {service.Service}, {service.Name}"));
        run.Say(prices.HasFile
            ? $"your own figures: {Display.Safe(prices.File)}"
            : $"figures of your own would go into {Display.Safe(prices.File)}");
    }

    private static void Add(TextTable table, string service, FigureInfo figure) => table.Add(
        service, figure.Name, figure.Amount.ToString("0.########", CultureInfo.InvariantCulture), figure.Per,
        Date(figure), figure.Source);

    private static string Date(FigureInfo figure) =>
        figure.Date?.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture) ?? "";
}
