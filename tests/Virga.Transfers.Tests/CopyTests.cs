using System.Collections.Concurrent;
using Virga.Accounts;
using Virga.Content;
using Virga.Core;
using Virga.Protocol;
using Virga.Testing.Accounts;
using Virga.Transfers.Engine;

namespace Virga.Transfers.Tests;

/// <summary>Copies inside a service, which is a store in memory that does what each test says.</summary>
public sealed class CopyTests
{
    private static readonly EngineLimits Limits = new(
        RangesInFlight: 3, RangeBytes: 256 << 10, PartMemoryBytes: 1 << 20, SmallFileBytes: 64 << 10,
        BatchBytes: 128 << 10, BatchFiles: 7, CopyInPartsBytes: 1 << 20);

    [Theory]
    [InlineData(CopyCheck.Service, true)]
    [InlineData(CopyCheck.Sample, true)]
    [InlineData(CopyCheck.Full, true)]
    [InlineData(CopyCheck.Service, false)]
    [InlineData(CopyCheck.Sample, false)]
    [InlineData(CopyCheck.Full, false)]
    public async Task All_is_copied_and_nothing_fetched(CopyCheck check, bool isPrivate)
    {
        var scene = await Scene.CreateAsync(isPrivate);
        var (job, result) = await scene.RunAsync(check);
        await scene.AssertWholeAsync(result);
        Assert.Equal(0, scene.Source.Reads);
        var copied = job.Status.Copied;
        Assert.Equal((scene.WithContent, scene.Bytes), (copied.Files, copied.Bytes));
        Assert.Equal(
            scene.WithContent,
            check switch
            {
                CopyCheck.Service => copied.FilesByService,
                CopyCheck.Sample => copied.FilesBySample,
                _ => copied.FilesInFull,
            });
        if (check == CopyCheck.Service) Assert.Equal(0, copied.ComparedBytes);
        if (check == CopyCheck.Sample) Assert.InRange(copied.ComparedBytes, scene.Bytes / 20, scene.Bytes - 1);
        if (check == CopyCheck.Full) Assert.Equal(scene.Bytes, copied.ComparedBytes);
        Assert.Empty(scene.Offer.Open);
    }

    [Theory]
    [InlineData(CopyCheck.Sample)]
    [InlineData(CopyCheck.Full)]
    public async Task An_owner_that_names_other_bytes_is_found_out_and_the_file_fetched(CopyCheck check)
    {
        var scene = await Scene.CreateAsync();
        await scene.LieAsync("folder/65536");
        var (job, result) = await scene.RunAsync(check);
        await scene.AssertWholeAsync(result);
        Assert.Contains(result.NotKept, n => n.Reason.Contains("is not what was shared", StringComparison.Ordinal));
        Assert.InRange(scene.Source.Reads, 1, int.MaxValue);
        Assert.Equal(0, job.Status.Copied.FilesByService);
    }

    [Fact]
    public async Task Without_reading_back_it_is_not_found_out_and_nobody_says_that_it_was_verified()
    {
        var scene = await Scene.CreateAsync();
        await scene.LieAsync("folder/65536");
        var (job, result) = await scene.RunAsync(CopyCheck.Service);
        Assert.Empty(result.Failed);
        var copied = job.Status.Copied;
        Assert.Equal((scene.WithContent, 0, 0, 0L),
            (copied.FilesByService, copied.FilesBySample, copied.FilesInFull, copied.ComparedBytes));
        await Assert.ThrowsAnyAsync<Xunit.Sdk.XunitException>(() => scene.Rig.AssertArrivedAsync(scene.Target));
    }

    [Fact]
    public async Task Another_length_is_never_taken()
    {
        var scene = await Scene.CreateAsync();
        await scene.LieAsync("folder/65536", length: 65_535);
        var (_, result) = await scene.RunAsync(CopyCheck.Service);
        await scene.AssertWholeAsync(result);
    }

    [Fact]
    public async Task Where_hashes_can_not_be_compared_samples_are_read()
    {
        var scene = await Scene.CreateAsync();
        scene.Service.Comparison = null;
        await scene.LieAsync("folder/65536");
        var (job, result) = await scene.RunAsync(CopyCheck.Service);
        await scene.AssertWholeAsync(result);
        Assert.Equal(0, job.Status.Copied.FilesByService);
    }

    [Fact]
    public async Task What_the_service_says_is_another_version_is_removed_and_fetched()
    {
        var scene = await Scene.CreateAsync();
        scene.Service.Comparison = false;
        var (job, result) = await scene.RunAsync(CopyCheck.Service);
        await scene.AssertWholeAsync(result);
        Assert.Equal(0, job.Status.Copied.Files);
    }

    [Fact]
    public async Task Refusals_are_one_line_and_the_sources_deliver()
    {
        var scene = await Scene.CreateAsync();
        scene.Service.Before = _ => throw new VirgaException(FailureKind.Denied, "no");
        var (_, result) = await scene.RunAsync(CopyCheck.Service);
        await scene.AssertWholeAsync(result);
        var note = Assert.Single(result.NotKept);
        Assert.Contains("not copied inside the service", note.Reason, StringComparison.Ordinal);
        Assert.Empty(scene.Offer.Open);
    }

    [Fact]
    public async Task A_policy_that_is_not_known_everywhere_yet_is_waited_for()
    {
        var scene = await Scene.CreateAsync();
        var refusals = 2;
        scene.Service.Before = _ =>
        {
            if (Interlocked.Decrement(ref refusals) >= 0) throw new VirgaException(FailureKind.Denied, "not yet");
        };
        var (job, result) = await scene.RunAsync(CopyCheck.Service);
        await scene.AssertWholeAsync(result);
        Assert.Equal(scene.WithContent, job.Status.Copied.Files);
    }

    [Fact]
    public async Task Few_fit_into_one_opening_and_a_busy_owner_is_asked_again()
    {
        var scene = await Scene.CreateAsync();
        scene.Offer.Fits = 3;
        scene.Offer.BusyTimes = 2;
        var (job, result) = await scene.RunAsync(CopyCheck.Service);
        await scene.AssertWholeAsync(result);
        Assert.Equal((scene.WithContent, 0), (job.Status.Copied.Files, scene.Source.Reads));
        Assert.InRange(scene.Offer.OpenMost, 1, 3);
        Assert.Empty(scene.Offer.Open);
    }

    [Fact]
    public async Task What_can_not_be_opened_comes_from_the_sources()
    {
        var scene = await Scene.CreateAsync();
        scene.Offer.Never.Add("folder/65536");
        var (job, result) = await scene.RunAsync(CopyCheck.Service);
        await scene.AssertWholeAsync(result);
        Assert.Equal(scene.WithContent - 1, job.Status.Copied.Files);
        Assert.Empty(result.NotKept);
    }

    [Fact]
    public async Task A_full_target_ends_the_transfer()
    {
        var scene = await Scene.CreateAsync();
        scene.Service.Before = _ => throw new VirgaException(FailureKind.Full, "no room");
        var failure = await Assert.ThrowsAsync<VirgaException>(() => scene.RunAsync(CopyCheck.Service));
        Assert.Equal(FailureKind.Full, failure.Kind);
        Assert.Empty(scene.Offer.Open);
    }

    [Fact]
    public async Task Other_routes_alone_when_copies_are_not_allowed()
    {
        var scene = await Scene.CreateAsync();
        var (job, result) = await scene.RunAsync(
            CopyCheck.Service, change: j => j with { Routes = TransferRoutes.Agent | TransferRoutes.Direct });
        await scene.AssertWholeAsync(result);
        Assert.Equal((0, 0), (job.Status.Copied.Files, scene.Service.Calls));
    }

    [Fact]
    public async Task A_service_that_copies_no_parts_copies_the_whole()
    {
        var scene = await Scene.CreateAsync();
        scene.Service.CopiesParts = false;
        var (job, result) = await scene.RunAsync(CopyCheck.Service);
        await scene.AssertWholeAsync(result);
        Assert.Equal((scene.WithContent, 0), (job.Status.Copied.Files, scene.Source.Reads));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_crash_amid_parts_leaves_no_upload_and_no_part_passes_for_verified(bool isRouteThereAgain)
    {
        var scene = await Scene.CreateAsync();
        scene.Service.CopyBytesMax = 500_000;
        var parts = 0;
        scene.Rig.Journal.Before = what =>
        {
            if (what == "part" && Interlocked.Increment(ref parts) == 4) throw new InvalidOperationException("crash");
        };
        await Assert.ThrowsAnyAsync<InvalidOperationException>(() => scene.RunAsync(CopyCheck.Service));
        scene.Rig.Journal.Before = null;
        var pending = new HashSet<string>(StringComparer.Ordinal);
        var uploads = scene.Target.Find<IResumableUploads>()!.ListUploadsAsync(EntryPath.Root, default);
        await foreach (var upload in uploads) pending.Add(upload.Token);
        Assert.InRange(pending.Count, 1, 2);
        // A file may have been put together just before the crash: that one is copied again.
        var recorded = (await scene.Rig.Journal.LoadAsync(default)).Uploads.Values
            .Where(u => pending.Contains(u.Token)).Sum(u => u.Parts.Count);
        var before = scene.Service.Parts;
        var (job, result) = await scene.RunAsync(
            CopyCheck.Full, change: isRouteThereAgain ? null : j => j with { Copy = null });
        await scene.AssertWholeAsync(result);
        if (isRouteThereAgain)
        {
            Assert.Equal((scene.WithContent, 0), (job.Status.Copied.Files, scene.Source.Reads));
            // What was recorded isn't copied again.
            Assert.Equal(scene.PartsInAll - recorded, scene.Service.Parts - before);
        }
        Assert.InRange(scene.Source.Reads, isRouteThereAgain ? 0 : 1, isRouteThereAgain ? 0 : int.MaxValue);
    }

    [Fact]
    public async Task A_crash_before_the_record_copies_again()
    {
        var scene = await Scene.CreateAsync();
        var copied = 0;
        scene.Rig.Journal.Before = what =>
        {
            if (what == "copied" && Interlocked.Increment(ref copied) == 3)
                throw new InvalidOperationException("crash");
        };
        await Assert.ThrowsAnyAsync<InvalidOperationException>(() => scene.RunAsync(CopyCheck.Service));
        scene.Rig.Journal.Before = null;
        var (job, result) = await scene.RunAsync(CopyCheck.Service);
        await scene.AssertWholeAsync(result);
        Assert.Equal((scene.WithContent, 0), (job.Status.Copied.Files, scene.Source.Reads));
    }

    private sealed class Scene
    {
        private const int PartBytes = 262_144;

        public required Rig Rig { get; init; }

        public required ShareContent Content { get; init; }

        public required ServiceInMemory Service { get; init; }

        public required FakeOffer Offer { get; init; }

        public required ReaderSource Source { get; init; }

        public IAccount Target => Service;

        public int WithContent => Rig.Files.Values.Count(f => f.Length > 0);

        public long Bytes => Rig.Files.Values.Sum(f => (long)f.Length);

        public int PartsInAll => Rig.Files.Values.Where(f => f.Length > Service.CopyBytesMax)
            .Sum(f => (f.Length + PartBytes - 1) / PartBytes);

        public static async Task<Scene> CreateAsync(bool isPrivate = true)
        {
            var rig = new Rig(11);
            foreach (var size in new[] { 0, 1, 16_384, 65_520, 65_536, 300_001, 1_100_000, 3_333_333 })
                await rig.AddAsync($"folder/{size}", size);
            for (var i = 0; i < 10; i++) await rig.AddAsync($"many/{i:d3}", 1000 + i);
            var content = await rig.ShareAsync(isPrivate);
            var service = new ServiceInMemory(rig.Owner, new InMemoryAccount(), PartBytes);
            return new Scene
            {
                Rig = rig, Content = content, Service = service, Offer = new FakeOffer(content, rig.Owner),
                Source = rig.Source(),
            };
        }

        public async Task LieAsync(string path, int? length = null)
        {
            var lie = Rig.RandomArray(length ?? Rig.Files[path].Length);
            await Rig.Owner.PutAsync(EntryPath.Parse("lie"), lie);
            Offer.Lies[path] = "lie";
        }

        public async Task<(TransferJob Job, TransferResult Result)> RunAsync(
            CopyCheck check, Func<TransferJob, TransferJob>? change = null)
        {
            var job = Rig.Job(Content, Target, [Source]) with
            {
                Copy = new CopyRoute(Offer, check, Rig.Time, Rig.Fill),
            };
            job = change?.Invoke(job) ?? job;
            return (job, await new TransferEngine(Limits).RunAsync(job, CancellationToken.None));
        }

        public async Task AssertWholeAsync(TransferResult result)
        {
            Assert.Empty(result.Failed);
            await Rig.AssertArrivedAsync(Target);
            Assert.Equal(0, await Target.PendingAsync());
        }
    }

    /// <summary>Opens what the test says; its entries' names are their paths.</summary>
    private sealed class FakeOffer(ShareContent content, IAccount owner) : ICopyOffer, ICopyFinder
    {
        private int asked;

        public ConcurrentDictionary<string, int> Open { get; } = [];

        public Dictionary<string, string> Lies { get; } = [];

        public HashSet<string> Never { get; } = [];

        public int Fits { get; set; } = 256;

        public int BusyTimes { get; set; }

        public int OpenMost { get; private set; }

        public string Name => "the owner";

        public Task<IReadOnlyList<ICopyOffer>> FindAsync(string service, CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<ICopyOffer>>(service == "memory" ? [this] : []);

        public async Task<CopiesAnswer> OpenAsync(
            IReadOnlyList<string> done, string principal, IReadOnlyList<Hash256> roots,
            CancellationToken cancellationToken)
        {
            Assert.Equal("me", principal);
            if (roots.Count > 0 && BusyTimes-- > 0) throw new VirgaException(FailureKind.Full, "busy");
            foreach (var id in done) Assert.True(Open.TryRemove(id, out _), "closed twice, or never opened");
            var id2 = Interlocked.Increment(ref asked).ToString("x32", null);
            var sources = new List<OpenedCopy>();
            foreach (var root in roots)
            {
                var path = content.Files.First(f => f.Blob?.Root == root).Entry.Path.Value;
                if (sources.Count == Fits || Never.Contains(path)) continue;
                path = Lies.GetValueOrDefault(path, path);
                var version = (await owner.StatAsync(EntryPath.Parse(path), cancellationToken))!.Version!.Value;
                sources.Add(new OpenedCopy(root, "", path, version.Value + "-2"));
            }
            if (roots.Count > 0) Open[id2] = sources.Count;
            OpenMost = Math.Max(OpenMost, sources.Count);
            return new CopiesAnswer(DateTimeOffset.UtcNow.AddMinutes(10), id2, sources);
        }
    }

    /// <summary>A target whose service copies from the owner's account.</summary>
    private sealed class ServiceInMemory(IAccount owner, InMemoryAccount inner, long partBytes)
        : IAbilitySource, ICopyFromOthers
    {
        private int calls;
        private int parts;

        public Action<CopySource>? Before { get; set; }

        public bool? Comparison { get; set; } = true;

        public bool CopiesParts { get; set; } = true;

        public int Calls => calls;

        public int Parts => parts;

        public string Service => "memory";

        public long CopyBytesMax { get; set; } = 10_000_000;

        public AccountTraits Traits => inner.Traits;

        public TAbility? FindAbility<TAbility>() where TAbility : class =>
            this as TAbility ?? inner.FindAbility<TAbility>();

        public ValueTask<string> GetPrincipalAsync(CancellationToken cancellationToken) => new("me");

        public async ValueTask<Entry> CopyAsync(
            CopySource source, EntryPath path, WriteOptions options, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref calls);
            Before?.Invoke(source);
            var bytes = await ReadAsync(source);
            Assert.InRange(bytes.Length, 0, CopyBytesMax);
            await inner.PutAsync(path, bytes);
            // As S3 answers: its version, and not its length.
            return (await inner.StatAsync(path, cancellationToken))! with { Length = -1 };
        }

        public long PartBytesFor(CopySource source, long length) => partBytes;

        public async ValueTask<PartReceipt> CopyPartAsync(
            CopySource source, EntryPath path, string token, long index, long size, long length,
            CancellationToken cancellationToken)
        {
            Before?.Invoke(source);
            if (!CopiesParts) throw new VirgaException(FailureKind.Denied, "no parts");
            Interlocked.Increment(ref parts);
            var bytes = await ReadAsync(source);
            await using var upload = await inner.Find<IResumableUploads>()!.ResumeUploadAsync(
                path, length, size, WriteOptions.Default, token, cancellationToken);
            var at = (int)(index * size);
            return await upload.WritePartAsync(
                index, bytes.AsMemory(at, (int)Math.Min(size, length - at)), cancellationToken);
        }

        public ValueTask<bool?> CompareAsync(CopySource source, Entry copy, CancellationToken cancellationToken) =>
            new(Comparison);

        public ValueTask<Entry?> StatAsync(EntryPath path, CancellationToken cancellationToken) =>
            inner.StatAsync(path, cancellationToken);

        public IAsyncEnumerable<Entry> ListAsync(EntryPath folder, CancellationToken cancellationToken) =>
            inner.ListAsync(folder, cancellationToken);

        public ValueTask<EntryReader> ReadAsync(
            EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken) =>
            inner.ReadAsync(path, range, pin, cancellationToken);

        public ValueTask<Entry> WriteAsync(
            EntryPath path, ReadOnlyMemory<byte> content, WriteOptions options, CancellationToken cancellationToken) =>
            inner.WriteAsync(path, content, options, cancellationToken);

        public ValueTask<IUpload> BeginUploadAsync(
            EntryPath path, long length, long size, WriteOptions options, CancellationToken cancellationToken) =>
            inner.BeginUploadAsync(path, length, size, options, cancellationToken);

        public ValueTask CreateFolderAsync(EntryPath path, CancellationToken cancellationToken) =>
            inner.CreateFolderAsync(path, cancellationToken);

        public ValueTask DeleteAsync(EntryPath path, CancellationToken cancellationToken) =>
            inner.DeleteAsync(path, cancellationToken);

        public ValueTask MoveAsync(EntryPath from, EntryPath to, CancellationToken cancellationToken) =>
            inner.MoveAsync(from, to, cancellationToken);

        public ValueTask DisposeAsync() => inner.DisposeAsync();

        private async Task<byte[]> ReadAsync(CopySource source)
        {
            var entry = (await owner.StatAsync(EntryPath.Parse(source.Name), default))!;
            Assert.Equal(entry.Version!.Value.Value + "-2", source.Pin.Value);
            await using var reader = await owner.ReadAsync(
                entry.Path, new ByteRange(0, entry.Length), null, default);
            var bytes = new byte[entry.Length];
            await reader.Content.ReadExactlyAsync(bytes);
            return bytes;
        }
    }
}
