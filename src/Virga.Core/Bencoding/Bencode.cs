using System.Text;

namespace Virga.Core.Bencoding;

/// <summary>Bounds for reading bencode; everything is checked before anything is allocated.</summary>
/// <param name="MaxBytes">Longest input.</param>
/// <param name="MaxDepth">Deepest nesting, at most <see cref="DepthCeiling"/>.</param>
/// <param name="MaxItems">Most values (dictionary keys count) in the whole input.</param>
/// <param name="AllowUnsortedKeys">
/// For torrents of others only: keys may be out of order, never twice, and an integer that nobody asks for may be
/// outside of Int64.
/// </param>
public sealed record BencodeLimits(int MaxBytes, int MaxDepth, int MaxItems, bool AllowUnsortedKeys = false)
{
    /// <summary>No <see cref="MaxDepth"/> may be larger: the reader keeps its nesting on the stack.</summary>
    public const int DepthCeiling = 128;

    /// <summary>Messages of the protocol: 1 MiB, 16 deep, 65,536 values.</summary>
    public static readonly BencodeLimits Message = new(1 << 20, 16, 65_536);
}

/// <summary>What <see cref="BencodeReader.Read"/> has found; a dictionary key is Bytes.</summary>
public enum BencodeToken { None, Integer, Bytes, ListStart, DictionaryStart, End }

/// <summary>What reader, writer and values share.</summary>
internal static class BencodeText
{
    public const string Advice =
        "The data is damaged, or was made by a program that does not follow the format; get it again from its source.";

    /// <summary>Strict both ways: no byte order mark, an exception instead of a replacement character.</summary>
    public static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Shows a key in an error message: short, printable, nothing that could forge a log line.</summary>
    public static string Show(ReadOnlySpan<byte> bytes)
    {
        const int shownBytesMax = 40;
        var text = new StringBuilder();
        foreach (var b in bytes[..Math.Min(bytes.Length, shownBytesMax)])
        {
            if (b is >= 0x20 and < 0x7f and not (byte)'\'' and not (byte)'\\') text.Append((char)b);
            else text.Append("\\x").Append(b.ToString("x2"));
        }
        return bytes.Length > shownBytesMax ? text.Append("...").ToString() : text.ToString();
    }
}
