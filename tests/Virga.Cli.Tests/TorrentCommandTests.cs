namespace Virga.Cli.Tests;

public sealed class TorrentCommandTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("virga-torrent-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task A_file_that_is_no_torrent_is_named_with_what_to_give_instead()
    {
        var path = Path.Combine(folder, "notes.txt");
        await File.WriteAllTextAsync(path, "import this");

        var run = await Run.OfAsync("--data", folder, "torrent", "add", path, "--to", "nas:x");

        Assert.Equal(2, run.Exit);
        Assert.Contains($"'{path}' is not a torrent that can be used", run.Error, StringComparison.Ordinal);
        Assert.Contains("Give a .torrent file", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_is_not_there_is_named()
    {
        var run = await Run.OfAsync("--data", folder, "torrent", "add", "missing.torrent", "--to", "nas:x");

        Assert.Equal(5, run.Exit);
        Assert.Contains("there is no file 'missing.torrent'", run.Error, StringComparison.Ordinal);
    }
}
