using System.Text;
using Virga.Core.Bencoding;

namespace Virga.Core.Tests.Bencoding;

public class BencodeReaderTests
{
    private static readonly BencodeLimits Unsorted = BencodeLimits.Message with { AllowUnsortedKeys = true };

    public static readonly TheoryData<string> Valid =
    [
        "i0e", "i1e", "i-1e", "i9223372036854775807e", "i-9223372036854775808e",
        "0:", "1:a", "10:0123456789", "le", "de", "llee", "llelee", "li1ei2ee", "d0:0:e", "d1:ai1e1:bi2ee",
        "d1:a1:b2:aa1:ce",
        "d4:infod6:lengthi3e4:name1:aee", "d1:ad1:ad1:adeeee", "l4:spamd3:key5:valueee",
    ];

    public static readonly TheoryData<string> Invalid =
    [
        "", "x", "e", "i", "ie", "i-e", "i-0e", "i01e", "i-01e", "i00e", "i+1e", "i 1e", "i1 e", "i1", "i1.0e", "i--1e",
        "1", "1:", "2:a", "01:a", "00:", "-1:a", "1a", ":", "99999999999999999999:a", "2147483648:a", "4294967297:a",
        "l", "li1e", "lie", "d", "d1:a", "d1:ae", "d1:ai1e", "di1ei2ee", "dlei1ee", "ddei1ee", "d1:bi1e1:ai2ee",
        "d1:ai1e1:ai2ee", "d2:aai1e1:ai2ee", "i1ei2e", "lee", "dee", "0:0:", "i1e ", "\ni1e",
    ];

    [Theory]
    [MemberData(nameof(Valid))]
    public void Canonical_values_are_read_whole_and_no_prefix_of_them_is(string text)
    {
        var data = Encoding.Latin1.GetBytes(text);
        Assert.Equal(data.Length, ReadAll(data, BencodeLimits.Message));
        for (var cut = 0; cut < data.Length; cut++)
            Refusals.BadInput(() => ReadAll(data.AsSpan(0, cut), BencodeLimits.Message));
        Refusals.BadInput(() => ReadAll([.. data, (byte)'e'], BencodeLimits.Message));
    }

    [Theory]
    [MemberData(nameof(Invalid))]
    public void What_breaks_a_rule_is_refused_with_its_offset(string text)
    {
        var refused = Refusals.BadInput(() => ReadAll(Encoding.Latin1.GetBytes(text), BencodeLimits.Message));
        Assert.Matches(@"^bencode: .* \(at byte \d+\)$", refused.Message);
        Assert.NotNull(refused.Advice);
    }

    [Theory]
    [MemberData(nameof(Valid))]
    public void A_flipped_byte_gives_another_value_or_bad_input(string text)
    {
        var data = Encoding.Latin1.GetBytes(text);
        for (var at = 0; at < data.Length; at++)
        {
            for (var value = 0; value < 256; value++)
            {
                var changed = data.ToArray();
                changed[at] = (byte)value;
                Refusals.Catch(() => ReadAll(changed, BencodeLimits.Message), FailureKind.BadInput);
                Refusals.Catch(() => ReadAll(changed, Unsorted), FailureKind.BadInput);
            }
        }
    }

    [Fact]
    public void Tokens_come_with_their_values_and_offsets()
    {
        var reader = new BencodeReader("d1:ali-5e3:xyze1:bdee"u8, BencodeLimits.Message);
        Expect(ref reader, BencodeToken.DictionaryStart, 0, 1);
        Expect(ref reader, BencodeToken.Bytes, 1, 4);
        Assert.True(reader.IsKey);
        Assert.Equal("a", reader.Text);
        Expect(ref reader, BencodeToken.ListStart, 4, 5);
        Assert.Equal(2, reader.Depth);
        Expect(ref reader, BencodeToken.Integer, 5, 9);
        Assert.Equal(-5, reader.Integer);
        Expect(ref reader, BencodeToken.Bytes, 9, 14);
        Assert.False(reader.IsKey);
        Assert.True(reader.Bytes.SequenceEqual("xyz"u8));
        Expect(ref reader, BencodeToken.End, 14, 15);
        Expect(ref reader, BencodeToken.Bytes, 15, 18);
        Expect(ref reader, BencodeToken.DictionaryStart, 18, 19);
        Expect(ref reader, BencodeToken.End, 19, 20);
        Expect(ref reader, BencodeToken.End, 20, 21);
        Assert.False(reader.Read());
        Assert.Equal(BencodeToken.None, reader.Token);
        Assert.False(reader.Read());
    }

    [Fact]
    public void A_skipped_value_is_handed_back_raw_and_reading_goes_on_behind_it()
    {
        var reader = new BencodeReader("d4:infod1:ali1eee1:zi7ee"u8, BencodeLimits.Message);
        reader.Read();
        reader.Read();
        reader.Read();
        Assert.True(reader.SkipValue().SequenceEqual("d1:ali1eee"u8));
        reader.Read();
        Assert.Equal("z", reader.Text);
        reader.Read();
        Assert.True(reader.SkipValue().SequenceEqual("i7e"u8));
        Assert.True(reader.Read());
        Assert.Equal(BencodeToken.End, reader.Token);
        Assert.False(reader.Read());
    }

    [Fact]
    public void A_skipped_value_is_checked_fully()
    {
        Refusals.BadInput(() =>
        {
            var reader = new BencodeReader("ld1:bi1e1:ai2eee"u8, BencodeLimits.Message);
            reader.Read();
            reader.Read();
            reader.SkipValue();
        });
    }

    [Theory]
    [InlineData("i9223372036854775808e")]
    [InlineData("i-9223372036854775809e")]
    [InlineData("i18446744073709551617e")]
    public void An_integer_outside_of_64_bits_is_refused_and_in_torrents_of_others_when_it_is_asked_for(string text)
    {
        var data = Encoding.Latin1.GetBytes(text);
        Refusals.BadInput(() => ReadAll(data, BencodeLimits.Message));
        Assert.Equal(data.Length, ReadAll(data, Unsorted));
        Refusals.BadInput(() =>
        {
            var reader = new BencodeReader(data, Unsorted);
            reader.Read();
            _ = reader.Integer;
        });
    }

    [Fact]
    public void A_getter_of_the_wrong_type_says_what_was_found()
    {
        var refused = Refusals.BadInput(() =>
        {
            var reader = new BencodeReader("le"u8, BencodeLimits.Message);
            reader.Read();
            _ = reader.Integer;
        });
        Assert.Contains("an integer is expected, a list found", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Text_that_is_not_utf8_is_refused()
    {
        Refusals.BadInput(() =>
        {
            var reader = new BencodeReader([(byte)'2', (byte)':', 0xc3, 0x28], BencodeLimits.Message);
            reader.Read();
            _ = reader.Text;
        });
    }

    [Theory]
    [InlineData("d1:bi1e1:ai2ee")]
    [InlineData("d1:ci1e1:ai2e1:bi3ee")]
    [InlineData("ld1:bi1e1:ai2eee")]
    [InlineData("d1:bd1:zi1e1:yi1ee1:ai2ee")]
    public void Unsorted_keys_pass_only_where_torrents_of_others_are_read(string text)
    {
        var data = Encoding.Latin1.GetBytes(text);
        Refusals.BadInput(() => ReadAll(data, BencodeLimits.Message));
        Assert.Equal(data.Length, ReadAll(data, Unsorted));
    }

    [Theory]
    [InlineData("d1:bi1e1:ai2e1:bi3ee")]
    [InlineData("d1:ai1e1:ai2ee")]
    [InlineData("d1:cdee1:bi1e1:ai1e1:ci2ee")]
    [InlineData("d1:bd1:zi1e1:yi1e1:zi1ee1:ai2ee")]
    public void A_key_twice_is_refused_even_where_order_is_not_asked_for(string text) =>
        Refusals.BadInput(() => ReadAll(Encoding.Latin1.GetBytes(text), Unsorted));

    [Fact]
    public void The_same_key_in_two_dictionaries_is_no_duplicate()
    {
        ReadAll("d1:bd1:bi1e1:ai1ee1:ad1:bi1eee"u8, Unsorted);
        ReadAll("d1:ad1:ai1ee1:bd1:ai1eee"u8, BencodeLimits.Message);
    }

    [Fact]
    public void Depth_items_and_bytes_are_bounded()
    {
        var limits = new BencodeLimits(MaxBytes: 12, MaxDepth: 3, MaxItems: 4);
        ReadAll("llleee"u8, limits);
        Refusals.BadInput(() => ReadAll("lllleeee"u8, limits));
        ReadAll("li1ei2ei3ee"u8, limits);
        Refusals.BadInput(() => ReadAll("l0:0:0:0:e"u8, limits));
        Refusals.BadInput(() => ReadAll("d0:0:1:a0:e"u8, limits));
        ReadAll("9:123456789"u8, limits);
        Refusals.BadInput(() => ReadAll("10:1234567890"u8, limits));
        Assert.Throws<ArgumentOutOfRangeException>(() => ReadAll("le"u8, limits with { MaxDepth = 129 }));
    }

    [Fact]
    public void Nesting_up_to_the_ceiling_is_read()
    {
        var data = Encoding.Latin1.GetBytes(new string('l', 128) + new string('e', 128));
        Assert.Equal(256, ReadAll(data, new BencodeLimits(1000, 128, 1000)));
    }

    [Theory]
    [InlineData("l")]
    [InlineData("d")]
    [InlineData("le")]
    [InlineData("i1e")]
    [InlineData("0:")]
    [InlineData("d0:")]
    [InlineData("9")]
    [InlineData("i")]
    [InlineData("-")]
    public void A_bomb_costs_the_reader_next_to_nothing(string unit)
    {
        var bomb = Bombs.Repeat(unit, 1 << 20, inList: false);
        var listed = Bombs.Repeat(unit, 1 << 20, inList: true);
        var wide = new BencodeLimits(1 << 21, 128, int.MaxValue);
        foreach (var limits in new[] { BencodeLimits.Message with { MaxBytes = 1 << 21 }, wide })
        {
            Assert.InRange(Refusals.AllocatedBytes(() => TryReadAll(bomb, limits)), 0, 8192);
            Assert.InRange(Refusals.AllocatedBytes(() => TryReadAll(listed, limits)), 0, 8192);
        }
    }

    [Fact]
    public void Reading_a_good_message_allocates_nothing()
    {
        var data = "d4:infod6:lengthi3e4:name1:ae5:otherli1ei2e3:abcee"u8.ToArray();
        Assert.Equal(0, Refusals.AllocatedBytes(() => ReadAll(data, BencodeLimits.Message)));
    }

    [Fact]
    public void Very_many_unsorted_keys_are_checked_without_taking_quadratic_time_or_memory()
    {
        const int keys = 100_000;
        var text = new StringBuilder("d");
        for (var i = keys; i > 0; i--) text.Append("6:").Append((i + 100_000).ToString("d6")).Append("0:");
        var data = Encoding.Latin1.GetBytes(text.Append('e').ToString());
        var limits = new BencodeLimits(1 << 24, 8, int.MaxValue, AllowUnsortedKeys: true);
        Assert.InRange(Refusals.AllocatedBytes(() => ReadAll(data, limits)), 0, 4 * data.Length);
    }

    private static int ReadAll(ReadOnlySpan<byte> data, BencodeLimits limits)
    {
        var reader = new BencodeReader(data, limits);
        while (reader.Read())
        {
        }
        return reader.Position;
    }

    private static void TryReadAll(byte[] data, BencodeLimits limits) =>
        Refusals.Catch(() => ReadAll(data, limits), FailureKind.BadInput);

    private static void Expect(ref BencodeReader reader, BencodeToken token, int start, int end)
    {
        Assert.True(reader.Read());
        Assert.Equal((token, start, end), (reader.Token, reader.TokenStart, reader.Position));
    }
}
