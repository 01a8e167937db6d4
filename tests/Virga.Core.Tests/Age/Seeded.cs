namespace Virga.Core.Tests.Age;

internal static class Seeded
{
    /// <summary>A generator that gives the same bytes for the same seed, call after call.</summary>
    public static RandomBytes Bytes(int seed)
    {
        var random = new Random(seed);
        return destination =>
        {
            lock (random) random.NextBytes(destination);
        };
    }

    public static byte[] Array(int seed, int length)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
