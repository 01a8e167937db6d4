using Virga.Agent.Control;
using Virga.Core;
using Virga.Transfers.Planning;

namespace Virga.Agent.Planning;

/// <summary>What is recorded of a transfer's plan.</summary>
/// <param name="Plan">Null until it is made, and again when a transfer that had ended is resumed.</param>
/// <param name="Moved">Content bytes that came since, by the route's name, in runs that ended in order.</param>
internal sealed record TransferPlan(
    string Prefer, string? MaxCost, bool NoRelay, PlanInfo? Plan, IReadOnlyDictionary<string, long> Moved)
{
    public static readonly TransferPlan None = new(PlanRequest.Balanced, null, false, null, Nothing);

    private static Dictionary<string, long> Nothing => new(StringComparer.Ordinal);

    /// <summary>What came, was spent and was saved by earlier plans of this transfer.</summary>
    public SpentInfo? Before { get; init; }

    public static TransferPlan Of(TransferRequest request) =>
        None with { Prefer = request.Prefer, MaxCost = request.MaxCost, NoRelay = request.NoRelay };

    /// <summary>What the user wishes, in words of the planner. BadInput for words that mean nothing.</summary>
    public static PlanWish Wish(string prefer, string? maxCost, bool noRelay, string currency) => new(
        Enum.TryParse<Preference>(prefer, ignoreCase: true, out var preference) && Enum.IsDefined(preference)
            ? preference
            : throw new VirgaException(
                FailureKind.BadInput, $"'{prefer}' can't be preferred", "Prefer cheap, fast or balanced."),
        maxCost is null ? null : Money.Parse(maxCost, currency), noRelay);

    /// <summary>What came by a route in all runs that ended in order.</summary>
    public long Total(string route) => Moved.GetValueOrDefault(route) + (Before?.Bytes.GetValueOrDefault(route) ?? 0);

    /// <summary>Puts the plan of a run that ended aside, so that what is left is planned anew.</summary>
    public TransferPlan Anew() => this with { Before = Spent(Nothing), Plan = null, Moved = Nothing };

    public TransferPlan Plus(IReadOnlyDictionary<string, long> moved) =>
        moved.Count == 0 ? this : this with { Moved = Sum(Moved, moved) };

    /// <summary>
    /// What was spent by the prices of the plan, a byte at a time, and how much more the owner's agent would have cost.
    /// </summary>
    /// <param name="running">Content bytes of the run that goes on.</param>
    public SpentInfo? Spent(IReadOnlyDictionary<string, long> running)
    {
        if (Plan is not { } plan) return Before;
        var moved = Sum(Moved, running);
        var (spent, byAgent) = (0m, 0m);
        foreach (var (route, bytes) in moved)
        {
            var own = PerByte(route) ?? 0;
            spent += bytes * own;
            byAgent += bytes * (PerByte(RouteNames.NameOf(RouteKind.Agent)) ?? own);
        }
        return new SpentInfo(
            plan.Currency, Rounded((Before?.Spent ?? 0) + spent), Rounded((Before?.Saved ?? 0) + byAgent - spent),
            Before is null ? moved : Sum(Before.Bytes, moved));

        decimal? PerByte(string name) =>
            plan.Bytes > 0 ? plan.Routes.FirstOrDefault(r => r.Route == name)?.Cost / plan.Bytes : null;
    }

    private static Dictionary<string, long> Sum(
        IReadOnlyDictionary<string, long> some, IReadOnlyDictionary<string, long> more)
    {
        var sum = new Dictionary<string, long>(some, StringComparer.Ordinal);
        foreach (var (route, bytes) in more) sum[route] = sum.GetValueOrDefault(route) + bytes;
        return sum;
    }

    private static decimal Rounded(decimal amount) => decimal.Round(amount, 6);
}
