using System.CommandLine;
using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Core;

namespace Virga.Cli.Commands;

/// <summary><c>virga handover | takeover</c>: a transfer goes on at another agent of the same user.</summary>
internal static class HandoverCommands
{
    private const long FileBytesMax = 1L << 30;

    public static Command CreateHandover(GlobalOptions options)
    {
        var id = Arguments.Transfer(options, isOptional: false);
        var file = new Argument<string>("FILE") { Description = "where the transfer is written to; it must be new" };
        var key = new Option<string>("--for")
        {
            HelpName = "KEY", Description = "what `virga takeover --key` prints at the other agent", Required = true,
        };
        var verb = new Verb("handover", "stops a transfer here and writes it to a file, for another agent of yours")
        {
            Examples = { "virga handover 7f3a films.transfer --for age1..." },
            Notes =
            {
                "The other agent goes on from what is verified, by `virga takeover FILE`; it must have the account "
                    + "that the transfer writes to. This one does not go on with it any more. Only the other agent "
                    + "can open the file, which holds the link.",
            },
        };
        verb.Add(id);
        verb.Add(file);
        verb.Add(key);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var path = run.Parsed.GetRequiredValue(file);
            using var agent = run.OpenAgent();
            var found = await TransferCommands.FindAsync(agent, run.Parsed.GetRequiredValue(id)!, cancellationToken);
            // Before it is stopped: what can't be written is told while nothing has changed.
            await using var output = Create(path);
            try
            {
                var given = await agent.HandOverAsync(found.Id, run.Parsed.GetRequiredValue(key), cancellationToken);
                await output.WriteAsync(given.File, cancellationToken);
            }
            catch
            {
                File.Delete(path);
                throw;
            }
            run.Say($"it is in '{Display.Safe(path)}'; at the other agent: virga takeover FILE");
            return ExitCode.Ok;
        });
        return verb;
    }

    public static Command CreateTakeover(GlobalOptions options)
    {
        var file = new Argument<string?>("FILE")
        {
            Arity = ArgumentArity.ZeroOrOne, Description = "what `virga handover` wrote at the other agent",
        };
        var key = new Option<bool>("--key") { Description = "print the key that transfers are handed over to" };
        var account = new Option<string?>("--account")
        {
            HelpName = "NAME", Description = "this agent's name of the account that it writes to (default: the same)",
        };
        var detach = new Option<bool>("--detach", "-d") { Description = "do not wait for the end" };
        var verb = new Verb("takeover", "goes on with a transfer that another agent of yours has handed over")
        {
            Examples = { "virga takeover --key", "virga takeover films.transfer --account nas" },
        };
        foreach (var option in new Option[] { key, account, detach }) verb.Add(option);
        verb.Add(file);
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            if (run.Parsed.GetValue(key))
            {
                var own = await agent.HandoverKeyAsync(cancellationToken);
                if (run.IsJson) run.PrintJson(own, ControlJson.Default.HandoverKey);
                else run.Print(own.Key);
                return ExitCode.Ok;
            }
            var path = run.Parsed.GetValue(file) ?? throw new VirgaException(
                FailureKind.BadInput, "no file is named", "Name what `virga handover` wrote, or ask for --key.");
            var request = new TakeoverRequest(
                await ReadAsync(path, cancellationToken), run.Parsed.GetValue(account));
            var transfer = await agent.TakeOverAsync(request, cancellationToken);
            return await new TransferWatch(run, agent).ResumedAsync(
                transfer, run.Parsed.GetValue(detach), cancellationToken);
        });
        return verb;
    }

    private static FileStream Create(string path)
    {
        var how = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) how.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        try
        {
            return new FileStream(path, how);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"'{Display.Safe(path)}' can't be written: {e.Message}",
                "Name a file that isn't there yet, in a folder that you may write to.", e);
        }
    }

    private static async Task<byte[]> ReadAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            if (new FileInfo(path).Length <= FileBytesMax) return await File.ReadAllBytesAsync(path, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VirgaException(
                FailureKind.NotFound, $"'{Display.Safe(path)}' can't be read: {e.Message}",
                "Name what `virga handover` wrote.", e);
        }
        throw new VirgaException(FailureKind.BadInput, $"'{Display.Safe(path)}' is too long for a transfer");
    }
}
