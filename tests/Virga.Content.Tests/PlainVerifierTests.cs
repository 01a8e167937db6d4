using Virga.Accounts;
using Virga.Content.Tests.Snapshots;
using Virga.Testing;

namespace Virga.Content.Tests;

public class PlainVerifierTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Every_difference_is_named(bool isPrivate)
    {
        var scene = new Scene();
        await scene.WriteAsync("f/same", 200_000, 1);
        await scene.WriteAsync("f/sub/changed", 200_000, 2);
        await scene.WriteAsync("f/sub/shorter", 300, 3);
        await scene.WriteAsync("f/sub/gone", 300, 4);
        await scene.WriteAsync("f/empty", []);
        await scene.LinkAsync("f/link", "same");
        await scene.LinkAsync("f/other-link", "same");
        await scene.Direct.CreateFolderAsync(EntryPath.Parse("f/hollow"), default);
        var content = Scene.Open((await scene.ShareAsync("f", isPrivate)).Index);

        var before = await PlainVerifier.VerifyAsync(scene.Account, EntryPath.Parse("f"), content, null, default);
        Assert.True(before.IsWhole);
        Assert.Equal(content.Manifest.Entries.Count, before.EqualCount);
        Assert.Empty(before.Extra);

        var changed = Sample.Array(2, 200_000);
        changed[^1] ^= 1;
        await scene.WriteAsync("f/sub/changed", changed);
        await scene.WriteAsync("f/sub/shorter", 299, 3);
        await scene.Direct.DeleteAsync(EntryPath.Parse("f/sub/gone"), default);
        await scene.WriteAsync("f/new/file", 1, 1);
        await scene.LinkAsync("f/other-link", "empty");
        await scene.Direct.DeleteAsync(EntryPath.Parse("f/hollow"), default);
        await scene.WriteAsync("f/hollow", 3, 3);
        var after = await PlainVerifier.VerifyAsync(scene.Account, EntryPath.Parse("f"), content, null, default);
        Assert.False(after.IsWhole);
        Assert.Equal(["sub/gone"], after.Missing.Select(path => path.Value));
        Assert.Equal(
            ["hollow: is a file and not a folder", "other-link: is a link to something else",
            "sub/changed: has other content", "sub/shorter: has 299 bytes and not 300"],
            after.Different.Select(one => $"{one.Path}: {one.Reason}"));
        Assert.Equal(["new", "new/file"], after.Extra.Select(path => path.Value));
    }

    [Fact]
    public async Task Links_that_nobody_may_create_are_left_out_and_not_missing()
    {
        var scene = new Scene();
        await scene.WriteAsync("f/a", 10);
        await scene.LinkAsync("f/out", "../x");
        var content = Scene.Open((await scene.ShareAsync("f")).Index);
        await scene.Direct.DeleteAsync(EntryPath.Parse("f/out"), default);
        var result = await PlainVerifier.VerifyAsync(scene.Account, EntryPath.Parse("f"), content, null, default);
        Assert.True(result.IsWhole);
        Assert.Equal(["out"], result.LeftOut.Select(path => path.Value));
    }
}
