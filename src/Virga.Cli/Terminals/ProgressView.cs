using System.Globalization;
using System.Text;

namespace Virga.Cli.Terminals;

/// <summary>What a bar shows.</summary>
/// <param name="Total">0 while it is not known: then no bar is drawn.</param>
/// <param name="BytesPerSecond">0 while it is not known.</param>
/// <param name="Status">One sentence below the bar.</param>
internal sealed record ProgressRow(string Name, long Done, long Total, double BytesPerSecond, string Status)
{
    public int Percent => Total <= 0 ? 0 : (int)Math.Clamp(Done * 100.0 / Total, 0, 100);

    public TimeSpan? Left => BytesPerSecond < 1 || Total <= Done
        ? null : TimeSpan.FromSeconds(Math.Min((Total - Done) / BytesPerSecond, 86400 * 99));
}

/// <summary>
/// Progress of one or several things on standard error: bars that are redrawn in place on a terminal; elsewhere a
/// plain line every five seconds, at every tenth, and when the status changes from waiting to running. One writer at
/// a time.
/// </summary>
internal sealed class ProgressView(Terminal terminal)
{
    private static readonly TimeSpan RedrawEvery = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LineEvery = TimeSpan.FromSeconds(5);

    private readonly Dictionary<string, (long At, int Tenth)> printed = new(StringComparer.Ordinal);
    private int drawnLines;
    private long? drawnAt;

    public void Show(params IReadOnlyList<ProgressRow> rows)
    {
        if (terminal.IsErrorTerminal) Redraw(rows);
        else foreach (var row in rows) PrintWhenDue(row);
    }

    /// <summary>Takes the bars away, so that a result can stand in their place.</summary>
    public void Clear()
    {
        if (drawnLines == 0) return;
        terminal.Error.Write($"\e[{drawnLines}A\r\e[J");
        terminal.Error.Flush();
        drawnLines = 0;
        drawnAt = null;
    }

    private void Redraw(IReadOnlyList<ProgressRow> rows)
    {
        if (drawnAt is { } before && terminal.Time.GetElapsedTime(before) < RedrawEvery) return;
        drawnAt = terminal.Time.GetTimestamp();
        var width = Math.Max(20, terminal.Width() - 1);
        var screen = new StringBuilder();
        if (drawnLines > 0) screen.Append(CultureInfo.InvariantCulture, $"\e[{drawnLines}A\r");
        drawnLines = 0;
        foreach (var row in rows)
        {
            screen.Append(Bar(row, width)).Append("\e[K\n");
            screen.Append(terminal.Paint.Dim(Display.Fit("  " + Display.Safe(row.Status), width))).Append("\e[K\n");
            drawnLines += 2;
        }
        screen.Append("\e[J");
        terminal.Error.Write(screen);
        terminal.Error.Flush();
    }

    private string Bar(ProgressRow row, int width)
    {
        var name = Display.Fit(Display.Safe(row.Name), Math.Max(8, width / 4));
        var figures = Figures(row);
        var room = Math.Min(40, width - Display.Columns(name) - figures.Length - 8);
        if (row.Total <= 0 || room < 8) return Display.Fit($"{name}  {figures}", width);
        var full = room * row.Percent / 100;
        var bar = terminal.Paint.Green(new string('━', full)) + terminal.Paint.Dim(new string('─', room - full));
        return $"{terminal.Paint.Bold(name)}  {bar}  {figures}";
    }

    private void PrintWhenDue(ProgressRow row)
    {
        var tenth = row.Percent / 10;
        var isNew = !printed.TryGetValue(row.Name, out var last);
        if (!isNew && tenth == last.Tenth && terminal.Time.GetElapsedTime(last.At) < LineEvery) return;
        printed[row.Name] = (terminal.Time.GetTimestamp(), tenth);
        var figures = Figures(row);
        terminal.Error.WriteLine(
            $"{Display.Safe(row.Name)}: {figures}{(figures.Length > 0 ? "; " : "")}{Display.Safe(row.Status)}");
    }

    private static string Figures(ProgressRow row)
    {
        var parts = new List<string>(4);
        if (row.Total > 0) parts.Add($"{row.Percent,3} %  {Display.Bytes(row.Done)} of {Display.Bytes(row.Total)}");
        else if (row.Done > 0) parts.Add(Display.Bytes(row.Done));
        if (row.BytesPerSecond >= 1) parts.Add(Display.Rate(row.BytesPerSecond));
        if (row.Left is { } left) parts.Add(Display.Duration(left) + " left");
        return string.Join("  ", parts).TrimStart();
    }
}

/// <summary>A rate over the last seconds, for operations that tell only how far they are.</summary>
internal sealed class RateMeter(TimeProvider time)
{
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(5);

    private readonly Queue<(long At, long Done)> samples = new();

    /// <summary>Notes how far it is; gives bytes a second, 0 while too little is known.</summary>
    public double Note(long done)
    {
        var now = time.GetTimestamp();
        samples.Enqueue((now, done));
        while (samples.Count > 2 && time.GetElapsedTime(samples.Peek().At, now) > Window) samples.Dequeue();
        var (at, first) = samples.Peek();
        var seconds = time.GetElapsedTime(at, now).TotalSeconds;
        return seconds < 0.2 ? 0 : (done - first) / seconds;
    }
}
