using System.Numerics;
using Virga.Core.Merkle;

namespace Virga.Core.Tests.Merkle;

public class MerkleProofTests
{
    private const int Leaf = LeafHasher.LeafBytes;

    /// <summary>Blob lengths with whole, partial and many-levels-deep padding.</summary>
    public static TheoryData<int> Lengths() =>
        [1, Leaf, Leaf + 1, (3 * Leaf) - 5, 4 * Leaf, (5 * Leaf) + 1, 8 * Leaf, (11 * Leaf) + 9, 17 * Leaf];

    [Theory]
    [MemberData(nameof(Lengths))]
    public void Every_run_of_every_layer_is_proved_and_its_hashes_are_the_naive_tree_s(int length)
    {
        var blob = MerkleTreeTests.Blob(length);
        var name = Name(blob);
        var height = MerkleTree.Height(length);
        foreach (var (layer, index, count) in Runs(length))
        {
            var proof = MerkleProof.Build(Layer(blob, layer), layer, length, index, count);
            Assert.True(proof.Verify(name), $"{count} hashes at {index} of layer {layer}");
            for (var i = 0; i < count; i++)
                Assert.Equal(NaiveTree.Node(blob, layer, index + i), proof.Run.Slice(32 * i, 32).ToArray());
            var place = index / count;
            var uncles = proof.Uncles;
            for (var level = layer + BitOperations.Log2((uint)count); level < height; level++)
            {
                Assert.Equal(NaiveTree.Node(blob, level, place ^ 1), uncles[..32].ToArray());
                place /= 2;
                uncles = uncles[32..];
            }
            Assert.True(uncles.IsEmpty);

            var received = MerkleProof.FromHashes(layer, index, count, length, proof.Hashes.Span);
            Assert.True(received.Verify(name));
        }
    }

    [Theory]
    [InlineData(Leaf)]
    [InlineData(2 * Leaf)]
    [InlineData(4 * Leaf)]
    [InlineData(32 * Leaf)]
    public void A_proof_of_leaves_from_one_piece_and_the_piece_layer_is_the_one_from_all_leaves(int pieceBytes)
    {
        var blob = MerkleTreeTests.Blob((13 * Leaf) + 77);
        var name = Name(blob);
        var pieceLayer = NaiveTree.PieceLayer(blob, pieceBytes);
        var countMax = Math.Min(16, pieceBytes / Leaf);
        foreach (var (_, index, count) in Runs(blob.Length).Where(run => run.Layer == 0 && run.Count <= countMax))
        {
            var start = (int)(index * Leaf / pieceBytes * pieceBytes);
            var piece = blob.AsSpan(start, Math.Min(pieceBytes, blob.Length - start));
            var proof = MerkleProof.BuildForLeaves(piece, pieceLayer, pieceBytes, blob.Length, index, count);
            Assert.True(proof.Verify(name));
            var fromAll = MerkleProof.Build(Layer(blob, 0), 0, blob.Length, index, count);
            Assert.Equal(fromAll.Hashes.ToArray(), proof.Hashes.ToArray());
        }
    }

    [Fact]
    public void One_flipped_bit_anywhere_another_place_length_or_root_refutes_a_proof()
    {
        var blob = MerkleTreeTests.Blob((11 * Leaf) + 1);
        var name = Name(blob);
        var proof = MerkleProof.Build(Layer(blob, 0), 0, blob.Length, 4, 2);
        var hashes = proof.Hashes.ToArray();
        for (var at = 0; at < hashes.Length; at++)
        {
            hashes[at] ^= (byte)(1 << (at % 8));
            Assert.False(MerkleProof.FromHashes(0, 4, 2, blob.Length, hashes).Verify(name), $"byte {at}");
            hashes[at] ^= (byte)(1 << (at % 8));
        }
        foreach (var place in (long[])[0, 2, 6, 10])
            Assert.False(MerkleProof.FromHashes(0, place, 2, blob.Length, hashes).Verify(name), $"place {place}");
        Assert.True(proof.Verify(name));
        Assert.False(proof.Verify(name with { Root = MerkleTree.ZeroSubtree(4) }));
        Assert.False(proof.Verify(name with { Length = 8 * Leaf }));
        Assert.False(proof.Verify(name with { Length = 4 * Leaf }));
        Assert.False(proof.Verify(name with { Length = 0 }));
        Assert.False(proof.Verify(name with { Length = -1 }));
    }

    [Fact]
    public void Inner_nodes_do_not_pass_for_leaves_of_a_shorter_blob()
    {
        // The two children of the root of four leaves are a fine two-leaf tree, which only the length tells apart.
        var blob = MerkleTreeTests.Blob(4 * Leaf);
        var nodes = Layer(blob, 1);
        var asLeaves = MerkleProof.FromHashes(0, 0, 2, 2 * Leaf, nodes);
        Assert.True(asLeaves.Verify(new BlobName(MerkleTree.Root(blob), 2 * Leaf)));
        Assert.False(asLeaves.Verify(Name(blob)));
    }

    [Theory]
    [InlineData(0, 0, 3, 5)]
    [InlineData(0, 1, 2, 5)]
    [InlineData(0, 12, 1, 5)]
    [InlineData(0, -2, 2, 5)]
    [InlineData(0, 0, 0, 5)]
    [InlineData(0, 0, -1, 5)]
    [InlineData(0, 0, int.MinValue, 5)]
    [InlineData(0, 0, 32, 33)]
    [InlineData(5, 0, 1, 1)]
    [InlineData(-1, 0, 1, 5)]
    [InlineData(0, 0, 2, 4)]
    [InlineData(0, 0, 2, 6)]
    [InlineData(0, long.MaxValue, 1, 5)]
    public void A_run_that_cannot_be_is_refused_with_a_reason(int layer, long index, int count, int hashes)
    {
        var refused = Assert.Throws<VirgaException>(
            () => MerkleProof.FromHashes(layer, index, count, (11 * Leaf) + 1, new byte[32 * hashes]));
        Assert.Equal(FailureKind.BadInput, refused.Kind);
        Assert.StartsWith("proof of hashes: ", refused.Message);
    }

    private static BlobName Name(byte[] blob) => new(MerkleTree.Root(blob), blob.Length);

    private static byte[] Layer(byte[] blob, int level)
    {
        var count = (NaiveTree.Leaves(blob).Count + (1 << level) - 1) >> level;
        return [.. Enumerable.Range(0, count).SelectMany(i => NaiveTree.Node(blob, level, i))];
    }

    private static IEnumerable<(int Layer, long Index, int Count)> Runs(int length)
    {
        var height = MerkleTree.Height(length);
        for (var layer = 0; layer <= height; layer++)
        {
            var there = (MerkleTree.LeafCount(length) + (1 << layer) - 1) >> layer;
            for (var count = 1; count <= 1 << (height - layer); count *= 2)
            {
                for (var index = 0L; index < there; index += count) yield return (layer, index, count);
            }
        }
    }
}
