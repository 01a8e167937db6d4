using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging;

namespace Virga.Hosting;

/// <summary>
/// One line a message, <c>2026-01-31T12:00:00Z warn virga.repository: text</c>, to a writer that the command line
/// gives. The framework's own messages appear from Warning on. Line breaks in messages are escaped, so that nobody can
/// forge a line.
/// </summary>
public sealed class LineLogger(TextWriter output, LogLevel level, TimeProvider time) : ILoggerProvider
{
    private readonly Lock gate = new();

    public ILogger CreateLogger(string categoryName) => new CategoryLogger(this, categoryName);

    public void Dispose()
    {
    }

    private void Write(LogLevel messageLevel, string category, string message, Exception? exception)
    {
        var line = new StringBuilder(64 + message.Length);
        line.Append(time.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)).Append(' ')
            .Append(NameOf(messageLevel)).Append(' ').Append(category).Append(": ");
        AppendEscaped(line, message);
        if (exception is not null) AppendEscaped(line.Append(" | "), exception.ToString());
        lock (gate) output.WriteLine(line);
    }

    private static void AppendEscaped(StringBuilder line, string text)
    {
        foreach (var c in text)
        {
            if (!char.IsControl(c)) line.Append(c);
            else if (c == '\n') line.Append(" \\n");
            else line.Append(' ');
        }
    }

    private static string NameOf(LogLevel level) => level switch
    {
        LogLevel.Trace => "trace",
        LogLevel.Debug => "debug",
        LogLevel.Information => "info",
        LogLevel.Warning => "warn",
        LogLevel.Error => "error",
        _ => "fatal",
    };

    private sealed class CategoryLogger(LineLogger owner, string category) : ILogger
    {
        private readonly LogLevel least = category.StartsWith("Virga", StringComparison.Ordinal)
            || owner.MinLevel > LogLevel.Warning
            ? owner.MinLevel
            : LogLevel.Warning;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= least && logLevel != LogLevel.None;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel)) owner.Write(logLevel, category, formatter(state, exception), exception);
        }
    }

    private LogLevel MinLevel => level;
}
