using System.Text.Json;
using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Core;

namespace Virga.Cli;

/// <summary>
/// How failures look: one line what was wrong, one line what to do. A stack trace only with VIRGA_DEBUG=1.
/// </summary>
internal static class Failures
{
    public static void Print(Terminal terminal, string message, string? advice)
    {
        const int afterName = 7;
        terminal.Error.WriteLine(
            terminal.Wrapped($"{terminal.Paint.Red("virga:")} {Display.Safe(message)}", afterName));
        if (!string.IsNullOrEmpty(advice))
            terminal.Error.WriteLine(terminal.Wrapped(new string(' ', afterName) + Display.Safe(advice), afterName));
    }

    /// <summary>Prints what was thrown; gives the exit code.</summary>
    public static int Print(Terminal terminal, Exception failure, bool isJson)
    {
        var isDebug = terminal.Variable("VIRGA_DEBUG") is "1";
        if (isDebug) terminal.Error.WriteLine(failure.ToString());
        var (kind, message, advice) = Describe(failure);
        if (failure is OperationCanceledException)
        {
            if (!isJson) terminal.Error.WriteLine("virga: interrupted");
            return ExitCode.Interrupted;
        }
        if (isJson)
        {
            var error = JsonSerializer.Serialize(
                new ControlError(kind, message, advice), ControlJson.Default.ControlError);
            terminal.Out.WriteLine($$"""{"error":{{error}}}""");
        }
        Print(terminal, message, advice);
        return ExitCode.Of(kind);
    }

    private static (string Kind, string Message, string? Advice) Describe(Exception failure) => failure switch
    {
        VirgaException e => (e.Kind.ToString(), e.Message, e.Advice),
        UnauthorizedAccessException e =>
            (nameof(FailureKind.Denied), e.Message, "Look at the permissions, or use another place."),
        FileNotFoundException or DirectoryNotFoundException => (nameof(FailureKind.NotFound), failure.Message, null),
        IOException e => ("Io", e.Message, "Look at the disk and the permissions, then try again."),
        _ => ("Bug", $"this should not have happened: {failure.Message}",
            "Run it again with VIRGA_DEBUG=1 and report what it prints."),
    };
}
