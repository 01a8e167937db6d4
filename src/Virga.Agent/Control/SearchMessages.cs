namespace Virga.Agent.Control;

/// <summary>What a search below a folder found since it last told.</summary>
/// <param name="Looked">Entries that were looked at so far.</param>
/// <param name="IsDone">It is the last one.</param>
/// <param name="IsCut">There may be more: it found, or looked at, as much as it does at once.</param>
public sealed record SearchEvent(
    IReadOnlyList<EntryInfo> Found, long Looked, bool IsDone, bool IsCut, ControlError? Error);
