using System.CommandLine;
using System.CommandLine.Invocation;
using System.Text;
using Virga.Cli.Terminals;

namespace Virga.Cli;

/// <summary>
/// Writes the help of a command: usage, arguments, options, notes, examples. The same text is in
/// docs/reference/cli.md.
/// </summary>
internal sealed class HelpText(Terminal terminal) : SynchronousCommandLineAction
{
    private const int ColumnsMax = 100;

    /// <summary>Help wins over errors of the rest of the line.</summary>
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        var width = terminal.IsOutTerminal ? Math.Clamp(terminal.Width(), 40, ColumnsMax) : ColumnsMax;
        terminal.Out.Write(Of(parseResult.CommandResult.Command, width));
        return ExitCode.Ok;
    }

    public static string Of(Command command, int width = ColumnsMax)
    {
        var text = new StringBuilder();
        Wrap(text, command is RootCommand ? command.Description! : $"{NameOf(command)}: {command.Description}", 0,
            width);
        text.Append('\n').Append("Usage\n  ").Append(UsageOf(command)).Append('\n');
        Section(text, "Commands", [.. Visible(command.Subcommands).Select(c => (c.Name, c.Description ?? ""))], width);
        Section(text, "Arguments",
            [.. command.Arguments.Where(a => !a.Hidden).Select(a => (LabelOf(a), a.Description ?? ""))], width);
        Section(text, "Options", [.. command.Options.Where(o => !o.Hidden && !o.Recursive).Select(Row)], width);
        Section(text, "Options of every command", [.. Inherited(command).Select(Row)], width);
        if (command is RootCommand)
        {
            Section(text, "Exit codes", [.. ExitCode.All.Select(c => (c.Code.ToString(), c.Meaning))], width);
            text.Append("\nExample\n  $ virga demo\n  $ virga get --help\n");
        }
        if (command is not Verb verb) return text.ToString();
        foreach (var note in verb.Notes)
        {
            text.Append('\n');
            Wrap(text, note, 0, width);
        }
        text.Append(verb.Examples.Count == 1 ? "\nExample\n" : "\nExamples\n");
        foreach (var example in verb.Examples) text.Append("  $ ").Append(example).Append('\n');
        return text.ToString();
    }

    /// <summary>The words that call a command: <c>virga account add</c>.</summary>
    public static string NameOf(Command command)
    {
        var parent = command.Parents.OfType<Command>().FirstOrDefault();
        return parent is null ? "virga" : $"{NameOf(parent)} {command.Name}";
    }

    public static IEnumerable<Command> Visible(IEnumerable<Command> commands) => commands.Where(c => !c.Hidden);

    private static string UsageOf(Command command)
    {
        var usage = new StringBuilder(NameOf(command));
        if (Visible(command.Subcommands).Any())
            usage.Append(command is Verb { Action: not null } ? " [COMMAND]" : " COMMAND");
        foreach (var argument in command.Arguments.Where(a => !a.Hidden)) usage.Append(' ').Append(LabelOf(argument));
        return usage.Append(" [options]").ToString();
    }

    private static string LabelOf(Argument argument)
    {
        var label = argument.HelpName ?? argument.Name.ToUpperInvariant();
        if (argument.Arity.MaximumNumberOfValues > 1) label += " ...";
        return argument.Arity.MinimumNumberOfValues == 0 ? $"[{label}]" : label;
    }

    private static IEnumerable<Option> Inherited(Command command)
    {
        var root = command;
        while (root.Parents.OfType<Command>().FirstOrDefault() is { } parent) root = parent;
        return root.Options.Where(o => !o.Hidden && o.Recursive);
    }

    private static (string Label, string Text) Row(Option option)
    {
        var names = string.Join(
            ", ", option.Aliases.Where(a => a is ['-', not '?', ..]).Append(option.Name).Distinct());
        return (option.HelpName is { } value ? $"{names} {value}" : names, option.Description ?? "");
    }

    private static void Section(
        StringBuilder text, string title, IReadOnlyList<(string Label, string Text)> rows, int width)
    {
        if (rows.Count == 0) return;
        text.Append('\n').Append(title).Append('\n');
        var column = Math.Min(rows.Max(r => r.Label.Length), 26) + 4;
        foreach (var (label, words) in rows)
        {
            text.Append("  ").Append(label);
            if (label.Length + 4 > column) text.Append('\n').Append(' ', column);
            else text.Append(' ', column - label.Length - 2);
            Wrap(text, words, column, width, startsAt: column);
        }
    }

    private static void Wrap(StringBuilder text, string words, int indent, int width, int startsAt = 0)
    {
        var at = startsAt;
        var isFirst = true;
        foreach (var word in words.Split(' '))
        {
            if (!isFirst && at + 1 + word.Length > width)
            {
                text.Append('\n').Append(' ', indent);
                at = indent;
            }
            else if (!isFirst)
            {
                text.Append(' ');
                at++;
            }
            text.Append(word);
            at += word.Length;
            isFirst = false;
        }
        text.Append('\n');
    }
}
