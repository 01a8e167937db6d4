using System.Buffers.Binary;

namespace Virga.Web.Live;

/// <summary>
/// The small picture that cameras put into the first bytes of a JPEG file (Exif 2.32, 4.5: IFD1 of the APP1 segment),
/// so that a list of photographs costs kilobytes for each and not megabytes.
/// </summary>
internal static class ExifThumbnail
{
    /// <summary>It is found there or nowhere: segments have at most 64 KiB, and Exif's comes first or second.</summary>
    public const int HeadBytes = 128 << 10;

    private const int Orientation = 0x0112, ThumbnailOffset = 0x0201, ThumbnailLength = 0x0202;
    private const int EntriesMax = 200;

    /// <summary>Null where there is none, or what is there is no picture.</summary>
    public static byte[]? Find(ReadOnlySpan<byte> head)
    {
        if (head.Length < 4 || head[0] != 0xff || head[1] != 0xd8) return null;
        for (var at = 2; at + 4 <= head.Length && head[at] == 0xff;)
        {
            var marker = head[at + 1];
            var length = BinaryPrimitives.ReadUInt16BigEndian(head[(at + 2)..]);
            // The picture itself begins, or nothing does.
            if (marker is 0xda or 0xd9 || length < 2) return null;
            var end = at + 2 + length;
            if (marker == 0xe1 && end <= head.Length && head[(at + 4)..end].StartsWith("Exif\0\0"u8))
                return InTiff(head[(at + 10)..end]);
            at = end;
        }
        return null;
    }

    private static byte[]? InTiff(ReadOnlySpan<byte> tiff)
    {
        if (tiff.Length < 8) return null;
        var isBig = tiff.StartsWith("MM"u8);
        if (!isBig && !tiff.StartsWith("II"u8)) return null;
        var turned = 1u;
        var (offset, length) = (0u, 0u);
        var next = Long(tiff, 4, isBig);
        for (var directory = 0; directory < 2; directory++)
        {
            if (next is 0 or > ushort.MaxValue || next + 2 > tiff.Length) break;
            var at = (int)next;
            var count = (int)Short(tiff, at, isBig);
            if (count > EntriesMax || at + 2 + (count * 12) + 4 > tiff.Length) break;
            for (var i = 0; i < count; i++)
            {
                var entry = at + 2 + (i * 12);
                var tag = Short(tiff, entry, isBig);
                if (directory == 0 && tag == Orientation) turned = Short(tiff, entry + 8, isBig);
                if (directory == 1 && tag == ThumbnailOffset) offset = Long(tiff, entry + 8, isBig);
                if (directory == 1 && tag == ThumbnailLength) length = Long(tiff, entry + 8, isBig);
            }
            next = Long(tiff, at + 2 + (count * 12), isBig);
        }
        if (length < 4 || offset > tiff.Length || length > tiff.Length - offset) return null;
        var picture = tiff.Slice((int)offset, (int)length);
        return picture[0] == 0xff && picture[1] == 0xd8 ? Turned(picture, (byte)turned) : null;
    }

    /// <summary>How the photograph was held is not said in the small picture: it is written before it.</summary>
    private static byte[] Turned(ReadOnlySpan<byte> picture, byte turned)
    {
        if (turned is < 2 or > 8) return picture.ToArray();
        return
        [
            0xff, 0xd8, 0xff, 0xe1, 0, 34, .. "Exif\0\0MM\0*"u8, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0,
            turned, 0, 0, 0, 0, 0, 0, .. picture[2..],
        ];
    }

    private static uint Short(ReadOnlySpan<byte> bytes, int at, bool isBig) => isBig
        ? BinaryPrimitives.ReadUInt16BigEndian(bytes[at..]) : BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static uint Long(ReadOnlySpan<byte> bytes, int at, bool isBig) => isBig
        ? BinaryPrimitives.ReadUInt32BigEndian(bytes[at..]) : BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);
}
