using System.CommandLine;
using System.Net;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Cli.Trust;
using Virga.Core;
using Virga.Core.Age;
using Virga.Core.Keys;
using Virga.Core.Merkle;
using Virga.Protocol;

namespace Virga.Cli.Commands;

/// <summary><c>virga doctor</c>: what is well, what isn't, and what to do about it.</summary>
internal static class DoctorCommand
{
    public static Command Create(GlobalOptions options)
    {
        var verb = new Verb("doctor", "checks this machine, the data folder, the agent, its repositories and accounts")
        {
            Examples = { "virga doctor" },
            Notes = { "Each line is ok or a problem with what to do. Exit code 1 when there is a problem." },
        };
        verb.Run(options, async (run, cancellationToken) =>
        {
            var findings = new List<Finding>();
            await foreach (var finding in ExamineAsync(run, cancellationToken))
            {
                findings.Add(finding);
                if (!run.IsJson) Show(run, finding);
            }
            if (run.IsJson) run.PrintJson(findings, CliJson.Default.ListFinding);
            var problems = findings.Count(f => !f.Ok);
            if (problems == 0) run.Say(run.Terminal.Paint.Green("all is well"));
            else run.Say(run.Terminal.Paint.Red(Display.Count(problems, "problem", "problems")));
            return problems == 0 ? ExitCode.Ok : ExitCode.Failed;
        });
        return verb;
    }

    private static async IAsyncEnumerable<Finding> ExamineAsync(
        Invocation run, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var processors = Display.Count(Environment.ProcessorCount, "processor", "processors");
        yield return new Finding(
            "runtime", true,
            $"{RuntimeInformation.FrameworkDescription} on {RuntimeInformation.RuntimeIdentifier}, {processors}", null);
        yield return Try("libcrypto", "Install OpenSSL 3: apt-get install libssl3, dnf install openssl-libs.", () =>
        {
            using var key = SigningKey.FromSeed(RandomNumberGenerator.GetBytes(SigningKey.SeedBytes));
            return OperatingSystem.IsLinux()
                ? $"OpenSSL {SafeEvpPKeyHandle.OpenSslVersion >> 28}, Ed25519 works"
                : "Ed25519 works";
        });
        yield return new Finding("hashing", true, LeafHasher.Kernel, null);
        foreach (var finding in DataFolderFindings(run.DataFolder)) yield return finding;

        using var agent = run.OpenAgent();
        var (status, found) = await AskAsync(
            "agent", () => agent.StatusAsync(cancellationToken),
            s => $"{s.Agent}, version {s.Version}, up {Display.Duration(TimeSpan.FromSeconds(s.UptimeSeconds))}");
        yield return found;
        if (status is null) yield break;
        await foreach (var finding in NetworkAsync(status, cancellationToken)) yield return finding;
        await foreach (var finding in LogsAsync(agent, cancellationToken)) yield return finding;
        await foreach (var finding in AccountsAsync(agent, cancellationToken)) yield return finding;
    }

    private static IEnumerable<Finding> DataFolderFindings(string folder)
    {
        const string what = "data folder";
        if (!Directory.Exists(folder))
        {
            yield return new Finding(what, true, $"{folder} is not there yet: `virga up` makes it", null);
            yield break;
        }
        var mode = OperatingSystem.IsWindows() ? UnixFileMode.UserRead : File.GetUnixFileMode(folder);
        var open = mode & (
            UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite);
        yield return open == 0
            ? new Finding(what, true, $"{folder}, open to its owner alone", null)
            : new Finding(
                what, false, $"{folder} can be read by other users", $"Its keys are in it: chmod 700 {folder}");
        yield return Try(
            "data folder is writable", "Give it to the user that runs virga, or name another with --data.", () =>
        {
            var probe = Path.Combine(folder, $"doctor-{Environment.ProcessId}");
            File.WriteAllText(probe, "");
            File.Delete(probe);
            return $"{Display.Bytes(new DriveInfo(folder).AvailableFreeSpace)} free";
        });
        if (System.Text.Encoding.UTF8.GetByteCount(Path.Combine(folder, ControlClient.SocketName)) > 107)
            yield return new Finding(what, false, "its path is too long for a socket in it",
                "Choose a data folder with a path of at most 90 bytes.");
    }

    private static async IAsyncEnumerable<Finding> NetworkAsync(
        AgentStatus status, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var key = SigningKey.FromSeed(RandomNumberGenerator.GetBytes(SigningKey.SeedBytes));
        var nobody = new PeerIdentity(default, key, new AgeIdentity(RandomNumberGenerator.GetBytes(X25519.KeyBytes)));
        using var http = new PeerHttp(TimeProvider.System, Adapters.SystemRandom);
        var own = Endpoint.FromUser(
            status.Certificate.Length > 0 ? $"{status.Endpoint}!{status.Certificate}" : status.Endpoint);
        yield return (await AskAsync(
            "endpoint", () => new RepositoryClient(http, own, nobody, () => []).GetPeerAsync(cancellationToken),
            peer => peer.Agent.ToString() != status.Agent
                ? throw new VirgaException(
                    FailureKind.Conflict, $"at {own.Origin} answers {peer.Agent}, not this agent",
                    "Look at --public-url and the forwarding of its port.")
                : IsLoopback(own.Url) ? $"{own.Origin} answers; it is for this machine alone"
                    : $"{own.Origin} answers")).Finding;
        if (status.Repositories.Count == 0)
            yield return new Finding(
                "repository", true, "none: shares are found by links with this agent's endpoint alone", null);
        foreach (var repository in status.Repositories)
        {
            var endpoint = Endpoint.FromUser(repository.Url);
            yield return (await AskAsync(
                "repository", () =>
                    new RepositoryClient(http, endpoint, nobody, () => []).GetPeerAsync(cancellationToken),
                peer => DescribeClock(endpoint, peer.Now - DateTimeOffset.UtcNow))).Finding;
            if (repository.Problem is { } problem)
                yield return new Finding("announces", false, $"{endpoint.Origin}: {problem}",
                    "The agent tries again by itself; links stay good where it can be reached.");
        }
    }

    private static async IAsyncEnumerable<Finding> LogsAsync(
        ControlClient agent, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (logs, found) = await AskAsync(
            "logs", () => agent.LogsAsync(cancellationToken),
            static l => $"{l.Count}");
        if (logs is null) yield return found;
        foreach (var log in logs ?? [])
        {
            var name = log.Name ?? Endpoint.FromUser(log.Endpoint).Origin;
            var size = log.Entries is { } entries ? $", {Display.Count(entries, "entry", "entries")}" : "";
            yield return LogCommands.Advice(log) is { } advice && log.State != "refused"
                ? new Finding("log", false, $"{name}: {LogCommands.State(log)}: {log.Problem}", advice)
                : new Finding("log", true, $"{name}: {LogCommands.State(log)}{size}", null);
        }
    }

    private static async IAsyncEnumerable<Finding> AccountsAsync(
        ControlClient agent, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (accounts, found) = await AskAsync(
            "accounts", () => agent.AccountsAsync(cancellationToken),
            a => a.Count == 0 ? "none yet: `virga account add nas disk:/srv/data`"
                : Display.Count(a.Count, "account", "accounts"));
        yield return found;
        foreach (var account in accounts ?? [])
        {
            yield return (await AskAsync(
                $"account {account.Name}", () => agent.CheckAccountAsync(account.Name, cancellationToken),
                check => check.Steps.FirstOrDefault(s => !s.Ok) is { } failed
                    ? throw new VirgaException(
                        FailureKind.Unavailable, $"{failed.Step} failed: {failed.Message}", failed.Advice)
                    : account.Address + (check.FreeBytes is { } free ? $", {Display.Bytes(free)} free" : ""))).Finding;
        }
    }

    private static string DescribeClock(Endpoint repository, TimeSpan ahead)
    {
        if (ahead.Duration() < TimeSpan.FromMinutes(1))
            return $"{repository.Origin} answers, its clock agrees with ours";
        var words = $"{Display.Duration(ahead.Duration())} {(ahead > TimeSpan.Zero ? "ahead of" : "behind")}";
        throw new VirgaException(
            FailureKind.ClockSkew, $"the clock of {repository.Origin} is {words} ours",
            "Set this machine's clock (timedatectl set-ntp true), or tell the repository's owner: "
                + "signed requests are refused.");
    }

    private static bool IsLoopback(Uri url) =>
        url.IsLoopback || (IPAddress.TryParse(url.Host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip));

    private static async Task<(T? Value, Finding Finding)> AskAsync<T>(
        string what, Func<Task<T>> ask, Func<T, string> describe)
        where T : class
    {
        try
        {
            var value = await ask();
            return (value, new Finding(what, true, describe(value), null));
        }
        catch (VirgaException e)
        {
            return (null, new Finding(what, false, e.Message, e.Advice));
        }
    }

    private static Finding Try(string what, string advice, Func<string> check)
    {
        try
        {
            return new Finding(what, true, check(), null);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return new Finding(what, false, e.Message, (e as VirgaException)?.Advice ?? advice);
        }
    }

    private static void Show(Invocation run, Finding finding)
    {
        var paint = run.Terminal.OutPaint;
        var mark = finding.Ok ? paint.Green("ok     ") : paint.Red("problem");
        run.Print($"{mark}  {finding.What}: {Display.Safe(finding.Message)}");
        if (finding.Advice is { } advice) run.Print($"         {Display.Safe(advice)}");
    }
}
