namespace Virga.Core.Bencoding;

/// <summary>The parts of bencode's grammar that need no state.</summary>
internal static class BencodeScan
{
    /// <summary>Digits without a leading zero, one optional '-', never "-0" (BEP 3).</summary>
    public static bool IsCanonicalInteger(ReadOnlySpan<byte> digits)
    {
        var isNegative = digits.Length > 0 && digits[0] == (byte)'-';
        if (isNegative) digits = digits[1..];
        if (digits.IsEmpty || digits.ContainsAnyExceptInRange((byte)'0', (byte)'9')) return false;
        return digits[0] != (byte)'0' || (digits.Length == 1 && !isNegative);
    }

    /// <param name="digits">A canonical integer.</param>
    public static bool TryInteger(ReadOnlySpan<byte> digits, out long value)
    {
        value = 0;
        var isNegative = digits[0] == (byte)'-';
        if (isNegative) digits = digits[1..];
        if (digits.Length > 19) return false;
        var magnitude = 0UL;
        foreach (var digit in digits) magnitude = magnitude * 10 + (ulong)(digit - '0');
        if (magnitude > long.MaxValue + (isNegative ? 1UL : 0UL)) return false;
        value = isNegative ? unchecked(-(long)magnitude) : (long)magnitude;
        return true;
    }

    /// <summary>Offset behind the value at <paramref name="at"/>, in data that the reader has accepted.</summary>
    public static int SkipTrusted(ReadOnlySpan<byte> data, int at)
    {
        var depth = 0;
        do
        {
            var first = data[at];
            if (first == (byte)'e') (depth, at) = (depth - 1, at + 1);
            else if (first is (byte)'l' or (byte)'d') (depth, at) = (depth + 1, at + 1);
            else if (first == (byte)'i') at += data[at..].IndexOf((byte)'e') + 1;
            else at = StringTrusted(data, at, out var length) + length;
        }
        while (depth > 0);
        return at;
    }

    /// <summary>Offset and length of the content of the string at <paramref name="at"/>, in accepted data.</summary>
    public static int StringTrusted(ReadOnlySpan<byte> data, int at, out int length)
    {
        length = 0;
        while (data[at] != (byte)':') length = length * 10 + (data[at++] - '0');
        return at + 1;
    }

    public static void SortByBytes(ReadOnlySpan<byte> data, Span<(int Start, int Length)> slices)
    {
        // Span.Sort cannot capture a span in its comparison, and the data must not be copied: heap sort in place.
        for (var i = slices.Length / 2 - 1; i >= 0; i--) SiftDown(data, slices, i);
        for (var end = slices.Length - 1; end > 0; end--)
        {
            (slices[0], slices[end]) = (slices[end], slices[0]);
            SiftDown(data, slices[..end], 0);
        }
    }

    private static void SiftDown(ReadOnlySpan<byte> data, Span<(int Start, int Length)> heap, int parent)
    {
        while (2 * parent + 1 < heap.Length)
        {
            var child = 2 * parent + 1;
            if (child + 1 < heap.Length && Compare(data, heap[child], heap[child + 1]) < 0) child++;
            if (Compare(data, heap[parent], heap[child]) >= 0) return;
            (heap[parent], heap[child]) = (heap[child], heap[parent]);
            parent = child;
        }
    }

    private static int Compare(ReadOnlySpan<byte> data, (int Start, int Length) a, (int Start, int Length) b) =>
        data.Slice(a.Start, a.Length).SequenceCompareTo(data.Slice(b.Start, b.Length));
}
