using Virga.Core;
using Virga.Testing;
using Virga.Trust.Log;

namespace Virga.Trust.Tests.Log;

public sealed class LogTreeTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Proofs_made_of_tiles_hold_for_every_pair_of_sizes_and_no_other_root()
    {
        var log = new NaiveLog(new TestChain(1)).Add(70);
        for (var size = 1L; size <= log.Size; size++)
        {
            var (root, reader) = (log.Hash(0, size), new LogReader(log.FetchAsync, size));
            for (var index = 0L; index < size; index++)
            {
                var proof = await reader.InclusionAsync(index, None);
                var leaf = log.Hash(index, index + 1);
                Assert.True(LogProof.IsIncluded(index, size, leaf, proof, root));
                Assert.False(LogProof.IsIncluded(index, size, Sample.Hash(1), proof, root));
                Assert.False(LogProof.IsIncluded(index, size, leaf, [.. proof, leaf], root));
                if (index + 1 < size) Assert.NotEqual(root, LogProof.RootOf(index + 1, size, leaf, proof));
            }

            for (var first = 1L; first <= size; first++)
            {
                var proof = await reader.ConsistencyAsync(first, false, None);
                Assert.True(LogProof.IsConsistent(first, size, log.Hash(0, first), root, proof));
                if (first < size)
                    Assert.False(LogProof.IsConsistent(first, size, Sample.Hash(1), root, proof));
                var whole = await reader.ConsistencyAsync(first, true, None);
                Assert.Equal((log.Hash(0, first), root), LogProof.RootsOf(first, size, whole));
            }
        }
    }

    [Theory]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(257)]
    [InlineData(66_000)]
    public async Task A_proof_across_tiles_holds_and_needs_few_of_them(int size)
    {
        var log = new NaiveLog(new TestChain(1)).Add(size);
        var root = log.Hash(0, size);
        foreach (var index in new[] { 0, size / 3, size - 1 })
        {
            log.Asked.Clear();
            var reader = new LogReader(log.FetchAsync, size);
            var proof = await reader.InclusionAsync(index, None);
            Assert.True(LogProof.IsIncluded(index, size, log.Hash(index, index + 1), proof, root));
            Assert.True(log.Asked.Count <= 6, string.Join(' ', log.Asked));
            Assert.True(LogProof.IsConsistent(index + 1, size, log.Hash(0, index + 1), root,
                await reader.ConsistencyAsync(index + 1, false, None)));
        }
    }

    [Fact]
    public void A_frontier_has_the_roots_of_the_tree_at_every_size_and_survives_being_kept()
    {
        var log = new NaiveLog(new TestChain(1)).Add(300);
        var frontier = new LogFrontier();
        Assert.Equal(LogTree.EmptyRoot, frontier.Root);
        for (var size = 1; size <= 300; size++)
        {
            frontier.Append(LogTree.LeafHash(log.Entries[size - 1]));
            Assert.Equal(log.Hash(0, size), frontier.Root);
            frontier = LogFrontier.Parse(size, frontier.Encode());
        }

        Assert.Throws<VirgaException>(() => LogFrontier.Parse(3, new byte[32]));
        Assert.Throws<VirgaException>(() => LogFrontier.Parse(-1, []));
    }

    [Theory]
    [InlineData(0, 0, 256, "tile/0/000")]
    [InlineData(0, 273, 112, "tile/0/273.p/112")]
    [InlineData(1, 1234067, 256, "tile/1/x001/x234/067")]
    [InlineData(-1, 999, 256, "tile/entries/999")]
    [InlineData(-1, 1000, 1, "tile/entries/x001/000.p/1")]
    [InlineData(2, 0, 1, "tile/2/000.p/1")]
    public void A_path_is_what_the_text_says_and_is_read_back(int level, long index, int width, string path)
    {
        var tile = new LogTile(level, index, width);
        Assert.Equal(path, tile.Path);
        Assert.True(LogTile.TryParse(path, out var parsed));
        Assert.Equal(tile, parsed);
    }

    [Theory]
    [InlineData("tile/0/0")]
    [InlineData("tile/00/000")]
    [InlineData("tile/0/x000/001")]
    [InlineData("tile/0/001/000")]
    [InlineData("tile/0/000.p/256")]
    [InlineData("tile/0/000.p/0")]
    [InlineData("tile/0/000.p/01")]
    [InlineData("tile/0/000.p/")]
    [InlineData("tile/0/.p/1")]
    [InlineData("tile/64/000")]
    [InlineData("tile/-1/000")]
    [InlineData("tile/entries/../000")]
    [InlineData("tile/0/x999/x999/x999/x999/x999/x999/999")]
    [InlineData("checkpoint")]
    [InlineData("tile")]
    [InlineData("")]
    public void Another_path_is_none(string path) => Assert.False(LogTile.TryParse(path, out _));

    [Fact]
    public void The_tiles_of_a_tree_of_70000_are_those_of_the_text()
    {
        Assert.Equal([256, 112, 0], Widths(0, 272, 273, 274));
        Assert.Equal([256, 17, 0], Widths(1, 0, 1, 2));
        Assert.Equal([1, 0], Widths(2, 0, 1));
        Assert.Equal([0], Widths(3, 0));
        Assert.Equal([112], Widths(LogTile.EntriesLevel, 273));
        Assert.Equal(1, LogTile.WidthAt(1, 0, 256));
        Assert.Equal(0, LogTile.WidthAt(0, 1L << 56, 70_000));
        Assert.Equal(0, LogTile.WidthAt(0, long.MaxValue, long.MaxValue));

        static int[] Widths(int level, params long[] indices) =>
            [.. indices.Select(index => LogTile.WidthAt(level, index, 70_000))];
    }

    [Fact]
    public void A_bundle_that_is_cut_or_too_long_or_too_short_is_refused()
    {
        var data = LogTile.EncodeEntries([[1, 2, 3], [], [4]]);
        Assert.Equal(new byte[] { 0, 3, 1, 2, 3, 0, 0, 0, 1, 4 }, data);
        var tile = new LogTile(LogTile.EntriesLevel, 0, 3);
        Assert.Equal([3, 0, 1], tile.ParseEntries(data).Select(entry => entry.Length));
        for (var cut = 0; cut < data.Length; cut++)
            Assert.Equal(FailureKind.Corrupt, Refused(() => tile.ParseEntries(data.AsMemory(0, cut))));
        Assert.Equal(FailureKind.Corrupt, Refused(() => (tile with { Width = 2 }).ParseEntries(data)));
        Assert.Equal(FailureKind.Corrupt, Refused(() => (tile with { Width = 4 }).ParseEntries(data)));
        Assert.Equal(FailureKind.Corrupt, Refused(() => new LogTile(0, 0, 2).ParseHashes(new byte[63])));

        static FailureKind Refused(Action read) => Assert.Throws<VirgaException>(read).Kind;
    }
}
