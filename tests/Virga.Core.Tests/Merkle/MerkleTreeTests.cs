using Virga.Core.Merkle;

namespace Virga.Core.Tests.Merkle;

public class MerkleTreeTests
{
    private const int Leaf = LeafHasher.LeafBytes;

    /// <summary>Blob lengths around every boundary of leaves, pieces, kernel groups and powers of two.</summary>
    public static TheoryData<int, int> Shapes()
    {
        var shapes = new TheoryData<int, int>();
        foreach (var pieceBytes in (int[])[Leaf, 2 * Leaf, 4 * Leaf, 16 * Leaf, 64 * Leaf])
        {
            var lengths = new SortedSet<int> { 1, 55, 56, 63, 64, 65, 1000 };
            foreach (var whole in (int[])[Leaf, 2 * Leaf, 3 * Leaf, 15 * Leaf, 16 * Leaf, 17 * Leaf, 31 * Leaf,
                33 * Leaf, pieceBytes, 2 * pieceBytes, 3 * pieceBytes, 5 * pieceBytes])
                lengths.UnionWith([whole - 1, whole, whole + 1]);
            foreach (var length in lengths) shapes.Add(length, pieceBytes);
        }
        shapes.Add((257 * Leaf) + 1, Leaf);
        shapes.Add((256 * Leaf) + 5, 256 * Leaf);
        shapes.Add(600 * Leaf, 512 * Leaf);
        return shapes;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Roots_and_piece_layers_equal_those_of_the_naive_tree(int length, int pieceBytes)
    {
        var blob = Blob(length);
        var root = NaiveTree.Root(blob);
        var layer = NaiveTree.PieceLayer(blob, pieceBytes);

        Assert.Equal(new Hash256(root), MerkleTree.Root(blob));
        Assert.Equal(layer.Length / 32, MerkleTree.PieceCount(length, pieceBytes));
        if (layer.Length > 0) Assert.Equal(new Hash256(root), MerkleTree.RootFromPieceLayer(layer, pieceBytes));

        var hasher = new BlobHasher(pieceBytes);
        hasher.Append(blob);
        var (name, pieceLayer) = hasher.Finish();
        Assert.Equal(new BlobName(new Hash256(root), length), name);
        Assert.Equal(Convert.ToHexString(layer), Convert.ToHexString(pieceLayer));

        if (layer.Length == 0)
        {
            Assert.Equal(new Hash256(root), MerkleTree.PieceHash(blob, pieceBytes, isWholeBlob: true));
            return;
        }
        for (var i = 0; i < layer.Length / 32; i++)
        {
            var piece = blob.AsSpan(i * pieceBytes, Math.Min(pieceBytes, length - (i * pieceBytes)));
            var expected = new Hash256(layer.AsSpan(32 * i, 32));
            Assert.Equal(expected, MerkleTree.PieceHash(piece, pieceBytes, isWholeBlob: false));
        }
        var together = new byte[layer.Length];
        MerkleTree.PieceHashes(blob, pieceBytes, together);
        Assert.Equal(layer, together);
    }

    [Fact]
    public void The_hashes_of_zero_subtrees_are_those_of_pairs_of_zero_hashes()
    {
        for (var level = 0; level < 8; level++)
            Assert.Equal(new Hash256(NaiveTree.Node([], level, 0)), MerkleTree.ZeroSubtree(level));
        Assert.True(MerkleTree.ZeroSubtree(0).IsZero);
        Assert.Throws<ArgumentOutOfRangeException>(() => MerkleTree.ZeroSubtree(64));
        Assert.Throws<ArgumentOutOfRangeException>(() => MerkleTree.ZeroSubtree(-1));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(8192)]
    [InlineData(Leaf + 1)]
    [InlineData(3 * Leaf)]
    [InlineData(int.MinValue)]
    public void A_piece_length_that_BEP_52_forbids_is_refused(int pieceBytes)
    {
        Assert.False(MerkleTree.IsPieceLength(pieceBytes));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BlobHasher(pieceBytes));
        Assert.Throws<ArgumentOutOfRangeException>(() => MerkleTree.PieceCount(1, pieceBytes));
    }

    [Fact]
    public void A_piece_of_no_bytes_or_of_too_many_is_a_bug_of_the_caller()
    {
        Assert.Throws<ArgumentException>(() => MerkleTree.PieceHash([], Leaf, isWholeBlob: false));
        Assert.Throws<ArgumentException>(() => MerkleTree.PieceHash(new byte[Leaf + 1], Leaf, isWholeBlob: false));
        Assert.Throws<ArgumentException>(() => MerkleTree.Root([]));
        Assert.Throws<ArgumentException>(() => MerkleTree.RootFromPieceLayer(new byte[65], Leaf));
        Assert.Throws<ArgumentOutOfRangeException>(() => MerkleTree.RootFromPieceLayer(new byte[32], Leaf));
    }

    [Fact]
    public void Lengths_near_the_largest_do_not_overflow()
    {
        Assert.Equal(1L << 49, MerkleTree.LeafCount(long.MaxValue));
        Assert.Equal(49, MerkleTree.Height(long.MaxValue));
        Assert.Throws<OverflowException>(() => MerkleTree.PieceCount(long.MaxValue, Leaf));
        Assert.Equal(1 << 30, MerkleTree.PieceCount(1L << 60, 1 << 30));
    }

    internal static byte[] Blob(int length, int seed = 1)
    {
        var blob = new byte[length];
        new Random(seed).NextBytes(blob);
        return blob;
    }
}
