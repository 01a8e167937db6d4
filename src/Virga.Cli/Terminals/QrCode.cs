using System.Globalization;
using System.Text;
using QRCoder;

namespace Virga.Cli.Terminals;

/// <summary>
/// A text as a QR code (ISO/IEC 18004), with error correction of level M and the quiet zone of four modules that
/// readers need.
/// </summary>
internal sealed class QrCode
{
    private const int QuietModules = 4;
    private const int PixelsPerModule = 8;

    // The exact colours: those that a theme calls black and white may have too little between them.
    private const string BlackOnWhite = "\e[38;5;16;48;5;231m";
    private const string Plain = "\e[0m";

    private readonly QRCodeData data;
    private readonly int quietOfData;

    public QrCode(string text)
    {
        data = QRCodeGenerator.GenerateQrCode(text, QRCodeGenerator.ECCLevel.M);
        // The matrix comes with a quiet zone, whose width is not promised.
        quietOfData = data.ModuleMatrix.FindIndex(row => row.Cast<bool>().Any(isDark => isDark));
        Size = data.ModuleMatrix.Count - (2 * quietOfData) + (2 * QuietModules);
    }

    /// <summary>Modules of each side, with the quiet zone.</summary>
    public int Size { get; }

    public bool IsDark(int row, int column)
    {
        var (y, x) = (row - QuietModules + quietOfData, column - QuietModules + quietOfData);
        return y >= 0 && x >= 0 && y < data.ModuleMatrix.Count && x < data.ModuleMatrix.Count
            && data.ModuleMatrix[y][x];
    }

    /// <summary>
    /// Half blocks, two modules high and one wide. In colour dark modules are black on white, whatever the terminal
    /// looks like; without, light modules are drawn, as it takes on a dark screen.
    /// </summary>
    public IEnumerable<string> Lines(bool isColored)
    {
        for (var row = 0; row < Size; row += 2)
        {
            var line = new StringBuilder(Size);
            for (var column = 0; column < Size; column++)
            {
                var (upper, lower) = (IsDark(row, column) == isColored, IsDark(row + 1, column) == isColored);
                line.Append((upper, lower) switch
                {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    _ => ' ',
                });
            }
            yield return isColored ? BlackOnWhite + line + Plain : line.ToString();
        }
    }

    public string ToSvg()
    {
        var pixels = Size * PixelsPerModule;
        var svg = new StringBuilder(string.Create(CultureInfo.InvariantCulture, $"""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Size} {Size}" width="{pixels}" height="{pixels}">
            <rect width="100%" height="100%" fill="#fff"/>
            <path shape-rendering="crispEdges" d="
            """));
        for (var row = 0; row < Size; row++)
        {
            for (var column = 0; column < Size; column++)
            {
                var first = column;
                while (column < Size && IsDark(row, column)) column++;
                if (column > first)
                    svg.Append(CultureInfo.InvariantCulture, $"M{first} {row}h{column - first}v1h-{column - first}z");
            }
        }
        return svg.Append("\"/>\n</svg>\n").ToString();
    }

    public byte[] ToPng() => new PngByteQRCode(data).GetGraphic(PixelsPerModule, drawQuietZones: true);
}
