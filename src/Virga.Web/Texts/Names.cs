namespace Virga.Web.Texts;

/// <summary>What agents are called: by the name that the user gave, else by a part of the id.</summary>
public static class Names
{
    private const int IdStart = 14;
    private const int IdEnd = 6;
    private const int ShortMax = 12;

    /// <summary>In lists and sentences.</summary>
    public static string Of(string agent, string? name) => name is { Length: > 0 } ? Shown.Name(name)
        : agent.Length <= IdStart + IdEnd ? agent : $"{agent[..IdStart]}…{agent[^IdEnd..]}";

    /// <summary>Where there is room for a word: what all ids begin with is left out.</summary>
    public static string Short(string agent, string? name)
    {
        var text = name is { Length: > 0 } ? Shown.Name(name)
            : agent.Length <= IdStart ? agent : $"{agent[6..10]}…{agent[^4..]}";
        if (text.Length <= ShortMax) return text;
        var end = char.IsHighSurrogate(text[ShortMax - 2]) ? ShortMax - 2 : ShortMax - 1;
        return text[..end].TrimEnd() + "…";
    }
}
