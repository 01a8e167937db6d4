using Virga.Core;

namespace Virga.Core.Tests;

/// <summary>Shared checks of how outside input is refused.</summary>
internal static class Refusals
{
    /// <summary>
    /// Runs <paramref name="parse"/>, which must succeed or throw VirgaException of one of the kinds.
    /// </summary>
    public static VirgaException? Catch(Action parse, params ReadOnlySpan<FailureKind> kinds)
    {
        try
        {
            parse();
            return null;
        }
        catch (VirgaException refused)
        {
            Assert.Contains(refused.Kind, kinds.ToArray());
            Assert.NotEmpty(refused.Message);
            return refused;
        }
    }

    public static VirgaException BadInput(Action parse)
    {
        var refused = Assert.Throws<VirgaException>(parse);
        Assert.Equal(FailureKind.BadInput, refused.Kind);
        return refused;
    }

    /// <summary>
    /// Bytes that this thread allocates while it runs the action: the least of three runs after one to warm up, since a
    /// collection that other tests cause in between is counted too.
    /// </summary>
    public static long AllocatedBytes(Action action)
    {
        action();
        var least = long.MaxValue;
        for (var run = 0; run < 3; run++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            action();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        return least;
    }

    /// <summary>One of: a flipped bit, a changed, removed, doubled or inserted byte, a cut, a repeated slice.</summary>
    public static byte[] Mutate(byte[] data, Random random)
    {
        if (data.Length == 0) return [(byte)random.Next(256)];
        var at = random.Next(data.Length);
        var copy = data.ToList();
        switch (random.Next(7))
        {
            case 0: copy[at] ^= (byte)(1 << random.Next(8)); break;
            case 1: copy[at] = (byte)random.Next(256); break;
            case 2: copy.RemoveAt(at); break;
            case 3: copy.Insert(at, copy[at]); break;
            case 4: copy.Insert(at, (byte)"0123456789ilde:- \n\r="[random.Next(20)]); break;
            case 5: copy.RemoveRange(at, copy.Count - at); break;
            default: copy.InsertRange(at, data.AsSpan(at, random.Next(data.Length - at)).ToArray()); break;
        }
        return [.. copy];
    }
}
