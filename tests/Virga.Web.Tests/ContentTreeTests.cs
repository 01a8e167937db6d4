using Virga.Agent.Control;
using Virga.Web.Live;

namespace Virga.Web.Tests;

/// <summary>Choosing from what is in a share or torrent.</summary>
public sealed class ContentTreeTests
{
    [Fact]
    public void Folders_hold_what_is_in_them_and_stand_first()
    {
        var tree = Tree("b.txt", "a10", "a9", "m/2.mp3", "m/sub/3.flac", "m/1.flac");
        Assert.Equal(["m", "m/sub", "m/sub/3.flac", "m/1.flac", "m/2.mp3", "a9", "a10", "b.txt"], Rows(tree));
        var folder = tree.Rows[0];
        Assert.Equal((3, 3 * 100L, "true"), (folder.Files, folder.Bytes, folder.Checked));
        tree.Toggle(folder);
        Assert.Equal(["m", "a9", "a10", "b.txt"], Rows(tree));
        Assert.Null(tree.Only);
    }

    [Fact]
    public void Ticking_goes_down_and_counts_go_up()
    {
        var tree = Tree("m/1", "m/sub/2", "m/sub/3", "z");
        var (m, sub) = (At(tree, "m"), At(tree, "m/sub"));
        tree.Choose(sub, false);
        Assert.Equal(("mixed", "false"), (m.Checked, sub.Checked));
        Assert.Equal((2, 200L, "0,3"), (tree.ChosenFiles, tree.ChosenBytes, tree.Only));
        tree.Choose(At(tree, "m/sub/3"), true);
        Assert.Equal(("mixed", "0,2-3"), (sub.Checked, tree.Only));
        tree.ChooseAll(false);
        Assert.Equal((0, ""), (tree.ChosenFiles, tree.Only));
        tree.Choose(m, true);
        Assert.Equal("0-2", tree.Only);
        tree.ChooseAll(true);
        Assert.Null(tree.Only);
    }

    [Theory]
    [InlineData("2", new[] { "m", "m/sub", "m/sub/2.FLAC" })]
    [InlineData("*.flac", new[] { "m", "m/sub", "m/sub/2.FLAC", "m/1.flac" })]
    [InlineData("SUB", new[] { "m", "m/sub", "m/sub/2.FLAC" })]
    [InlineData(" nowhere ", new string[0])]
    public void A_filter_shows_what_it_finds_with_its_folders(string text, string[] shown)
    {
        var tree = Tree("m/1.flac", "m/sub/2.FLAC", "z");
        tree.Filter(text);
        Assert.Equal(shown, Rows(tree));
        tree.Filter("");
        Assert.Equal(5, tree.Rows.Count);
    }

    [Fact]
    public void A_text_finds_exactly_the_paths_that_hold_it()
    {
        var random = new Random(7);
        string[] paths =
        [
            .. Enumerable.Range(0, 300)
                .Select(i => $"{Word()}{i}/{Word()}{i % 4}/{Word()}{i}.Txt"),
        ];
        var tree = Tree(paths);
        for (var round = 0; round < 200; round++)
        {
            var path = paths[random.Next(paths.Length)];
            var start = random.Next(path.Length);
            var text = path.Substring(start, random.Next(1, Math.Min(5, path.Length - start) + 1)).ToUpperInvariant();
            tree.Filter(text);
            Assert.Equal(paths.Count(p => p.Contains(text, StringComparison.OrdinalIgnoreCase)), tree.Found);
            Assert.Equal(tree.Found, tree.Rows.Count(r => !r.IsFolder));
        }

        string Word() => string.Concat(Enumerable.Range(0, 3).Select(_ => (char)('a' + random.Next(4))));
    }

    [Fact]
    public void What_the_filter_hides_stays_as_it_was_chosen()
    {
        var tree = Tree("m/1.flac", "m/2.mp3", "z.flac", "y");
        tree.ChooseAll(false);
        tree.Filter("*.flac");
        tree.Choose(At(tree, "m"), true);
        Assert.Equal("0", tree.Only);
        tree.ChooseAll(true);
        Assert.Equal("0,2", tree.Only);
        tree.Filter("");
        tree.ChooseAll(true);
        tree.Filter("*.flac");
        tree.ChooseAll(false);
        Assert.Equal("1,3", tree.Only);
    }

    [Fact]
    public void What_a_link_selects_is_chosen_at_first()
    {
        var tree = ContentTree.Of(Contents("a", "b", "c") with { Selected = "0,2" });
        Assert.Equal((2, "0,2"), (tree.ChosenFiles, tree.Only));
    }

    [Fact]
    public void Any_sequence_of_ticks_leaves_the_sums_right()
    {
        var random = new Random(5);
        var tree = Tree([.. Enumerable.Range(0, 400).Select(i => $"{i % 7}/{i % 3}/{i % 5}/{i}")]);
        foreach (var row in tree.Rows.Where(r => r.IsFolder && !r.IsOpen).ToList()) tree.Toggle(row);
        string[] filters = ["", "1", "*7", "3/*", "2/1"];
        for (var round = 0; round < 300; round++)
        {
            if (random.Next(4) == 0) tree.Filter(filters[random.Next(filters.Length)]);
            if (tree.Rows.Count == 0) continue;
            tree.Choose(tree.Rows[random.Next(tree.Rows.Count)], random.Next(2) == 0);
            var chosen = tree.Only is not { } only ? 400
                : only.Length == 0 ? 0 : Enumerable.Range(0, 400).Count(Virga.Content.FileNumbers.Parse(only).Contains);
            Assert.Equal((chosen, chosen * 100L), (tree.ChosenFiles, tree.ChosenBytes));
        }
    }

    private static ContentTree.Node At(ContentTree tree, string path) => tree.Rows.Single(r => PathOf(r) == path);

    private static List<string> Rows(ContentTree tree) => [.. tree.Rows.Select(PathOf)];

    private static string PathOf(ContentTree.Node node) =>
        node.Parent is { Depth: >= 0 } parent ? $"{PathOf(parent)}/{node.Name}" : node.Name;

    private static ContentTree Tree(params string[] paths) => ContentTree.Of(Contents(paths));

    private static ContentsInfo Contents(params string[] paths) => new(
        "", null, paths.Length * 100L, [.. paths.Select((p, i) => new ContentFile(i, p, 100))]);
}
