using System.CommandLine;
using System.CommandLine.Help;
using Virga.Cli.Commands;
using Virga.Cli.Terminals;
using Virga.Cli.Trust;

namespace Virga.Cli;

/// <summary>The command line of the one executable: the tree of commands, and how a run of it ends.</summary>
internal static class CommandLine
{
    public static async Task<int> RunAsync(
        IReadOnlyList<string> arguments, Terminal terminal, CancellationToken cancellationToken)
    {
        var options = new GlobalOptions(terminal);
        var root = Build(options);
        var parsed = root.Parse(arguments);
        if (parsed.Errors.Count > 0 && parsed.Action is not HelpText) return Refuse(terminal, root, parsed, arguments);
        try
        {
            return await parsed.InvokeAsync(
                new InvocationConfiguration
                {
                    EnableDefaultExceptionHandler = false,
                    ProcessTerminationTimeout = null,
                    Output = terminal.Out,
                    Error = terminal.Error,
                },
                cancellationToken);
        }
        catch (Exception e)
        {
            return Failures.Print(terminal, e, parsed.GetValue(options.Json));
        }
    }

    public static RootCommand Build(GlobalOptions options)
    {
        var root = new RootCommand(
            "Virga moves people's data from cloud to cloud, peer to peer, without passing through anyone's home.")
        {
            UpCommand.Create(options),
            IdCommand.Create(options),
            PageCommand.Create(options),
            AccountCommands.Create(options),
            KeyCommands.Create(options),
            BackupCommands.CreateBackup(options),
            BackupCommands.CreateRestore(options),
            ShareCommands.Create(options),
            ShareCommands.CreateList(options),
            ShareCommands.CreateRemove(options),
            ContentsCommand.Create(options),
            PlanCommand.Create(options),
            GetCommand.Create(options),
            TorrentCommands.Create(options),
            TransferCommands.CreateList(options),
            TransferCommands.CreateWatch(options),
            TransferCommands.CreatePause(options),
            TransferCommands.CreateResume(options),
            TransferCommands.CreateCancel(options),
            TransferCommands.CreatePriority(options),
            TransferCommands.CreateLimit(options),
            HandoverCommands.CreateHandover(options),
            HandoverCommands.CreateTakeover(options),
            LimitCommands.Create(options),
            PricesCommand.Create(options),
            WebhookCommands.Create(options),
            TokenCommands.Create(options),
            ListCommand.Create(options),
            VerifyCommand.Create(options),
            TrustCommands.Create(options),
            RepositoryCommand.Create(options),
            DemoCommand.Create(options),
            DoctorCommand.Create(options),
            CompletionCommand.Create(options),
            CompletionCommand.CreateAnswer(options),
            ReferenceCommand.Create(options),
        };
        root.Options.Add(options.Data);
        root.Options.Add(options.Json);
        root.Directives.Clear();
        foreach (var option in root.Options)
        {
            if (option is HelpOption)
            {
                option.Action = new HelpText(options.Terminal);
                option.Description = "show this help, or that of a command";
            }
            else if (option is VersionOption)
            {
                option.Description = "show the version";
            }
        }
        root.SetAction(parsed =>
        {
            options.Terminal.Error.Write(HelpText.Of(parsed.CommandResult.Command));
            return ExitCode.Usage;
        });
        return root;
    }

    private static int Refuse(Terminal terminal, RootCommand root, ParseResult parsed, IReadOnlyList<string> arguments)
    {
        var command = parsed.CommandResult.Command;
        var advice = $"See `{HelpText.NameOf(command)} --help`.";
        if (ReferenceEquals(command, root) && arguments.FirstOrDefault(a => !a.StartsWith('-')) is { } word)
        {
            var near = HelpText.Visible(root.Subcommands).Select(c => c.Name).OrderBy(n => Distance(n, word)).First();
            var hint = Distance(near, word) <= 2 ? $"Did you mean `virga {near}`? " : "";
            Failures.Print(terminal, $"there is no command '{word}'", hint + "See `virga --help`.");
            return ExitCode.Usage;
        }
        var message = parsed.Errors[0].Message.TrimEnd('.');
        Failures.Print(
            terminal, message.Length > 0 ? char.ToLowerInvariant(message[0]) + message[1..] : "wrong usage", advice);
        return ExitCode.Usage;
    }

    /// <summary>Levenshtein distance: how many letters were mistyped.</summary>
    private static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var above = row[j];
                row[j] = Math.Min(Math.Min(row[j] + 1, row[j - 1] + 1), diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }
        return row[b.Length];
    }
}
