using System.Globalization;

namespace Virga.Web.Live;

/// <summary>How long a share is to last, as the form asks.</summary>
internal static class ShareLength
{
    public static IReadOnlyList<string> All { get; } = ["never", "day", "week", "month", "date"];

    /// <summary>Null where it never ends.</summary>
    /// <param name="date">By the agent's clock, as browsers give it: 2026-12-31T12:00.</param>
    /// <param name="isGood">Whether the date is one, and is to come.</param>
    public static DateTimeOffset? EndOf(string length, string date, TimeProvider time, out bool isGood)
    {
        isGood = true;
        var now = time.GetUtcNow();
        switch (length)
        {
            case "day": return now.AddDays(1);
            case "week": return now.AddDays(7);
            case "month": return now.AddMonths(1);
            case "date":
                isGood = DateTime.TryParseExact(
                    date, ["yyyy-MM-dd'T'HH:mm", "yyyy-MM-dd'T'HH:mm:ss"], CultureInfo.InvariantCulture,
                    DateTimeStyles.None, out var local);
                var end = new DateTimeOffset(local, time.LocalTimeZone.GetUtcOffset(local));
                isGood = isGood && end > now;
                return end;
            default: return null;
        }
    }
}
