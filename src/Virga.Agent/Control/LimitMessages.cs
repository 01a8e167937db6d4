namespace Virga.Agent.Control;

/// <summary>What holds in a window of time.</summary>
/// <param name="Window">Days and hours: <c>Mon-Fri 08:00-18:00</c>, <c>22:00-06:00</c>.</param>
/// <param name="Receive">Bytes a second; null for no bound. So is <paramref name="Send"/>.</param>
/// <param name="IsHeld">No transfer runs in it.</param>
public sealed record LimitWindow(string Window, long? Receive, long? Send, bool IsHeld);

/// <summary>The user's limits of this agent: the whole of them, to be put in place of what was there.</summary>
/// <param name="Receive">Bytes a second that all transfers together fetch, outside of windows; null: no bound.</param>
/// <param name="Send">Bytes a second that all readers of the shares together get; null: no bound.</param>
/// <param name="AtOnce">Transfers that run at once: 1 to 16.</param>
/// <param name="Zone">The clock that windows go by, such as Europe/Amsterdam; null: the machine's own.</param>
/// <param name="Windows">The first that holds counts.</param>
public sealed record LimitsRequest(
    long? Receive, long? Send, int AtOnce, string? Zone, IReadOnlyList<LimitWindow> Windows);

/// <summary>The limits, and what they come to now.</summary>
/// <param name="NowReceive">Bytes a second; null: no bound.</param>
/// <param name="NowWindow">The window that holds now; null: none does.</param>
/// <param name="Until">When something else holds; null: never.</param>
public sealed record LimitsInfo(
    LimitsRequest Limits, long? NowReceive, long? NowSend, bool IsHeldNow, string? NowWindow, DateTimeOffset? Until);
