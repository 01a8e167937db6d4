using Virga.Accounts;

namespace Virga.Transfers.Planning;

/// <summary>What matters more to the user. Balanced weighs money against <see cref="PriceBook.HourIsWorth"/>.</summary>
public enum Preference { Balanced, Cheap, Fast }

/// <param name="MaxCost">Routes that cost more, or whose price isn't known, are out; null: no bound.</param>
/// <param name="NoRelay">Nothing may pass through a relay.</param>
public sealed record PlanWish(Preference Prefer = Preference.Balanced, Money? MaxCost = null, bool NoRelay = false)
{
    public static readonly PlanWish Default = new();
}

/// <summary>The files that are to be moved, by their plain lengths.</summary>
public sealed class PlanContent(IReadOnlyList<long> sizes)
{
    public IReadOnlyList<long> Sizes => sizes;

    public int Files => sizes.Count;

    public long Bytes { get; } = sizes.Sum();

    public long LargestBytes { get; } = sizes.Count == 0 ? 0 : sizes.Max();
}

/// <summary>An agent that answered and has the content.</summary>
/// <param name="Name">As <see cref="Sources.ISource.Name"/>; rates are kept by it.</param>
/// <param name="IsOwner">Whether it made the share; others hold it as well.</param>
public sealed record HoldingAgent(string Name, bool IsOwner);

/// <summary>What is known of where the content comes from.</summary>
/// <param name="Storage">Where the owner's account lies; null while its agent doesn't tell.</param>
/// <param name="StorageName">
/// Host of the storage, by which rates are kept; null with <paramref name="Storage"/>.
/// </param>
/// <param name="WhyNoUrls">Why its storage can't be read by signed URLs; null when it can.</param>
/// <param name="WhyNoCopy">Why it can't be copied inside the provider; null when it can.</param>
public sealed record SourceSide(
    IReadOnlyList<HoldingAgent> Agents, StoragePlace? Storage, string? StorageName, string? WhyNoUrls,
    string? WhyNoCopy)
{
    /// <summary>Where a copy would come from, when that isn't told by <see cref="Storage"/>.</summary>
    public StoragePlace? CopiedFrom { get; init; }

    /// <summary>All that is known of where the owner keeps it.</summary>
    public StoragePlace? Known => Storage ?? CopiedFrom;
}

/// <summary>The account that the content goes into.</summary>
/// <param name="WhyNoPull">Why it can't pull from a URL by itself; null when it can.</param>
public sealed record TargetSide(string Account, StoragePlace Place, AccountTraits Traits, string? WhyNoPull);

/// <summary>All that a plan follows from; the same question always has the same answer.</summary>
public sealed record PlanQuestion(
    PlanContent Content, SourceSide Source, TargetSide Target, PriceBook Prices, RateTable Rates, PlanWish Wish)
{
    /// <summary>
    /// Which part of a provider's copy is read back and checked against the tree: 0 (its own hash is enough) to 1.
    /// </summary>
    public decimal ReadBackShare { get; init; } = 1;

    /// <summary>Of each file, at least so much is read back, where any is.</summary>
    public long ReadBackBytesMin { get; init; }

    /// <summary>Why nothing can go through a relay; null when one is known.</summary>
    public string? WhyNoRelay { get; init; } = "no relay is known";
}
