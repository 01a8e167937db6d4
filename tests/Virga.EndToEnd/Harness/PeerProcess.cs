using System.Diagnostics;
using System.Text.Json;
using Virga.Agent.Control;

namespace Virga.EndToEnd.Harness;

/// <summary>
/// An agent or a repository as a process of its own. It ends with this process, however this one ends, since its
/// standard input then closes; its log goes to a file.
/// </summary>
internal sealed class PeerProcess : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(30);

    private readonly Process process;
    private readonly Task logging;
    private bool hasEnded;

    private PeerProcess(Process process, string dataFolder, string log)
    {
        this.process = process;
        DataFolder = dataFolder;
        Log = log;
        Control = new ControlClient(dataFolder);
        logging = Task.Run(CopyLogAsync);
    }

    public string DataFolder { get; }

    /// <summary>The process's id, also where a prefix stands before its command.</summary>
    public int ProcessId => process.Id;

    /// <summary>Everything that it wrote to standard error, over all its lives.</summary>
    public string Log { get; }

    public ControlClient Control { get; }

    public string Id { get; private set; } = "";

    /// <summary>URL!certificate.</summary>
    public string Endpoint { get; private set; } = "";

    /// <summary>Starts it and waits until it answers. What it says instead of coming up is in the exception.</summary>
    public static async Task<PeerProcess> StartAsync(
        string dataFolder, string log, IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string>? environment = null, IReadOnlyList<string>? prefix = null)
    {
        var start = Executable.Start(
            [.. arguments, "--json", "--verbose", "--until-input-ends", "--data", dataFolder], prefix);
        foreach (var (name, value) in environment ?? new Dictionary<string, string>()) start.Environment[name] = value;
        var peer = new PeerProcess(Executable.Begin(start), dataFolder, log);
        try
        {
            await peer.WaitUpAsync();
            return peer;
        }
        catch
        {
            await peer.DisposeAsync();
            throw;
        }
    }

    public string ReadLog() => File.Exists(Log) ? File.ReadAllText(Log) : "";

    /// <summary>SIGKILL, now: callable from where the bytes pass.</summary>
    public void Kill()
    {
        try
        {
            process.Kill();
        }
        catch (InvalidOperationException)
        {
        }
    }

    public async Task WaitEndedAsync()
    {
        using var limit = new CancellationTokenSource(StopLimit);
        await process.WaitForExitAsync(limit.Token);
        await logging;
        hasEnded = true;
    }

    /// <summary>Stops gracefully; the exit code.</summary>
    public async Task<int> StopAsync()
    {
        process.StandardInput.Close();
        await WaitEndedAsync();
        return process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        Control.Dispose();
        if (!hasEnded)
        {
            try
            {
                await StopAsync();
            }
            catch (OperationCanceledException)
            {
                Kill();
                await process.WaitForExitAsync();
            }
        }
        process.Dispose();
    }

    private async Task WaitUpAsync()
    {
        using var limit = new CancellationTokenSource(StartLimit);
        var line = await process.StandardOutput.ReadLineAsync(limit.Token);
        if (line is null || !line.Contains("\"endpoint\"", StringComparison.Ordinal))
        {
            await WaitEndedAsync();
            throw new InvalidOperationException(
                $"the peer on {DataFolder} did not come up: exit code {process.ExitCode}, {line}\n{ReadLog()}");
        }
        using var json = JsonDocument.Parse(line);
        Id = json.RootElement.GetProperty("id").GetString()!;
        Endpoint = json.RootElement.GetProperty("endpoint").GetString()!;
    }

    private async Task CopyLogAsync()
    {
        await using var file =
            new FileStream(Log, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        await process.StandardError.BaseStream.CopyToAsync(file);
    }
}
