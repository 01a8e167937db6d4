using System.Diagnostics;
using System.Text.Json;
using Virga.Agent.Control;
using Virga.Core;

namespace Virga.Cli.Demo;

/// <summary>
/// A repository or an agent as a child process of the same executable. It ends when this process does, however that
/// ends: its standard input is a pipe that the system closes then.
/// </summary>
internal sealed class PeerProcess : IAsyncDisposable
{
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(5);

    private readonly Process process;
    private readonly Task logging;

    private PeerProcess(Process process, Task logging, PeerUp up)
    {
        this.process = process;
        this.logging = logging;
        Up = up;
        Control = new ControlClient(up.DataFolder);
    }

    public PeerUp Up { get; }

    public ControlClient Control { get; }

    /// <param name="name">For messages, and of its log file beside the data folder.</param>
    /// <param name="verb">up or repository.</param>
    public static async Task<PeerProcess> StartAsync(
        string name, string verb, string dataFolder, CancellationToken cancellationToken, params string[] arguments)
    {
        var (file, first) = Executable;
        var start = new ProcessStartInfo(
            file, [.. first, verb, "--json", "--verbose", "--until-input-ends", "--data", dataFolder, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        var process = Process.Start(start)
            ?? throw new VirgaException(FailureKind.Unavailable, $"the process of {name} could not be started");
        var logging = LogAsync(process, dataFolder + ".log");
        try
        {
            var line = await process.StandardOutput.ReadLineAsync(cancellationToken).AsTask()
                .WaitAsync(StartPatience, cancellationToken);
            var up = line is null || !line.StartsWith("{\"kind\"", StringComparison.Ordinal)
                ? null : JsonSerializer.Deserialize(line, CliJson.Default.PeerUp);
            if (up is not null) return new PeerProcess(process, logging, up);
            await logging;
            throw new VirgaException(
                FailureKind.Unavailable, $"{name} did not start: {File.ReadAllText(dataFolder + ".log").Trim()}", null);
        }
        catch (Exception e)
        {
            process.Kill();
            process.Dispose();
            if (e is not TimeoutException) throw;
            throw new VirgaException(
                FailureKind.Timeout, $"{name} did not start within {StartPatience.TotalSeconds} s", null, e);
        }
    }

    /// <summary>Closes its standard input, and kills it when it has not ended a while after.</summary>
    public async ValueTask DisposeAsync()
    {
        Control.Dispose();
        try
        {
            process.StandardInput.Close();
            await process.WaitForExitAsync().WaitAsync(StopPatience);
        }
        catch (Exception e) when (e is TimeoutException or IOException)
        {
            process.Kill();
        }
        await logging;
        process.Dispose();
    }

    private static (string File, string[] First) Executable
    {
        get
        {
            var self = Environment.ProcessPath ?? "virga";
            return Path.GetFileNameWithoutExtension(self) == "dotnet"
                ? (self, [Path.Combine(AppContext.BaseDirectory, "virga.dll")]) : (self, []);
        }
    }

    private static async Task LogAsync(Process process, string file)
    {
        await using var log = new FileStream(file, FileMode.Create, FileAccess.Write, FileShare.Read);
        await process.StandardError.BaseStream.CopyToAsync(log);
    }
}
