namespace Virga.Cli.Terminals;

/// <summary>
/// Where a command reads and writes. Results go to <see cref="Out"/>, so that they can be piped; progress, notes and
/// errors for people go to <see cref="Error"/>.
/// </summary>
internal sealed class Terminal
{
    public required TextWriter Out { get; init; }

    public required TextWriter Error { get; init; }

    public required TextReader In { get; init; }

    public bool IsOutTerminal { get; init; }

    public bool IsErrorTerminal { get; init; }

    public bool IsInTerminal { get; init; }

    /// <summary>Columns of the screen at the moment.</summary>
    public Func<int> Width { get; init; } = static () => 80;

    /// <summary>Reads one line without showing it; null at the end of input.</summary>
    public Func<string?> ReadHidden { get; init; } = static () => null;

    /// <summary>An environment variable; null when it is not set or empty.</summary>
    public Func<string, string?> Variable { get; init; } = static _ => null;

    /// <summary>Opens a link in the desktop's browser; false where that can't be.</summary>
    public Func<string, bool> OpenLink { get; init; } = static _ => false;

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public Paint Paint => new(IsErrorTerminal && HasColor);

    public Paint OutPaint => new(IsOutTerminal && HasColor);

    private bool HasColor => Variable("NO_COLOR") is null && Variable("TERM") is not "dumb";

    /// <summary>A line for people, on standard error: on a screen it is broken between words.</summary>
    public string Wrapped(string line, int indent) => Wrapped(line, indent, IsErrorTerminal);

    /// <summary>The same on standard output.</summary>
    public string OutWrapped(string line, int indent) => Wrapped(line, indent, IsOutTerminal);

    private string Wrapped(string line, int indent, bool isOnScreen) =>
        isOnScreen && !line.Contains('\n') ? Display.Wrap(line, Math.Max(40, Width()), indent) : line;

    public static Terminal OfProcess() => new()
    {
        Out = Console.Out,
        Error = Console.Error,
        In = Console.In,
        IsOutTerminal = !Console.IsOutputRedirected,
        IsErrorTerminal = !Console.IsErrorRedirected,
        IsInTerminal = !Console.IsInputRedirected,
        Width = ScreenWidth,
        ReadHidden = ReadKeysHidden,
        OpenLink = Desktop.TryOpen,
        Variable = static name => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null,
    };

    private static int ScreenWidth()
    {
        try
        {
            return Console.WindowWidth is var width and > 0 ? width : 80;
        }
        catch (IOException)
        {
            return 80;
        }
    }

    private static string? ReadKeysHidden()
    {
        var typed = new System.Text.StringBuilder();
        while (true)
        {
            var key = Console.ReadKey(intercept: true);
            switch (key.Key)
            {
                case ConsoleKey.Enter: return typed.ToString();
                case ConsoleKey.Backspace when typed.Length > 0: typed.Length--; break;
                case ConsoleKey.U when key.Modifiers == ConsoleModifiers.Control: typed.Clear(); break;
                case ConsoleKey.D when key.Modifiers == ConsoleModifiers.Control && typed.Length == 0: return null;
                default:
                    if (!char.IsControl(key.KeyChar)) typed.Append(key.KeyChar);
                    break;
            }
        }
    }
}

/// <summary>Colours where they are wanted, plain text elsewhere.</summary>
internal readonly record struct Paint(bool IsOn)
{
    public string Bold(string text) => Wrap("1", text);

    public string Dim(string text) => Wrap("2", text);

    public string Red(string text) => Wrap("31", text);

    public string Green(string text) => Wrap("32", text);

    public string Yellow(string text) => Wrap("33", text);

    public string Cyan(string text) => Wrap("36", text);

    private string Wrap(string code, string text) => IsOn && text.Length > 0 ? $"\e[{code}m{text}\e[0m" : text;
}
