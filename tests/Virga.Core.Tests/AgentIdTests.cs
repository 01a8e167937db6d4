using System.Security.Cryptography;

namespace Virga.Core.Tests;

public class AgentIdTests
{
    [Theory]
    [InlineData("A1LQFN3A")]
    [InlineData("a1lqfn3a")]
    [InlineData("an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6")]
    [InlineData("abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx")]
    [InlineData("11llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllludsr8")]
    [InlineData("split1checkupstagehandshakeupstreamerranterredcaperredlc445v")]
    [InlineData("?1v759aa")]
    public void Valid_bech32m_of_BIP_350_is_read_and_is_not_bech32(string text)
    {
        Assert.True(IsValid(text, Bech32.Bech32mConstant));
        Assert.False(IsValid(text, Bech32.Bech32Constant));
    }

    [Theory]
    [InlineData("A12UEL5L")]
    [InlineData("a12uel5l")]
    [InlineData("an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs")]
    [InlineData("abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw")]
    [InlineData("11qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqc8247j")]
    [InlineData("split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w")]
    [InlineData("?1ezyfcl")]
    public void Valid_bech32_of_BIP_173_is_read_and_is_not_bech32m(string text)
    {
        Assert.True(IsValid(text, Bech32.Bech32Constant));
        Assert.False(IsValid(text, Bech32.Bech32mConstant));
    }

    [Theory]
    [InlineData("\u00201xj0phk", "prefix character out of range")]
    [InlineData("\u007f1g6xzxy", "prefix character out of range")]
    [InlineData("\u00801vctc34", "prefix character out of range")]
    [InlineData("an84characterslonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11d6pts4",
        "too long")]
    [InlineData("qyrz8wqd2c9m", "no separator")]
    [InlineData("1qyrz8wqd2c9m", "empty prefix")]
    [InlineData("y1b0jsk6g", "invalid data character")]
    [InlineData("lt1igcx5c0", "invalid data character")]
    [InlineData("in1muywd", "checksum too short")]
    [InlineData("mm1crxm3i", "invalid character in checksum")]
    [InlineData("au1s5cgom", "invalid character in checksum")]
    [InlineData("M1VUXWEZ", "checksum over the upper-case prefix")]
    [InlineData("16plkw9", "empty prefix")]
    [InlineData("1p2gdwpf", "empty prefix")]
    public void Invalid_bech32m_of_BIP_350_is_refused(string text, string reason) =>
        Assert.False(IsValid(text, Bech32.Bech32mConstant), reason);

    [Theory]
    [InlineData("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf", 53, "padding of more than 4 bits")]
    [InlineData("tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j", 53, "padding that is not zero")]
    public void Wrong_padding_of_BIP_350_is_refused(string text, int values, string reason)
    {
        Assert.True(IsValid(text, Bech32.Bech32mConstant));
        var bytes = new byte[values * 5 / 8];
        Assert.False(Bech32.TryDecode(text, text.AsSpan(0, 2), Bech32.Bech32mConstant, bytes), reason);
    }

    [Fact]
    public void The_text_form_has_64_characters_and_reads_back()
    {
        var random = new Random(7);
        var bytes = new byte[32];
        for (var i = 0; i < 200; i++)
        {
            random.NextBytes(bytes);
            var id = new AgentId(new Hash256(bytes));
            var text = id.ToString();
            Assert.Equal(64, text.Length);
            Assert.StartsWith("virga1", text, StringComparison.Ordinal);
            Assert.Equal(text.ToLowerInvariant(), text);
            Assert.Equal(id, AgentId.Parse(text));
        }
    }

    [Fact]
    public void Every_single_wrong_character_and_every_cut_is_noticed()
    {
        var text = new AgentId(new Hash256(SHA256.HashData("genesis"u8))).ToString();
        for (var at = 0; at < text.Length; at++)
        {
            Assert.False(AgentId.TryParse(text[..at], out _));
            foreach (var c in "qpzry9x8gf2tvdw0s3jn54khce6mua7l1bio ")
            {
                if (c != text[at])
                    Assert.False(AgentId.TryParse(string.Concat(text.AsSpan(0, at), [c], text.AsSpan(at + 1)), out _));
            }
        }
    }

    [Fact]
    public void Mixed_and_upper_case_are_refused()
    {
        var text = new AgentId(new Hash256(SHA256.HashData("genesis"u8))).ToString();
        var upper = Refusals.BadInput(() => AgentId.Parse(text.ToUpperInvariant()));
        Assert.Contains("mistyped or truncated", upper.Message, StringComparison.Ordinal);
        Assert.Contains("lower case", upper.Advice, StringComparison.Ordinal);
        Assert.False(AgentId.TryParse("Virga" + text[5..], out _));
        Assert.False(AgentId.TryParse(text[..10] + text[10..].ToUpperInvariant(), out _));
    }

    [Fact]
    public void A_wrong_id_is_explained()
    {
        var text = new AgentId(new Hash256(SHA256.HashData("genesis"u8))).ToString();
        var truncated = Refusals.BadInput(() => AgentId.Parse(text[..60]));
        Assert.Contains("mistyped or truncated", truncated.Message, StringComparison.Ordinal);
        Assert.Contains("64 characters", truncated.Advice, StringComparison.Ordinal);
        var mistyped = Refusals.BadInput(() => AgentId.Parse(text[..20] + (text[20] == 'q' ? 'p' : 'q') + text[21..]));
        Assert.Contains("mistyped or truncated", mistyped.Message, StringComparison.Ordinal);
        Assert.Equal("'age1xyz' is not an agent id", Refusals.BadInput(() => AgentId.Parse("age1xyz")).Message);
        Assert.Equal("'' is not an agent id", Refusals.BadInput(() => AgentId.Parse("")).Message);
        var endless = Refusals.BadInput(() => AgentId.Parse(new string('\n', 1 << 20)));
        Assert.True(endless.Message.Length < 200);
        Assert.DoesNotContain('\n', endless.Message);
        Assert.False(AgentId.TryParse(null, out _));
    }

    [Fact]
    public void Another_prefix_or_the_other_checksum_is_refused()
    {
        var bytes = SHA256.HashData("genesis"u8);
        Assert.False(AgentId.TryParse(Bech32.Encode("virga", bytes, Bech32.Bech32Constant), out _));
        Assert.False(AgentId.TryParse(Bech32.Encode("virgo", bytes, Bech32.Bech32mConstant), out _));
        Assert.False(AgentId.TryParse(Bech32.Encode("virga", bytes.AsSpan(0, 31), Bech32.Bech32mConstant), out _));
    }

    private static bool IsValid(string text, uint constant) =>
        Bech32.TryRead(text, constant, new byte[90], out _, out _);
}
