using System.Text;
using Virga.Core.Bencoding;

namespace Virga.Core.Tests.Bencoding;

internal static class Bombs
{
    /// <summary>
    /// About <paramref name="bytes"/> bytes of one unit over and over, as such or as the items of a list.
    /// </summary>
    public static byte[] Repeat(string unit, int bytes, bool inList)
    {
        var text = new StringBuilder(bytes + 2);
        if (inList) text.Append('l');
        for (var i = 0; i < bytes / unit.Length; i++) text.Append(unit);
        if (inList) text.Append('e');
        return Encoding.Latin1.GetBytes(text.ToString());
    }

    /// <summary>Writes a random value of bounded depth.</summary>
    public static void WriteRandom(BencodeWriter writer, Random random, int depth = 0)
    {
        switch (random.Next(depth > 6 ? 2 : 4))
        {
            case 0:
                writer.Integer(random.Next(3) == 0
                    ? random.NextInt64(long.MinValue, long.MaxValue)
                    : random.Next(-20, 20));
                break;
            case 1:
                var bytes = new byte[random.Next(random.Next(4) == 0 ? 300 : 12)];
                random.NextBytes(bytes);
                writer.Bytes(bytes);
                break;
            case 2:
                writer.StartList();
                for (var i = random.Next(5); i > 0; i--) WriteRandom(writer, random, depth + 1);
                writer.End();
                break;
            default:
                writer.StartDictionary();
                foreach (var key in RandomKeys(random))
                {
                    writer.Key(Convert.FromHexString(key));
                    WriteRandom(writer, random, depth + 1);
                }
                writer.End();
                break;
        }
    }

    /// <summary>Unique keys in byte order: their hex forms sort the same way.</summary>
    private static SortedSet<string> RandomKeys(Random random)
    {
        var keys = new SortedSet<string>(StringComparer.Ordinal);
        for (var i = random.Next(6); i > 0; i--)
        {
            var key = new byte[random.Next(6)];
            random.NextBytes(key);
            keys.Add(Convert.ToHexString(key));
        }
        return keys;
    }
}
