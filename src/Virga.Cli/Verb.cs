using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Virga.Agent;
using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Core;

namespace Virga.Cli;

/// <summary>A command with what its help needs beyond the parser's own: examples, and words of explanation.</summary>
internal sealed class Verb(string name, string description) : Command(name, description)
{
    /// <summary>Command lines that work as they stand, or with the obvious replaced.</summary>
    public List<string> Examples { get; } = [];

    /// <summary>Paragraphs between the options and the examples.</summary>
    public List<string> Notes { get; } = [];

    public void Run(GlobalOptions options, Func<Invocation, CancellationToken, Task<int>> body) =>
        SetAction((parsed, cancellationToken) => body(new Invocation(options, parsed), cancellationToken));
}

/// <summary>What every command knows.</summary>
internal sealed class GlobalOptions(Terminal terminal)
{
    public Terminal Terminal { get; } = terminal;

    /// <summary>Set while a shell asks for completions.</summary>
    public Completions? Completions { get; set; }

    public Option<string?> Data { get; } = new("--data")
    {
        HelpName = "DIR",
        Description =
            "data folder of the agent (default: $VIRGA_DATA, else $XDG_DATA_HOME/virga, else ~/.local/share/virga)",
        Recursive = true,
    };

    public Option<bool> Json { get; } = new("--json")
    {
        Description = "print the result as JSON, one object or list on one line",
        Recursive = true,
    };
}

/// <summary>One run of a command.</summary>
internal sealed class Invocation(GlobalOptions options, ParseResult parsed)
{
    public Terminal Terminal => options.Terminal;

    public ParseResult Parsed => parsed;

    public bool IsJson => parsed.GetValue(options.Json);

    /// <summary>Absolute; it need not exist.</summary>
    public string DataFolder => FolderOf(options, parsed);

    public static string FolderOf(GlobalOptions options, ParseResult parsed)
    {
        if (parsed.GetValue(options.Data) is not { } given) return DataFolders.Default(options.Terminal.Variable);
        return given.Length > 0 ? Path.GetFullPath(given) : throw new VirgaException(
            FailureKind.BadInput, "--data names no folder", "Give a folder, or leave the option out.");
    }

    public ControlClient OpenAgent() => new(DataFolder);

    /// <summary>
    /// The result, on standard output. Not made harmless: callers pass names through <see cref="Display.Safe"/>.
    /// </summary>
    public void Print(string line) => Terminal.Out.WriteLine(line);

    /// <summary>Words for people, on standard error; left out where JSON is asked for.</summary>
    public void Say(string line)
    {
        if (!IsJson) Terminal.Error.WriteLine(Terminal.Wrapped(line, indent: 2));
    }

    public void PrintJson<T>(T value, JsonTypeInfo<T> type) => Print(JsonSerializer.Serialize(value, type));

    /// <summary>Prints an error that an operation ended with; gives its exit code.</summary>
    public int Fail(ControlError error)
    {
        Failures.Print(Terminal, error.Message, error.Advice);
        return ExitCode.Of(error.Kind);
    }
}
