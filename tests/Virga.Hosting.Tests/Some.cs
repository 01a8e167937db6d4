using Virga.Core;

namespace Virga.Hosting.Tests;

/// <summary>Values that don't matter, the same for the same number.</summary>
internal static class Some
{
    public static byte[] Bytes(int number, int length)
    {
        var bytes = new byte[length];
        new Random(number).NextBytes(bytes);
        return bytes;
    }

    public static Hash256 Hash(int number) => new(Bytes(number, Hash256.ByteCount));
}
