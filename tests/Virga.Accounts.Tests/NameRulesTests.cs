using Virga.Core;

namespace Virga.Accounts.Tests;

public sealed class NameRulesTests
{
    private static string? WhyNot(NameRules rules, string path) => rules.WhyNot(EntryPath.Parse(path));

    [Fact]
    public void A_disk_s_rules_allow_everything_that_a_path_can_hold()
    {
        foreach (var path in new[] {
            "", "a", " a ", "a.", "new\nline", "\u007f", "a:b*c?", "..a", new string('x', 255), "日本/語" })
            Assert.Null(WhyNot(new NameRules(), path));
    }

    [Fact]
    public void The_reason_quotes_the_name_and_says_the_rule()
    {
        Assert.Equal(
            "the name 'b:c' holds ':', which this account can't keep",
            WhyNot(new NameRules(Forbidden: "*:"), "a/b:c/d"));
        Assert.Equal(
            "the name 'dot.' ends in '.', which this account can't keep",
            WhyNot(new NameRules(AllowsTrailingDotOrSpace: false), "dot./x"));
        Assert.Equal(
            "the name 'sp ' ends in ' ', which this account can't keep",
            WhyNot(new NameRules(AllowsTrailingDotOrSpace: false), "x/sp "));
        Assert.Equal(
            "the name 'a\\u000ab' holds the control character U+000A, which this account can't keep",
            WhyNot(new NameRules(AllowsControl: false), "a\nb"));
        Assert.Equal(
            "the name '.mine' is taken",
            WhyNot(new NameRules(Reserved: name => name == ".mine" ? "is taken" : null), "x/.mine"));
    }

    [Fact]
    public void Lengths_count_in_bytes_of_UTF8()
    {
        Assert.Null(WhyNot(new NameRules(MaxNameBytes: 6), "日本"));
        Assert.Equal(
            "the name '日本x' has 7 bytes, and this account takes at most 6",
            WhyNot(new NameRules(MaxNameBytes: 6), "a/日本x"));
        Assert.Null(WhyNot(new NameRules(MaxPathBytes: 8), "日本/x"));
        Assert.Equal(
            "the path '日本/xy' has 9 bytes, and this account takes at most 8",
            WhyNot(new NameRules(MaxPathBytes: 8), "日本/xy"));
    }

    [Fact]
    public void A_forbidden_control_character_is_shown_as_an_escape()
    {
        var why = WhyNot(new NameRules(Forbidden: "\u001b"), "a\u001b[31mred")!;
        Assert.DoesNotContain('\u001b', why);
        Assert.Contains("\\u001b", why, StringComparison.Ordinal);
    }

    [Fact]
    public void Check_throws_bad_input_with_advice()
    {
        new NameRules().Check(EntryPath.Parse("fine"));
        var failure = Failing.With(
            FailureKind.BadInput, () => new NameRules(Forbidden: ":").Check(EntryPath.Parse("a:b")));
        Assert.Contains("'a:b'", failure.Message, StringComparison.Ordinal);
        Assert.NotNull(failure.Advice);
    }
}

public sealed class EntryPathTests
{
    [Theory]
    [InlineData("/a")]
    [InlineData("a/")]
    [InlineData("a//b")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("a/../b")]
    [InlineData("a/./b")]
    [InlineData("a\0b")]
    [InlineData("/")]
    public void Paths_that_could_lead_elsewhere_are_refused(string text)
    {
        Failing.With(FailureKind.BadInput, () => EntryPath.Parse(text));
        Assert.False(EntryPath.TryParse(text, out _));
    }

    [Fact]
    public void Lone_surrogates_are_refused_and_pairs_taken()
    {
        Assert.False(EntryPath.TryParse("a\ud83d", out _));
        Assert.False(EntryPath.TryParse("\ude00b", out _));
        Assert.False(EntryPath.TryParse("\ude00\ud83d", out _));
        Assert.True(EntryPath.TryParse("😀", out _));
        Assert.False(EntryPath.TryParse(null, out _));
    }

    [Fact]
    public void Length_is_bounded_in_bytes()
    {
        Assert.True(EntryPath.TryParse(new string('x', EntryPath.MaxBytes), out _));
        Assert.False(EntryPath.TryParse(new string('x', EntryPath.MaxBytes + 1), out _));
        Assert.False(EntryPath.TryParse(string.Concat(Enumerable.Repeat("語", EntryPath.MaxBytes / 3 + 1)), out _));
    }

    [Fact]
    public void Parts_of_a_path_are_found()
    {
        var path = EntryPath.Parse("a/b c/d");
        Assert.Equal(("d", "a/b c", 3), (path.Name, path.Parent.Value, path.Names.Length));
        Assert.Equal(EntryPath.Root, EntryPath.Parse("a").Parent);
        Assert.Equal(EntryPath.Root, EntryPath.Root.Parent);
        Assert.Equal("", EntryPath.Root.Name);
        Assert.Empty(EntryPath.Root.Names);
        Assert.Equal(default, EntryPath.Root);
        Assert.Equal(path, EntryPath.Parse("a").Append("b c").Append("d"));
        Assert.Equal(path, EntryPath.Parse("a").Append(EntryPath.Parse("b c/d")));
        Assert.Equal(path, EntryPath.Root.Append(path).Append(EntryPath.Root));
    }

    [Fact]
    public void Within_means_a_whole_name_not_a_prefix()
    {
        var folder = EntryPath.Parse("a/b");
        Assert.True(EntryPath.Parse("a/b/c").IsWithin(folder));
        Assert.True(folder.IsWithin(folder));
        Assert.False(EntryPath.Parse("a/bc").IsWithin(folder));
        Assert.True(folder.IsWithin(EntryPath.Root));
        Assert.Equal("c", EntryPath.Parse("a/b/c").RelativeTo(folder).Value);
        Assert.Equal(EntryPath.Root, folder.RelativeTo(folder));
        Assert.Equal(folder, folder.RelativeTo(EntryPath.Root));
    }

    [Fact]
    public void Order_is_that_of_the_UTF8_bytes()
    {
        // In UTF-16 the surrogates of the emoji sort before U+FF5E; in UTF-8 they sort after it.
        string[] sorted = ["a", "a b", "a/b", "b", "é", "\uff5e", "😀"];
        var paths = sorted.Reverse().Select(EntryPath.Parse).Order();
        Assert.Equal(sorted, paths.Select(path => path.Value));
    }
}
