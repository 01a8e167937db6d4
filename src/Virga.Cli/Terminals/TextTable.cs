using System.Text;

namespace Virga.Cli.Terminals;

/// <summary>
/// Columns for people: aligned, without frames, so that they read well in a pipe too. Cells are made harmless.
/// </summary>
internal sealed class TextTable(params string[] heads)
{
    private readonly List<string[]> rows = [];

    public void Add(params string[] cells) => rows.Add([.. cells.Select(Display.Safe)]);

    /// <summary>Writes the table; a head that starts with '&gt;' is aligned to the right.</summary>
    public void Write(TextWriter writer, Paint paint, int indent = 0)
    {
        var names = heads.Select(h => h.TrimStart('>')).ToArray();
        var widths = names.Select(
            (h, i) => rows.Select(r => Display.Columns(r[i])).Append(Display.Columns(h)).Max()).ToArray();
        var margin = new string(' ', indent);
        writer.WriteLine(margin + paint.Dim(Line(names, widths)));
        foreach (var row in rows) writer.WriteLine(margin + Line(row, widths));
    }

    private string Line(string[] cells, int[] widths)
    {
        var line = new StringBuilder();
        for (var i = 0; i < cells.Length; i++)
        {
            var gap = widths[i] - Display.Columns(cells[i]);
            if (i > 0) line.Append("  ");
            if (heads[i].StartsWith('>')) line.Append(' ', gap).Append(cells[i]);
            else line.Append(cells[i]).Append(' ', i == cells.Length - 1 ? 0 : gap);
        }
        return line.ToString().TrimEnd();
    }
}
