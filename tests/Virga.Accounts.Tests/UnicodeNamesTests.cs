namespace Virga.Accounts.Tests;

public sealed class UnicodeNamesTests
{
    /// <summary>Pairs of Unicode Standard Annex 15 and of the standard's chapter 3.</summary>
    [Theory]
    [InlineData("\u00E9", "e\u0301")]
    [InlineData("\u212B", "\u00C5")]
    [InlineData("\u00C5", "A\u030A")]
    [InlineData("\u2126", "\u03A9")]
    [InlineData("\u1E69", "s\u0323\u0307")]
    [InlineData("\u1E0B\u0323", "\u1E0D\u0307")]
    [InlineData("q\u0307\u0323", "q\u0323\u0307")]
    [InlineData("\uD55C\uAE00", "\u1112\u1161\u11AB\u1100\u1173\u11AF")]
    [InlineData("\uAC00", "\u1100\u1161")]
    [InlineData("\u0958", "\u0915\u093C")]
    [InlineData("\uF900", "\u8C48")]
    [InlineData("\U0002F800", "\u4E3D")]
    [InlineData("\U000110AB", "\U000110A5\U000110BA")]
    public void Texts_that_are_canonically_the_same_are_one(string a, string b)
    {
        Assert.NotEqual(a, b);
        Assert.Equal(UnicodeNames.Decomposed(a), UnicodeNames.Decomposed(b));
        Assert.Equal(UnicodeNames.Decomposed(a), UnicodeNames.Decomposed(UnicodeNames.Decomposed(a)));
        Assert.Equal("x/" + UnicodeNames.Decomposed(b) + "y", UnicodeNames.Decomposed($"x/{a}y"));
    }

    [Theory]
    [InlineData("e", "\u00E9")]
    [InlineData("\uFB01", "fi")]
    [InlineData("\u00B2", "2")]
    [InlineData("\u0131", "i")]
    [InlineData("\U0001F468\u200D\U0001F469", "\U0001F468\U0001F469")]
    public void Others_are_not(string a, string b) =>
        Assert.NotEqual(UnicodeNames.Decomposed(a), UnicodeNames.Decomposed(b));

    [Fact]
    public void What_an_account_takes_for_one_has_one_key_and_a_reason()
    {
        var rules = new NameRules(IsCaseSensitive: false, KeepsNormalization: false);
        Assert.Equal(rules.Key("CAF\u00C9/x"), rules.Key("cafe\u0301/X"));
        Assert.Contains("upper from lower", rules.WhyOne("a", "A"), StringComparison.Ordinal);
        Assert.Contains("normalisation", rules.WhyOne("\u00E9", "e\u0301"), StringComparison.Ordinal);
        Assert.True(rules.Comparer.Equals("\u00E9", "E\u0301"));
        Assert.False((rules with { IsCaseSensitive = true }).Comparer.Equals("\u00E9", "E\u0301"));
        Assert.False(new NameRules().Comparer.Equals("\u00E9", "e\u0301"));
        Assert.Single(new HashSet<string>(["\u00E9", "e\u0301"], rules.Comparer));
    }
}
