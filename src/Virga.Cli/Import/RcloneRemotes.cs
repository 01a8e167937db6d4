using System.Diagnostics;
using System.Text.Json;
using Virga.Core;

namespace Virga.Cli.Import;

/// <summary>One remote as rclone's configuration has it. What it holds may be secret.</summary>
internal sealed record RcloneRemote(string Name, string Type, IReadOnlyDictionary<string, string> Values)
{
    public string? this[string name] =>
        Values.TryGetValue(name, out var value) && value.Length > 0 ? value : null;

    /// <summary>Names the remote alone.</summary>
    public override string ToString() => $"{Name} ({Type})";
}

/// <summary>Reads rclone's configuration by rclone itself, which also opens an encrypted one.</summary>
internal static class RcloneRemotes
{
    private const string EncryptedMark = "RCLONE_ENCRYPT_V";
    private const int HeadBytes = 4096;

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    /// <summary>Where rclone has its configuration.</summary>
    public static async Task<string> FindAsync(string binary, CancellationToken cancellationToken)
    {
        var (_, output) = await RunAsync(binary, ["config", "file"], [], cancellationToken);
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .LastOrDefault(line => line.StartsWith('/')) ?? throw new VirgaException(
                FailureKind.NotFound, "rclone does not say where its configuration is",
                "Name the file: virga account import FILE");
    }

    public static async Task<bool> IsEncryptedAsync(string file, CancellationToken cancellationToken)
    {
        try
        {
            await using var stream = File.OpenRead(file);
            var head = new byte[HeadBytes];
            var count = await stream.ReadAtLeastAsync(head, head.Length, throwOnEndOfStream: false, cancellationToken);
            return System.Text.Encoding.Latin1.GetString(head, 0, count)
                .Contains(EncryptedMark, StringComparison.Ordinal);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new VirgaException(
                FailureKind.NotFound, $"there is no rclone configuration '{file}'",
                "Name the right file, or make one with `rclone config`.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VirgaException(
                FailureKind.Denied, $"not allowed to read '{file}'", "Run this as the user it belongs to.", e);
        }
    }

    /// <param name="password">Of an encrypted configuration; goes to rclone by its environment.</param>
    public static async Task<IReadOnlyList<RcloneRemote>> ReadAsync(
        string binary, string file, string? password, CancellationToken cancellationToken)
    {
        List<KeyValuePair<string, string>> environment =
            [new("RCLONE_CONFIG", file), new("RCLONE_ASK_PASSWORD", "false")];
        if (password is not null) environment.Add(new("RCLONE_CONFIG_PASS", password));
        var (exit, output) = await RunAsync(binary, ["config", "dump"], environment, cancellationToken);
        if (exit != 0)
        {
            throw password is not null
                ? new VirgaException(
                    FailureKind.Unauthenticated, $"rclone can't open '{file}' with this password",
                    "Type the password that `rclone config` asks for.")
                : new VirgaException(
                    FailureKind.BadInput, $"rclone can't read '{file}'", "See what it says: rclone config dump");
        }
        return Parse(output, file);
    }

    private static List<RcloneRemote> Parse(string json, string file)
    {
        try
        {
            var remotes = new List<RcloneRemote>();
            using var document = JsonDocument.Parse(json);
            foreach (var remote in document.RootElement.EnumerateObject())
            {
                var values = remote.Value.EnumerateObject().ToDictionary(
                    p => p.Name, p => p.Value.ToString(), StringComparer.Ordinal);
                remotes.Add(new RcloneRemote(remote.Name, values.GetValueOrDefault("type") ?? "", values));
            }
            return remotes;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"what rclone tells of '{file}' can't be read", "Is it rclone 1.60 or newer?", e);
        }
    }

    private static async Task<(int Exit, string Output)> RunAsync(
        string binary, IEnumerable<string> arguments, IEnumerable<KeyValuePair<string, string>> environment,
        CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(binary, arguments)
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment) start.Environment[name] = value;
        try
        {
            using var process = Process.Start(start)!;
            process.StandardInput.Close();
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(Timeout);
            try
            {
                // What it complains of may name what is secret: it is read, so that it isn't held up, and dropped.
                var complaints = process.StandardError.ReadToEndAsync(limit.Token);
                var output = await process.StandardOutput.ReadToEndAsync(limit.Token);
                await complaints;
                await process.WaitForExitAsync(limit.Token);
                return (process.ExitCode, output);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                cancellationToken.ThrowIfCancellationRequested();
                throw new VirgaException(
                    FailureKind.Timeout, "rclone does not answer", "See what it does: rclone config dump");
            }
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new VirgaException(
                FailureKind.Unsupported, $"there is no program '{binary}'",
                "Install rclone (rclone.org), or name it with --rclone-binary.", e);
        }
    }
}
