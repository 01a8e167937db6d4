using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Virga.EndToEnd.Harness;

/// <summary>How a run of a program ended, with all that it printed.</summary>
internal sealed record Outcome(int Exit, string Out, string Error)
{
    public override string ToString() => $"exit code {Exit}\n{Out}\n{Error}";
}

/// <summary>The built executable, and other programs, as child processes.</summary>
internal static class Executable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    /// <summary>Beside this test's own output folder: artifacts/bin/Virga.Cli/CONFIGURATION/virga.</summary>
    public static string Path { get; } = Find();

    private static string Find()
    {
        var own = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd('/'));
        var path = System.IO.Path.Combine(own.Parent!.Parent!.FullName, "Virga.Cli", own.Name, "virga");
        return File.Exists(path) ? path
            : throw new InvalidOperationException($"there is no {path}: build the solution first, or run ./test");
    }

    /// <summary>
    /// What starts the executable, with a runtime that it finds and no settings of whoever runs the tests.
    /// </summary>
    public static ProcessStartInfo Start(IEnumerable<string> arguments, IReadOnlyList<string>? prefix = null)
    {
        string[] line = [.. prefix ?? [], Path, .. arguments];
        var start = new ProcessStartInfo(line[0], line[1..])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true,
                RedirectStandardError = true,
        };
        start.Environment["DOTNET_ROOT"] = new DirectoryInfo(RuntimeEnvironment.GetRuntimeDirectory())
            .Parent!.Parent!.Parent!.FullName;
        foreach (var name in new[] { "VIRGA_DATA", "VIRGA_DEBUG" }) start.Environment.Remove(name);
        return start;
    }

    /// <summary>One command of virga, to its end.</summary>
    public static Task<Outcome> RunAsync(
        string dataFolder, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = Start([.. arguments, "--data", dataFolder]);
        foreach (var (name, value) in environment ?? new Dictionary<string, string>()) start.Environment[name] = value;
        return RunAsync(start);
    }

    /// <summary>Another program, to its end. A missing one is a failure that says what to do.</summary>
    public static Task<Outcome> ToolAsync(
        string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true,
                RedirectStandardError = true,
        };
        // It breaks the rclone of Debian 12 where it is set.
        start.Environment.Remove("AWS_CA_BUNDLE");
        foreach (var (name, value) in environment ?? new Dictionary<string, string>()) start.Environment[name] = value;
        return RunAsync(start);
    }

    private static async Task<Outcome> RunAsync(ProcessStartInfo start)
    {
        using var process = Begin(start);
        process.StandardInput.Close();
        using var limit = new CancellationTokenSource(Limit);
        var output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        var error = process.StandardError.ReadToEndAsync(CancellationToken.None);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException e)
        {
            process.Kill();
            throw new TimeoutException(
                $"{start.FileName} {string.Join(' ', start.ArgumentList)} did not end: {await output} {await error}",
                e);
        }
        return new Outcome(process.ExitCode, await output, await error);
    }

    public static Process Begin(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new InvalidOperationException(
                $"{start.FileName} can't be started ({e.Message}): run ./test, it installs what the tests need", e);
        }
    }
}
