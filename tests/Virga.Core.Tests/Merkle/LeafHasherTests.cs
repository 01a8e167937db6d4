using System.Security.Cryptography;
using Virga.Core.Merkle;

namespace Virga.Core.Tests.Merkle;

public class LeafHasherTests
{
    private const int Leaf = LeafHasher.LeafBytes;

    [Fact]
    public void Every_kernel_that_this_CPU_runs_hashes_leaves_like_SHA256()
    {
        foreach (var plan in HashPlan.AllSupported())
        {
            for (var count = 1; count <= 40; count++)
                AssertHashes(plan, count, Leaf, LeafHasher.LeafPadding);
        }
    }

    [Fact]
    public void Every_kernel_that_this_CPU_runs_hashes_pairs_like_SHA256()
    {
        foreach (var plan in HashPlan.AllSupported())
        {
            for (var count = 0; count <= 70; count++)
                AssertHashes(plan, count, LeafHasher.PairBytes, LeafHasher.PairPadding);
        }
    }

    [Fact]
    public void A_layer_hashed_in_place_is_the_same()
    {
        foreach (var plan in HashPlan.AllSupported())
        {
            foreach (var count in (int[])[1, 2, 7, 8, 9, 16, 17, 33, 128])
            {
                var nodes = MerkleTreeTests.Blob(count * LeafHasher.PairBytes, count);
                var expected = nodes.Chunk(LeafHasher.PairBytes).SelectMany(SHA256.HashData).ToArray();
                plan.Hash(nodes, LeafHasher.PairBytes, LeafHasher.PairPadding, nodes);
                var isSame = expected.AsSpan().SequenceEqual(nodes.AsSpan(0, expected.Length));
                Assert.True(isSame, $"{plan}, {count} pairs");
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4096)]
    [InlineData(Leaf - 1)]
    [InlineData(Leaf)]
    [InlineData(Leaf + 1)]
    [InlineData((16 * Leaf) - 1)]
    [InlineData(16 * Leaf)]
    [InlineData((27 * Leaf) + 100)]
    public void A_shorter_last_leaf_is_hashed_as_it_is(int length)
    {
        var data = MerkleTreeTests.Blob(length);
        var hashes = new byte[NaiveTree.Leaves(data).Count * 32];
        LeafHasher.HashLeaves(data, hashes);
        Assert.Equal([.. NaiveTree.Leaves(data).SelectMany(h => h)], hashes);
    }

    [Fact]
    public void Nothing_is_written_past_the_hashes_or_read_past_an_unaligned_end()
    {
        var data = MerkleTreeTests.Blob((19 * Leaf) + 3);
        for (var shift = 0; shift < 3; shift++)
        {
            var hashes = new byte[(19 * 32) + 64];
            LeafHasher.HashLeaves(data.AsSpan(shift, 19 * Leaf), hashes.AsSpan(32));
            Assert.Equal(new byte[32], hashes[..32]);
            Assert.Equal(new byte[32], hashes[^32..]);
            Assert.Equal(SHA256.HashData(data.AsSpan(shift + (18 * Leaf), Leaf)), hashes[^64..^32]);
        }
    }

    [Fact]
    public void A_CPU_with_SHA_instructions_hashes_two_leaves_at_a_time()
    {
        var has = File.ReadLines("/proc/cpuinfo").Any(
            line => line.StartsWith("flags", StringComparison.Ordinal) && line.Split(' ').Contains("sha_ni"));
        Assert.Equal(has, Sha256Two.IsSupported);
    }

    [Fact]
    public void Each_CPU_gets_the_way_that_is_never_slower_than_OpenSSL_there()
    {
        Assert.Equal((9, 6, false), For(hasAvx512: true, hasAvx2: true, hasSha: true, hasTwo: false));
        Assert.Equal((12, int.MaxValue, true), For(hasAvx512: true, hasAvx2: true, hasSha: true, hasTwo: true));
        Assert.Equal((9, 3, false), For(hasAvx512: true, hasAvx2: true, hasSha: false, hasTwo: false));
        Assert.Equal((int.MaxValue, 4, false), For(hasAvx512: false, hasAvx2: true, hasSha: false, hasTwo: false));
        var one = (int.MaxValue, int.MaxValue, false);
        Assert.Equal(one with { Item3 = true }, For(hasAvx512: false, hasAvx2: true, hasSha: true, hasTwo: true));
        Assert.Equal(one, For(hasAvx512: false, hasAvx2: true, hasSha: true, hasTwo: false));
        Assert.Equal(one, For(hasAvx512: false, hasAvx2: false, hasSha: false, hasTwo: false));
        Assert.Equal(HashPlan.Serial, HashPlan.ForPairs(hasAvx512: false, hasAvx2: false));
        Assert.False(HashPlan.ForPairs(hasAvx512: false, hasAvx2: true).NarrowIsAvx512);

        static (int, int, bool) For(bool hasAvx512, bool hasAvx2, bool hasSha, bool hasTwo)
        {
            var plan = HashPlan.ForLeaves(hasAvx512, hasAvx2, hasSha, hasTwo);
            return (plan.WideFrom, plan.NarrowFrom, plan.InTwos);
        }
    }

    [Fact]
    public void Too_little_room_or_no_data_is_a_bug_of_the_caller()
    {
        Assert.Throws<ArgumentException>(() => LeafHasher.HashLeaves([], new byte[32]));
        Assert.Throws<ArgumentException>(() => LeafHasher.HashLeaves(new byte[Leaf + 1], new byte[63]));
    }

    [Fact]
    public void Hashing_a_piece_allocates_nothing()
    {
        var piece = MerkleTreeTests.Blob(300 * Leaf);
        Span<byte> hashes = stackalloc byte[32];
        // The least of several rounds: the first ones pay for the JIT, and a collection in between moves the counter.
        var least = long.MaxValue;
        for (var round = 0; round < 10; round++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            MerkleTree.PieceHash(piece, 512 * Leaf, isWholeBlob: false);
            MerkleTree.PieceHash(piece.AsSpan(0, 64 * Leaf), 64 * Leaf, isWholeBlob: false);
            MerkleTree.PieceHash(piece.AsSpan(0, 4096), 64 * Leaf, isWholeBlob: true);
            LeafHasher.HashLeaves(piece.AsSpan(0, 100), hashes);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        Assert.Equal(0, least);
    }

    private static void AssertHashes(HashPlan plan, int count, int messageBytes, uint[] padding)
    {
        var data = MerkleTreeTests.Blob(count * messageBytes, count);
        var hashes = new byte[count * 32];
        plan.Hash(data, messageBytes, padding, hashes);
        for (var i = 0; i < count; i++)
        {
            var expected = SHA256.HashData(data.AsSpan(i * messageBytes, messageBytes));
            Assert.True(expected.AsSpan().SequenceEqual(hashes.AsSpan(32 * i, 32)), $"{plan}: message {i} of {count}");
        }
    }
}
