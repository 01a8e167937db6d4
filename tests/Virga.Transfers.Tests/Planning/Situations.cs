using System.Text;
using Virga.Accounts;
using Virga.Transfers.Planning;

namespace Virga.Transfers.Tests.Planning;

/// <summary>Questions to the planner, put together from few words, over a price file that never changes.</summary>
internal static class Situations
{
    /// <summary>Figures are made up, so that sums are easy by hand.</summary>
    public const string TestPrices =
        """
        {
          "currency": "USD", "hourIsWorth": 1, "yourAgentPerGB": 0, "ownerAgentPerGB": 0,
          "services": {
            "disk": { "egressPerGB": 0, "ingressPerGB": 0, "readsPer1000": 0, "writesPer1000": 0 },
            "self-hosted": {
              "egressPerGB": 0, "ingressPerGB": 0, "readsPer1000": 0, "writesPer1000": 0, "copiesPer1000": 0,
              "copyPerGB": 0
            },
            "alpha": {
              "hosts": ["alpha.example"], "egressPerGB": 0.09, "ingressPerGB": 0, "readsPer1000": 0.0004,
              "writesPer1000": 0.005, "copiesPer1000": 0.005, "copyPerGB": 0, "copyFarPerGB": 0.02
            },
            "beta": {
              "hosts": ["beta.example"], "egressPerGB": 0.01, "ingressPerGB": 0, "readsPer1000": 0.0004,
              "writesPer1000": 0, "copiesPer1000": 0.004, "copyPerGB": 0
            },
            "gamma": {
              "hosts": ["gamma.example"], "egressPerGB": 0, "ingressPerGB": 0, "readsPer1000": 0.00036,
              "writesPer1000": 0.0045, "copiesPer1000": 0.0045, "copyPerGB": 0
            },
            "delta": {
              "hosts": ["delta.example"], "egressPerGB": 0.05, "ingressPerGB": 0.03, "readsPer1000": 0,
              "writesPer1000": 0.01, "copiesPer1000": 0.01, "copyPerGB": 0.001
            }
          }
        }
        """;

    public const string Owner = "https://owner.example";

    public static PriceBook Prices { get; } = PriceFile.Parse(Encoding.UTF8.GetBytes(TestPrices), "test prices", null);

    public static AccountTraits ObjectTraits { get; } = new()
    {
        Adapter = "s3", MaxConcurrency = 16, SingleWriteBytesMax = 8 << 20, PartBytesMin = 5 << 20,
        PartBytesMax = 5L << 30, PartsMax = 10_000,
    };

    public static AccountTraits DiskTraits { get; } = new()
    {
        Adapter = "disk", MaxConcurrency = 8, SingleWriteBytesMax = 8 << 20, PartBytesMax = 64 << 20,
    };

    /// <summary>Ten files of 1 GB: 4,770 reads of 2 MiB, 1,220 writes of an object store, 10 copies.</summary>
    public static IReadOnlyList<long> TenOfOneGB { get; } = [.. Enumerable.Repeat(1_000_000_000L, 10)];

    /// <summary>10,000 files of 10 kB, 0.1 GB: 10,000 reads, writes and copies.</summary>
    public static IReadOnlyList<long> ManySmall { get; } = [.. Enumerable.Repeat(10_000L, 10_000)];

    /// <summary>100 files of 1 GB.</summary>
    public static IReadOnlyList<long> HundredOfOneGB { get; } = [.. Enumerable.Repeat(1_000_000_000L, 100)];

    public static StoragePlace Place(string host, PriceBook? prices = null) =>
        (prices ?? Prices).PlaceOf(null, host == "disk" ? "disk" : "s3", host == "disk" ? null : host);

    /// <param name="from">Host of the owner's storage; null: not told.</param>
    /// <param name="urls">Whether it gives signed URLs.</param>
    /// <param name="copy">Whether it lets the provider copy.</param>
    /// <param name="others">Agents beside the owner's.</param>
    public static PlanQuestion Ask(
        string? from, string to, IReadOnlyList<long>? sizes = null, bool urls = false, bool copy = false,
        int others = 0, bool owner = true, PlanWish? wish = null, RateTable? rates = null, decimal readBack = 1,
        PriceBook? prices = null, AccountTraits? traits = null, string? copiedFrom = null, long readBackMin = 0)
    {
        prices ??= Prices;
        var agents = new List<HoldingAgent>();
        if (owner) agents.Add(new HoldingAgent(Owner, IsOwner: true));
        for (var i = 0; i < others; i++) agents.Add(new HoldingAgent($"https://holder-{i}.example", IsOwner: false));
        var storage = from is null ? null : Place(from, prices);
        return new PlanQuestion(
            new PlanContent(sizes ?? TenOfOneGB),
            new SourceSide(
                agents, storage, from, urls ? null : "the owner gives no URLs",
                copy ? null : "the owner offers no copy")
            {
                CopiedFrom = copiedFrom is null ? null : Place(copiedFrom, prices),
            },
            new TargetSide(
                "target", Place(to, prices), traits ?? (to == "disk" ? DiskTraits : ObjectTraits),
                "the target can't pull from URLs"),
            prices, rates ?? RateTable.Empty, wish ?? PlanWish.Default)
        {
            ReadBackShare = readBack, ReadBackBytesMin = readBackMin,
        };
    }

    public static PlanWish Cheap { get; } = new(Preference.Cheap);

    public static PlanWish Fast { get; } = new(Preference.Fast);

    public static PlanWish AtMost(decimal amount, Preference prefer = Preference.Balanced) =>
        new(prefer, new Money(amount, "USD"));

    public static RateTable Rates(params (RouteKind Route, string Source, double BytesPerSecond)[] measured) =>
        new(measured.ToDictionary(m => new RateKey(m.Route, m.Source, "target"), m => m.BytesPerSecond));

    public static PriceBook With(string json) =>
        PriceFile.Parse(Encoding.UTF8.GetBytes(json), "more prices", Prices);
}
