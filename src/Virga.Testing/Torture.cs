using Virga.Core;

namespace Virga.Testing;

/// <summary>
/// Holds a parser to the promise that outside input ends in a value or a VirgaException, never in anything else.
/// </summary>
public static class Torture
{
    /// <summary>
    /// Runs the parser on the good input, on every beginning of it, and on seeded mutations (bits flipped, bytes set,
    /// cut out, doubled). Returns how many of the mutations were refused. A failure names the seed and the input.
    /// </summary>
    public static int Parse(byte[] good, Action<byte[]> parse, int seed, int mutations = 2_000)
    {
        parse(good);
        for (var length = 0; length < good.Length; length++) Run(good[..length], parse, $"cut after {length} bytes");
        var random = new Random(seed);
        var refused = 0;
        for (var i = 0; i < mutations; i++)
        {
            if (!Run(Mutate(good, random), parse, $"seed {seed}, mutation {i}")) refused++;
        }
        return refused;
    }

    private static bool Run(byte[] input, Action<byte[]> parse, string which)
    {
        try
        {
            parse(input);
            return true;
        }
        catch (VirgaException)
        {
            return false;
        }
        catch (Exception bug)
        {
            throw new InvalidOperationException(
                $"{which}: {bug.GetType().Name} instead of a VirgaException, for {Convert.ToHexStringLower(input)}",
                bug);
        }
    }

    private static byte[] Mutate(byte[] good, Random random)
    {
        var bytes = good.ToList();
        for (var times = random.Next(1, 4); times > 0 && bytes.Count > 0; times--)
        {
            var at = random.Next(bytes.Count);
            switch (random.Next(5))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes.RemoveRange(at, random.Next(1, Math.Min(8, bytes.Count - at) + 1));
                    break;
                case 3:
                    bytes.InsertRange(at, bytes.GetRange(at, random.Next(1, Math.Min(8, bytes.Count - at) + 1)));
                    break;
                default:
                    bytes[at] = "0123456789:deil-"u8[random.Next(16)];
                    break;
            }
        }
        return [.. bytes];
    }
}
