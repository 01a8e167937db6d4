using System.Diagnostics;
using Virga.Agent.Control;
using Virga.EndToEnd.Harness;
using Xunit.Abstractions;

namespace Virga.EndToEnd.StockClients;

/// <summary>
/// Stock clients take public shares from us and seed torrents to us, all at once, each in a way of its own;
/// docs/reference/torrent-clients.md lists what they did.
/// </summary>
[Trait("Needs", "server")]
public sealed class StockMatrixTests(ITestOutputHelper output)
{
    private const string Page = "docs/reference/torrent-clients.md";

    // ./test EndToEnd with this set writes the page.
    private const string WriteVariable = "VIRGA_WRITE_PAGES";

    // With this set only rows whose names have one of its words (comma) in them are run.
    private const string OnlyVariable = "VIRGA_STOCK_ROWS";

    /// <summary>Rows at once: most of them wait most of the time.</summary>
    private const int AtOnce = 24;

    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(200);

    /// <summary>
    /// Far beyond what the slowest takes; who is not done by the last never will be. Who found nobody at its start, as
    /// on a machine that is busy, looks again after a quarter of an hour: until then it is started anew.
    /// </summary>
    private static readonly TimeSpan[] Tries =
        [TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(3), TimeSpan.FromMinutes(5)];

    [Fact]
    public async Task Each_client_takes_from_us_and_gives_to_us_in_each_way_that_it_knows()
    {
        foreach (var client in Clients.All.Concat(Clients.Servers)) await client.VersionAsync();
        var only = Environment.GetEnvironmentVariable(OnlyVariable)?.Split(',');
        // Those that wait longest begin first.
        var rows = Rows().Where(row => only is null || only.Any(row.Name.Contains)).OrderBy(
            row => row.Way is Way.Dht ? 0 : row.Way is Way.Pex or Way.Lsd ? 1 : 2).ToList();
        var began = Stopwatch.GetTimestamp();
        var (world, torrents) = await StockWorld.CreateAsync(rows);
        await using var _ = world;
        output.WriteLine($"made in {Stopwatch.GetElapsedTime(began)}");
        using var slots = new SemaphoreSlim(AtOnce);

        var problems = await Task.WhenAll(torrents.Select(torrent => RunAsync(world, torrent, slots)));

        Assert.Equal("", string.Join("\n\n", problems.Where(p => p is not null)));
    }

    [Fact]
    public async Task The_page_lists_what_is_tried()
    {
        var path = Path.Combine(StockClient.Root(), Page);
        var page = await StockPage.WriteAsync([.. Rows()]);
        if (Environment.GetEnvironmentVariable(WriteVariable) is "1") await File.WriteAllTextAsync(path, page);
        Assert.True(
            File.Exists(path) && await File.ReadAllTextAsync(path) == page,
            $"{Page} is out of date: {WriteVariable}=1 ./test EndToEnd");
    }

    private static IEnumerable<StockRow> Rows() =>
        Clients.All.Concat(Clients.Servers).SelectMany(client => client.Rows());

    private async Task<string?> RunAsync(StockWorld world, StockTorrent torrent, SemaphoreSlim slots)
    {
        await slots.WaitAsync();
        var began = Stopwatch.GetTimestamp();
        try
        {
            if (torrent.Row.Course == Course.FromUs) await world.AnnouncedAsync(torrent).WaitAsync(Tries[^1]);
            var problem = "";
            for (var i = 0; i < Tries.Length && problem is not null; i++)
            {
                await using var client = await world.StartAsync(torrent, i);
                problem = torrent.Row.Course == Course.FromUs ? await TakenAsync(world, torrent.Row, client, Tries[i])
                    : await GivenAsync(world, torrent, client, Tries[i]);
                output.WriteLine($"{torrent.Row.Name}: {Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s {problem}");
                if (problem is not null) problem += "\n" + client.Errors;
            }
            return problem is null ? null : $"{torrent.Row.Name} ({torrent.Address}): {problem}";
        }
        catch (TimeoutException)
        {
            return $"{torrent.Row.Name}: we never announced it";
        }
        finally
        {
            slots.Release();
        }
    }

    /// <summary>Waits until the client has everything.</summary>
    private static async Task<string?> TakenAsync(StockWorld world, StockRow row, StockProcess client, TimeSpan longest)
    {
        var source = Path.Combine(world.SourceOf(row), StockWorld.NameOf(row));
        var target = Path.Combine(world.TargetOf(row), StockWorld.NameOf(row));
        var began = Stopwatch.GetTimestamp();
        var isOver = false;
        while (!IsSame(source, target, row.Client.LeavesOutEmpty))
        {
            if (Stopwatch.GetElapsedTime(began) > longest) return "it did not get everything";
            if (client.Ended.IsCompleted && !isOver) isOver = true;
            else if (isOver) return "it ended without everything";
            await Task.Delay(LookEvery, TimeProvider.System);
        }
        return null;
    }

    /// <summary>Brings over what the client seeds.</summary>
    private static async Task<string?> GivenAsync(
        StockWorld world, StockTorrent torrent, StockProcess client, TimeSpan longest)
    {
        var row = torrent.Row;
        using var end = new CancellationTokenSource(longest);
        await Task.WhenAny(world.AnnouncedAsync(torrent).WaitAsync(end.Token), client.Ended);
        if (end.IsCancellationRequested) return "it never announced itself";
        if (client.Ended.IsCompleted) return "it ended";
        var begun = await world.Control.StartTorrentAsync(
            new TorrentRequest(
                row.Given == Given.Magnet ? torrent.Magnet : null,
                row.Given == Given.File ? await File.ReadAllBytesAsync(torrent.File) : null, "to", row.Name,
                Ratio: 0),
            CancellationToken.None);
        TransferInfo? last = null;
        try
        {
            await foreach (var info in world.Control.WatchAsync(begun.Id, end.Token)) last = info;
        }
        catch (OperationCanceledException)
        {
            return $"it did not arrive: {last?.Status}";
        }
        if (last?.State != TransferState.Completed) return $"{last?.State}: {last?.Status}";
        var source = Path.Combine(world.SourceOf(row), StockWorld.NameOf(row));
        var target = Path.Combine(world.TargetOf(row), StockWorld.NameOf(row));
        return IsSame(source, target, leavesOutEmpty: false) ? null : "what arrived differs";
    }

    /// <summary>Whether all files are there and equal; who is still writing may have more.</summary>
    private static bool IsSame(string source, string target, bool leavesOutEmpty)
    {
        if (!Directory.Exists(source)) return IsSameFile(source, target);
        // Pad files, where a client has them on its disk, are none of the content.
        return Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories)
            .Where(file => !file.Contains("/.pad/", StringComparison.Ordinal)
                && !(leavesOutEmpty && new FileInfo(file).Length == 0))
            .All(file => IsSameFile(file, Path.Combine(target, Path.GetRelativePath(source, file))));
    }

    private static bool IsSameFile(string source, string target)
    {
        try
        {
            return new FileInfo(target) is { Exists: true } found && found.Length == new FileInfo(source).Length
                && File.ReadAllBytes(source).AsSpan().SequenceEqual(File.ReadAllBytes(target));
        }
        catch (IOException)
        {
            return false;
        }
    }
}
