using System.ComponentModel;
using System.Diagnostics;

namespace Virga.Cli.Terminals;

/// <summary>The desktop that a person sits at, if they do.</summary>
internal static class Desktop
{
    /// <summary>
    /// Whether a program that a person started here may open a window for them: there is a screen, and it is theirs.
    /// </summary>
    /// <param name="variable">An environment variable; null when it is not set or empty.</param>
    public static bool IsHere(Func<string, string?> variable)
    {
        // Over ssh the screen is elsewhere; what systemd starts, nobody sits before.
        string[] elsewhere = ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY", "INVOCATION_ID"];
        if (elsewhere.Any(name => variable(name) is not null)) return false;
        return !OperatingSystem.IsLinux() || variable("DISPLAY") is not null || variable("WAYLAND_DISPLAY") is not null;
    }

    /// <summary>Has the desktop open a link in its browser; false where it has none, or did not take it.</summary>
    public static bool TryOpen(string url)
    {
        try
        {
            var start = OperatingSystem.IsWindows()
                ? new ProcessStartInfo(url) { UseShellExecute = true }
                : new ProcessStartInfo(OperatingSystem.IsMacOS() ? "open" : "xdg-open", [url])
                {
                    UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
                };
            using var process = Process.Start(start);
            return true;
        }
        catch (Exception e) when (e is Win32Exception or FileNotFoundException)
        {
            return false;
        }
    }
}
