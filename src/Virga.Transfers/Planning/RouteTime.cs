namespace Virga.Transfers.Planning;

/// <summary>How long routes take: the slowest link of the chain, or what was measured on the whole chain.</summary>
internal sealed class RouteTime(PlanQuestion question)
{
    private const double DiskCallSeconds = 0.001;
    private const double ServiceCallSeconds = 0.05;
    private const double CopyCallSeconds = ServiceCallSeconds;

    private readonly PlanContent content = question.Content;
    private readonly RateTable rates = question.Rates;
    private readonly TargetSide target = question.Target;

    /// <summary>Null where nobody can say.</summary>
    public (double Seconds, bool IsMeasured)? Of(RouteKind kind) => kind switch
    {
        RouteKind.ProviderCopy when question.CopiedFrom() is { } => Copy(),
        RouteKind.Direct when question.Source.Storage is { } from =>
            Moved(Rate(kind, question.Source.StorageName!), Of(from)),
        RouteKind.Swarm when question.Source.Agents.Count > 0 => Swarm(),
        RouteKind.Agent when question.LeadOf() is { } lead => Moved(Rate(kind, lead.Name), Behind(lead)),
        _ => null,
    };

    private (double, bool) Copy()
    {
        var measured = Rate(RouteKind.ProviderCopy, question.CopyName());
        var copying = Math.Max(
            content.Bytes / (measured ?? RateTable.CopyDefault),
            Calls(PlanCalls.Copies(target.Traits, content.Sizes), CopyCallSeconds));
        // What was measured was with the reading back.
        var back = measured is null ? RouteMoney.ReadBackBytes(question) / Of(target.Place) : 0;
        return (copying + back, measured is not null);
    }

    private (double, bool) Swarm()
    {
        if (Rate(RouteKind.Swarm, RateTable.SwarmSource) is { } whole) return Moved(whole, whole);
        var sum = question.Source.Agents.Sum(a => Rate(RouteKind.Agent, a.Name) ?? Behind(a));
        return Moved(null, sum);
    }

    private double? Rate(RouteKind kind, string source) => rates.Find(new RateKey(kind, source, target.Account));

    /// <summary>
    /// An agent that was never measured, and the storage behind it: not taken to be quicker than that storage was.
    /// </summary>
    private double Behind(HoldingAgent agent)
    {
        if (!agent.IsOwner || question.Source.Known is not { } from) return RateTable.AgentDefault;
        var measured = question.Source.StorageName is { } name ? Rate(RouteKind.Direct, name) : null;
        var storage = measured ?? Of(from);
        return Math.Min(RateTable.AgentDefault, storage);
    }

    private (double, bool) Moved(double? measured, double source)
    {
        var into = Math.Max(Of(target.Place), rates.FastestInto(target.Account) ?? 0);
        // A way that was never measured isn't taken to be quicker than the service was by itself.
        var copied = Rate(RouteKind.ProviderCopy, question.CopyName()) ?? double.PositiveInfinity;
        var rate = measured ?? Math.Min(Math.Min(source, into), copied);
        var perCall = target.Place.IsLocal ? DiskCallSeconds : ServiceCallSeconds;
        var calls = Calls(PlanCalls.Writes(target.Traits, content.Sizes), perCall);
        return (Math.Max(content.Bytes / rate, calls), measured is not null);
    }

    private double Calls(long calls, double seconds) => calls * seconds / Math.Max(1, target.Traits.MaxConcurrency);

    private static double Of(StoragePlace place) => place.IsLocal ? RateTable.DiskDefault
        : place.Service.Id == PriceBook.Unknown.Id ? RateTable.OtherDefault
        : RateTable.ServiceDefault;
}
