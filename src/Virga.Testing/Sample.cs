using Virga.Core;

namespace Virga.Testing;

/// <summary>Values for tests and vectors that follow from a small number, by <see cref="Seeded"/>.</summary>
public static class Sample
{
    public static byte[] Array(int seed, int length) => Seeded.Bytes(length, (ulong)seed);

    public static Hash256 Hash(int seed) => new(Array(seed, Hash256.ByteCount));

    public static RandomBytes Random(int seed) => new Seeded((ulong)seed).RandomBytes;
}
