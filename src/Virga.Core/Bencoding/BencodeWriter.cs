using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace Virga.Core.Bencoding;

/// <summary>
/// Writes canonical bencode. Keys must be written in order; a wrong order or an unclosed value is a bug of the caller
/// and throws InvalidOperationException. Not safe for several threads.
/// </summary>
public sealed class BencodeWriter(IBufferWriter<byte> output)
{
    private readonly List<Frame> frames = [];
    private byte[] keyBytes = [];
    private bool isComplete;

    /// <summary>Whether one whole value has been written.</summary>
    public bool IsComplete => isComplete;

    /// <summary>Encodes one value that <paramref name="write"/> writes whole.</summary>
    public static byte[] Encode(Action<BencodeWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new BencodeWriter(buffer);
        write(writer);
        if (!writer.isComplete) throw new InvalidOperationException("the bencode value was not closed");
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>
    /// The same for values of many MiB: into an array of just their length, without the room and the copies of one that
    /// grows. <paramref name="write"/> is called twice, and writes the same both times.
    /// </summary>
    public static byte[] EncodeLarge(Action<BencodeWriter> write)
    {
        var exact = new ExactBuffer(LengthOf(write));
        write(new BencodeWriter(exact));
        if (exact.Count != exact.Bytes.Length)
            throw new InvalidOperationException("the value was not written the same twice");
        return exact.Bytes;
    }

    public BencodeWriter StartDictionary() => Start((byte)'d', isDictionary: true);

    public BencodeWriter StartList() => Start((byte)'l', isDictionary: false);

    public BencodeWriter End()
    {
        if (frames.Count == 0) throw new InvalidOperationException("nothing is open");
        if (frames[^1].HasKey) throw new InvalidOperationException("the last key has no value");
        frames.RemoveAt(frames.Count - 1);
        Put((byte)'e');
        isComplete = frames.Count == 0;
        return this;
    }

    public BencodeWriter Key(string key)
    {
        const int stackBytes = 256;
        Span<byte> buffer = stackalloc byte[stackBytes];
        return BencodeText.Utf8.TryGetBytes(key, buffer, out var count)
            ? Key(buffer[..count])
            : Key(BencodeText.Utf8.GetBytes(key));
    }

    public BencodeWriter Key(ReadOnlySpan<byte> key)
    {
        if (frames.Count == 0 || !frames[^1].IsDictionary)
            throw new InvalidOperationException("a key belongs into a dictionary");
        var frame = frames[^1];
        if (frame.HasKey) throw new InvalidOperationException("the last key has no value");
        var last = keyBytes.AsSpan(frame.KeyStart, frame.KeyLength);
        if (frame.HasKeys && last.SequenceCompareTo(key) >= 0)
        {
            throw new InvalidOperationException(
                $"key '{BencodeText.Show(key)}' must not follow '{BencodeText.Show(last)}'");
        }
        Remember(frame.KeyStart, key);
        frames[^1] = frame with { KeyLength = key.Length, HasKeys = true, HasKey = true };
        PutString(key);
        return this;
    }

    public BencodeWriter Integer(long value)
    {
        BeforeValue();
        const int longestBytes = 22;
        var span = output.GetSpan(longestBytes);
        span[0] = (byte)'i';
        Utf8Formatter.TryFormat(value, span[1..], out var count);
        span[count + 1] = (byte)'e';
        output.Advance(count + 2);
        return AfterValue();
    }

    public BencodeWriter Bytes(ReadOnlySpan<byte> value)
    {
        BeforeValue();
        PutString(value);
        return AfterValue();
    }

    public BencodeWriter Hash(Hash256 value)
    {
        Span<byte> bytes = stackalloc byte[Hash256.ByteCount];
        value.CopyTo(bytes);
        return Bytes(bytes);
    }

    public BencodeWriter Text(string value)
    {
        BeforeValue();
        var count = BencodeText.Utf8.GetByteCount(value);
        PutLength(count);
        BencodeText.Utf8.GetBytes(value, output.GetSpan(count));
        output.Advance(count);
        return AfterValue();
    }

    /// <summary>
    /// A string that holds one encoded value. <paramref name="write"/> is called twice, as in
    /// <see cref="EncodeLarge"/>.
    /// </summary>
    public BencodeWriter Nested(Action<BencodeWriter> write)
    {
        BeforeValue();
        PutLength(LengthOf(write));
        write(new BencodeWriter(output));
        return AfterValue();
    }

    /// <summary>Copies one already encoded value. That it is exactly one is the caller's to know.</summary>
    public BencodeWriter Raw(ReadOnlySpan<byte> encodedValue)
    {
        if (encodedValue.IsEmpty) throw new InvalidOperationException("no value is empty");
        BeforeValue();
        output.Write(encodedValue);
        return AfterValue();
    }

    /// <summary>How long the value is that <paramref name="write"/> writes.</summary>
    public static int LengthOf(Action<BencodeWriter> write)
    {
        var counting = new CountingBuffer();
        var writer = new BencodeWriter(counting);
        write(writer);
        if (!writer.isComplete) throw new InvalidOperationException("the bencode value was not closed");
        return counting.Count;
    }

    private BencodeWriter Start(byte mark, bool isDictionary)
    {
        BeforeValue();
        Put(mark);
        var keyStart = frames.Count == 0 ? 0 : frames[^1].KeyStart + frames[^1].KeyLength;
        frames.Add(new Frame(isDictionary, keyStart, 0, HasKeys: false, HasKey: false));
        return this;
    }

    private void BeforeValue()
    {
        if (isComplete) throw new InvalidOperationException("the value is complete");
        if (frames.Count == 0) return;
        var frame = frames[^1];
        if (frame.IsDictionary && !frame.HasKey)
            throw new InvalidOperationException("a dictionary's value needs a key");
        frames[^1] = frame with { HasKey = false };
    }

    private BencodeWriter AfterValue()
    {
        isComplete = frames.Count == 0;
        return this;
    }

    private void Remember(int start, ReadOnlySpan<byte> key)
    {
        if (keyBytes.Length < start + key.Length) Array.Resize(ref keyBytes, Math.Max(64, (start + key.Length) * 2));
        key.CopyTo(keyBytes.AsSpan(start));
    }

    private void PutString(ReadOnlySpan<byte> value)
    {
        PutLength(value.Length);
        output.Write(value);
    }

    private void PutLength(int length)
    {
        const int longestBytes = 11;
        var span = output.GetSpan(longestBytes);
        Utf8Formatter.TryFormat(length, span, out var count);
        span[count] = (byte)':';
        output.Advance(count + 1);
    }

    private void Put(byte value)
    {
        output.GetSpan(1)[0] = value;
        output.Advance(1);
    }

    private readonly record struct Frame(bool IsDictionary, int KeyStart, int KeyLength, bool HasKeys, bool HasKey);
}
