using System.Diagnostics;
using System.Text;
using Virga.Core;

namespace Virga.Accounts.Adapters.Rclone;

/// <summary>
/// A running `rclone rcd`. Its user and password are random and go by its environment, which only this user can read.
/// It hangs on a pipe from us: however we end, the pipe ends, and a shell beside it ends rclone. It is in a session of
/// its own, so that Ctrl-C in a terminal leaves it to us when to stop it.
/// </summary>
internal sealed class RcloneProcess : IAsyncDisposable
{
    internal const string Script = """
        exec 3<&0
        if command -v setsid >/dev/null 2>&1
        then setsid "$0" "$@" </dev/null 3<&- &
        else "$0" "$@" </dev/null 3<&- &
        fi
        child=$!
        ( while read -r line; do :; done <&3; kill "$child" 2>/dev/null ) >/dev/null 2>&1 &
        watcher=$!
        wait "$child"; code=$?
        kill "$watcher" 2>/dev/null
        exit "$code"
        """;

    private const string AddressMark = "Serving remote control on ";
    private const int SecretBytes = 24, LinesKeptMax = 3;
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(30), StopTimeout = TimeSpan.FromSeconds(10),
        EndTimeout = TimeSpan.FromSeconds(1);

    private readonly Process process;
    private readonly AdapterServices services;
    private readonly TaskCompletionSource<Uri> address = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Queue<string> lastLines = new();

    private RcloneProcess(Process process, AdapterServices services, string user, string password)
    {
        (this.process, this.services) = (process, services);
        Authorization = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}"));
    }

    public Uri Address { get; private set; } = new("http://127.0.0.1/");

    /// <summary>For a Basic header.</summary>
    public string Authorization { get; }

    public bool HasExited => process.HasExited;

    public int ProcessId => process.Id;

    public static async Task<RcloneProcess> StartAsync(
        RcloneSettings settings, AdapterServices services, CancellationToken cancellationToken)
    {
        if (FindBinary(settings.Binary) is not { } binary)
        {
            throw new VirgaException(
                FailureKind.Unsupported,
                $"there is no program '{settings.Binary}'",
                "Install rclone (rclone.org), or set binary to where it is.");
        }
        var (user, password) = (services.RandomHex(SecretBytes), services.RandomHex(SecretBytes));
        var start = new ProcessStartInfo("/bin/sh")
        {
            ArgumentList =
            {
                "-c",
                Script,
                binary,
                "rcd",
                "--rc-addr=127.0.0.1:0",
                "--rc-serve",
                "--log-level=NOTICE",
                "--log-format=",
                // Trying again and again is the work of the retry decorator, which the user sees.
                "--low-level-retries=2", "--contimeout=20s",
            },
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        SetEnvironment(start.Environment, settings, user, password);
        var running = new RcloneProcess(
            Process.Start(start) ?? throw new VirgaException(FailureKind.Unavailable, "rclone could not be started"),
            services,
            user,
            password);
        try
        {
            await running.WaitUntilServingAsync(cancellationToken);
            return running;
        }
        catch
        {
            await running.DisposeAsync();
            throw;
        }
    }

    private static void SetEnvironment(
        IDictionary<string, string?> environment, RcloneSettings settings, string user, string password)
    {
        var given = environment.Keys.Where(k => k.StartsWith("RCLONE_RC_", StringComparison.Ordinal));
        foreach (var name in given.ToArray()) environment.Remove(name);
        // rclone 1.60 fails on S3 remotes where it is set.
        environment.Remove("AWS_CA_BUNDLE");
        environment["RCLONE_RC_USER"] = user;
        environment["RCLONE_RC_PASS"] = password;
        environment["RCLONE_ASK_PASSWORD"] = "false";
        if (settings.Config is { } config) environment["RCLONE_CONFIG"] = config;
        if (settings.ConfigPass is { } pass) environment["RCLONE_CONFIG_PASS"] = pass;
    }

    private async Task WaitUntilServingAsync(CancellationToken cancellationToken)
    {
        _ = ReadLinesAsync(process.StandardError);
        _ = ReadLinesAsync(process.StandardOutput);
        try
        {
            Address = await address.Task.WaitAsync(StartTimeout, services.Clock, cancellationToken);
        }
        catch (TimeoutException)
        {
            throw new VirgaException(
                FailureKind.Timeout,
                $"rclone did not start within {StartTimeout.TotalSeconds:0} seconds: {LastWords()}");
        }
    }

    private async Task ReadLinesAsync(StreamReader reader)
    {
        while (await reader.ReadLineAsync(CancellationToken.None) is { } line)
        {
            lock (lastLines)
            {
                lastLines.Enqueue(line);
                if (lastLines.Count > LinesKeptMax) lastLines.Dequeue();
            }
            var at = line.IndexOf(AddressMark, StringComparison.Ordinal);
            if (at >= 0 && Uri.TryCreate(line[(at + AddressMark.Length)..].Trim(), UriKind.Absolute, out var uri))
                address.TrySetResult(uri);
        }
        address.TrySetException(RcloneFailures.Map("start rclone", LastWords(), 0));
    }

    /// <summary>Once it has ended: why, as far as rclone said; null while it runs.</summary>
    public async ValueTask<string?> WhyEndedAsync()
    {
        try
        {
            await process.WaitForExitAsync(CancellationToken.None).WaitAsync(
                EndTimeout, services.Clock, CancellationToken.None);
            return LastWords();
        }
        catch (TimeoutException)
        {
            return null;
        }
    }

    private string LastWords()
    {
        lock (lastLines) return string.Join(' ', lastLines.Select(l => l.Trim()));
    }

    private static string? FindBinary(string name)
    {
        if (name.Contains('/', StringComparison.Ordinal)) return File.Exists(name) ? name : null;
        return (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
    }

    public async ValueTask DisposeAsync()
    {
        process.StandardInput.Close();
        try
        {
            await process.WaitForExitAsync(CancellationToken.None).WaitAsync(
                StopTimeout, services.Clock, CancellationToken.None);
        }
        catch (TimeoutException)
        {
            process.Kill(entireProcessTree: true);
        }
        process.Dispose();
    }
}
