using System.Text;
using Virga.Testing.Vectors;

namespace Virga.Protocol.Tests.Vectors;

internal static class BencodeVectors
{
    public static IEnumerable<VectorFile> All()
    {
        (string Name, string Comment, string Bytes)[] good =
        [
            ("zero", "zero", "i0e"), ("negative", "a negative integer", "i-42e"),
            ("largest", "the largest integer", "i9223372036854775807e"),
            ("smallest", "the smallest integer", "i-9223372036854775808e"),
            ("empty-string", "a string of no bytes", "0:"),
            ("bytes", "a string that is not text", "4:\u0000\u00ff\u0080e"),
            ("empty-list", "a list of nothing", "le"), ("empty-dictionary", "a dictionary of nothing", "de"),
            ("nested", "lists and dictionaries", "d1:ad1:bli1e0:eee"),
            ("key-order", "keys are ordered as bytes", "d0:i1e1:Ai2e2:AAi3e1:ai4e1:\u00ffi5ee"),
            ("depth-16", "as deep as is allowed", new string('l', 16) + new string('e', 16)),
        ];
        (string Name, string Comment, string Bytes)[] bad =
        [
            ("nothing", "no byte", ""), ("minus-zero", "minus zero", "i-0e"),
            ("leading-zero", "a leading zero", "i01e"),
            ("negative-leading-zero", "a leading zero behind the sign", "i-01e"), ("no-digits", "no digit", "ie"),
            ("sign-alone", "no digit behind the sign", "i-e"),
            ("plus", "a plus sign", "i+1e"), ("space", "a space", "i 1e"), ("decimal", "a decimal", "i1.0e"),
            ("open-integer", "no end", "i1"),
            ("over-64-bits", "one more than the largest", "i9223372036854775808e"),
            ("under-64-bits", "one less than the smallest", "i-9223372036854775809e"),
            ("length-zero", "a length with a leading zero", "01:a"), ("length-zeros", "a length of two zeros", "00:"),
            ("length-negative", "a negative length", "-1:a"),
            ("length-alone", "a length without colon", "1a"), ("length-over", "a string longer than the data", "5:abc"),
            ("length-huge", "a length that no memory has", "99999999999999999999:a"),
            ("open-list", "a list without end", "li1e"),
            ("open-dictionary", "a dictionary without end", "d1:ai1e"),
            ("key-without-value", "a key without value", "d1:ae"),
            ("key-integer", "a key that is no string", "di1ei1ee"),
            ("keys-unsorted", "keys out of order", "d1:bi1e1:ai2ee"),
            ("keys-twice", "a key twice", "d1:ai1e1:ai2ee"), ("trailing", "a byte behind the value", "i1ee"),
            ("two-values", "two values", "i1ei2e"),
            ("end-alone", "an end of nothing", "e"), ("unknown", "a byte that starts nothing", "x"),
            ("newline", "a newline behind the value", "i1e\n"),
            ("depth-17", "deeper than is allowed", new string('l', 17) + new string('e', 17)),
        ];
        return good.Select(c => Vector(c, "ok")).Concat(bad.Select(c => Vector(c, "bencode")));
    }

    private static VectorFile Vector((string Name, string Comment, string Bytes) test, string expect) =>
        VectorFile.OfBytes(
            "bencode-" + test.Name, expect, "bencode", test.Comment, Encoding.Latin1.GetBytes(test.Bytes));
}
