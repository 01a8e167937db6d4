using System.Globalization;
using Virga.Agent.Control;
using Virga.Agent.Transfers;

namespace Virga.Web.Live;

/// <summary>Hours of the week and what holds in them, as they stand in a form while somebody writes.</summary>
public sealed class LimitHours
{
    private const double Unit = 1_000_000;
    private const double RateMost = 1e6;

    /// <summary>By the day's number, Sunday's first.</summary>
    public bool[] Days { get; } = [true, true, true, true, true, true, true];

    /// <summary>As browsers give a time: 08:00.</summary>
    public string From { get; set; } = "08:00";

    /// <summary>00:00 is the end of the day.</summary>
    public string To { get; set; } = "18:00";

    /// <summary>In MB/s; empty for no bound. So is <see cref="Send"/>.</summary>
    public string Receive { get; set; } = "";

    public string Send { get; set; } = "";

    public bool IsHeld { get; set; }

    /// <summary>Keys of what is wrong, by the field; empty where all is good.</summary>
    public Dictionary<string, string> Errors { get; } = new(StringComparer.Ordinal);

    public static LimitHours Of(LimitWindow window)
    {
        var week = WeekWindow.Parse(window.Window);
        var hours = new LimitHours
        {
            From = Clock(week.From), To = Clock(week.To % WeekWindow.DayMinutes), Receive = TextOf(window.Receive),
            Send = TextOf(window.Send), IsHeld = window.IsHeld,
        };
        for (var day = 0; day < hours.Days.Length; day++) hours.Days[day] = (week.Days >> day & 1) != 0;
        return hours;
    }

    /// <summary>What it says; null where something is wrong, which <see cref="Errors"/> then names.</summary>
    public LimitWindow? Read()
    {
        Errors.Clear();
        var days = Enumerable.Range(0, Days.Length).Where(d => Days[d]).Sum(d => 1 << d);
        if (days == 0) Errors["days"] = "limits.days.missing";
        var (from, to) = (Minutes(From), Minutes(To));
        if (from is null || to is null) Errors["hours"] = "limits.hours.bad";
        else if (from == to && from != 0) Errors["hours"] = "limits.hours.same";
        if (!TryRate(Receive, out var receive)) Errors["receive"] = "limits.bad";
        if (!TryRate(Send, out var send)) Errors["send"] = "limits.bad";
        if (Errors.Count == 0 && !IsHeld && receive is null && send is null) Errors["receive"] = "limits.hours.nothing";
        if (Errors.Count > 0) return null;
        var week = new WeekWindow(days, from!.Value, to == 0 ? WeekWindow.DayMinutes : to!.Value);
        return new LimitWindow(week.ToString(), IsHeld ? null : receive, IsHeld ? null : send, IsHeld);
    }

    public static string TextOf(long? rate) =>
        rate is { } some ? (some / Unit).ToString("0.###", CultureInfo.InvariantCulture) : "";

    /// <summary>MB/s as people write them, with a point or a comma; empty is no bound.</summary>
    public static bool TryRate(string text, out long? rate)
    {
        rate = null;
        if (string.IsNullOrWhiteSpace(text)) return true;
        if (!double.TryParse(
            text.Trim().Replace(',', '.'), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture,
            out var number) || number is <= 0 or >= RateMost) return false;
        rate = (long)(number * Unit);
        return true;
    }

    private static string Clock(int minutes) =>
        string.Create(CultureInfo.InvariantCulture, $"{minutes / 60:00}:{minutes % 60:00}");

    private static int? Minutes(string text) =>
        TimeOnly.TryParseExact(
            text, ["HH:mm", "HH:mm:ss"], CultureInfo.InvariantCulture, DateTimeStyles.None, out var time)
            ? (time.Hour * 60) + time.Minute : null;
}
