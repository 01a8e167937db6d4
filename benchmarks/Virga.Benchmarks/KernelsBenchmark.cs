using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Virga.Core.Age;
using Virga.Core.Merkle;

namespace Virga.Benchmarks;

/// <summary>The two loops that every byte of a private transfer goes through, on one core.</summary>
public sealed class KernelsBenchmark : IBenchmark
{
    private const int MiB = 1024 * 1024;

    public string Name => "kernels";

    public string Summary => "hashing of leaves and decryption of age chunks, one core, against OpenSSL and the BCL";

    public async IAsyncEnumerable<BenchLine> RunAsync(
        IReadOnlyList<string> arguments, [EnumeratorCancellation] CancellationToken token)
    {
        if (arguments.Count > 0) throw new UsageException($"kernels takes no arguments, not '{arguments[0]}'");
        yield return await Task.Run(() => LeafHashing(token), token);
        yield return await Task.Run(() => AgeDecrypt(token), token);
    }

    /// <summary>
    /// The leaves of 16 MiB, a MiB at a time: more than the second-level cache holds. OpenSSL does the same work the
    /// way one does without a kernel: one leaf after the other.
    /// </summary>
    private BenchLine LeafHashing(CancellationToken token)
    {
        const int Pieces = 16;
        var data = Bytes(Pieces * MiB);
        var hashes = new byte[MiB / LeafHasher.LeafBytes * 32];
        var digest = new byte[32];

        LeafHasher.HashLeaves(data.AsSpan(0, MiB), hashes);
        for (var leaf = 0; leaf < hashes.Length / 32; leaf++)
        {
            SHA256.HashData(data.AsSpan(leaf * LeafHasher.LeafBytes, LeafHasher.LeafBytes), digest);
            Check(digest.AsSpan().SequenceEqual(hashes.AsSpan(32 * leaf, 32)), $"the hash of leaf {leaf}");
        }

        var (rate, ratio) = Duel.Run(
            () =>
            {
                for (var piece = 0; piece < Pieces; piece++)
                    LeafHasher.HashLeaves(data.AsSpan(piece * MiB, MiB), hashes);
            },
            () =>
            {
                for (var at = 0; at < data.Length; at += LeafHasher.LeafBytes)
                    SHA256.HashData(data.AsSpan(at, LeafHasher.LeafBytes), digest);
            },
            Pieces,
            token);
        return new BenchLine(Name, "leaf-hashing", rate, "MiB/s", "openssl-sha256", ratio);
    }

    /// <summary>
    /// The 16 chunks of a MiB. The BCL's side opens 64 KiB with one key and no associated data: the bare cipher.
    /// </summary>
    private BenchLine AgeDecrypt(CancellationToken token)
    {
        const int Chunks = MiB / AgePayload.ChunkBytes;
        var random = new Random(2);
        var plain = Bytes(MiB);
        var opened = new byte[MiB];
        var chunk = (byte[])[.. plain.AsSpan(0, AgePayload.ChunkBytes)];

        using var payload = new AgePayload(AgeFileKey.Generate(random.NextBytes), Bytes(AgePayload.NonceBytes));
        var @sealed = new byte[Chunks * AgePayload.SealedChunkBytes];
        for (var i = 0; i < Chunks; i++)
            payload.SealChunk(i, isLast: false, PlainChunk(plain, i), SealedChunk(@sealed, i));

        using var bcl = new ChaCha20Poly1305(Bytes(32));
        var nonce = Bytes(12);
        var cipher = new byte[AgePayload.ChunkBytes];
        var tag = new byte[AgePayload.TagBytes];
        bcl.Encrypt(nonce, chunk, cipher, tag);

        var areOpen = true;
        void OpenAll()
        {
            for (var i = 0; i < Chunks; i++)
                areOpen &= payload.TryOpenChunk(i, isLast: false, SealedChunk(@sealed, i), PlainChunk(opened, i));
        }

        OpenAll();
        Check(areOpen && opened.AsSpan().SequenceEqual(plain), "the opened payload");
        var (rate, ratio) = Duel.Run(
            OpenAll,
            () =>
            {
                for (var i = 0; i < Chunks; i++) bcl.Decrypt(nonce, cipher, tag, PlainChunk(opened, i));
            },
            1,
            token);
        Check(areOpen, "an opened chunk");
        return new BenchLine(Name, "age-decrypt", rate, "MiB/s", "bcl-chacha20-poly1305", ratio);
    }

    private static Span<byte> PlainChunk(byte[] plain, int index) =>
        plain.AsSpan(index * AgePayload.ChunkBytes, AgePayload.ChunkBytes);

    private static Span<byte> SealedChunk(byte[] @sealed, int index) =>
        @sealed.AsSpan(index * AgePayload.SealedChunkBytes, AgePayload.SealedChunkBytes);

    /// <summary>A fast wrong answer is worth nothing.</summary>
    private static void Check(bool isRight, string what)
    {
        if (!isRight) throw new InvalidOperationException($"{what} is wrong");
    }

    private static byte[] Bytes(int count)
    {
        var bytes = new byte[count];
        new Random(1).NextBytes(bytes);
        return bytes;
    }
}
