using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;

namespace Virga.Repository.Tests.Log;

/// <summary>
/// A reader of logs that was written from the texts of C2SP signed-note, tlog-checkpoint, tlog-tiles and
/// tlog-cosignature, RFC 6962 and RFC 8032 alone; nothing of the product is used in it. Slow, plain, and strict.
/// </summary>
internal sealed class C2spClient(Func<string, Task<byte[]?>> get, string origin, byte[] publicKey)
{
    public sealed record Head(long Size, byte[] Root, string Text, string Note);

    /// <summary>The checkpoint that is served now, its signature verified.</summary>
    public async Task<Head> CheckpointAsync()
    {
        var bytes = await get("checkpoint") ?? throw new InvalidDataException("no checkpoint");
        return Open(bytes);
    }

    public Head Open(byte[] bytes)
    {
        var note = new UTF8Encoding(false, true).GetString(bytes);
        var split = note.LastIndexOf("\n\n", StringComparison.Ordinal);
        var text = note[..(split + 1)];
        var lines = text.Split('\n');
        Require(lines[0] == origin, "origin");
        Require(lines.Length == 4, "three lines");
        Require(Signatures(note, 1, 64).Any(signature =>
            Ed25519.Verify(publicKey, Encoding.UTF8.GetBytes(text), signature)), "signature");
        return new Head(long.Parse(lines[1]), Convert.FromBase64String(lines[2]), text, note);
    }

    /// <summary>The time of a cosignature by that key in the note.</summary>
    public static long Cosigned(Head head, string name, byte[] key)
    {
        foreach (var signature in Signatures(head.Note, name, key, 4, 72))
        {
            var time = BinaryPrimitives.ReadUInt64BigEndian(signature);
            var message = Encoding.UTF8.GetBytes($"cosignature/v1\ntime {time}\n{head.Text}");
            if (Ed25519.Verify(key, message, signature[8..])) return (long)time;
        }

        throw new InvalidDataException($"no cosignature of {name}");
    }

    /// <summary>
    /// Fetches every tile and every bundle that a log of that size has, and checks each against the root. Returns the
    /// entries.
    /// </summary>
    public async Task<List<byte[]>> AuditAsync(Head head)
    {
        var leaves = await TilesAsync(0, head.Size);
        Require(Mth(leaves, 0, leaves.Count).SequenceEqual(head.Root), "root");
        var below = leaves;
        for (var level = 1; head.Size >> (8 * level) > 0; level++)
        {
            var hashes = await TilesAsync(level, head.Size >> (8 * level));
            for (var i = 0; i < hashes.Count; i++)
                Require(hashes[i].SequenceEqual(Mth(below, i * 256, (i + 1) * 256)), $"tile {level}, hash {i}");
            below = hashes;
        }

        var entries = new List<byte[]>();
        for (long n = 0; n * 256 < head.Size; n++)
        {
            var bundle = await FetchAsync("entries", n, (int)Math.Min(256, head.Size - (n * 256)));
            for (var at = 0; at < bundle.Data.Length && entries.Count < (n * 256) + bundle.Width;)
            {
                var length = (bundle.Data[at] << 8) | bundle.Data[at + 1];
                entries.Add(bundle.Data[(at + 2)..(at + 2 + length)]);
                at += 2 + length;
            }
        }

        Require(entries.Count == head.Size, "as many entries as leaves");
        for (var i = 0; i < entries.Count; i++)
            Require(SHA256.HashData([0, .. entries[i]]).SequenceEqual(leaves[i]), $"entry {i}");
        return entries;
    }

    /// <summary>Whether the first is a beginning of the second, recomputed from the second's leaves.</summary>
    public async Task<bool> IsBeginningAsync(Head first, Head second)
    {
        var leaves = await TilesAsync(0, second.Size);
        return first.Size <= second.Size && Mth(leaves, 0, (int)first.Size).SequenceEqual(first.Root)
            && Mth(leaves, 0, (int)second.Size).SequenceEqual(second.Root);
    }

    /// <summary>RFC 6962, section 2.1.1: whether PATH(index, D[size]) is that proof.</summary>
    public static bool Includes(byte[] entry, long index, long size, IReadOnlyList<byte[]> path, byte[] root)
    {
        var left = new Queue<byte[]>(path);
        try
        {
            return Up(index, size).SequenceEqual(root) && left.Count == 0;
        }
        catch (InvalidOperationException)
        {
            return false;
        }

        byte[] Up(long m, long n)
        {
            if (n == 1) return SHA256.HashData([0, .. entry]);
            var k = K(n);
            var inner = m < k ? Up(m, k) : Up(m - k, n - k);
            return m < k ? Node(inner, left.Dequeue()) : Node(left.Dequeue(), inner);
        }
    }

    /// <summary>RFC 6962, section 2.1.2: whether PROOF(m, D[n]) is that proof.</summary>
    public static bool Extends(long m, byte[] first, long n, byte[] second, IReadOnlyList<byte[]> proof)
    {
        var left = new Queue<byte[]>(proof);
        try
        {
            var (old, all) = Sub(m, n, true);
            return old.SequenceEqual(first) && all.SequenceEqual(second) && left.Count == 0;
        }
        catch (InvalidOperationException)
        {
            return false;
        }

        (byte[] Old, byte[] All) Sub(long m, long n, bool b)
        {
            if (m == n)
            {
                var hash = b ? first : left.Dequeue();
                return (hash, hash);
            }

            var k = K(n);
            if (m <= k)
            {
                var (old, all) = Sub(m, k, b);
                return (old, Node(all, left.Dequeue()));
            }

            var (right, whole) = Sub(m - k, n - k, false);
            var hashOfLeft = left.Dequeue();
            return (Node(hashOfLeft, right), Node(hashOfLeft, whole));
        }
    }

    private IEnumerable<byte[]> Signatures(string note, byte type, int length) =>
        Signatures(note, origin, publicKey, type, length);

    private static IEnumerable<byte[]> Signatures(string note, string name, byte[] key, byte type, int length)
    {
        var id = SHA256.HashData([.. Encoding.UTF8.GetBytes(name), 0x0a, type, .. key])[..4];
        foreach (var line in note[(note.LastIndexOf("\n\n", StringComparison.Ordinal) + 2)..^1].Split('\n'))
        {
            Require(line.StartsWith("\u2014 ", StringComparison.Ordinal), "em dash");
            var parts = line[2..].Split(' ');
            var bytes = Convert.FromBase64String(parts[1]);
            if (parts[0] == name && bytes[..4].SequenceEqual(id) && bytes.Length == 4 + length)
                yield return bytes[4..];
        }
    }

    private async Task<List<byte[]>> TilesAsync(int level, long count)
    {
        var hashes = new List<byte[]>();
        for (long n = 0; n * 256 < count; n++)
        {
            var tile = await FetchAsync(level.ToString(), n, (int)Math.Min(256, count - (n * 256)));
            Require(tile.Data.Length == (tile.Fetched * 32), "the length of a tile");
            hashes.AddRange(tile.Data.Chunk(32).Take(tile.Width));
        }

        return hashes;
    }

    private async Task<(byte[] Data, int Width, int Fetched)> FetchAsync(string level, long n, int width)
    {
        var path = $"tile/{level}/{Name(n)}";
        if (width < 256 && await get($"{path}.p/{width}") is { } partial) return (partial, width, width);
        return (await get(path) ?? throw new InvalidDataException($"no {path} of {width}"), width, 256);
    }

    private static string Name(long n) =>
        n < 1000 ? $"{n:000}" : string.Concat(Name(n / 1000).Split('/').Select(part => "x" + part.TrimStart('x') + "/"))
            + $"{n % 1000:000}";

    private static byte[] Mth(List<byte[]> hashes, int start, int end)
    {
        if (start == end) return SHA256.HashData([]);
        if (end - start == 1) return hashes[start];
        var k = (int)K(end - start);
        return Node(Mth(hashes, start, start + k), Mth(hashes, start + k, end));
    }

    private static long K(long n)
    {
        var k = 1L;
        while (k * 2 < n) k *= 2;
        return k;
    }

    private static byte[] Node(byte[] left, byte[] right) => SHA256.HashData([1, .. left, .. right]);

    private static void Require(bool isSo, string what)
    {
        if (!isSo) throw new InvalidDataException(what);
    }

    /// <summary>RFC 8032, section 5.1.7, with big integers.</summary>
    private static class Ed25519
    {
        private static readonly BigInteger p = BigInteger.Pow(2, 255) - 19;
        private static readonly BigInteger l =
            BigInteger.Pow(2, 252) + BigInteger.Parse("27742317777372353535851937790883648493");
        private static readonly BigInteger d = Mod(-121665 * Inverse(121666));
        private static readonly BigInteger rootOfMinus1 = BigInteger.ModPow(2, (p - 1) / 4, p);
        private static readonly (BigInteger X, BigInteger Y) b =
            Decode(Bytes(Mod(4 * Inverse(5))))!.Value;

        public static bool Verify(byte[] key, byte[] message, byte[] signature)
        {
            if (Decode(key) is not { } a || Decode(signature[..32]) is not { } r) return false;
            var s = Number(signature[32..]);
            if (s >= l) return false;
            var h = Number(SHA512.HashData([.. signature[..32], .. key, .. message])) % l;
            return Affine(Times(b, s)) == Affine(Add(Extended(r), Times(a, h)));
        }

        private static BigInteger Mod(BigInteger x) => ((x % p) + p) % p;

        private static BigInteger Inverse(BigInteger x) => BigInteger.ModPow(Mod(x), p - 2, p);

        private static BigInteger Number(byte[] bytes) => new(bytes, isUnsigned: true);

        private static byte[] Bytes(BigInteger x)
        {
            var bytes = new byte[32];
            x.ToByteArray(isUnsigned: true).CopyTo(bytes, 0);
            return bytes;
        }

        private static (BigInteger, BigInteger)? Decode(byte[] bytes)
        {
            var copy = bytes.ToArray();
            var sign = copy[31] >> 7;
            copy[31] &= 0x7f;
            var y = Number(copy);
            if (y >= p) return null;
            var x2 = Mod((y * y - 1) * Inverse(d * y * y + 1));
            var x = BigInteger.ModPow(x2, (p + 3) / 8, p);
            if (Mod(x * x) != x2) x = Mod(x * rootOfMinus1);
            if (Mod(x * x) != x2 || (x.IsZero && sign == 1)) return null;
            return ((int)(x & 1) == sign ? x : p - x, y);
        }

        private static BigInteger[] Extended((BigInteger X, BigInteger Y) point) =>
            [point.X, point.Y, 1, Mod(point.X * point.Y)];

        private static (BigInteger, BigInteger) Affine(BigInteger[] point)
        {
            var z = Inverse(point[2]);
            return (Mod(point[0] * z), Mod(point[1] * z));
        }

        private static BigInteger[] Times((BigInteger, BigInteger) point, BigInteger n)
        {
            BigInteger[] sum = [0, 1, 1, 0];
            for (var twice = Extended(point); n > 0; n >>= 1, twice = Add(twice, twice))
            {
                if (!n.IsEven) sum = Add(sum, twice);
            }

            return sum;
        }

        private static BigInteger[] Add(BigInteger[] one, BigInteger[] two)
        {
            var a = Mod((one[1] - one[0]) * (two[1] - two[0]));
            var b = Mod((one[1] + one[0]) * (two[1] + two[0]));
            var c = Mod(2 * one[3] * two[3] * d);
            var dd = Mod(2 * one[2] * two[2]);
            var (e, f, g, h) = (b - a, dd - c, dd + c, b + a);
            return [Mod(e * f), Mod(g * h), Mod(f * g), Mod(e * h)];
        }
    }
}
