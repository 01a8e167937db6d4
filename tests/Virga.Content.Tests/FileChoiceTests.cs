using Virga.Accounts;
using Virga.Content.Tests.Snapshots;
using Virga.Core;

namespace Virga.Content.Tests;

/// <summary>Which files are wanted, by patterns and by numbers.</summary>
public sealed class FileChoiceTests
{
    [Theory]
    [InlineData("0", new[] { 0 }, new[] { 1 })]
    [InlineData("0,2,4-8", new[] { 0, 2, 4, 6, 8 }, new[] { 1, 3, 9, -1 })]
    [InlineData("0-2147483647", new[] { 0, int.MaxValue }, new[] { -1 })]
    public void Numbers_are_what_their_text_says(string text, int[] inside, int[] outside)
    {
        var numbers = FileNumbers.Parse(text);
        Assert.All(inside, n => Assert.True(numbers.Contains(n)));
        Assert.All(outside, n => Assert.False(numbers.Contains(n)));
        Assert.Equal(text, numbers.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("x")]
    [InlineData("1,")]
    [InlineData("-1")]
    [InlineData("3-2")]
    [InlineData("2,1")]
    [InlineData("1,1")]
    [InlineData("1-4,4")]
    [InlineData("99999999999")]
    [InlineData("1 ,2")]
    public void What_is_no_list_of_numbers_is_refused(string text) =>
        Assert.Equal(FailureKind.BadInput, Assert.Throws<VirgaException>(() => FileNumbers.Parse(text)).Kind);

    [Fact]
    public void Any_set_of_numbers_is_written_so_that_it_is_read_again()
    {
        var random = new Random(11);
        for (var round = 0; round < 200; round++)
        {
            var chosen = Enumerable.Range(0, 60).Where(_ => random.Next(3) > 0).ToList();
            if (chosen.Count == 0) continue;
            var read = FileNumbers.Parse(FileNumbers.Of(chosen).ToString());
            Assert.Equal(chosen, Enumerable.Range(-2, 70).Where(read.Contains));
        }
    }

    [Theory]
    [InlineData("*.flac", "music/a.flac", true)]
    [InlineData("*.flac", "music/a.mp3", false)]
    [InlineData("music", "music/a.flac", true)]
    [InlineData("music/", "music/sub/a.flac", true)]
    [InlineData("music/*", "music/sub/a.flac", true)]
    [InlineData("music/sub", "music/sub/a.flac", true)]
    [InlineData("sub/a.flac", "music/sub/a.flac", false)]
    [InlineData("MUSIC", "music/a.flac", true)]
    [InlineData("a", "music/a.flac", false)]
    public void A_pattern_means_a_name_or_with_a_slash_a_path(string pattern, string path, bool isMeant) =>
        Assert.Equal(isMeant, FileChoice.Matches(pattern, path));

    [Fact]
    public async Task What_is_chosen_keeps_its_numbers_and_its_folders()
    {
        var content = await ContentAsync("a.txt", "music/1.flac", "music/2.mp3", "music/sub/3.flac", "z.txt");
        var byPattern = new FileChoice(["*.flac"]).From(content);
        Assert.Equal([(1, "music/1.flac"), (3, "music/sub/3.flac")], Named(byPattern));
        Assert.Equal(
            ["music", "music/1.flac", "music/sub", "music/sub/3.flac"],
            byPattern.Manifest.Entries.Select(e => e.Path.Value));
        Assert.Equal(Named(byPattern), Named(new FileChoice([], "1,3").From(content)));
        // Nothing is copied where nothing is left out.
        Assert.Same(content, new FileChoice(["*"]).From(content));
        Assert.Same(content, new FileChoice([], "0-4").From(content));
        Assert.Equal(content.InfoHash, byPattern.InfoHash);
    }

    [Fact]
    public async Task Who_chooses_nothing_is_told_what_there_is()
    {
        var content = await ContentAsync("a.txt", "b.txt", "c", "d", "e", "f", "g");
        var byPattern = Assert.Throws<VirgaException>(() => new FileChoice(["*.flac", "x"]).From(content));
        Assert.Equal(FailureKind.BadInput, byPattern.Kind);
        Assert.Contains("'*.flac' or 'x'", byPattern.Message, StringComparison.Ordinal);
        Assert.Contains("'a.txt', 'b.txt', 'c', 'd', 'e' and 2 more", byPattern.Message, StringComparison.Ordinal);
        Assert.Throws<VirgaException>(() => new FileChoice([], "7-9").From(content));
    }

    [Fact]
    public async Task Links_and_empty_folders_come_where_a_file_beside_them_is_chosen_or_a_pattern_names_them()
    {
        var scene = new Scene();
        foreach (var path in new[] { "f/a/1", "f/b/2", "f/top" }) await scene.WriteAsync(path, 10, 3);
        await scene.LinkAsync("f/a/link", "1");
        foreach (var folder in new[] { "f/a/hollow", "f/b/hollow" })
            await scene.Direct.CreateFolderAsync(EntryPath.Parse(folder), default);
        var content = Scene.Open((await scene.ShareAsync("f")).Index);
        Assert.Equal(["a", "a/1", "a/hollow", "a/link"], Entries(new FileChoice([], "0")));
        Assert.Equal(["b", "b/2", "b/hollow"], Entries(new FileChoice([], "1")));
        Assert.Equal(["a", "a/1", "a/hollow", "a/link"], Entries(new FileChoice(["a"])));
        Assert.Equal(["a", "a/1", "a/hollow", "b/hollow"], Entries(new FileChoice(["1", "hollow"])));
        // A folder that is not empty does not come empty.
        Assert.Equal(["top"], Entries(new FileChoice([], "2")));

        List<string> Entries(FileChoice choice) =>
            [.. choice.From(content).Manifest.Entries.Select(e => e.Path.Value)];
    }

    [Fact]
    public void Patterns_and_numbers_are_not_mixed()
    {
        Assert.Null(FileChoice.Of(null, null));
        Assert.Null(FileChoice.Of([], null));
        Assert.Throws<VirgaException>(() => FileChoice.Of(["a"], "1"));
        Assert.Throws<VirgaException>(() => FileChoice.Of(null, "b"));
        Assert.Throws<VirgaException>(
            () => FileChoice.Of([.. Enumerable.Repeat("a", FileChoice.SelectMost + 1)], null));
    }

    private static List<(int, string)> Named(ShareContent content) =>
        [.. content.Files.Select(f => (f.Index, f.Entry.Path.Value))];

    private static async Task<ShareContent> ContentAsync(params string[] paths)
    {
        var scene = new Scene();
        foreach (var path in paths) await scene.WriteAsync("f/" + path, 10, 3);
        return Scene.Open((await scene.ShareAsync("f")).Index);
    }
}
