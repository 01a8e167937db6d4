using Virga.Transfers.Swarm;

namespace Virga.Transfers.Tests.Swarm;

public sealed class PieceNumbersTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Every_piece_of_every_blob_has_a_number_of_its_own(bool isPrivate)
    {
        var rig = new Rig();
        foreach (var (name, length) in new[] { ("a", 1), ("b", 5), ("c", 65_000), ("d", 200_000), ("e", 1_000_000) })
            await rig.AddAsync(name, length);
        await rig.ShareAsync(isPrivate);
        var info = rig.Index!.Info;
        var numbers = PieceNumbers.Of(info)!;
        var next = 0;
        foreach (var file in info.Files)
        {
            var pieces = (int)((file.Length + info.PieceBytes - 1) / info.PieceBytes);
            Assert.Equal((next, pieces), numbers.Find(file.Root!.Value));
            Assert.Equal((next, pieces), numbers.Of(file.Root.Value, 0, file.Length));
            Assert.Equal((next + pieces - 1, 1), numbers.Of(file.Root.Value, file.Length - 1, 1));
            next += pieces;
        }
        Assert.Equal(next, numbers.Total);
        var set = new PieceSet(numbers.Total);
        set.Add(0, numbers.Total);
        Assert.Equal(numbers.Total, set.Count());
    }

    [Fact]
    public async Task A_share_of_a_few_bytes_has_pieces_too()
    {
        var rig = new Rig();
        await rig.AddAsync("only", 5);
        await rig.ShareAsync();
        Assert.Equal(rig.Index!.Info.Files.Count, PieceNumbers.Of(rig.Index.Info)!.Total);
    }
}
