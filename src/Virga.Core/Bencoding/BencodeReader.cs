using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text;

namespace Virga.Core.Bencoding;

/// <summary>
/// A strict pull reader (BEP 3): canonical integers and lengths, sorted unique keys, nothing behind the end.
/// Allocates nothing (with AllowUnsortedKeys at most 8 bytes a key). Throws <see cref="VirgaException"/> BadInput
/// with the offset of the fault. The value is known to be whole once <see cref="Read"/> has returned its last token:
/// bytes behind it are refused by that very call.
/// </summary>
public ref struct BencodeReader
{
    private readonly ReadOnlySpan<byte> data;
    private readonly BencodeLimits limits;
    private readonly KeyLog? keyLog;
    private int position, tokenStart, contentStart, contentLength, depth, items;
    private BencodeToken token;
    private bool isKey, isComplete;
    private Frames frames;

    public BencodeReader(ReadOnlySpan<byte> data, BencodeLimits limits)
    {
        if (limits.MaxDepth is < 0 or > BencodeLimits.DepthCeiling)
            throw new ArgumentOutOfRangeException(nameof(limits), limits.MaxDepth, "MaxDepth is 0 to 128");
        this.data = data;
        this.limits = limits;
        if (data.Length > limits.MaxBytes) Fail($"{data.Length} bytes are more than the {limits.MaxBytes} allowed", 0);
        keyLog = limits.AllowUnsortedKeys ? new KeyLog() : null;
    }

    public readonly BencodeToken Token => token;

    /// <summary>Whether the current Bytes token is a dictionary key.</summary>
    public readonly bool IsKey => isKey;

    /// <summary>Containers open after the current token.</summary>
    public readonly int Depth => depth;

    /// <summary>Offset of the next byte to be read.</summary>
    public readonly int Position => position;

    /// <summary>Offset of the first byte of the current token.</summary>
    public readonly int TokenStart => tokenStart;

    /// <summary>
    /// Reads the next token (a dictionary key is a Bytes token). False at the end of the one top-level value.
    /// </summary>
    public bool Read()
    {
        tokenStart = position;
        isKey = false;
        if (isComplete)
        {
            token = BencodeToken.None;
            return false;
        }
        if (position >= data.Length) Fail("the data ends inside a value", position);
        if (depth > 0)
        {
            ref var frame = ref frames[depth - 1];
            if (data[position] == (byte)'e') return Close(ref frame);
            if (frame.State == FrameState.ExpectKey) return ReadKey(ref frame);
            if (frame.State == FrameState.ExpectValue) frame.State = FrameState.ExpectKey;
        }
        ReadValue();
        return true;
    }

    /// <summary>Value of the current Integer token; BadInput when it is outside of Int64.</summary>
    public readonly long Integer
    {
        get
        {
            Require(BencodeToken.Integer);
            if (!BencodeScan.TryInteger(data.Slice(contentStart, contentLength), out var value))
                Fail("an integer does not fit into 64 bits", tokenStart);
            return value;
        }
    }

    /// <summary>Value of the current Bytes token, a slice of the input.</summary>
    public readonly ReadOnlySpan<byte> Bytes
    {
        get
        {
            Require(BencodeToken.Bytes);
            return data.Slice(contentStart, contentLength);
        }
    }

    /// <summary>Value of the current Bytes token as UTF-8, strictly decoded; BadInput when it is not.</summary>
    public readonly string Text
    {
        get
        {
            try
            {
                return BencodeText.Utf8.GetString(Bytes);
            }
            catch (DecoderFallbackException)
            {
                Fail("a text is not UTF-8", contentStart);
                return "";
            }
        }
    }

    /// <summary>Skips the value that the current token starts, checking it fully; returns its raw bytes.</summary>
    public ReadOnlySpan<byte> SkipValue()
    {
        var start = tokenStart;
        if (token is BencodeToken.None or BencodeToken.End)
            throw new InvalidOperationException($"no value starts at {token}");
        if (token is BencodeToken.ListStart or BencodeToken.DictionaryStart)
        {
            var outside = depth - 1;
            while (depth > outside) Read();
        }
        return data[start..position];
    }

    private void ReadValue()
    {
        CountItem();
        var first = data[position];
        if (first == (byte)'i') ReadInteger();
        else if (first is >= (byte)'0' and <= (byte)'9') ReadBytes();
        else if (first == (byte)'l') Open(BencodeToken.ListStart, FrameState.List);
        else if (first == (byte)'d') Open(BencodeToken.DictionaryStart, FrameState.ExpectKey);
        else Fail($"no value starts with byte 0x{first:x2}", position);
        if (depth == 0) Complete();
    }

    private void ReadInteger()
    {
        var digits = data[(position + 1)..];
        var end = digits.IndexOf((byte)'e');
        if (end < 0) Fail("an integer has no end", position);
        digits = digits[..end];
        if (!BencodeScan.IsCanonicalInteger(digits)) Fail("an integer is not in canonical form", position);
        if (keyLog is null && !BencodeScan.TryInteger(digits, out _))
            Fail("an integer does not fit into 64 bits", position);
        token = BencodeToken.Integer;
        contentStart = position + 1;
        contentLength = end;
        position += end + 2;
    }

    private void ReadBytes()
    {
        var at = position;
        long length = 0;
        while (at < data.Length && data[at] is >= (byte)'0' and <= (byte)'9')
        {
            length = length * 10 + (data[at++] - '0');
            if (length > data.Length) Fail("a string is longer than the data", position);
        }
        if (at - position > 1 && data[position] == (byte)'0') Fail("a string's length starts with a zero", position);
        if (at >= data.Length || data[at] != (byte)':') Fail("a string's length is not followed by ':'", at);
        at++;
        if (length > data.Length - at) Fail("a string is longer than the data", position);
        token = BencodeToken.Bytes;
        contentStart = at;
        contentLength = (int)length;
        position = at + (int)length;
    }

    private bool ReadKey(scoped ref Frame frame)
    {
        CountItem();
        if (data[position] is < (byte)'0' or > (byte)'9') Fail("a dictionary's key is not a string", position);
        ReadBytes();
        if (frame.KeyStart > 0)
        {
            var last = data.Slice(frame.KeyStart, frame.KeyLength);
            var order = last.SequenceCompareTo(data.Slice(contentStart, contentLength));
            if (order == 0) Fail("a dictionary has a key twice", tokenStart);
            if (order > 0 && keyLog is null) Fail("a dictionary's keys are not sorted", tokenStart);
            if (order > 0) frame.IsUnsorted = true;
        }
        keyLog?.Add(contentStart, contentLength);
        frame.KeyStart = contentStart;
        frame.KeyLength = contentLength;
        frame.State = FrameState.ExpectValue;
        isKey = true;
        return true;
    }

    private void Open(BencodeToken kind, FrameState state)
    {
        if (depth >= limits.MaxDepth) Fail($"values are nested deeper than {limits.MaxDepth}", position);
        frames[depth++] = new Frame { State = state, LogStart = keyLog?.Count ?? 0 };
        token = kind;
        position++;
    }

    private bool Close(scoped ref Frame frame)
    {
        if (frame.State == FrameState.ExpectValue) Fail("a dictionary's last key has no value", position);
        if (frame.IsUnsorted && keyLog!.FindDuplicate(data, frame.LogStart) is var at and >= 0)
            Fail("a dictionary has a key twice", at);
        keyLog?.Truncate(frame.LogStart);
        depth--;
        token = BencodeToken.End;
        position++;
        if (depth == 0) Complete();
        return true;
    }

    private void Complete()
    {
        isComplete = true;
        if (position < data.Length) Fail($"{data.Length - position} bytes follow the value", position);
    }

    private void CountItem()
    {
        if (++items > limits.MaxItems) Fail($"it holds more than {limits.MaxItems} values", position);
    }

    private readonly void Require(BencodeToken expected)
    {
        if (token == expected) return;
        Fail($"{Name(expected)} is expected, {Name(token)} found", tokenStart);
    }

    private static string Name(BencodeToken kind) => kind switch
    {
        BencodeToken.Integer => "an integer",
        BencodeToken.Bytes => "a string",
        BencodeToken.ListStart => "a list",
        BencodeToken.DictionaryStart => "a dictionary",
        BencodeToken.End => "the end of a value",
        _ => "nothing",
    };

    [DoesNotReturn]
    private static void Fail(string what, int offset) =>
        throw new VirgaException(FailureKind.BadInput, $"bencode: {what} (at byte {offset})", BencodeText.Advice);

    private enum FrameState : byte { List, ExpectKey, ExpectValue }

    /// <summary>KeyStart is 0 before the first key: no key can start at the first byte of the input.</summary>
    private struct Frame
    {
        public int KeyStart, KeyLength, LogStart;
        public FrameState State;
        public bool IsUnsorted;
    }

    [InlineArray(BencodeLimits.DepthCeiling)]
    private struct Frames
    {
        private Frame first;
    }

    /// <summary>
    /// The keys of all open dictionaries, innermost last. A dictionary that turns out unsorted has its keys sorted at
    /// its end to find duplicates: n log n, whatever keys a hostile torrent chooses.
    /// </summary>
    private sealed class KeyLog
    {
        private readonly List<(int Start, int Length)> keys = [];

        public int Count => keys.Count;

        public void Add(int start, int length) => keys.Add((start, length));

        public void Truncate(int count) => keys.RemoveRange(count, keys.Count - count);

        /// <summary>Offset of a key that occurs twice, or -1.</summary>
        public int FindDuplicate(ReadOnlySpan<byte> data, int from)
        {
            var own = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(keys)[from..];
            BencodeScan.SortByBytes(data, own);
            for (var i = 1; i < own.Length; i++)
            {
                var (a, b) = (own[i - 1], own[i]);
                if (data.Slice(a.Start, a.Length).SequenceEqual(data.Slice(b.Start, b.Length)))
                    return Math.Max(a.Start, b.Start);
            }
            return -1;
        }
    }
}
