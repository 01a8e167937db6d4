using System.Diagnostics;

namespace Virga.Testing.Servers;

/// <summary>
/// A real server that runs as long as this process wants it: a script of eng/servers with the verb <c>run</c>, which
/// prints KEY=VALUE lines and READY, and which stops its server and removes its folder when its standard input ends.
/// The kernel closes that pipe however this process ends, so that nothing is left running after a failure or Ctrl-C
/// either.
/// </summary>
public sealed class RealServer : IAsyncDisposable
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(30);

    private readonly Process process;
    private readonly Dictionary<string, string> values = new(StringComparer.Ordinal);

    private RealServer(Process process) => this.process = process;

    /// <summary>A value that the script printed.</summary>
    public string this[string key] => values.TryGetValue(key, out var value)
        ? value
        : throw new KeyNotFoundException($"the server printed no {key}, only {string.Join(", ", values.Keys)}");

    /// <summary>Starts one in a new folder below the temporary one.</summary>
    /// <param name="script">Name of a script in eng/servers.</param>
    /// <param name="cancellationToken">Stops it again.</param>
    public static async Task<RealServer> StartAsync(string script, CancellationToken cancellationToken = default)
    {
        var folder = Directory.CreateTempSubdirectory("virga-server-").FullName;
        var start = new ProcessStartInfo(Path.Combine(ProjectRoot(), "eng", "servers", script))
        {
            ArgumentList = { "run", folder },
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        var server = new RealServer(
            Process.Start(start) ?? throw new InvalidOperationException($"{script} did not start"));
        try
        {
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            timeout.CancelAfter(StartTimeout);
            await server.ReadValuesAsync(script, timeout.Token);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    private async Task ReadValuesAsync(string script, CancellationToken cancellationToken)
    {
        var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        while (await process.StandardOutput.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line == "READY") return;
            var at = line.IndexOf('=', StringComparison.Ordinal);
            if (at > 0) values[line[..at]] = line[(at + 1)..];
        }
        throw new InvalidOperationException(
            $"{script} did not start: {(await errors.WaitAsync(cancellationToken)).Trim()}");
    }

    public async ValueTask DisposeAsync()
    {
        process.StandardInput.Close();
        using var timeout = new CancellationTokenSource(StopTimeout);
        try
        {
            await process.WaitForExitAsync(timeout.Token);
        }
        finally
        {
            process.Dispose();
        }
    }

    private static string ProjectRoot()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
            if (File.Exists(Path.Combine(at.FullName, "Virga.slnx"))) return at.FullName;
        throw new InvalidOperationException($"no Virga.slnx above {AppContext.BaseDirectory}");
    }
}
