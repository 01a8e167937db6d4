using System.Security.Cryptography;
using Virga.Core;
using Virga.Core.Age;

namespace Virga.Content.Snapshots;

/// <summary>
/// Chunks of public files that were once found to be those that were shared, by their Merkle roots: looked at again, a
/// chunk is compared by a tag under keys that never leave this memory, at a small part of what hashing costs: GMAC
/// (NIST SP 800-38D) over what <see cref="NhHash"/> makes of its blocks, as UMAC does it; over the chunk itself where
/// that is no faster. The tags never leave it either, so that one nonce for all is none too few: nobody can learn from
/// a tag how to make another. Safe for many threads.
/// </summary>
internal sealed class SeenChunks
{
    private const int TagBytes = OwnedBlob.TagBytes;

    /// <summary>Of tags, for 64 GiB of content; what lies beyond is hashed each time.</summary>
    private const long BytesMax = 16 << 20;

    private const int GmacKeyBytes = 32;
    private const int HashedBytesMax =
        (AgePayload.ChunkBytes / NhHash.BlockBytes * NhHash.HashBytes) + NhHash.BlockBytes;

    private readonly RandomBytes random;
    private readonly Lock gate = new();
    private readonly Dictionary<OwnedBlob, byte[]> tags = new(ReferenceEqualityComparer.Instance);
    private byte[]? key;
    private NhHash? blockHash;
    private long bytes;

    public SeenChunks(RandomBytes random) => this.random = random;

    /// <summary>One read of one file; one thread uses it.</summary>
    public sealed class Look : IDisposable
    {
        private readonly AesGcm mac;
        private readonly NhHash? blockHash;
        private readonly byte[] known;

        internal Look(byte[] key, NhHash? blockHash, byte[] known)
        {
            mac = new AesGcm(key, TagBytes);
            this.blockHash = blockHash;
            this.known = known;
        }

        /// <summary>False also where it was never looked at.</summary>
        public bool IsSame(long number, ReadOnlySpan<byte> chunk)
        {
            var tag = TagOf(number);
            if (!tag.ContainsAnyExcept((byte)0)) return false;
            Span<byte> now = stackalloc byte[TagBytes];
            Compute(chunk, now);
            return now.SequenceEqual(tag);
        }

        /// <summary>The chunk was found to be right by its root.</summary>
        public void Remember(long number, ReadOnlySpan<byte> chunk)
        {
            Span<byte> tag = stackalloc byte[TagBytes];
            Compute(chunk, tag);
            tag.CopyTo(TagOf(number));
        }

        public void Dispose() => mac.Dispose();

        /// <summary>Who writes it at the same time writes the same; half of it matches nothing.</summary>
        private Span<byte> TagOf(long number) => known.AsSpan((int)number * TagBytes, TagBytes);

        private void Compute(ReadOnlySpan<byte> chunk, Span<byte> tag)
        {
            Span<byte> nonce = stackalloc byte[AesGcm.NonceByteSizes.MinSize];
            nonce.Clear();
            if (blockHash is null)
            {
                mac.Encrypt(nonce, [], [], tag, chunk);
                return;
            }
            // The hashes of its blocks, and behind them what is no whole block.
            Span<byte> hashed = stackalloc byte[HashedBytesMax];
            var used = 0;
            for (; chunk.Length >= NhHash.BlockBytes; chunk = chunk[NhHash.BlockBytes..], used += NhHash.HashBytes)
                blockHash.Hash(chunk[..NhHash.BlockBytes], hashed.Slice(used, NhHash.HashBytes));
            chunk.CopyTo(hashed[used..]);
            mac.Encrypt(nonce, [], [], tag, hashed[..(used + chunk.Length)]);
        }
    }

    /// <summary>Null where there is no room to remember anything of this file.</summary>
    public Look? Open(OwnedBlob blob)
    {
        byte[]? known;
        lock (gate)
        {
            if (key is null) MakeKeys();
            if (!tags.TryGetValue(blob, out known))
            {
                if (bytes + blob.Tags.Length > BytesMax) return null;
                bytes += blob.Tags.Length;
                tags[blob] = known = new byte[blob.Tags.Length];
            }
        }
        return new Look(key!, blockHash, known);
    }

    private void MakeKeys()
    {
        key = new byte[GmacKeyBytes];
        random(key);
        if (!NhHash.IsFast) return;
        var keys = new byte[NhHash.KeyBytes];
        random(keys);
        blockHash = new NhHash(keys);
    }
}
