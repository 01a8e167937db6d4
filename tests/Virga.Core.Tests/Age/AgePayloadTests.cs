using System.Security.Cryptography;
using Virga.Core.Age;

namespace Virga.Core.Tests.Age;

public class AgePayloadTests
{
    private static readonly AgeFileKey FileKey = AgeFileKey.Generate(Seeded.Bytes(20));
    private static readonly byte[] Nonce = Seeded.Array(21, AgePayload.NonceBytes);

    [Fact]
    public void A_sealed_chunk_is_what_the_specification_says()
    {
        using var payload = new AgePayload(FileKey, Nonce);
        var fileKey = new byte[AgeFileKey.ByteCount];
        FileKey.CopyTo(fileKey);
        var payloadKey = HKDF.DeriveKey(HashAlgorithmName.SHA256, fileKey, 32, Nonce, "payload"u8.ToArray());
        using var reference = new ChaCha20Poly1305(payloadKey);
        var cases = new[] { (0L, true, 0), (0L, false, AgePayload.ChunkBytes), (1L << 40, true, 12_345) };
        foreach (var (index, isLast, length) in cases)
        {
            var plain = Seeded.Array(22, length);
            var made = new byte[length + AgePayload.TagBytes];
            payload.SealChunk(index, isLast, plain, made);
            byte[] nonce = [0, 0, 0, .. BitConverter.GetBytes(index).Reverse(), isLast ? (byte)1 : (byte)0];
            byte[] ciphertext = new byte[length], tag = new byte[16];
            reference.Encrypt(nonce, plain, ciphertext, tag);
            Assert.Equal([.. ciphertext, .. tag], made);
            var opened = new byte[length];
            Assert.True(payload.TryOpenChunk(index, isLast, made, opened));
            Assert.Equal(plain, opened);
        }
    }

    [Fact]
    public void A_chunk_opens_only_at_its_index_and_with_its_mark()
    {
        using var payload = new AgePayload(FileKey, Nonce);
        var made = new byte[AgePayload.SealedChunkBytes];
        var plain = new byte[AgePayload.ChunkBytes];
        payload.SealChunk(5, isLast: false, Seeded.Array(23, AgePayload.ChunkBytes), made);
        Assert.True(payload.TryOpenChunk(5, isLast: false, made, plain));
        Assert.False(payload.TryOpenChunk(4, isLast: false, made, plain));
        Assert.False(plain.AsSpan().ContainsAnyExcept((byte)0));
        Assert.False(payload.TryOpenChunk(5, isLast: true, made, plain));
        using var other = new AgePayload(FileKey, Seeded.Array(24, AgePayload.NonceBytes));
        Assert.False(other.TryOpenChunk(5, isLast: false, made, plain));
    }

    [Fact]
    public void Chunks_of_a_length_that_cannot_be_are_refused()
    {
        using var payload = new AgePayload(FileKey, Nonce);
        Assert.Throws<ArgumentException>(() => payload.SealChunk(0, false, new byte[10], new byte[26]));
        Assert.Throws<ArgumentException>(() => payload.SealChunk(1, true, [], new byte[16]));
        Assert.Throws<ArgumentException>(() => payload.SealChunk(0, true, new byte[10], new byte[25]));
        Assert.Throws<ArgumentOutOfRangeException>(() => payload.SealChunk(-1, true, new byte[10], new byte[26]));
        Assert.False(payload.TryOpenChunk(0, true, new byte[15], []));
        Assert.False(payload.TryOpenChunk(1, true, new byte[16], []));
        Assert.False(payload.TryOpenChunk(0, false, new byte[26], new byte[10]));
    }

    [Fact]
    public void A_chunk_is_sealed_and_opened_in_place()
    {
        using var payload = new AgePayload(FileKey, Nonce);
        var plain = Seeded.Array(25, 50_000);
        var apart = new byte[plain.Length + AgePayload.TagBytes];
        payload.SealChunk(0, true, plain, apart);
        var buffer = new byte[apart.Length];
        plain.CopyTo(buffer, 0);
        payload.SealChunk(0, true, buffer.AsSpan(0, plain.Length), buffer);
        Assert.Equal(apart, buffer);
        Assert.True(payload.TryOpenChunk(0, true, buffer, buffer.AsSpan(0, plain.Length)));
        Assert.Equal(plain, buffer[..plain.Length]);
    }

    [Fact]
    public void Chunks_cost_no_memory_of_their_own()
    {
        using var payload = new AgePayload(FileKey, Nonce);
        var plain = new byte[AgePayload.ChunkBytes];
        var made = new byte[AgePayload.SealedChunkBytes];
        Assert.Equal(0, Refusals.AllocatedBytes(() => payload.SealChunk(1, false, plain, made)));
        Assert.Equal(0, Refusals.AllocatedBytes(() => payload.TryOpenChunk(1, false, made, plain)));
    }

    [Fact]
    public void Many_threads_seal_and_open_chunks_of_one_payload_at_once()
    {
        using var payload = new AgePayload(FileKey, Nonce);
        const int chunks = 64;
        var expected = new byte[chunks][];
        for (var i = 0; i < chunks; i++)
        {
            expected[i] = new byte[AgePayload.SealedChunkBytes];
            payload.SealChunk(i, false, Seeded.Array(i, AgePayload.ChunkBytes), expected[i]);
        }
        Parallel.For(0, 20 * chunks, new ParallelOptions { MaxDegreeOfParallelism = 8 }, n =>
        {
            var i = n % chunks;
            var made = new byte[AgePayload.SealedChunkBytes];
            var plain = new byte[AgePayload.ChunkBytes];
            Assert.True(payload.TryOpenChunk(i, false, expected[i], plain));
            payload.SealChunk(i, false, plain, made);
            Assert.True(made.AsSpan().SequenceEqual(expected[i]));
            Assert.False(payload.TryOpenChunk(i + 1, false, expected[i], plain));
        });
    }

    [Fact]
    public async Task Disposing_while_others_seal_never_gives_a_wrong_chunk()
    {
        var plain = Seeded.Array(26, 4_096);
        var expected = new byte[plain.Length + AgePayload.TagBytes];
        using (var reference = new AgePayload(FileKey, Nonce)) reference.SealChunk(0, true, plain, expected);
        for (var round = 0; round < 50; round++)
        {
            var payload = new AgePayload(FileKey, Nonce);
            var sealers = Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
            {
                var made = new byte[expected.Length];
                try
                {
                    while (true)
                    {
                        payload.SealChunk(0, true, plain, made);
                        Assert.Equal(expected, made);
                    }
                }
                catch (ObjectDisposedException)
                {
                }
            })).ToArray();
            await Task.Yield();
            payload.Dispose();
            await Task.WhenAll(sealers);
        }
    }
}
