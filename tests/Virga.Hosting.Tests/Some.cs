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

    /// <summary>
    /// A new folder, in memory where the system has such a place: identities are flushed to the disk, and many tests at
    /// once would wait for it.
    /// </summary>
    public static string Folder()
    {
        const string memory = "/dev/shm";
        var parent = Directory.Exists(memory) ? memory : Path.GetTempPath();
        return Directory.CreateDirectory(Path.Combine(parent, "virga-" + Path.GetRandomFileName())).FullName;
    }

    public static Hash256 Hash(int number) => new(Bytes(number, Hash256.ByteCount));
}
