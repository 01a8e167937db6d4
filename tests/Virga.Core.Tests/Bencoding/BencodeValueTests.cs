using System.Buffers;
using System.Text;
using Virga.Core.Bencoding;

namespace Virga.Core.Tests.Bencoding;

public class BencodeValueTests
{
    private static readonly BencodeLimits ForeignTorrent = BencodeLimits.Message with { AllowUnsortedKeys = true };

    private static readonly byte[] Sample = BencodeWriter.Encode(w => w
        .StartDictionary()
        .Key("bytes").Bytes([1, 2, 3])
        .Key("dict").StartDictionary().Key("x").Integer(7).End()
        .Key("dicts").StartList().StartDictionary().End().StartDictionary().Key("y").Integer(1).End().End()
        .Key("hash").Hash(new Hash256(new byte[32]))
        .Key("hashes").StartList().Bytes(new byte[32]).End()
        .Key("int").Integer(-42)
        .Key("list").StartList().Integer(1).Text("two").StartList().End().End()
        .Key("strings").StartList().Bytes([9]).Bytes([]).End()
        .Key("text").Text("naïve ☂")
        .End());

    [Fact]
    public void Fields_come_back_as_they_were_written()
    {
        var d = BencodeValue.ParseDictionary(Sample, BencodeLimits.Message, "sample");
        Assert.Equal([1, 2, 3], d.Bytes("bytes", 3, 3));
        Assert.Equal(7, d.Dictionary("dict").Integer("x", 7, 7));
        Assert.Equal(2, d.Dictionaries("dicts").Count);
        Assert.Equal(1, d.Dictionaries("dicts")[1].Integer("y"));
        Assert.True(d.Hash("hash").IsZero);
        Assert.True(Assert.Single(d.Hashes("hashes")).IsZero);
        Assert.Equal(-42, d.Integer("int"));
        Assert.Equal(3, d.List("list", 3).Count);
        Assert.Equal("two", d.List("list")[1].AsText());
        Assert.Equal([[9], []], d.ByteStrings("strings"));
        Assert.Equal("naïve ☂", d.Text("text"));
        Assert.True(d.Contains("int"));
        Assert.False(d.Contains("in"));
        Assert.Equal(Sample, d.Encode());
        d.AllowOnly("bytes", "dict", "dicts", "hash", "hashes", "int", "list", "strings", "text", "unused");
    }

    [Fact]
    public void Optional_fields_are_null_when_missing_and_checked_when_there()
    {
        var d = BencodeValue.ParseDictionary(Sample, BencodeLimits.Message, "sample");
        Assert.Null(d.OptionalBytes("none"));
        Assert.Null(d.OptionalInteger("none"));
        Assert.Null(d.OptionalHash("none"));
        Assert.Null(d.OptionalText("none"));
        Assert.Null(d.OptionalDictionary("none"));
        Assert.Equal(-42, d.OptionalInteger("int"));
        Assert.Equal([1, 2, 3], d.OptionalBytes("bytes"));
        Refusals.BadInput(() => d.OptionalInteger("text"));
        Refusals.BadInput(() => d.OptionalHash("bytes"));
    }

    [Fact]
    public void Errors_name_the_message_and_the_field()
    {
        var d = BencodeValue.ParseDictionary(Sample, BencodeLimits.Message, "announce");
        Says("announce: field 'time' is missing", () => d.Integer("time"));
        Says("announce: field 'text' is not an integer", () => d.Integer("text"));
        Says("announce: field 'int' is not between 0 and 9", () => d.Integer("int", 0, 9));
        Says("announce: field 'bytes' has 3 bytes, not 32", () => d.Hash("bytes"));
        Says("announce: field 'bytes' has 3 bytes, not 4 to 5", () => d.Bytes("bytes", 4, 5));
        Says("announce: field 'hash' is not a list", () => d.List("hash"));
        Says("announce: field 'list' has 3 items, more than 2", () => d.List("list", 2));
        Says("announce: field 'list' is not a dictionary", () => d.Dictionaries("list"));
        Says("announce: field 'dict': field 'z' is missing", () => d.Dictionary("dict").Text("z"));
        Says("announce: field 'text' is not known here", () =>
            d.AllowOnly("bytes", "dict", "dicts", "hash", "hashes", "int", "list", "strings"));
        Says("announce is not a dictionary", () =>
            BencodeValue.ParseDictionary("le"u8, BencodeLimits.Message, "announce"));
        Says("announce: bencode: the data ends inside a value (at byte 1)", () =>
            BencodeValue.ParseDictionary("d"u8, BencodeLimits.Message, "announce"));
        Says("announce: field 'n' is not between -9223372036854775808 and 9223372036854775807", () =>
            BencodeValue.ParseDictionary("d1:ni99999999999999999999ee"u8, ForeignTorrent, "announce").Integer("n"));
        Says("announce: bencode: an integer does not fit into 64 bits (at byte 4)", () =>
            BencodeValue.ParseDictionary("d1:ni99999999999999999999ee"u8, BencodeLimits.Message, "announce"));
    }

    [Fact]
    public void A_key_in_an_error_cannot_forge_a_line_of_a_log()
    {
        var key = new byte[] { (byte)'a', (byte)'\n', 0xff, (byte)'\'' };
        var data = BencodeWriter.Encode(w => w.StartDictionary().Key(key).Integer(1).End());
        Says(@"m: field 'a\x0a\xff\x27' is not known here", () =>
            BencodeValue.ParseDictionary(data, BencodeLimits.Message, "m").AllowOnly("a"));
    }

    [Fact]
    public void The_raw_bytes_of_a_field_are_those_of_the_input()
    {
        var torrent = "d4:infod6:lengthi3e4:name1:ae1:zi1ee"u8;
        var d = BencodeValue.ParseDictionary(torrent, BencodeLimits.Message, "torrent");
        Assert.True(d.Dictionary("info").Raw.Span.SequenceEqual("d6:lengthi3e4:name1:ae"u8));
        Assert.True(d.Value("z").Raw.Span.SequenceEqual("i1e"u8));
        Assert.True(d.Raw.Span.SequenceEqual(torrent));
    }

    [Fact]
    public void Fields_of_an_unsorted_dictionary_are_found()
    {
        var d = BencodeValue.ParseDictionary("d1:ci3e1:ai1e2:bbi22e1:bi2ee"u8, ForeignTorrent, "torrent");
        Assert.Equal((1, 2, 22, 3), (d.Integer("a"), d.Integer("b"), d.Integer("bb"), d.Integer("c")));
        Assert.Equal(["a", "b", "bb", "c"], d.Keys.Select(key => Encoding.ASCII.GetString(key.Span)));
    }

    [Fact]
    public void Random_values_survive_a_round_trip_and_mutations_of_them_do_no_harm()
    {
        const int seed = 20_260_301;
        var random = new Random(seed);
        var limits = new BencodeLimits(1 << 20, 16, 65_536);
        for (var round = 0; round < 2_000; round++)
        {
            var data = BencodeWriter.Encode(w => Bombs.WriteRandom(w, random));
            Assert.Equal(data, Rewrite(BencodeValue.Parse(data, limits)));
            var mutated = Refusals.Mutate(data, random);
            Refusals.Catch(() => Assert.Equal(mutated, Rewrite(BencodeValue.Parse(mutated, limits))),
                FailureKind.BadInput);
        }
    }

    [Theory]
    [InlineData("l")]
    [InlineData("d")]
    [InlineData("le")]
    [InlineData("de")]
    [InlineData("i1e")]
    [InlineData("0:")]
    public void A_bomb_costs_a_tree_no_more_than_a_small_multiple(string unit)
    {
        foreach (var inList in new[] { false, true })
        {
            var bomb = Bombs.Repeat(unit, 1 << 20, inList);
            var tight = BencodeLimits.Message with { MaxBytes = 1 << 21 };
            var loose = tight with { MaxItems = int.MaxValue, MaxDepth = 128 };
            Assert.InRange(Refusals.AllocatedBytes(() => TryParse(bomb, tight)), 0, 65_536);
            Assert.InRange(Refusals.AllocatedBytes(() => TryParse(bomb, loose)), 0, 2 * bomb.Length);
        }
    }

    [Fact]
    public void A_list_longer_than_allowed_is_refused_before_its_items_are_made()
    {
        var bomb = Encoding.Latin1.GetBytes("d1:al" + string.Concat(Enumerable.Repeat("le", 1 << 19)) + "ee");
        var d = BencodeValue.ParseDictionary(bomb, new BencodeLimits(1 << 21, 16, int.MaxValue), "bomb");
        Assert.InRange(Refusals.AllocatedBytes(() => Refusals.BadInput(() => d.List("a", 1000))), 0, 65_536);
    }

    [Fact]
    public void The_writer_refuses_what_would_not_be_canonical()
    {
        Bug(w => w.StartDictionary().Key("b").Integer(1).Key("a"));
        Bug(w => w.StartDictionary().Key("a").Integer(1).Key("a"));
        Bug(w => w.StartDictionary().Key("a").Key("b"));
        Bug(w => w.StartDictionary().Key("a").End());
        Bug(w => w.StartDictionary().Integer(1));
        Bug(w => w.StartList().Key("a"));
        Bug(w => w.Key("a"));
        Bug(w => w.End());
        Bug(w => w.Integer(1).Integer(2));
        Bug(w => w.StartList().End().End());
        Bug(w => w.Raw([]));
        Assert.Throws<InvalidOperationException>(() => BencodeWriter.Encode(w => w.StartList()));
    }

    [Fact]
    public void Keys_of_outer_dictionaries_stay_in_order_around_inner_ones()
    {
        var data = BencodeWriter.Encode(w => w
            .StartDictionary()
            .Key("m").StartDictionary()
            .Key("zzzzzzzzzzzzzzzzzzzzzzzz").StartDictionary().Key("a").Integer(1).End()
            .End()
            .Key("n").Raw("i5e"u8)
            .End());
        Assert.Equal("d1:md24:zzzzzzzzzzzzzzzzzzzzzzzzd1:ai1eee1:ni5ee", Encoding.ASCII.GetString(data));
        Bug(w => w.StartDictionary().Key("m").StartDictionary().Key("zz").Integer(1).End().Key("l"));
    }

    private static void TryParse(byte[] data, BencodeLimits limits) =>
        Refusals.Catch(() => BencodeValue.Parse(data, limits), FailureKind.BadInput);

    private static void Says(string message, Action act) => Assert.Equal(message, Refusals.BadInput(act).Message);

    private static void Bug(Func<BencodeWriter, BencodeWriter> write) =>
        Assert.Throws<InvalidOperationException>(() => write(new BencodeWriter(new ArrayBufferWriter<byte>())));

    /// <summary>Takes a tree apart by its getters and writes it again.</summary>
    private static byte[] Rewrite(BencodeValue value) => BencodeWriter.Encode(w => Write(w, value));

    private static void Write(BencodeWriter writer, BencodeValue value)
    {
        switch (value)
        {
            case BencodeDictionary dictionary:
                writer.StartDictionary();
                foreach (var key in dictionary.Keys)
                {
                    Assert.True(dictionary.TryValue(key.Span, out var item));
                    Write(writer.Key(key.Span), item);
                }
                writer.End();
                break;
            case BencodeList list:
                writer.StartList();
                foreach (var item in list.Items()) Write(writer, item);
                writer.End();
                break;
            case BencodeInteger integer when integer.TryGet(out var number):
                writer.Integer(number);
                break;
            case BencodeInteger:
                writer.Raw(value.Raw.Span);
                break;
            default:
                writer.Bytes(value.AsBytes().Span);
                break;
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4096)]
    [InlineData(100_000)]
    public void A_large_value_is_written_as_a_small_one_is_and_holds_no_more_than_its_length(int length)
    {
        var large = new string('a', length);
        void Inner(BencodeWriter writer) => writer.StartDictionary().Key("text").Text(large).End();
        void Write(BencodeWriter writer) =>
            writer.StartDictionary().Key("inner").Nested(Inner).Key("n").Integer(7).End();
        var inner = BencodeWriter.Encode(Inner);
        var expected = BencodeWriter.Encode(
            w => w.StartDictionary().Key("inner").Bytes(inner).Key("n").Integer(7).End());
        Assert.Equal(expected, BencodeWriter.EncodeLarge(Write));
    }

    [Fact]
    public void A_value_that_is_not_the_same_twice_is_refused()
    {
        var calls = 0;
        Assert.Throws<InvalidOperationException>(
            () => BencodeWriter.EncodeLarge(w => w.StartList().Text(new string('a', 9 - ++calls)).End()));
    }

    [Fact]
    public void What_is_viewed_lies_in_the_input()
    {
        byte[] data = [.. "d1:a3:xyze"u8];
        var seen = BencodeValue.ViewDictionary(data, BencodeLimits.Message, "test");
        Assert.Equal("xyz"u8, seen.Bytes("a"));
        Assert.True(System.Runtime.InteropServices.MemoryMarshal.TryGetArray(seen.Raw, out var place));
        Assert.Same(data, place.Array);
        foreach (var wrong in new[] { "d1:a", "le", "d1:a3:xyzee" })
        {
            Assert.Throws<VirgaException>(
                () => BencodeValue.ViewDictionary(Encoding.ASCII.GetBytes(wrong), BencodeLimits.Message, "test"));
        }
    }
}
