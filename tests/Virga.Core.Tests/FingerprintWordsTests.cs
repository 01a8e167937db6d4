using System.Security.Cryptography;
using System.Text;

namespace Virga.Core.Tests;

public class FingerprintWordsTests
{
    [Fact]
    public void The_list_is_that_of_BIP_39()
    {
        Assert.Equal(2048, FingerprintWords.List.Count);
        var text = string.Concat(FingerprintWords.List.Select(w => w + "\n"));
        Assert.Equal(
            "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda",
            Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(text))));
        Assert.Equal(FingerprintWords.List.Order(StringComparer.Ordinal), FingerprintWords.List);
    }

    /// <summary>Made apart from the code, with one big number instead of shifted bytes.</summary>
    [Fact]
    public void Six_words_are_the_first_66_bits_of_the_hash()
    {
        var random = new Random(5);
        var bytes = new byte[32];
        for (var i = 0; i < 200; i++)
        {
            random.NextBytes(bytes);
            var hash = SHA256.HashData([.. "virga/1/fingerprint\n"u8, .. bytes]);
            var bits = string.Concat(hash.Select(b => Convert.ToString(b, 2).PadLeft(8, '0')));
            var expected = Enumerable.Range(0, 6)
                .Select(w => FingerprintWords.List[Convert.ToInt32(bits.Substring(w * 11, 11), 2)]);
            Assert.Equal(expected, FingerprintWords.Of(new AgentId(new Hash256(bytes))));
        }
    }

    [Fact]
    public void The_example_of_the_specification_holds()
    {
        var agent = AgentId.Parse("virga1c9wq9z0v959fzelv3ej6rr0the092vhma63f87qte9pwayyxc9csluy25y");
        Assert.Equal("spoon prefer burden simple dial absent", string.Join(' ', FingerprintWords.Of(agent)));
    }

    [Theory]
    [InlineData("abandon ability able", "abandon ability able")]
    [InlineData("  Abandon\tABILITY\n able\r\n", "abandon ability able")]
    [InlineData("1. abandon, 2. ability - able!", "abandon ability able")]
    [InlineData("", "")]
    [InlineData("...", "")]
    public void What_a_person_types_is_read_as_words(string typed, string words) =>
        Assert.Equal(words, string.Join(' ', FingerprintWords.Read(typed)));

    [Fact]
    public void Only_words_of_the_list_are_words()
    {
        Assert.True(FingerprintWords.IsWord("zoo"));
        Assert.False(FingerprintWords.IsWord("zo"));
        Assert.False(FingerprintWords.IsWord(""));
    }
}
