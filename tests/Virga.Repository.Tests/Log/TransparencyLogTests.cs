using System.Security.Cryptography;
using Virga.Core;
using Virga.Hosting;
using Virga.Storage;
using Virga.Trust.Log;

namespace Virga.Repository.Tests.Log;

/// <summary>The log on its disk: what it writes, what it survives, and what it refuses.</summary>
public sealed class TransparencyLogTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Every_size_is_served_whole_and_every_checkpoint_stays_a_beginning()
    {
        await using var bench = new LogBench();
        await bench.OpenAsync();
        var heads = new List<C2spClient.Head>();
        var appended = 0;
        foreach (var count in new[] { 0, 1, 1, 253, 1, 1, 300, 4, 1500 })
        {
            await bench.AppendAsync(appended, count);
            appended += count;
            await bench.Log.PublishAsync(None);
            var head = await bench.Client.CheckpointAsync();
            Assert.Equal(appended + 1, head.Size);
            var entries = await bench.Client.AuditAsync(head);
            // The first is the repository's own genesis.
            Assert.Equal(bench.Keys.Id, LogEntry.Parse(entries[0]).Agent);
            Assert.Equal(Enumerable.Range(0, appended).Select(i => LogBench.Entry(i)), entries.Skip(1));
            heads.Add(head);
            foreach (var earlier in heads) Assert.True(await bench.Client.IsBeginningAsync(earlier, head));
        }

        // Partial tiles of bundles that are full are gone, and no entry is kept in the database that a full tile has.
        Assert.False(Directory.Exists(Path.Combine(bench.LogPath, "tile/0/000.p")));
        Assert.InRange(await bench.Database.ReadAsync(sql => sql.Scalar("SELECT count(*) FROM log_entry")), 1, 256);
        Assert.Empty(Directory.GetFiles(bench.LogPath, "*.new", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Our_proofs_are_those_of_the_rfc()
    {
        await using var bench = new LogBench();
        await bench.OpenAsync();
        await bench.AppendAsync(0, 699);
        await bench.Log.PublishAsync(None);
        var head = await bench.Client.CheckpointAsync();
        var entries = await bench.Client.AuditAsync(head);
        var reader = new LogReader(bench.Log.ReadAsync, head.Size);
        foreach (var index in new[] { 0, 1, 255, 256, 511, 512, 698, 699 })
        {
            var path = await reader.InclusionAsync(index, None);
            Assert.True(C2spClient.Includes(
                entries[index], index, head.Size, [.. path.Select(hash => hash.ToArray())], head.Root));
        }

        var frontier = new LogFrontier();
        for (var first = 1; first <= 700; first++)
        {
            frontier.Append(LogTree.LeafHash(entries[first - 1]));
            if (first % 37 != 0 && !System.Numerics.BitOperations.IsPow2(first)) continue;
            var proof = await reader.ConsistencyAsync(first, false, None);
            Assert.True(C2spClient.Extends(first, frontier.Root.ToArray(), 700, head.Root,
                [.. proof.Select(hash => hash.ToArray())]));
        }
    }

    /// <summary>
    /// Kills the log before and in the middle of each write, and goes on from what then stands on the disk, as after
    /// <c>kill -9</c>.
    /// </summary>
    [Theory]
    [InlineData(3, 2)]
    [InlineData(250, 5)]
    [InlineData(254, 300)]
    [InlineData(10, 1100)]
    public async Task After_a_crash_at_any_write_the_log_goes_on_from_every_checkpoint(int before, int then)
    {
        await using var start = new LogBench();
        await start.OpenAsync();
        await start.AppendAsync(0, before);
        await start.Log.PublishAsync(None);
        await start.AppendAsync(before, 0);
        var first = await start.Client.CheckpointAsync();
        await start.CloseAsync();
        var crashes = 0;
        for (var at = 0; ; at++, crashes++)
        {
            var copy = Some.Folder();
            LogBench.Copy(start.Folder, copy);
            var left = Some.Folder();
            var steps = 0;
            await using var bench = new LogBench(copy);
            await bench.OpenAsync(_ =>
            {
                if (steps++ != at) return;
                LogBench.Copy(copy, left);
                throw new CrashException();
            });
            await bench.AppendAsync(before, then);
            try
            {
                await bench.Log.PublishAsync(None);
                Directory.Delete(left, recursive: true);
                break;
            }
            catch (CrashException)
            {
                // The process is dead here; what it left is what counts.
            }

            await using var next = new LogBench(left);
            await AssertGoesOnAsync(next, first, before + then);
        }

        await start.OpenAsync();
        Assert.True(crashes >= 9, $"only {crashes} writes were crashed");
    }

    [Fact]
    public async Task A_disk_that_fills_while_the_log_grows_loses_nothing()
    {
        await using var bench = new LogBench();
        var isFull = false;
        await bench.OpenAsync(step =>
        {
            if (isFull && step.StartsWith("half", StringComparison.Ordinal)) throw new IOException("full", 28);
        });
        var before = await bench.Client.CheckpointAsync();
        isFull = true;
        await bench.AppendAsync(0, 300);
        var failure = await Assert.ThrowsAsync<VirgaException>(async () => await bench.Log.PublishAsync(None));
        Assert.Equal(FailureKind.Full, failure.Kind);
        Assert.NotNull(failure.Advice);
        Assert.Equal(before.Note, (await bench.Client.CheckpointAsync()).Note);
        isFull = false;
        await bench.Log.PublishAsync(None);
        Assert.Equal(301, (await bench.Client.AuditAsync(await bench.Client.CheckpointAsync())).Count);

        // The database's own disk: the statement and its entry are both refused.
        await bench.Database.WriteAsync(sql => { sql.Scalar("PRAGMA max_page_count=1"); });
        failure = await Assert.ThrowsAsync<VirgaException>(async () => await bench.AppendAsync(300, 20_000));
        Assert.Equal(FailureKind.Full, failure.Kind);
        await bench.Database.WriteAsync(sql => { sql.Scalar("PRAGMA max_page_count=1000000"); });
        await bench.Log.PublishAsync(None);
        Assert.Equal(301, (await bench.Client.CheckpointAsync()).Size);
    }

    [Fact]
    public async Task Of_two_writers_the_later_goes_on_and_the_other_signs_nothing_more()
    {
        await using var one = new LogBench();
        await one.OpenAsync();
        await one.AppendAsync(0, 10);
        await one.Log.PublishAsync(None);
        var first = await one.Client.CheckpointAsync();
        await using var two = new LogBenchBeside(one);
        await two.OpenAsync();
        await Task.WhenAll(
            Task.Run(() => one.AppendAsync(10, 200)), Task.Run(() => two.AppendAsync(1_000, 200)));
        var failure = await Assert.ThrowsAsync<VirgaException>(async () => await one.Log.PublishAsync(None));
        Assert.Equal(FailureKind.InUse, failure.Kind);
        await two.Log.PublishAsync(None);
        failure = await Assert.ThrowsAsync<VirgaException>(async () => await one.Log.PublishAsync(None));
        Assert.Equal(FailureKind.InUse, failure.Kind);
        var last = await one.Client.CheckpointAsync();
        Assert.Equal(411, last.Size);
        Assert.Equal(411, (await one.Client.AuditAsync(last)).Select(Convert.ToHexString).Distinct().Count());
        Assert.True(await one.Client.IsBeginningAsync(first, last));
    }

    [Fact]
    public async Task A_database_that_was_lost_or_is_older_is_filled_again_from_the_tiles()
    {
        await using var bench = new LogBench();
        await bench.OpenAsync();
        await bench.AppendAsync(0, 100);
        await bench.Log.PublishAsync(None);
        await bench.CloseAsync();
        var older = File.ReadAllBytes(Path.Combine(bench.Folder, "repository.db"));
        await bench.OpenAsync();
        await bench.AppendAsync(100, 600);
        await bench.Log.PublishAsync(None);
        var head = await bench.Client.CheckpointAsync();
        foreach (var content in new[] { null, older })
        {
            await bench.CloseAsync();
            foreach (var old in Directory.GetFiles(bench.Folder, "repository.db*")) File.Delete(old);
            var file = Path.Combine(bench.Folder, "repository.db");
            if (content is not null) await File.WriteAllBytesAsync(file, content);
            await bench.OpenAsync();
            Assert.Equal(head.Size, bench.Log.Current.Head.Size);
            var place = await bench.Log.FindAsync(LogTree.LeafHash(LogBench.Entry(650)), None);
            Assert.Equal(651, place!.Index);
        }

        await bench.AppendAsync(100, 601);
        await bench.Log.PublishAsync(None);
        var last = await bench.Client.CheckpointAsync();
        Assert.Equal(head.Size + 1, last.Size);
        await bench.Client.AuditAsync(last);
        Assert.True(await bench.Client.IsBeginningAsync(head, last));
    }

    [Theory]
    [InlineData("tile/0/000")]
    [InlineData("tile/1/000.p/2")]
    [InlineData("checkpoint")]
    public async Task Files_that_were_altered_stop_the_log_before_it_signs_anything(string file)
    {
        await using var bench = new LogBench();
        await bench.OpenAsync();
        await bench.AppendAsync(0, 600);
        await bench.Log.PublishAsync(None);
        var head = await bench.Client.CheckpointAsync();
        await bench.CloseAsync();
        var path = Path.Combine(bench.LogPath, file);
        var good = await File.ReadAllBytesAsync(path);
        var bad = good.ToArray();
        bad[^10] ^= 1;
        await File.WriteAllBytesAsync(path, bad);
        if (file == "tile/1/000.p/2")
        {
            // Never read back: it is made of the tiles below.
            await bench.OpenAsync();
            await bench.AppendAsync(600, 1);
            await bench.Log.PublishAsync(None);
            await bench.Client.AuditAsync(await bench.Client.CheckpointAsync());
            return;
        }

        var failure = await Assert.ThrowsAsync<VirgaException>(() => bench.OpenAsync());
        Assert.Equal(FailureKind.Corrupt, failure.Kind);
        Assert.NotNull(failure.Advice);
        await File.WriteAllBytesAsync(path, good);
        await bench.OpenAsync();
        Assert.Equal(head.Note, (await bench.Client.CheckpointAsync()).Note);
    }

    [Fact]
    public async Task A_lost_tile_folder_is_told_and_not_begun_anew()
    {
        await using var bench = new LogBench();
        await bench.OpenAsync();
        await bench.AppendAsync(0, 600);
        await bench.Log.PublishAsync(None);
        await bench.CloseAsync();
        Directory.Move(bench.LogPath, bench.LogPath + ".away");
        var failure = await Assert.ThrowsAsync<VirgaException>(() => bench.OpenAsync());
        Assert.Equal(FailureKind.Corrupt, failure.Kind);
        Directory.Move(bench.LogPath + ".away", bench.LogPath);
        await bench.OpenAsync();
    }

    [Fact]
    public async Task What_was_accepted_before_there_was_a_log_stands_in_it_in_that_order()
    {
        await using var bench = new LogBench();
        await bench.OpenAsync();
        var before = bench.Log.Current.Head.Size;
        var agents = Enumerable.Range(1, 3).Select(i => new AgentId(Some.Hash(i))).ToList();
        await bench.Database.WriteAsync(sql =>
        {
            foreach (var agent in agents)
                sql.Execute("INSERT INTO chain(agent,next,bytes,used) VALUES(?1,2,0,0)", agent);
            foreach (var (agent, seq) in new[] { (0, 0), (2, 0), (1, 0), (0, 1), (2, 1), (1, 1) })
            {
                sql.Execute("INSERT INTO statement(agent,seq,body,sig) VALUES(?1,?2,?3,?4)", agents[agent], seq,
                    new[] { (byte)agent, (byte)seq }, new byte[64]);
                sql.Execute("INSERT INTO statement_order(agent,seq) VALUES(?1,?2)", agents[agent], seq);
            }

            // Its place is in the order, but it has made room for others.
            sql.Execute("DELETE FROM chain WHERE agent=?1", agents[1]);
        });
        await bench.CloseAsync();
        await bench.OpenAsync();
        var entries = await bench.Client.AuditAsync(await bench.Client.CheckpointAsync());
        byte[][] expected = [[0, 0], [2, 0], [0, 1], [2, 1]];
        Assert.Equal(expected.Select(body => LogEntry.Of(body, new byte[64])), entries.Skip((int)before));
        await bench.CloseAsync();
        await bench.OpenAsync();
        Assert.Equal(before + 4, bench.Log.Current.Head.Size);
    }

    [Fact]
    public async Task Times_never_go_back_even_where_the_clock_does()
    {
        await using var bench = new LogBench();
        await bench.OpenAsync();
        bench.Time.Advance(TimeSpan.FromHours(1));
        await bench.AppendAsync(0, 1);
        await bench.Log.PublishAsync(None);
        var late = bench.Log.Current.Time;
        await bench.CloseAsync();
        await using var back = new LogBenchBeside(bench);
        await back.OpenAsync();
        await back.AppendAsync(1, 1);
        await back.Log.PublishAsync(None);
        Assert.True(back.Time.GetUtcNow() < late);
        Assert.Equal(late, back.Log.Current.Time);
        Assert.Equal(late, (await back.Log.FindAsync(LogTree.LeafHash(LogBench.Entry(1)), None))!.Time);
        await bench.OpenAsync();
    }

    private static async Task AssertGoesOnAsync(LogBench left, C2spClient.Head first, int entries)
    {
        var given = File.ReadAllBytes(Path.Combine(left.LogPath, "checkpoint"));
        await left.OpenAsync();
        var last = await left.Client.CheckpointAsync();
        Assert.Equal(entries + 1, last.Size);
        var all = await left.Client.AuditAsync(last);
        Assert.Equal(Enumerable.Range(0, entries).Select(i => LogBench.Entry(i)), all.Skip(1));
        Assert.True(await left.Client.IsBeginningAsync(first, last));
        Assert.True(await left.Client.IsBeginningAsync(left.Client.Open(given), last));
        await left.AppendAsync(entries, 3);
        await left.Log.PublishAsync(None);
        Assert.True(await left.Client.IsBeginningAsync(last, await left.Client.CheckpointAsync()));
    }

    private sealed class CrashException : Exception;

    /// <summary>A second process in the same folder, against the folder's lock.</summary>
    private sealed class LogBenchBeside(LogBench other) : IAsyncDisposable
    {
        private readonly LogBench bench = new(other.Folder);

        public Virga.Testing.FakeTimeProvider Time => bench.Time;

        public Virga.Repository.Log.TransparencyLog Log => bench.Log;

        public Task OpenAsync() => bench.OpenAsync();

        public Task AppendAsync(int from, int count) => bench.AppendAsync(from, count);

        public async ValueTask DisposeAsync()
        {
            await bench.CloseAsync();
            bench.Keys.Dispose();
        }
    }
}
