using Virga.Accounts;
using Virga.Content;
using Virga.Core;
using Virga.Testing;
using Virga.Testing.Accounts;
using Virga.Transfers.Engine;

namespace Virga.Transfers.Tests;

public sealed class TransferEngineTests
{
    private static readonly EngineLimits Small = new(
        RangesInFlight: 3, RangeBytes: 256 << 10, FarRangeBytes: 256 << 10, PartMemoryBytes: 1 << 20,
        SmallFileBytes: 64 << 10,
        BatchBytes: 128 << 10, BatchFiles: 7);

    // Sizes on and around every border: chunk, leaf, piece, range, part; in small parts so that there are many.
    public static readonly int[] Sizes =
        [0, 1, 16383, 16384, 65519, 65520, 65536, 65537, 131072, 200_000, 262_144, 300_001, 1 << 20, (1 << 20) + 1,
            3_333_333];

    private static InMemoryAccount Target(PartOrder order, long partBytes, bool resumes = true,
        InMemoryStore? store = null) => new(store, new AccountTraits
    {
        Adapter = "memory", PartOrder = order, PartBytesMin = partBytes, PartBytesMax = partBytes,
        SingleWriteBytesMax = 100_000,
        UploadResume = resumes ? UploadResume.Parts : UploadResume.None, KeepsModified = true, KeepsEmptyFolders = true,
    });

    private static async Task<Rig> FilledAsync(int seed)
    {
        var rig = new Rig(seed);
        foreach (var size in Sizes) await rig.AddAsync($"folder/{size} bytes", size);
        for (var i = 0; i < 30; i++) await rig.AddAsync($"many/{i:d3}", 1000 + i);
        return rig;
    }

    [Theory]
    [InlineData(true, PartOrder.Any, 65536)]
    [InlineData(true, PartOrder.Sequence, 65536)]
    [InlineData(true, PartOrder.Any, 327_680)]
    [InlineData(true, PartOrder.Sequence, 100_000)]
    [InlineData(false, PartOrder.Any, 65536)]
    [InlineData(false, PartOrder.Sequence, 100_000)]
    public async Task Every_size_arrives_whole(bool isPrivate, PartOrder order, long partBytes)
    {
        var rig = await FilledAsync(7);
        var content = await rig.ShareAsync(isPrivate);
        var target = Target(order, partBytes);
        var job = rig.Job(content, target, [rig.Source()]);
        var result = await new TransferEngine(Small).RunAsync(job, CancellationToken.None);
        Assert.Empty(result.Failed);
        await rig.AssertArrivedAsync(target);
        Assert.Equal(rig.Files.Count, job.Status.FilesDone);
        Assert.Equal(rig.Files.Values.Sum(f => (long)f.Length), job.Status.BytesDone);
        Assert.Equal(0, await target.PendingAsync());
    }

    [Fact]
    public async Task A_source_that_lies_is_dropped_by_name_and_nothing_wrong_is_stored()
    {
        var rig = await FilledAsync(8);
        var content = await rig.ShareAsync();
        var liar = rig.Source("liar");
        liar.Tamper = (n, data) => data.Span[data.Length / 2] ^= (byte)(n % 3 == 1 ? 1 : 0);
        var target = Target(PartOrder.Any, 65536);
        var job = rig.Job(content, target, [liar, rig.Source("honest")]);
        var result = await new TransferEngine(Small).RunAsync(job, CancellationToken.None);
        Assert.Empty(result.Failed);
        await rig.AssertArrivedAsync(target);
        var report = Assert.Single(job.Sources.Report(), s => s.Dropped is not null);
        Assert.Equal("liar", report.Name);
        Assert.Contains("wrong piece", report.Dropped, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_source_that_fails_now_and_then_delivers_all_in_the_end()
    {
        var time = new SkippingTime();
        var rig = new Rig(9) { Time = time };
        foreach (var size in Sizes) await rig.AddAsync($"{size}", size);
        var content = await rig.ShareAsync();
        var source = rig.Source();
        source.Before = (n, _) => n % 3 == 0
            ? throw new VirgaException(FailureKind.Unavailable, "connection reset")
            : Task.CompletedTask;
        var target = Target(PartOrder.Sequence, 65536);
        var result = await new TransferEngine(Small).RunAsync(
            rig.Job(content, target, [source]), CancellationToken.None);
        Assert.Empty(result.Failed);
        await rig.AssertArrivedAsync(target);
    }

    [Theory]
    [InlineData(PartOrder.Any)]
    [InlineData(PartOrder.Sequence)]
    public async Task A_crash_at_any_record_resumes_without_fetching_what_is_stored(PartOrder order)
    {
        for (var crashAt = 1; crashAt < 60; crashAt += 3)
        {
            var rig = new Rig(crashAt);
            await rig.AddAsync("large", 2_000_000);
            await rig.AddAsync("small", 10_000);
            var content = await rig.ShareAsync();
            var target = Target(order, 65536);
            var records = 0;
            rig.Journal.Before = _ =>
            {
                if (Interlocked.Increment(ref records) == crashAt)
                    throw new VirgaException(FailureKind.Unavailable, "killed");
            };
            var source = rig.Source();
            var crashed = false;
            try
            {
                await new TransferEngine(Small).RunAsync(rig.Job(content, target, [source]), CancellationToken.None);
            }
            catch (VirgaException e) when (e.Message == "killed")
            {
                crashed = true;
            }
            rig.Journal.Before = null;
            if (crashed)
                await new TransferEngine(Small).RunAsync(rig.Job(content, target, [source]), CancellationToken.None);
            await rig.AssertArrivedAsync(target);
            Assert.Equal(0, await target.PendingAsync());
            // What was in flight: the ranges under way, the parts being filled, one piece for the nonce and one at each
            // border.
            var whole = content.Files.Sum(f => f.Blob!.Value.Length);
            Assert.True(source.Bytes <= whole + (3 << 18) + (1 << 20) + (4 * content.PieceBytes),
                $"crash at {crashAt}: {source.Bytes} of {whole}");
        }
    }

    [Theory]
    [InlineData(PartOrder.Any)]
    [InlineData(PartOrder.Sequence)]
    public async Task A_crash_between_completing_and_recording_fetches_nothing_again(PartOrder order)
    {
        var (rig, content, target) = await CrashAtCompletedAsync(order);
        var source = rig.Source("again");
        var result = await new TransferEngine(Small).RunAsync(
            rig.Job(content, target, [source]), CancellationToken.None);
        Assert.Empty(result.Failed);
        Assert.Equal(0, source.Bytes);
        await rig.AssertArrivedAsync(target);
    }

    [Theory]
    [InlineData(true, 40_000)]
    [InlineData(true, 65_536)]
    [InlineData(true, 100_000)]
    [InlineData(false, 40_000)]
    public async Task Parts_that_are_missing_here_and_there_are_stored_once_and_no_others(bool isPrivate, int partBytes)
    {
        var rig = new Rig(21);
        await rig.AddAsync("large", 2_000_000);
        var content = await rig.ShareAsync(isPrivate);
        var target = Target(PartOrder.Any, partBytes);
        // Every third part is there, of an earlier run.
        var path = EntryPath.Parse("in/large");
        var upload = await target.BeginUploadAsync(path, 2_000_000, partBytes, WriteOptions.Default, default);
        await rig.Journal.StartedAsync(new Dictionary<int, EntryPath>(), default);
        await rig.Journal.UploadBegunAsync(0, upload.Token!, partBytes, default);
        for (var i = 1; i < 2_000_000 / partBytes; i += 3)
        {
            var part = rig.Files["large"].AsMemory(i * partBytes, partBytes);
            await rig.Journal.PartStoredAsync(0, await upload.WritePartAsync(i, part, default), default);
        }
        var result = await new TransferEngine(Small).RunAsync(
            rig.Job(content, target, [rig.Source()]), CancellationToken.None);
        Assert.Empty(result.Failed);
        await rig.AssertArrivedAsync(target);
    }

    [Fact]
    public async Task A_part_stored_but_not_recorded_before_two_crashes_costs_no_second_fetch()
    {
        var rig = new Rig(22);
        await rig.AddAsync("large", 1_000_000);
        var content = await rig.ShareAsync();
        var target = Target(PartOrder.Sequence, 65536);
        var parts = 0;
        rig.Journal.Before = record =>
        {
            if (record == "part" && ++parts == 4) throw new VirgaException(FailureKind.Unavailable, "killed");
        };
        await Assert.ThrowsAsync<VirgaException>(() => new TransferEngine(Small).RunAsync(
            rig.Job(content, target, [rig.Source()]), CancellationToken.None));
        rig.Journal.Before = record =>
        {
            if (record == "completed") throw new VirgaException(FailureKind.Unavailable, "killed");
        };
        await Assert.ThrowsAsync<VirgaException>(() => new TransferEngine(Small).RunAsync(
            rig.Job(content, target, [rig.Source()]), CancellationToken.None));
        rig.Journal.Before = null;
        var source = rig.Source("again");
        await new TransferEngine(Small).RunAsync(rig.Job(content, target, [source]), CancellationToken.None);
        Assert.Equal(0, source.Bytes);
        await rig.AssertArrivedAsync(target);
    }

    [Fact]
    public async Task A_file_that_another_has_written_there_meanwhile_is_fetched_again()
    {
        var (rig, content, target) = await CrashAtCompletedAsync(PartOrder.Any);
        await target.PutAsync(EntryPath.Parse("in/large"), rig.RandomArray(2_000_000));
        var result = await new TransferEngine(Small).RunAsync(
            rig.Job(content, target, [rig.Source("again")]), CancellationToken.None);
        Assert.Empty(result.Failed);
        await rig.AssertArrivedAsync(target);
    }

    [Fact]
    public async Task An_upload_that_a_killed_process_asked_for_and_that_begins_late_is_ended_too()
    {
        var (rig, content, target) = await CrashAtCompletedAsync(PartOrder.Any);
        await target.DeleteAsync(EntryPath.Parse("in/large"), CancellationToken.None);
        var source = rig.Source("again");
        source.Before = async (number, token) =>
        {
            // By now the resumed transfer has looked for orphans.
            if (number == 2)
                _ = await target.BeginUploadAsync(
                    EntryPath.Parse("in/large"), 2_000_000, 65536, WriteOptions.Default, token);
        };
        await new TransferEngine(Small).RunAsync(rig.Job(content, target, [source]), CancellationToken.None);
        await rig.AssertArrivedAsync(target);
        Assert.Equal(0, await target.PendingAsync());
    }

    private static async Task<(Rig Rig, ShareContent Content, InMemoryAccount Target)> CrashAtCompletedAsync(
        PartOrder order)
    {
        var rig = new Rig(17);
        await rig.AddAsync("large", 2_000_000);
        var content = await rig.ShareAsync();
        var target = Target(order, 65536);
        rig.Journal.Before = record =>
        {
            if (record == "completed") throw new VirgaException(FailureKind.Unavailable, "killed");
        };
        await Assert.ThrowsAsync<VirgaException>(() => new TransferEngine(Small).RunAsync(
            rig.Job(content, target, [rig.Source()]), CancellationToken.None));
        rig.Journal.Before = null;
        Assert.Equal(0, await target.PendingAsync());
        return (rig, content, target);
    }

    [Fact]
    public async Task A_target_without_resume_begins_the_file_anew()
    {
        var rig = new Rig(11);
        await rig.AddAsync("large", 1_000_000);
        var content = await rig.ShareAsync();
        var target = Target(PartOrder.Sequence, 65536, resumes: false);
        var source = rig.Source();
        source.Before = (n, _) => n == 3 ? throw new VirgaException(FailureKind.Denied, "cut off") : Task.CompletedTask;
        await Assert.ThrowsAsync<VirgaException>(
            () => new TransferEngine(Small).RunAsync(rig.Job(content, target, [source]), CancellationToken.None));
        await new TransferEngine(Small).RunAsync(
            rig.Job(content, target, [rig.Source("again")]), CancellationToken.None);
        await rig.AssertArrivedAsync(target);
        Assert.Equal(0, await target.PendingAsync());
    }

    [Fact]
    public async Task An_entry_that_changed_fails_alone_and_by_name()
    {
        var rig = await FilledAsync(12);
        var content = await rig.ShareAsync();
        await rig.Owner.PutAsync(EntryPath.Parse("many/003"), rig.RandomArray(1003));
        await rig.Owner.PutAsync(EntryPath.Parse("folder/3333333 bytes"), rig.RandomArray(3_333_333));
        var target = Target(PartOrder.Any, 65536);
        var result = await new TransferEngine(Small).RunAsync(
            rig.Job(content, target, [rig.Source()]), CancellationToken.None);
        Assert.Equal(
            ["folder/3333333 bytes", "many/003"], result.Failed.Select(f => f.Note.Path).Order(StringComparer.Ordinal));
        Assert.All(result.Failed, f => Assert.Equal(FailureKind.Changed, f.Kind));
        Assert.Equal(rig.Files.Count - 2, rig.Journal.Completed);
    }

    [Fact]
    public async Task A_target_that_fills_up_ends_the_transfer_and_goes_on_when_there_is_room()
    {
        var rig = await FilledAsync(13);
        var content = await rig.ShareAsync();
        var store = new InMemoryStore { CapacityBytes = 2_000_000 };
        var target = Target(PartOrder.Any, 65536, store: store);
        var source = rig.Source();
        var full = await Assert.ThrowsAsync<VirgaException>(
            () => new TransferEngine(Small).RunAsync(rig.Job(content, target, [source]), CancellationToken.None));
        Assert.Equal(FailureKind.Full, full.Kind);
        store.CapacityBytes = long.MaxValue;
        var result = await new TransferEngine(Small).RunAsync(
            rig.Job(content, target, [source]), CancellationToken.None);
        Assert.Empty(result.Failed);
        await rig.AssertArrivedAsync(target);
    }

    [Fact]
    public async Task Collisions_fail_before_anything_moves_or_are_skipped_or_overwritten_as_said()
    {
        var rig = new Rig(14);
        await rig.AddAsync("a", 5000);
        await rig.AddAsync("b", 5000);
        var content = await rig.ShareAsync();
        var target = Target(PartOrder.Any, 65536);
        var other = rig.RandomArray(17);
        await target.PutAsync(EntryPath.Parse("in/b"), other);

        var e = await Assert.ThrowsAsync<VirgaException>(
            () => new TransferEngine(Small).RunAsync(rig.Job(content, target, [rig.Source()]), CancellationToken.None));
        Assert.Equal(FailureKind.Conflict, e.Kind);
        Assert.Contains("in/b", e.Message, StringComparison.Ordinal);
        Assert.Null(await target.StatAsync(EntryPath.Parse("in/a"), CancellationToken.None));

        await new TransferEngine(Small).RunAsync(
            rig.Job(content, target, [rig.Source()], CollisionPolicy.Skip), CancellationToken.None);
        Assert.Equal(17, (await target.StatAsync(EntryPath.Parse("in/b"), CancellationToken.None))!.Length);

        var again = new Rig(14);
        await again.AddAsync("a", 5000);
        await again.AddAsync("b", 5000);
        content = await again.ShareAsync();
        await new TransferEngine(Small).RunAsync(
            again.Job(content, target, [again.Source()], CollisionPolicy.Overwrite), CancellationToken.None);
        await again.AssertArrivedAsync(target);
    }

    [Fact]
    public async Task Renamed_files_go_beside_what_is_there_also_after_a_crash()
    {
        var rig = new Rig(14);
        var names = new[] { "a.txt", "a (2).txt", "folder/large.tar.gz", "folder/.hidden", "free" };
        foreach (var name in names) await rig.AddAsync(name, name.Contains("large") ? 300_000 : 5000);
        var content = await rig.ShareAsync();
        var target = Target(PartOrder.Any, 65536);
        var others = new[] { "in/a.txt", "in/folder/large.tar.gz", "in/folder/large.tar (2).gz", "in/folder/.hidden" };
        var other = rig.RandomArray(17);
        foreach (var path in others) await target.PutAsync(EntryPath.Parse(path), other);
        var expected = new Dictionary<string, string>
        {
            ["a.txt"] = "a (3).txt", ["a (2).txt"] = "a (2).txt", ["free"] = "free",
            ["folder/large.tar.gz"] = "folder/large.tar (3).gz", ["folder/.hidden"] = "folder/.hidden (2)",
        };

        // It dies in the large file, after some of the small ones: what stands there then is its own.
        rig.Journal.Before = record =>
        {
            if (record == "part") throw new IOException("died");
        };
        await Assert.ThrowsAsync<IOException>(() => new TransferEngine(Small).RunAsync(
            rig.Job(content, target, [rig.Source()], CollisionPolicy.Rename), CancellationToken.None));
        rig.Journal.Before = null;
        var result = await new TransferEngine(Small).RunAsync(
            rig.Job(content, target, [rig.Source()], CollisionPolicy.Rename), CancellationToken.None);

        Assert.Empty(result.Failed);
        Assert.Contains(
            result.NotKept, n => n.Path == "a.txt" && n.Reason.Contains("a (3).txt", StringComparison.Ordinal));
        foreach (var (name, there) in expected)
            Assert.Equal(rig.Files[name], await Rig.ReadAsync(target, EntryPath.Parse("in/" + there)));
        foreach (var path in others) Assert.Equal(other, await Rig.ReadAsync(target, EntryPath.Parse(path)));
        var all = new List<string>();
        await foreach (var entry in target.WalkAsync(EntryPath.Root, null, CancellationToken.None))
            if (entry.Kind == EntryKind.File) all.Add(entry.Path.Value);
        Assert.Equal(others.Concat(expected.Values.Select(v => "in/" + v)).Order(), all.Order());
    }

    [Fact]
    public async Task What_stands_there_in_other_case_collides_where_case_is_not_told_apart()
    {
        var rig = new Rig(14);
        await rig.AddAsync("Photo.jpg", 5000);
        var content = await rig.ShareAsync();
        var target = new InMemoryAccount(null,
            new AccountTraits { Adapter = "memory", Names = new NameRules(IsCaseSensitive: false) });
        await target.PutAsync(EntryPath.Parse("in/photo.JPG"), rig.RandomArray(17));
        var e = await Assert.ThrowsAsync<VirgaException>(
            () => new TransferEngine(Small).RunAsync(rig.Job(content, target, [rig.Source()]), CancellationToken.None));
        Assert.Equal(FailureKind.Conflict, e.Kind);
        await new TransferEngine(Small).RunAsync(
            rig.Job(content, target, [rig.Source()], CollisionPolicy.Rename), CancellationToken.None);
        Assert.Equal(rig.Files["Photo.jpg"], await Rig.ReadAsync(target, EntryPath.Parse("in/Photo (2).jpg")));
    }

    [Fact]
    public async Task Names_that_the_target_cant_hold_are_all_named_before_anything_moves()
    {
        var rig = new Rig(15);
        await rig.AddAsync("good", 100);
        await rig.AddAsync("bad:name", 100);
        await rig.AddAsync("Case", 100);
        await rig.AddAsync("case", 100);
        var content = await rig.ShareAsync();
        var target = new InMemoryAccount(null,
            new AccountTraits { Adapter = "memory", Names = new NameRules(Forbidden: ":", IsCaseSensitive: false) });
        var e = await Assert.ThrowsAsync<VirgaException>(
            () => new TransferEngine(Small).RunAsync(rig.Job(content, target, [rig.Source()]), CancellationToken.None));
        Assert.Equal(FailureKind.BadInput, e.Kind);
        Assert.Contains("bad:name", e.Message, StringComparison.Ordinal);
        Assert.Contains("in/Case", e.Message, StringComparison.Ordinal);
        Assert.Null(await target.StatAsync(EntryPath.Parse("in/good"), CancellationToken.None));
    }

    [Fact]
    public async Task Cancelling_stops_and_leaves_it_resumable()
    {
        var rig = await FilledAsync(16);
        var content = await rig.ShareAsync();
        var target = Target(PartOrder.Any, 65536);
        using var stop = new CancellationTokenSource();
        var source = rig.Source();
        source.Before = (n, _) => n == 6 ? stop.CancelAsync() : Task.CompletedTask;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => new TransferEngine(Small).RunAsync(rig.Job(content, target, [source]), stop.Token));
        source.Before = null;
        await new TransferEngine(Small).RunAsync(rig.Job(content, target, [source]), CancellationToken.None);
        await rig.AssertArrivedAsync(target);
    }

    [Fact]
    public async Task Cleaning_up_leaves_no_pending_upload()
    {
        var rig = new Rig(17);
        await rig.AddAsync("large", 1_000_000);
        var content = await rig.ShareAsync();
        var target = Target(PartOrder.Any, 65536);
        var source = rig.Source();
        source.Before = (n, _) => n == 3 ? throw new VirgaException(FailureKind.Denied, "cut off") : Task.CompletedTask;
        var job = rig.Job(content, target, [source]);
        await Assert.ThrowsAsync<VirgaException>(() => new TransferEngine(Small).RunAsync(job, CancellationToken.None));
        Assert.Equal(1, await target.PendingAsync());
        await TransferEngine.CleanUpAsync(job, CancellationToken.None);
        Assert.Equal(0, await target.PendingAsync());
    }
}
