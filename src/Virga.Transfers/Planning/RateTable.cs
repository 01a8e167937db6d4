namespace Virga.Transfers.Planning;

/// <summary>Whose rate was measured.</summary>
/// <param name="Source">An agent's name, or the host of a storage.</param>
/// <param name="Account">The account that it went into.</param>
public readonly record struct RateKey(RouteKind Route, string Source, string Account);

/// <summary>
/// Rates of finished transfers in bytes a second. Where nothing was measured, defaults that docs/guides/plans.md
/// lists.
/// </summary>
public sealed class RateTable(IReadOnlyDictionary<RateKey, double> measured)
{
    public const double DiskDefault = 200e6;
    public const double ServiceDefault = 100e6;
    public const double OtherDefault = 20e6;
    public const double AgentDefault = 50e6;
    public const double CopyDefault = 200e6;

    /// <summary>By which the rate of a swarm is kept: its members change.</summary>
    public const string SwarmSource = "swarm";

    /// <summary>Weight of the newest transfer in the mean.</summary>
    private const double NewestShare = 0.3;

    /// <summary>Shorter transfers are mostly beginning and end: they say little about the rate.</summary>
    private const long BytesMin = 1 << 20;

    public static readonly RateTable Empty = new(new Dictionary<RateKey, double>());

    public double? Find(RateKey key) => measured.TryGetValue(key, out var rate) ? rate : null;

    /// <summary>The fastest that ever went into an account: what it can take at least.</summary>
    public double? FastestInto(string account) =>
        measured.Where(m => m.Key.Account == account).Select(m => (double?)m.Value).Max();

    /// <summary>
    /// The new mean after a transfer: exponentially weighted; null when the transfer says nothing.
    /// </summary>
    public static double? Next(double? mean, long bytes, TimeSpan took)
    {
        if (bytes < BytesMin || took <= TimeSpan.Zero) return null;
        var rate = bytes / took.TotalSeconds;
        return mean is { } before ? (NewestShare * rate) + ((1 - NewestShare) * before) : rate;
    }
}
