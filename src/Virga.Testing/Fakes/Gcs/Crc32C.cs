using System.Buffers.Binary;
using System.Numerics;

namespace Virga.Testing.Fakes.Gcs;

/// <summary>CRC-32C (RFC 3720, 12.1), in the form in which the service tells it: Base64 of its big-endian
/// bytes.</summary>
internal static class Crc32C
{
    public static string Of(Blob content)
    {
        var crc = uint.MaxValue;
        foreach (var slice in content.Slices(0, content.Length))
            foreach (var one in slice.Span) crc = BitOperations.Crc32C(crc, one);
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, ~crc);
        return Convert.ToBase64String(bytes);
    }
}
