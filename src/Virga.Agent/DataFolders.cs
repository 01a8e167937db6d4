namespace Virga.Agent;

/// <summary>Where an agent's state lies when nothing else is said.</summary>
public static class DataFolders
{
    /// <summary>$VIRGA_DATA, else $XDG_DATA_HOME/virga, else ~/.local/share/virga.</summary>
    public static string Default(Func<string, string?> variable)
    {
        if (variable("VIRGA_DATA") is { Length: > 0 } own) return Path.GetFullPath(own);
        if (variable("XDG_DATA_HOME") is { Length: > 0 } data && Path.IsPathRooted(data))
            return Path.Combine(data, "virga");
        var home = variable("HOME") ?? Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        return Path.Combine(home, ".local", "share", "virga");
    }
}
