using System.Diagnostics;

namespace Virga.Benchmarks.Accounts;

/// <summary>Debian's rclone, with a configuration that stands in its environment alone.</summary>
internal static class Rclone
{
    /// <summary>To its end; what it printed.</summary>
    public static async Task<string> RunAsync(
        IReadOnlyDictionary<string, string> environment, CancellationToken token, params string[] arguments)
    {
        var start = new ProcessStartInfo("rclone", arguments)
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        // rclone 1.60 fails where this is set and its file holds more than one kind of certificate.
        start.Environment.Remove("AWS_CA_BUNDLE");
        start.Environment["RCLONE_CONFIG"] = "/dev/null";
        foreach (var (name, value) in environment) start.Environment[name] = value;
        using var process = Process.Start(start) ?? throw new UsageException("rclone is not installed");
        var output = process.StandardOutput.ReadToEndAsync(token);
        var error = await process.StandardError.ReadToEndAsync(token);
        await process.WaitForExitAsync(token);
        return process.ExitCode == 0
            ? await output
            : throw new InvalidOperationException($"rclone {string.Join(' ', arguments)}: {error}");
    }
}
