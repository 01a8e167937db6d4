using System.Globalization;
using Virga.Core;

namespace Virga.Agent.Transfers;

/// <summary>What holds now.</summary>
/// <param name="Receive">Bytes a second that all transfers together fetch; null for no bound.</param>
/// <param name="Send">Bytes a second that all readers of this agent's shares together get; null for no bound.</param>
/// <param name="IsHeld">No transfer runs.</param>
/// <param name="Window">The window that says so, as it is written; null outside of all windows.</param>
/// <param name="Until">When something else may hold; null for never.</param>
internal sealed record LimitsNow(long? Receive, long? Send, bool IsHeld, string? Window, DateTimeOffset? Until);

/// <summary>
/// Days and hours of a week, such as <c>Mon-Fri 08:00-18:00</c>, <c>Sat,Sun 00:00-24:00</c> or <c>22:00-06:00</c>
/// (each day; it belongs to the day on which it begins). Minutes of the local clock.
/// </summary>
/// <param name="Days">A bit for each day, the lowest for Sunday.</param>
/// <param name="From">Minutes from midnight, 0 to 1,439.</param>
/// <param name="To">Minutes from midnight, to 1,440; below <paramref name="From"/>: of the next day.</param>
public readonly record struct WeekWindow(int Days, int From, int To)
{
    /// <summary>Minutes of a day.</summary>
    public const int DayMinutes = 24 * 60;

    /// <summary>All seven.</summary>
    public const int AllDays = 0x7f;

    private static readonly string[] Names = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

    /// <exception cref="VirgaException">BadInput: it is none.</exception>
    public static WeekWindow Parse(string text)
    {
        var words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (words.Length is 1 or 2 && words[^1].Split('-') is [var from, var to]
            && Minute(from) is { } first and < DayMinutes && Minute(to) is { } last && first != last
            && (words.Length == 1 ? AllDays : DaysOf(words[0])) is { } days)
            return new WeekWindow(days, first, last);
        throw new VirgaException(
            FailureKind.BadInput, $"'{text}' is no window of time",
            "Write days and hours, such as 'Mon-Fri 08:00-18:00', 'Sat,Sun 00:00-24:00' or '22:00-06:00'.");
    }

    /// <summary>Whether it holds at a local time.</summary>
    public bool Holds(DateTime local)
    {
        var minute = (local.Hour * 60) + local.Minute;
        var today = (Days >> (int)local.DayOfWeek & 1) != 0;
        if (From < To) return today && minute >= From && minute < To;
        var yesterday = (Days >> (((int)local.DayOfWeek + 6) % 7) & 1) != 0;
        return (today && minute >= From) || (yesterday && minute < To);
    }

    public override string ToString()
    {
        var hours = $"{Clock(From)}-{Clock(To)}";
        if (Days == AllDays) return hours;
        var parts = new List<string>();
        // Weeks begin on Monday where people plan them.
        for (var i = 1; i <= 7; i++)
        {
            if (!Has(i)) continue;
            var end = i;
            while (end < 7 && Has(end + 1)) end++;
            parts.Add(end - i >= 2 ? $"{Names[i % 7]}-{Names[end % 7]}"
                : string.Join(',', Enumerable.Range(i, end - i + 1).Select(d => Names[d % 7])));
            i = end;
        }
        return $"{string.Join(',', parts)} {hours}";
    }

    private bool Has(int day) => (Days >> (day % 7) & 1) != 0;

    private static string Clock(int minute) => string.Create(CultureInfo.InvariantCulture,
        $"{minute / 60:00}:{minute % 60:00}");

    private static int? Minute(string text) =>
        text.Split(':') is [{ Length: 1 or 2 } hour, { Length: 2 } minute]
        && int.TryParse(hour, NumberStyles.None, CultureInfo.InvariantCulture, out var h)
        && int.TryParse(minute, NumberStyles.None, CultureInfo.InvariantCulture, out var m)
        && m < 60 && (h < 24 || (h == 24 && m == 0)) ? (h * 60) + m : null;

    private static int? DaysOf(string text)
    {
        var days = 0;
        foreach (var part in text.Split(','))
        {
            var ends = part.Split('-');
            if (ends.Length > 2 || Day(ends[0]) is not { } first || Day(ends[^1]) is not { } last) return null;
            for (var day = first; ; day = (day + 1) % 7)
            {
                days |= 1 << day;
                if (day == last) break;
            }
        }
        return days;
    }

    private static int? Day(string text)
    {
        var at = Array.FindIndex(Names, n => string.Equals(n, text, StringComparison.OrdinalIgnoreCase));
        return at < 0 ? null : at;
    }
}

/// <summary>One window and what holds in it.</summary>
internal sealed record LimitRule(WeekWindow Window, long? Receive, long? Send, bool IsHeld);

/// <summary>The user's limits: what holds in each window, and at all other times.</summary>
/// <param name="AtOnce">Transfers that run at once.</param>
/// <param name="Rules">The first window that holds is the one that counts.</param>
internal sealed record TransferLimits(
    long? Receive, long? Send, int AtOnce, TimeZoneInfo Zone, IReadOnlyList<LimitRule> Rules)
{
    public const int AtOnceDefault = 3;
    public const int AtOnceMax = 16;
    public const int RulesMax = 64;

    /// <summary>Less, and other agents would take a fair share of it for a stall.</summary>
    public const long RateMin = 64 << 10;

    public static TransferLimits Default(TimeZoneInfo zone) => new(null, null, AtOnceDefault, zone, []);

    /// <summary>What holds at a moment, and when it is to be asked again.</summary>
    public LimitsNow At(DateTimeOffset moment)
    {
        if (Rules.Count == 0) return new LimitsNow(Receive, Send, IsHeld: false, null, null);
        var rule = RuleAt(moment);
        return rule is null
            ? new LimitsNow(Receive, Send, IsHeld: false, null, NextChange(moment, rule))
            : new LimitsNow(
                rule.Receive, rule.Send, rule.IsHeld, rule.Window.ToString(), NextChange(moment, rule));
    }

    private LimitRule? RuleAt(DateTimeOffset moment)
    {
        var local = TimeZoneInfo.ConvertTime(moment, Zone).DateTime;
        return Rules.FirstOrDefault(r => r.Window.Holds(local));
    }

    /// <summary>The first whole minute, within eight days, at which another rule holds.</summary>
    private DateTimeOffset? NextChange(DateTimeOffset moment, LimitRule? now)
    {
        var at = new DateTimeOffset(moment.Ticks - (moment.Ticks % TimeSpan.TicksPerMinute), moment.Offset);
        for (var i = 0; i < 8 * 24 * 60; i++)
        {
            at = at.AddMinutes(1);
            if (!ReferenceEquals(RuleAt(at), now)) return at;
        }
        return null;
    }
}
