using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Virga.Core;

namespace Virga.Testing;

/// <summary>
/// Numbers that look random and depend on a seed alone: splitmix64, https://prng.di.unimi.it/splitmix64.c (public
/// domain). From one thread the sequence is always the same; several threads share it safely.
/// </summary>
public sealed class Seeded(ulong seed)
{
    private const ulong Step = 0x9E3779B97F4A7C15;

    private ulong state = seed;

    public ulong Next() => Mix(Interlocked.Add(ref state, Step));

    /// <summary>From 0 to below <paramref name="end"/>.</summary>
    public long Next(long end) => (long)(Next() % (ulong)end);

    /// <summary>From 0 to below 1.</summary>
    public double NextDouble() => ToDouble(Next());

    public RandomBytes RandomBytes => Fill;

    public static byte[] Bytes(long count, ulong seed)
    {
        var bytes = new byte[count];
        new Seeded(seed).Fill(bytes);
        return bytes;
    }

    /// <summary>A number that depends on a seed and a text, whatever else was asked before.</summary>
    public static ulong Hash(ulong seed, string text)
    {
        var hash = Mix(seed + Step);
        foreach (var c in text) hash = Mix(hash ^ c);
        return hash;
    }

    public static double ToDouble(ulong number) => (number >> 11) * (1.0 / (1UL << 53));

    private void Fill(Span<byte> destination)
    {
        var words = MemoryMarshal.Cast<byte, ulong>(destination);
        for (var i = 0; i < words.Length; i++) words[i] = Next();
        var rest = destination[(words.Length * 8)..];
        if (rest.IsEmpty) return;
        Span<byte> last = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(last, Next());
        last[..rest.Length].CopyTo(rest);
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
