using Virga.Cli.Terminals;

namespace Virga.Cli.Tests;

/// <summary>One run of the command line inside the test, with everything it wrote.</summary>
internal sealed record Run(int Exit, string Out, string Error)
{
    public static Task<Run> OfAsync(params string[] arguments) => OfAsync(new Setting(), arguments);

    public static async Task<Run> OfAsync(Setting setting, params string[] arguments)
    {
        var output = new WatchedWriter(setting.Printed);
        var error = new StringWriter();
        var terminal = new Terminal
        {
            Out = output,
            Error = error,
            In = new StringReader(setting.Input),
            IsErrorTerminal = setting.IsTerminal,
            IsOutTerminal = setting.IsTerminal,
            IsInTerminal = setting.Typed is not null,
            ReadHidden = () => setting.Typed,
            OpenLink = link =>
            {
                setting.Opened?.Invoke(link);
                return setting.Opened is not null;
            },
            Variable = name => setting.Variables.GetValueOrDefault(name),
        };
        var exit = await CommandLine.RunAsync(arguments, terminal, setting.Cancellation);
        return new Run(exit, output.ToString(), error.ToString());
    }
}

/// <summary>What surrounds a run.</summary>
internal sealed record Setting
{
    public string Input { get; init; } = "";

    /// <summary>What a person types when asked; null where nobody sits there.</summary>
    public string? Typed { get; init; }

    public bool IsTerminal { get; init; }

    public Dictionary<string, string> Variables { get; init; } = [];

    public CancellationToken Cancellation { get; init; }

    /// <summary>Told what a browser is to open; null where there is none.</summary>
    public Action<string>? Opened { get; init; }

    /// <summary>Told each line as it is printed.</summary>
    public Action<string>? Printed { get; init; }
}

/// <summary>Keeps what is written, and tells of each line.</summary>
internal sealed class WatchedWriter(Action<string>? printed) : StringWriter
{
    public override void WriteLine(string? value)
    {
        base.WriteLine(value);
        printed?.Invoke(value ?? "");
    }
}
