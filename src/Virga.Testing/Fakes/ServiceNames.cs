using System.Diagnostics;
using System.Text;

namespace Virga.Testing.Fakes;

/// <summary>What a program printed, and how it ended.</summary>
public sealed record ProgramRun(int ExitCode, string Output, string Errors)
{
    /// <summary>For a test's message.</summary>
    public override string ToString() => $"exit code {ExitCode}\n{Output}\n{Errors}";
}

/// <summary>
/// Runs programs that we did not write, unchanged, in a network and mount namespace of their own, where the real host
/// names of services lead to fakes and to nowhere else: no packet of theirs leaves this machine. The private authority
/// is handed to them by SSL_CERT_FILE. Root isn't needed where user namespaces are allowed.
/// </summary>
public static class ServiceNames
{
    private const string Script = "eng/servers/with-names.sh";

    /// <summary>Starts a program for which the fake's host names are the fake.</summary>
    public static Process Start(
        FakeService fake, IReadOnlyDictionary<string, string> environment, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(ProjectRoot(), Script))
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        start.ArgumentList.Add(fake.SocketPath);
        // A hosts file knows no wildcards: a name below one is "any" here.
        start.ArgumentList.Add(
            string.Join(' ', fake.Hosts.Select(host => host.Replace("*.", "any.", StringComparison.Ordinal))));
        start.ArgumentList.Add(program);
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        foreach (var (name, value) in environment) start.Environment[name] = value;
        start.Environment["SSL_CERT_FILE"] = fake.AuthorityPath;
        // It breaks rclone 1.60 where it is set.
        start.Environment.Remove("AWS_CA_BUNDLE");
        return Process.Start(start) ?? throw new InvalidOperationException($"{Script} did not start");
    }

    public static async Task<ProgramRun> RunAsync(
        FakeService fake,
        IReadOnlyDictionary<string, string> environment,
        string program,
        string[] arguments,
        CancellationToken cancellationToken)
    {
        using var process = Start(fake, environment, program, arguments);
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        var errors = process.StandardError.ReadToEndAsync(cancellationToken);
        try
        {
            await process.WaitForExitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
        return new ProgramRun(process.ExitCode, await output, await errors);
    }

    private static string ProjectRoot()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
            if (File.Exists(Path.Combine(at.FullName, "Virga.slnx"))) return at.FullName;
        throw new InvalidOperationException($"no Virga.slnx above {AppContext.BaseDirectory}");
    }
}
