using System.Buffers;

namespace Virga.Core.Bencoding;

/// <summary>Takes what is written only to know how long it is.</summary>
internal sealed class CountingBuffer : IBufferWriter<byte>
{
    private byte[] scratch = new byte[4096];

    public int Count { get; private set; }

    public void Advance(int count) => Count = checked(Count + count);

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        if (sizeHint > scratch.Length) scratch = new byte[sizeHint];
        return scratch;
    }

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;
}

/// <summary>
/// As many bytes as were counted. A writer may ask for some more than it then uses: at the end it gets them elsewhere,
/// and what it used is copied.
/// </summary>
internal sealed class ExactBuffer(int length) : IBufferWriter<byte>
{
    private byte[]? spill;

    public byte[] Bytes { get; } = new byte[length];

    public int Count { get; private set; }

    public void Advance(int count)
    {
        if (spill is not null) spill.AsSpan(0, count).CopyTo(Bytes.AsSpan(Count));
        spill = null;
        Count += count;
    }

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        spill = null;
        var rest = Bytes.AsMemory(Count);
        return rest.Length >= Math.Max(1, sizeHint) ? rest : spill = new byte[Math.Max(1, sizeHint)];
    }

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;
}
