using System.CommandLine;
using Virga.Cli;
using Virga.Cli.Commands;
using Virga.Cli.Terminals;

namespace Virga.House;

/// <summary>The command line is what its reference says.</summary>
public sealed class CommandTests
{
    [Fact]
    public void The_reference_is_the_help_of_every_command() => Assert.True(
        House.Read("docs/reference/cli.md") == ReferenceCommand.Write(Root()),
        "the help has changed: ./virga reference > docs/reference/cli.md");

    [Fact]
    public void Every_command_has_an_example() => House.AssertNone(
        AllOf(Root()).Where(c => c is not RootCommand && c is not Verb { Examples.Count: > 0 }).Select(HelpText.NameOf),
        "no example in the help of:");

    [Fact]
    public void Every_command_option_and_argument_is_described() => House.AssertNone(
        AllOf(Root()).SelectMany(c => c.Options.Cast<Symbol>().Concat(c.Arguments).Append(c)
            .Where(s => string.IsNullOrEmpty(s.Description)).Select(s => $"{HelpText.NameOf(c)} {s.Name}")),
        "no description of:");

    [Fact]
    public void Every_exit_code_is_in_its_table()
    {
        var page = House.Read("docs/reference/exit-codes.md");
        House.AssertNone(
            ExitCode.All.Select(c => $"| {c.Code} | {c.Meaning} |").Where(
                row => !page.Contains(row, StringComparison.Ordinal)),
            "missing in docs/reference/exit-codes.md:");
    }

    private static IEnumerable<Command> AllOf(Command command) =>
        command.Subcommands.SelectMany(AllOf).Prepend(command);

    private static RootCommand Root() => CommandLine.Build(new GlobalOptions(new Terminal
    {
        Out = TextWriter.Null, Error = TextWriter.Null, In = TextReader.Null,
    }));
}
