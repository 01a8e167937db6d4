using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using Virga.Cli.Terminals;
using Virga.Core;

namespace Virga.Cli.Tests;

public sealed partial class QrCodeTests : IDisposable
{
    private static readonly AgentId bob = new(new Hash256([.. Enumerable.Range(2, 32).Select(i => (byte)(i * 7))]));
    private static readonly string address =
        $"{bob}@https://box.example.org:8470!{new Hash256([.. Enumerable.Range(0, 32).Select(i => (byte)i)])}";

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("virga-cli-");

    public void Dispose() => folder.Delete(recursive: true);

    [Fact]
    [Trait("Needs", "server")]
    public async Task Another_program_reads_the_address_from_the_png()
    {
        var run = await CodeAsync("--png", PathOf("a.png"));
        Assert.Equal(0, run.Exit);
        Assert.Equal(address, await ScanAsync(PathOf("a.png")));
        var again = await CodeAsync("--png", PathOf("a.png"));
        Assert.Equal(ExitCode.InTheWay, again.Exit);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Trait("Needs", "server")]
    public async Task Another_program_reads_the_address_off_a_dark_screen(bool isColored)
    {
        var run = await CodeAsync(
            new Setting { IsTerminal = true, Variables = { [isColored ? "TERM" : "NO_COLOR"] = "xterm" } }, "--qr");
        Assert.Equal(0, run.Exit);
        var lines = run.Out.Split('\n');
        Assert.Contains(address, lines);
        File.WriteAllText(PathOf("screen.pgm"), Photograph(lines.TakeWhile(line => line != address)));
        Assert.Equal(address, await ScanAsync(PathOf("screen.pgm")));
    }

    [Fact]
    public async Task The_svg_and_the_screen_show_the_same_modules_with_a_quiet_zone()
    {
        var code = new QrCode(address);
        Assert.InRange(code.Size, 29, 79);
        for (var i = 0; i < code.Size; i++)
            for (var edge = 0; edge < 4; edge++)
            {
                Assert.False(code.IsDark(edge, i) || code.IsDark(i, edge));
                Assert.False(code.IsDark(code.Size - 1 - edge, i) || code.IsDark(i, code.Size - 1 - edge));
            }
        Assert.True(code.IsDark(4, 4) && code.IsDark(4, 10) && !code.IsDark(5, 5));

        Assert.Equal(0, (await CodeAsync("--svg", PathOf("a.svg"))).Exit);
        var dark = new HashSet<(int, int)>();
        foreach (Match run in Stroke().Matches(File.ReadAllText(PathOf("a.svg"))))
            for (var i = 0; i < int.Parse(run.Groups[3].Value); i++)
                dark.Add((int.Parse(run.Groups[2].Value), int.Parse(run.Groups[1].Value) + i));
        for (var row = 0; row < code.Size; row++)
            for (var column = 0; column < code.Size; column++)
                Assert.Equal(code.IsDark(row, column), dark.Contains((row, column)));
    }

    [Fact]
    public async Task In_a_pipe_it_has_no_colours_and_json_holds_the_address()
    {
        var run = await CodeAsync("--qr");
        Assert.DoesNotContain('\e', run.Out);
        Assert.Contains("▀", run.Out, StringComparison.Ordinal);
        var words = string.Join(' ', FingerprintWords.Of(bob));
        Assert.EndsWith($"{address}\n{words}\n", run.Out, StringComparison.Ordinal);
        var json = await CodeAsync("--qr", "--json");
        Assert.Contains($"\"address\":\"{address}\"", json.Out, StringComparison.Ordinal);
    }

    /// <summary>What a camera sees; where no colours are set, the screen is dark.</summary>
    private static string Photograph(IEnumerable<string> lines)
    {
        const int pixels = 6;
        var rows = new List<string>();
        foreach (var line in lines)
        {
            // In colour blocks are black, on white.
            var isInk = line.StartsWith('\e');
            var blocks = Escape().Replace(line, "");
            foreach (var half in new[] { "▀█", "▄█" })
            {
                var row = string.Concat(blocks.Select(c => string.Concat(
                    Enumerable.Repeat(half.Contains(c) == isInk ? "0 " : "255 ", pixels))));
                for (var i = 0; i < pixels; i++) rows.Add(row);
            }
        }
        var width = rows[0].Count(c => c == ' ');
        return new StringBuilder($"P2\n{width} {rows.Count}\n255\n").AppendJoin('\n', rows).Append('\n').ToString();
    }

    private static async Task<string> ScanAsync(string picture)
    {
        const string tool = "/usr/bin/zbarimg";
        Assert.True(File.Exists(tool), "zbarimg is missing: run ./test, which installs it");
        var start = new ProcessStartInfo(tool, ["--quiet", "--raw", "--nodbus", picture])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"zbarimg: {await error}");
        return (await output).TrimEnd('\n');
    }

    private string PathOf(string name) => Path.Combine(folder.FullName, name);

    private Task<Run> CodeAsync(params string[] arguments) => CodeAsync(new Setting(), arguments);

    private static Task<Run> CodeAsync(Setting setting, params string[] arguments) =>
        Run.OfAsync(setting, ["trust", "code", address, .. arguments, "--data", "/nowhere/virga"]);

    [GeneratedRegex(@"M(\d+) (\d+)h(\d+)v1")]
    private static partial Regex Stroke();

    [GeneratedRegex(@"\e\[[0-9;]*m")]
    private static partial Regex Escape();
}
