namespace Virga.Transfers.Engine;

internal static class Times
{
    private const int NsPerTick = 100;

    /// <summary>From a manifest's nanoseconds; null outside of what a DateTimeOffset can hold.</summary>
    public static DateTimeOffset? FromNs(long? ns)
    {
        if (ns is not { } value) return null;
        var ticks = DateTimeOffset.UnixEpoch.Ticks + Math.DivRem(value, NsPerTick).Quotient;
        return ticks is < 0 or > 3155378975999999999 ? null : new DateTimeOffset(ticks, TimeSpan.Zero);
    }
}
