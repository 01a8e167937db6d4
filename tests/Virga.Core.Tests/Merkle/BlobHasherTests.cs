using Virga.Core.Merkle;

namespace Virga.Core.Tests.Merkle;

public class BlobHasherTests
{
    private const int Leaf = LeafHasher.LeafBytes;

    [Theory]
    [InlineData(1)]
    [InlineData(Leaf - 1)]
    [InlineData(Leaf)]
    [InlineData(Leaf + 1)]
    [InlineData((3 * Leaf) + 7)]
    public void A_blob_that_comes_byte_by_byte_has_the_same_name(int length)
    {
        var blob = MerkleTreeTests.Blob(length);
        var hasher = new BlobHasher(2 * Leaf);
        for (var i = 0; i < length; i++) hasher.Append(blob.AsSpan(i, 1));
        AssertIs(blob, hasher);
    }

    [Theory]
    [InlineData(Leaf)]
    [InlineData(2 * Leaf)]
    [InlineData(8 * Leaf)]
    [InlineData(16 * Leaf)]
    [InlineData(32 * Leaf)]
    [InlineData(128 * Leaf)]
    public void A_blob_that_comes_in_random_parts_has_the_same_name(int pieceBytes)
    {
        for (var seed = 0; seed < 40; seed++)
        {
            var random = new Random(seed);
            var blob = MerkleTreeTests.Blob(random.Next(1, 70 * Leaf), seed);
            var partMax = (int)Math.Pow(2, random.Next(6, 21));
            var hasher = new BlobHasher(pieceBytes);
            for (var at = 0; at < blob.Length;)
            {
                var part = Math.Min(random.Next(0, partMax), blob.Length - at);
                hasher.Append(blob.AsSpan(at, part));
                at += part;
            }
            AssertIs(blob, hasher, $"seed {seed}");
        }
    }

    [Fact]
    public void A_blob_cut_in_two_at_each_boundary_has_the_same_name()
    {
        var blob = MerkleTreeTests.Blob((35 * Leaf) + 11);
        foreach (var whole in (int[])[Leaf, 4 * Leaf, 15 * Leaf, 16 * Leaf, 17 * Leaf, 32 * Leaf, 35 * Leaf])
        {
            foreach (var cut in (int[])[whole - 1, whole, whole + 1])
            {
                var hasher = new BlobHasher(4 * Leaf);
                hasher.Append(blob.AsSpan(0, cut));
                hasher.Append([]);
                hasher.Append(blob.AsSpan(cut));
                AssertIs(blob, hasher, $"cut at {cut}");
            }
        }
    }

    [Fact]
    public void Finishing_twice_appending_afterwards_or_an_empty_blob_is_a_bug_of_the_caller()
    {
        Assert.Throws<InvalidOperationException>(() => new BlobHasher(Leaf).Finish());
        var hasher = new BlobHasher(Leaf);
        hasher.Append([1]);
        hasher.Finish();
        Assert.Throws<ObjectDisposedException>(() => hasher.Finish());
        Assert.Throws<ObjectDisposedException>(() => hasher.Append([1]));
    }

    private static void AssertIs(byte[] blob, BlobHasher hasher, string? which = null)
    {
        Assert.Equal(blob.Length, hasher.Length);
        var (name, layer) = hasher.Finish();
        var expected = new BlobName(new Hash256(NaiveTree.Root(blob)), blob.Length);
        Assert.True(expected == name, $"{which}: {blob.Length} bytes");
        Assert.Equal(NaiveTree.PieceLayer(blob, hasher.PieceBytes), layer);
    }
}
