using System.CommandLine;
using System.Text;

namespace Virga.Cli.Commands;

/// <summary>
/// The hidden command that writes docs/reference/cli.md, which a test compares with the help of every command.
/// </summary>
internal static class ReferenceCommand
{
    public static Command Create(GlobalOptions options)
    {
        var verb = new Verb("reference", "writes the reference of all commands as Markdown")
        {
            Hidden = true, Examples = { "./virga reference > docs/reference/cli.md" },
        };
        verb.Run(options, (run, _) =>
        {
            run.Terminal.Out.Write(Write(CommandLine.Build(options)));
            return Task.FromResult(ExitCode.Ok);
        });
        return verb;
    }

    public static string Write(RootCommand root)
    {
        var page = new StringBuilder("# Commands\nWritten by `./virga reference > docs/reference/cli.md`; "
            + "a test compares it with every command's `--help`. ")
            .Append("Exit codes: [exit-codes](exit-codes.md).\n");
        Append(page, root);
        return page.ToString();
    }

    private static void Append(StringBuilder page, Command command)
    {
        page.Append("\n## ").Append(HelpText.NameOf(command)).Append("\n```\n").Append(HelpText.Of(command)).Append(
            "```\n");
        foreach (var inner in HelpText.Visible(command.Subcommands)) Append(page, inner);
    }
}
