using System.Globalization;
using Virga.Transfers.Engine;

namespace Virga.Transfers.Planning;

/// <summary>What routes cost: bytes and calls times the figures of the price book.</summary>
internal sealed class RouteMoney(PlanQuestion question)
{
    private const decimal GB = 1_000_000_000m;
    private const string Owner = "owner";
    private const string You = "you";
    private const string Others = "others";

    private readonly PriceBook prices = question.Prices;
    private readonly PlanContent content = question.Content;
    private readonly TargetSide target = question.Target;

    /// <summary>Null for routes of which nothing can be said as long as nothing offers them.</summary>
    public RouteCost? Of(RouteKind kind)
    {
        List<CostItem>? items = kind switch
        {
            RouteKind.ProviderCopy => question.CopiedFrom() is { } from ? [.. Copied(from), .. ReadBack()] : null,
            RouteKind.Direct => question.Source.Storage is { } from ? [.. Read(from, Owner, 1, 1), .. Written()] : null,
            RouteKind.Swarm => question.Source.Agents.Count > 0 ? [.. Swarmed(), .. Written()] : null,
            RouteKind.Agent => question.LeadOf() is { } lead
                ? [.. Sent(lead.IsOwner ? Owner : Others, 1, 1), .. Written()]
                : null,
            _ => null,
        };
        if (items is null) return null;
        var known = items.Aggregate(0m, (sum, i) => sum + (i.Amount?.Amount ?? 0));
        return new RouteCost(new Money(known, prices.Currency), items);
    }

    /// <summary>Bytes that are read back to check what a provider copied, rounded up.</summary>
    public static long ReadBackBytes(PlanQuestion question) =>
        question.ReadBackShare == 0 ? 0 : question.Content.Sizes.Sum(size => Math.Min(
            size, Math.Max(question.ReadBackBytesMin, (long)decimal.Ceiling(size * question.ReadBackShare))));

    private IEnumerable<CostItem> Copied(StoragePlace from)
    {
        var isNear = from.Region == target.Place.Region;
        yield return Bytes(
            "copied", Owner, content.Bytes, from.Service, isNear ? from.Service.CopyPerGB : from.Service.CopyFarPerGB,
            isNear ? "copied within the region" : "copied to another region");
        yield return Calls(
            "copies", You, PlanCalls.Copies(target.Traits, content.Sizes), target.Place.Service,
            target.Place.Service.CopiesPer1000);
    }

    private IEnumerable<CostItem> ReadBack()
    {
        if (question.ReadBackShare == 0) yield break;
        var bytes = ReadBackBytes(question);
        var service = target.Place.Service;
        yield return Bytes("egress", You, bytes, service, service.EgressPerGB, "read back to be checked");
        var calls = Math.Max(
            content.Sizes.Count(size => size > 0),
            (long)decimal.Ceiling(PlanCalls.Reads(content.Sizes) * question.ReadBackShare));
        yield return Calls("reads", You, calls, service, service.ReadsPer1000);
    }

    /// <summary>Out of storage, in ranges.</summary>
    private IEnumerable<CostItem> Read(StoragePlace from, string payer, int share, int of)
    {
        var bytes = (long)((Int128)content.Bytes * share / of);
        yield return Bytes("egress", payer, bytes, from.Service, from.Service.EgressPerGB, "out of the storage");
        var calls = ((PlanCalls.Reads(content.Sizes) * share) + of - 1) / of;
        yield return Calls("reads", payer, calls, from.Service, from.Service.ReadsPer1000);
    }

    /// <summary>Out of an agent, and before that out of the storage behind it.</summary>
    private IEnumerable<CostItem> Sent(string payer, int share, int of)
    {
        if (payer == Owner && question.Source.Known is { } from)
        {
            foreach (var item in Read(from, payer, share, of)) yield return item;
        }
        else
        {
            var whose = payer == Owner
                ? "the owner doesn't tell where it keeps this"
                : "others don't tell where they keep it";
            yield return new CostItem("egress", payer, null, CostGap.NotTold, whose);
        }
        var bytes = (long)((Int128)content.Bytes * share / of);
        var who = payer == Owner ? "the owner's agent" : "others";
        yield return Traffic(payer, bytes, prices.OwnerAgentPerGB, $"sent by {who}");
    }

    private IEnumerable<CostItem> Swarmed()
    {
        var all = question.Source.Agents.Count;
        var owners = question.Source.Agents.Count(a => a.IsOwner);
        IEnumerable<CostItem> items = owners > 0 ? Sent(Owner, owners, all) : [];
        return owners < all ? items.Concat(Sent(Others, all - owners, all)) : items;
    }

    private IEnumerable<CostItem> Written()
    {
        if (!target.Place.IsLocal)
            yield return Traffic(You, content.Bytes, prices.YourAgentPerGB, "sent by your agent");
        var service = target.Place.Service;
        yield return Bytes("ingress", You, content.Bytes, service, service.IngressPerGB, "into the account");
        var writes = PlanCalls.Writes(target.Traits, content.Sizes);
        yield return Calls("writes", You, writes, service, service.WritesPer1000);
    }

    private CostItem Traffic(string payer, long bytes, PriceFigure price, string what) =>
        new("agent", payer, new Money(bytes / GB * price.Amount, prices.Currency), CostGap.None,
            $"{Size(bytes)} {what} x {Plain(price.Amount)} a GB");

    private CostItem Bytes(
        string what, string payer, long bytes, ServicePrice service, PriceFigure? price, string words) =>
        price is null
            ? Unpriced(what, payer, service, $"what a byte {words} costs")
            : new CostItem(what, payer, Amount(bytes / GB, price), CostGap.None,
                $"{Size(bytes)} {words} x {Plain(price.Amount)} a GB at {service.Name}");

    private CostItem Calls(string what, string payer, long calls, ServicePrice service, PriceFigure? price) =>
        price is null
            ? Unpriced(what, payer, service, $"what {what} cost")
            : new CostItem(what, payer, Amount(calls / 1000m, price), CostGap.None,
                $"{calls.ToString("#,0", CultureInfo.InvariantCulture)} {what} x {Plain(price.Amount)} a 1,000 "
                    + $"at {service.Name}");

    private static CostItem Unpriced(string what, string payer, ServicePrice service, string words) =>
        new(what, payer, null, CostGap.NotPriced,
            service.Id == PriceBook.Unknown.Id ? $"the prices of {Whose(payer)} account are not known"
                : $"{words} at {service.Name} is not known");

    private static string Whose(string payer) => payer == You ? "your" : "the owner's";

    private Money Amount(decimal count, PriceFigure price) => new(count * price.Amount, prices.Currency);

    private static string Size(long bytes) => (bytes / GB).ToString("0.###", CultureInfo.InvariantCulture) + " GB";

    private static string Plain(decimal amount) => amount.ToString("0.########", CultureInfo.InvariantCulture);
}

/// <summary>How many calls a transfer makes, as the engine and the adapters make them.</summary>
internal static class PlanCalls
{
    private const int BeginAndComplete = 2;

    public static long Reads(IReadOnlyList<long> sizes)
    {
        long calls = 0;
        foreach (var size in sizes) calls += DivideUp(size, EngineLimits.Default.RangeBytes);
        return calls;
    }

    public static long Writes(Accounts.AccountTraits traits, IReadOnlyList<long> sizes)
    {
        long calls = 0;
        foreach (var size in sizes)
        {
            var isSmall = size <= EngineLimits.Default.SmallFileBytes && size <= traits.SingleWriteBytesMax;
            // What is too long for the target counts as one: its need is unmet anyway.
            calls += isSmall || size > traits.FileBytesMax
                ? 1
                : DivideUp(size, traits.PartBytesFor(size)) + BeginAndComplete;
        }
        return calls;
    }

    /// <summary>One call for a file, parts where it is long: as short as the target's own, at worst.</summary>
    public static long Copies(Accounts.AccountTraits traits, IReadOnlyList<long> sizes)
    {
        long calls = 0;
        foreach (var size in sizes)
        {
            calls += size <= EngineLimits.Default.CopyInPartsBytes || size > traits.FileBytesMax
                ? 1
                : DivideUp(size, traits.PartBytesFor(size)) + BeginAndComplete;
        }
        return calls;
    }

    private static long DivideUp(long value, long by) => (value / by) + (value % by == 0 ? 0 : 1);
}
