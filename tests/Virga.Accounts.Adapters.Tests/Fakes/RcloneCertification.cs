using Virga.Testing;
using Virga.Testing.Fakes;

namespace Virga.Accounts.Adapters.Tests.Fakes;

/// <summary>
/// What rclone, which we did not write, must be able to do with a fake by its own backend under the service's real
/// names. A fake's test derives from it and adds where its service must refuse.
/// </summary>
[Trait("Needs", "server")]
public abstract class RcloneCertification : IAsyncLifetime
{
    private RcloneClient? client;

    protected abstract FakeService Service { get; }

    protected RcloneClient Client => client!;

    /// <summary>Of the remote in rclone's configuration.</summary>
    protected abstract IReadOnlyDictionary<string, string> Remote { get; }

    /// <summary>Length of an upload's chunks; a power of two, small enough for quick tests.</summary>
    protected abstract int ChunkBytes { get; }

    /// <summary>Arguments of every run, such as the one that sets the chunks.</summary>
    protected abstract string[] Arguments { get; }

    /// <summary>Names that this service can hold and others have trouble with.</summary>
    protected virtual string[] Names =>
    [
        "plain.txt", "two words", "ünï-日本語.txt", "emoji 😀", "per%cent%20", "a+b", "quote's", "double\"quote",
        "#hash?", "{brace}", "a&b=c", "~tilde", "semi;colon", ".hidden",
    ];

    /// <summary>Whether rclone's backend can make an empty folder there, and ask how full it is.</summary>
    protected virtual bool KeepsFolders => true;

    public virtual async Task InitializeAsync()
    {
        await Service.StartAsync();
        client = new RcloneClient(Service, Remote);
    }

    public virtual async Task DisposeAsync()
    {
        client?.Dispose();
        await Service.DisposeAsync();
    }

    [Fact]
    public async Task Rclone_copies_a_tree_there_and_back_and_it_is_the_same()
    {
        MakeTree("there");
        await SucceedsAsync("copy", Local("there"), "cloud:tree/sub");
        await SucceedsAsync("check", "--download", Local("there"), "cloud:tree/sub");
        await SucceedsAsync("check", Local("there"), "cloud:tree/sub");
        await SucceedsAsync("copy", "cloud:tree", Local("back"));
        AssertSameTree(Local("there"), Path.Combine(Local("back"), "sub"));
        // Nothing is left to do: times and sizes are what they were.
        var again = await SucceedsAsync("copy", "-v", Local("there"), "cloud:tree/sub");
        Assert.Contains("nothing to transfer", again.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rclone_lists_moves_copies_inside_and_deletes()
    {
        MakeTree("there");
        await SucceedsAsync("copy", Local("there"), "cloud:a");
        var files = Directory.GetFiles(Local("there"), "*", SearchOption.AllDirectories).Length;
        Assert.Equal(files, Lines(await SucceedsAsync("lsf", "-R", "--files-only", "cloud:a")).Length);
        await SucceedsAsync("moveto", "cloud:a/plain.txt", "cloud:b/moved.txt");
        await SucceedsAsync("copyto", "cloud:b/moved.txt", "cloud:b/copied.txt");
        Assert.Equal(
            ["copied.txt", "moved.txt"], Lines(await SucceedsAsync("lsf", "cloud:b")).Order(StringComparer.Ordinal));
        await SucceedsAsync("move", "cloud:a", "cloud:c/deep");
        Assert.Equal(files - 1, Lines(await SucceedsAsync("lsf", "-R", "--files-only", "cloud:c/deep")).Length);
        await SucceedsAsync("deletefile", "cloud:b/copied.txt");
        await SucceedsAsync("purge", "cloud:c");
        Assert.Equal(["b/moved.txt"], Lines(await SucceedsAsync("lsf", "-R", "--files-only", "cloud:")));
        Assert.NotEqual(0, (await RunAsync("deletefile", "cloud:b/copied.txt")).ExitCode);
        Assert.Equal(KeepsFolders, (await RunAsync("ls", "cloud:nowhere")).ExitCode != 0);
    }

    [Fact]
    public async Task Rclone_makes_and_removes_folders_and_a_full_one_stays()
    {
        await SucceedsAsync("mkdir", "cloud:empty/deep");
        await SucceedsAsync("mkdir", "cloud:empty/deep");
        if (!KeepsFolders)
        {
            Assert.Empty(Lines(await SucceedsAsync("lsf", "cloud:")));
            return;
        }
        Assert.Equal(["deep/"], Lines(await SucceedsAsync("lsf", "cloud:empty")));
        File.WriteAllText(Path.Combine(Client.Folder, "x"), "x");
        await SucceedsAsync("copy", Local("x"), "cloud:full");
        Assert.NotEqual(0, (await RunAsync("rmdir", "cloud:full")).ExitCode);
        await SucceedsAsync("rmdir", "cloud:empty/deep");
        Assert.Equal(["empty/", "full/"], Lines(await SucceedsAsync("lsf", "cloud:")).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Rclone_tells_how_full_it_is()
    {
        if (!KeepsFolders)
        {
            Assert.Contains(
                "doesn't support about", (await RunAsync("about", "cloud:")).Errors, StringComparison.Ordinal);
            return;
        }
        var about = await SucceedsAsync("about", "cloud:");
        Assert.Contains("Used:", about.Output, StringComparison.Ordinal);
    }

    protected string Local(string name) => Path.Combine(Client.Folder, name);

    protected Task<ProgramRun> RunAsync(params string[] arguments) => Client.RunAsync([.. arguments, .. Arguments]);

    protected async Task<ProgramRun> SucceedsAsync(params string[] arguments)
    {
        var run = await RunAsync(arguments);
        Assert.True(run.ExitCode == 0, $"rclone {string.Join(' ', arguments)}: {run}\n{Requests()}");
        return run;
    }

    protected static string[] Lines(ProgramRun run) =>
        run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    protected void WriteFile(string path, int bytes, ulong seed = 1)
    {
        var full = Local(path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllBytes(full, Seeded.Bytes(bytes, seed));
        File.SetLastWriteTimeUtc(full, new DateTime(2021, 3, 4, 5, 6, 7, DateTimeKind.Utc));
    }

    private string Requests() => string.Join('\n', Service.Faults.Counts.Select(c => $"{c.Value} {c.Key}"));

    private void MakeTree(string name)
    {
        foreach (var file in Names) WriteFile($"{name}/{file}", file.Length, seed: (ulong)file.Length);
        foreach (var file in Names) WriteFile($"{name}/folder {file}/{file}", 100 + file.Length);
        WriteFile($"{name}/sizes/empty", 0);
        WriteFile($"{name}/sizes/one", 1);
        WriteFile($"{name}/sizes/chunk", ChunkBytes);
        WriteFile($"{name}/sizes/chunk-1", ChunkBytes - 1);
        WriteFile($"{name}/sizes/chunk+1", ChunkBytes + 1);
        WriteFile($"{name}/sizes/three chunks and a bit", 3 * ChunkBytes + 12345);
        WriteFile($"{name}/d/e/e/p/e/r/file", 10);
    }

    private static void AssertSameTree(string expected, string actual)
    {
        var names = Relative(expected);
        Assert.Equal(names, Relative(actual));
        foreach (var name in names)
        {
            Assert.Equal(
                File.ReadAllBytes(Path.Combine(expected, name)), File.ReadAllBytes(Path.Combine(actual, name)));
            Assert.Equal(
                File.GetLastWriteTimeUtc(Path.Combine(expected, name)),
                File.GetLastWriteTimeUtc(Path.Combine(actual, name)));
        }

        static string[] Relative(string folder) =>
            [.. Directory.GetFiles(folder, "*", SearchOption.AllDirectories)
                .Select(file => Path.GetRelativePath(folder, file)).Order(StringComparer.Ordinal)];
    }
}
