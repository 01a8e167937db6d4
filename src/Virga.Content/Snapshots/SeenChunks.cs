using System.Security.Cryptography;
using Virga.Core;

namespace Virga.Content.Snapshots;

/// <summary>
/// Chunks of public files that were once found to be those that were shared, by their Merkle roots: looked at again, a
/// chunk is compared by a tag (GMAC, NIST SP 800-38D) under a key that never leaves this memory, at a fraction of what
/// hashing costs. The tags never leave it either, so that one nonce for all is none too few: nobody can learn from a
/// tag how to make another. Safe for many threads.
/// </summary>
internal sealed class SeenChunks
{
    private const int TagBytes = OwnedBlob.TagBytes;

    /// <summary>Of tags, for 64 GiB of content; what lies beyond is hashed each time.</summary>
    private const long BytesMax = 16 << 20;

    private readonly byte[] key = new byte[32];
    private readonly Lock gate = new();
    private readonly Dictionary<OwnedBlob, byte[]> tags = new(ReferenceEqualityComparer.Instance);
    private long bytes;

    public SeenChunks(RandomBytes random) => random(key);

    /// <summary>One read of one file; one thread uses it.</summary>
    public sealed class Look : IDisposable
    {
        private readonly AesGcm mac;
        private readonly byte[] known;

        internal Look(byte[] key, byte[] known)
        {
            mac = new AesGcm(key, TagBytes);
            this.known = known;
        }

        /// <summary>False also where it was never looked at.</summary>
        public bool IsSame(long number, ReadOnlySpan<byte> chunk)
        {
            var tag = TagOf(number);
            return tag.ContainsAnyExcept((byte)0) && Compute(chunk).AsSpan().SequenceEqual(tag);
        }

        /// <summary>The chunk was found to be right by its root.</summary>
        public void Remember(long number, ReadOnlySpan<byte> chunk) => Compute(chunk).CopyTo(TagOf(number));

        public void Dispose() => mac.Dispose();

        /// <summary>Who writes it at the same time writes the same; half of it matches nothing.</summary>
        private Span<byte> TagOf(long number) => known.AsSpan((int)number * TagBytes, TagBytes);

        private byte[] Compute(ReadOnlySpan<byte> chunk)
        {
            Span<byte> nonce = stackalloc byte[AesGcm.NonceByteSizes.MinSize];
            nonce.Clear();
            var tag = new byte[TagBytes];
            mac.Encrypt(nonce, [], [], tag, chunk);
            return tag;
        }
    }

    /// <summary>Null where there is no room to remember anything of this file.</summary>
    public Look? Open(OwnedBlob blob)
    {
        byte[]? known;
        lock (gate)
        {
            if (!tags.TryGetValue(blob, out known))
            {
                if (bytes + blob.Tags.Length > BytesMax) return null;
                bytes += blob.Tags.Length;
                tags[blob] = known = new byte[blob.Tags.Length];
            }
        }
        return new Look(key, known);
    }
}
