using Virga.Core;

namespace Virga.Accounts;

/// <summary>
/// How a file of a length falls into parts: all of <paramref name="PartBytes"/> but the last, which may be shorter.
/// </summary>
public readonly record struct PartLayout(long Length, long PartBytes)
{
    public long Count => Length / PartBytes + (Length % PartBytes == 0 ? 0 : 1);

    /// <summary>The bytes of part <paramref name="index"/>, from 0.</summary>
    public ByteRange RangeOf(long index) => new(index * PartBytes, Math.Min(PartBytes, Length - index * PartBytes));

    /// <summary>
    /// A layout that the account takes; BadInput says which limit it breaks. Files begin at 1 byte: an empty one is
    /// written by <see cref="IAccount.WriteAsync"/>. The bounds of parts hold for all but the last.
    /// </summary>
    public static PartLayout Checked(AccountTraits traits, long length, long partBytes)
    {
        if (length < 1) throw Bad($"an upload has at least 1 byte, not {length}");
        if (partBytes < traits.PartBytesMin || partBytes > traits.PartBytesMax)
            throw Bad(
                $"parts of {partBytes:N0} bytes; "
                + $"this account takes {traits.PartBytesMin:N0} to {traits.PartBytesMax:N0}");
        if (partBytes < 1 || partBytes % traits.PartMultipleBytes != 0)
            throw Bad($"parts of {partBytes:N0} bytes; this account takes multiples of {traits.PartMultipleBytes:N0}");
        var layout = new PartLayout(length, partBytes);
        if (layout.Count > traits.PartsMax)
            throw Bad($"{layout.Count:N0} parts; this account takes at most {traits.PartsMax:N0}");
        return layout;
    }

    /// <summary>BadInput unless there is such a part and it has this many bytes.</summary>
    public void CheckPart(long index, long bytes)
    {
        if (index < 0 || index >= Count) throw Bad($"part {index} of an upload of {Count} parts");
        if (bytes != RangeOf(index).Length)
            throw Bad($"part {index} has {bytes} bytes, and should have {RangeOf(index).Length}");
    }

    /// <summary>BadInput unless every part has exactly one receipt.</summary>
    public void CheckComplete(IReadOnlyList<PartReceipt> parts)
    {
        if (parts.Count != Count) throw Bad($"{parts.Count} receipts for an upload of {Count} parts");
        var seen = new HashSet<long>(parts.Count);
        foreach (var part in parts)
        {
            if (part.Index < 0 || part.Index >= Count || !seen.Add(part.Index))
                throw Bad($"a receipt for part {part.Index}, which is not one of {Count} or comes twice");
        }
    }

    private static VirgaException Bad(string message) => new(FailureKind.BadInput, message);
}
