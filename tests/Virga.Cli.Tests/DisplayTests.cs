using Virga.Cli.Terminals;
using Virga.Testing;

namespace Virga.Cli.Tests;

public sealed class DisplayTests
{
    [Theory]
    [InlineData("plain name.txt", "plain name.txt")]
    [InlineData("日本 ñ 🙂", "日本 ñ 🙂")]
    [InlineData("a\nb\tc\r", "a\\nb\\tc\\r")]
    [InlineData("\e[2J\e]0;title\a", "\\e[2J\\e]0;title\\u{7}")]
    [InlineData("exe.\u202Etxt", "exe.\\u{202E}txt")]
    [InlineData("a\u2028b\u0085c", "a\\u{2028}b\\u{85}c")]
    [InlineData("\uFEFFbom", "\\u{FEFF}bom")]
    [InlineData("\uD83D\uDC68\u200D\uD83D\uDC69", "\uD83D\uDC68\u200D\uD83D\uDC69")]
    public void A_name_from_outside_is_shown_harmlessly(string name, string shown) =>
        Assert.Equal(shown, Display.Safe(name));

    /// <summary>Apart: a theory's data goes through UTF-8.</summary>
    [Fact]
    public void Half_a_surrogate_pair_is_shown_by_its_number() =>
        Assert.Equal("half \\u{D800} pair", Display.Safe("half \uD800 pair"));

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(1024, "1.0 KiB")]
    [InlineData(10 * 1024, "10 KiB")]
    [InlineData(1023 * 1024, "1.0 MiB")]
    [InlineData(5_000_000_000, "4.7 GiB")]
    [InlineData(long.MaxValue, "8.0 EiB")]
    public void Sizes_are_short(long bytes, string shown) => Assert.Equal(shown, Display.Bytes(bytes));

    [Theory]
    [InlineData(0, "0 s")]
    [InlineData(59.6, "1 min")]
    [InlineData(125, "2 min 5 s")]
    [InlineData(3780, "1 h 3 min")]
    [InlineData(360000, "4 d 4 h")]
    public void Durations_are_short(double seconds, string shown) =>
        Assert.Equal(shown, Display.Duration(TimeSpan.FromSeconds(seconds)));

    [Fact]
    public void Wide_and_combining_characters_take_the_columns_they_take()
    {
        Assert.Equal(4, Display.Columns("日本"));
        Assert.Equal(1, Display.Columns("e\u0301"));
        Assert.Equal("日…", Display.Fit("日本語", 4));
        Assert.Equal("日本", Display.Fit("日本", 4));
    }

    [Fact]
    public void A_table_is_aligned_and_ends_no_line_in_blanks()
    {
        var table = new TextTable("NAME", ">SIZE", "NOTE");
        table.Add("日本", "1", "");
        table.Add("a", "1000", "x");
        var text = new StringWriter();
        table.Write(text, default);
        Assert.Equal("NAME  SIZE  NOTE\n日本     1\na     1000  x\n", text.ToString());
    }

    [Fact]
    public void Progress_in_a_pipe_is_a_line_at_each_tenth_and_every_five_seconds()
    {
        var time = new FakeTimeProvider();
        var (view, text) = ViewOf(time, isTerminal: false);
        view.Show(Row(0));
        view.Show(Row(5));
        view.Show(Row(10));
        view.Show(Row(11));
        time.Advance(TimeSpan.FromSeconds(6));
        view.Show(Row(12));
        Assert.Equal(
            [
                "nas:in: 0 %  0 B of 1.0 GiB  100 MiB/s  10 s left; working",
                "nas:in: 10 %  100 MiB of 1.0 GiB  100 MiB/s  9 s left; working",
                "nas:in: 12 %  120 MiB of 1.0 GiB  100 MiB/s  9 s left; working",
            ],
            text.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public void Progress_on_a_terminal_is_drawn_in_place_and_taken_away()
    {
        var time = new FakeTimeProvider();
        var (view, text) = ViewOf(time, isTerminal: true);
        view.Show(Row(50));
        time.Advance(TimeSpan.FromMilliseconds(10));
        view.Show(Row(51));
        time.Advance(TimeSpan.FromSeconds(1));
        view.Show(Row(60));
        view.Clear();
        var drawn = text.ToString();
        Assert.Contains("━", drawn, StringComparison.Ordinal);
        Assert.Contains("50 %", drawn, StringComparison.Ordinal);
        Assert.DoesNotContain("51 %", drawn, StringComparison.Ordinal);
        Assert.Contains("\e[2A\r", drawn, StringComparison.Ordinal);
        Assert.EndsWith("\e[2A\r\e[J", drawn, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_cannot_break_out_of_the_progress_line()
    {
        var (view, text) = ViewOf(new FakeTimeProvider(), isTerminal: true);
        view.Show(new ProgressRow("a\n\e[31mred", 1, 2, 0, "status\nwith a break"));
        Assert.DoesNotContain("\e[31m", text.ToString(), StringComparison.Ordinal);
        Assert.Equal(2, text.ToString().Count(c => c == '\n'));
    }

    [Fact]
    public void A_rate_is_that_of_the_last_seconds()
    {
        var time = new FakeTimeProvider();
        var meter = new RateMeter(time);
        Assert.Equal(0, meter.Note(0));
        for (var second = 1; second <= 20; second++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            meter.Note(second * 100);
        }
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.InRange(meter.Note(20 * 100 + 1000), 200, 300);
    }

    private static ProgressRow Row(int percent) =>
        new("nas:in", percent * 10L << 20, 1000L << 20, 100 << 20, "working");

    private static (ProgressView View, StringWriter Text) ViewOf(TimeProvider time, bool isTerminal)
    {
        var text = new StringWriter();
        return (new ProgressView(new Terminal
        {
            Out = TextWriter.Null, Error = text, In = TextReader.Null, IsErrorTerminal = isTerminal, Time = time,
        }), text);
    }

    [Theory]
    [InlineData("short enough", "short enough")]
    [InlineData("  label  some words that are too many", "  label  some words\n         that are too\n         many")]
    [InlineData("a\e[32mgreen\e[0m word is not longer", "a\e[32mgreen\e[0m word is not\n         longer")]
    [InlineData("areallylongwordthatstayswhole b", "areallylongwordthatstayswhole\n         b")]
    public void A_line_is_broken_between_words_and_keeps_its_indent(string line, string wrapped) =>
        Assert.Equal(wrapped, Display.Wrap(line, columns: 21, indent: 9));
}
