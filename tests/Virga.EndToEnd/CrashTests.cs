using System.Diagnostics;
using System.Globalization;
using Virga.Agent.Control;
using Virga.Core;
using Virga.Core.Age;
using Virga.EndToEnd.Harness;
using Virga.Testing;
using Virga.Transfers.Engine;
using Xunit.Abstractions;

namespace Virga.EndToEnd;

/// <summary>Eight of the fifty moments, into S3: beside the others, because each takes long there.</summary>
[Trait("Needs", "server")]
public sealed class S3CrashTests(ITestOutputHelper output) : CrashTests(output)
{
    [Fact]
    public async Task A_transfer_to_S3_survives_the_death_of_either_agent_at_any_moment()
    {
        await using var scene = new Scene(inMemory: true);
        var target = new S3Target(scene.Own(await S3Place.CreateAsync()));
        await RunAsync(scene, target, Enumerable.Range(DiskSeeds + 1, S3Seeds));
    }
}

/// <summary>The others, into a folder on disk.</summary>
[Trait("Needs", "server")]
public sealed class DiskCrashTests(ITestOutputHelper output) : CrashTests(output)
{
    [Fact]
    public async Task A_transfer_to_disk_survives_the_death_of_either_agent_at_any_moment()
    {
        await using var scene = new Scene(inMemory: true);
        var target = new DiskTarget(scene.Folder("to"));
        await RunAsync(scene, target, Enumerable.Range(1, DiskSeeds));
    }
}

/// <summary>
/// Kills either agent by SIGKILL at 50 seeded moments of a transfer of 2,000 files. A failure names its seed;
/// VIRGA_CRASH_SEED=N runs that one alone.
/// </summary>
public abstract class CrashTests(ITestOutputHelper output)
{
    private protected const int DiskSeeds = 42;
    private protected const int S3Seeds = 8;
    private const int FileCount = 2000;

    private protected async Task RunAsync(Scene scene, ITarget target, IEnumerable<int> seeds)
    {
        var only = Environment.GetEnvironmentVariable("VIRGA_CRASH_SEED");
        if (only is not null) Assert.InRange(int.Parse(only, CultureInfo.InvariantCulture), 1, DiskSeeds + S3Seeds);
        var chosen = seeds.Where(s => only is null || s == int.Parse(only, CultureInfo.InvariantCulture)).ToList();
        if (chosen.Count == 0) return;
        var crashes = await Crashes.CreateAsync(scene, target);
        foreach (var seed in chosen)
        {
            try
            {
                output.WriteLine(await crashes.RunAsync(seed));
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {seed} (again with VIRGA_CRASH_SEED={seed}): {e}\n{scene.Logs()}");
            }
        }
    }

    /// <summary>The account that the files go to.</summary>
    private protected interface ITarget
    {
        Task AddToAsync(PeerProcess agent);

        /// <summary>
        /// That the folder holds the source's files, no others and nothing half done; then removes it.
        /// </summary>
        Task CheckAsync(string folder, string source, IReadOnlyDictionary<string, string> hashes);
    }

    private protected sealed class DiskTarget(string root) : ITarget
    {
        public Task AddToAsync(PeerProcess agent) => Scene.AddDiskAsync(agent, "target", root);

        public Task CheckAsync(string folder, string source, IReadOnlyDictionary<string, string> hashes)
        {
            // What is half done has names of its own, .virga-*.part, so that it is too much here.
            Assert.Empty(FileTree.Differences(hashes, FileTree.Hash(Path.Combine(root, folder))));
            Directory.Delete(Path.Combine(root, folder), recursive: true);
            return Task.CompletedTask;
        }
    }

    private protected sealed class S3Target(S3Place place) : ITarget
    {
        public Task AddToAsync(PeerProcess agent) => place.AddToAsync(agent, "target");

        public async Task CheckAsync(string folder, string source, IReadOnlyDictionary<string, string> hashes)
        {
            await place.RcloneAsync("check", "--download", "--checkers", "32", source, $"{place.Remote}/{folder}");
            Assert.DoesNotContain("UploadId", await place.OpenUploadsAsync(), StringComparison.Ordinal);
        }
    }

    /// <summary>
    /// A repository, a sender behind a proxy that counts, a receiver; one transfer and one death for each seed.
    /// </summary>
    private sealed class Crashes
    {
        // What may be lost when the receiver dies: parts of files in the making and batches that are being written.
        // When the sender dies: range reads and batches on their way.
        private static readonly EngineLimits Limits = EngineLimits.Default;
        private static readonly long InFlightBatches = (long)Math.Max(2, Limits.RangesInFlight) * Limits.BatchBytes;
        private static readonly long ReceiverLossMax = Limits.LargeFilesAtOnce * Limits.PartMemoryBytes
            + InFlightBatches;
        private static readonly long SenderLossMax = (long)Limits.RangesInFlight * Limits.RangeBytes + InFlightBatches;

        private readonly Scene scene;
        private readonly ITarget target;
        private readonly CountingProxy proxy;
        private readonly string source;
        private readonly IReadOnlyDictionary<string, string> hashes;
        private readonly List<long> sizes;
        private PeerProcess sender = null!;
        private PeerProcess receiver = null!;
        private PeerProcess repository = null!;
        private string link = "";

        private Crashes(Scene scene, ITarget target)
        {
            this.scene = scene;
            this.target = target;
            proxy = scene.Own(new CountingProxy());
            proxy.TargetPort = FreePort.Take();
            source = scene.Folder("from/share");
            WriteTree(source);
            hashes = FileTree.Hash(source);
            // The order of a manifest, by which journals name files.
            sizes = [.. hashes.Keys.Where(n => n[^1] != '/').Order(Comparer<string>.Create(CompareUtf8))
                .Select(n => new FileInfo(Path.Combine(source, n)).Length)];
        }

        private long SealedTotal => sizes.Sum(Sealed);

        public static async Task<Crashes> CreateAsync(Scene scene, ITarget target)
        {
            var crashes = new Crashes(scene, target);
            crashes.repository = await scene.RepositoryAsync();
            crashes.sender = await crashes.StartSenderAsync();
            crashes.receiver = await crashes.StartReceiverAsync();
            await Scene.AddDiskAsync(crashes.sender, "source", scene.PathOf("from"));
            await target.AddToAsync(crashes.receiver);
            crashes.link = await Scene.ShareAsync(crashes.sender, "source:share", crashes.receiver);
            return crashes;
        }

        public async Task<string> RunAsync(int seed)
        {
            var random = new Seeded((ulong)seed);
            var killsReceiver = random.Next(2) == 0;
            var at = (long)(random.NextDouble() * 0.99 * SealedTotal);
            // Some deaths come a while after the bytes, while things are written and recorded, or after the end.
            var laterMs = random.Next(3) == 0 ? (int)random.Next(300) : 0;
            var folder = $"seed-{seed}";
            var watch = Stopwatch.StartNew();

            var died = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
            var victim = killsReceiver ? receiver : sender;
            var before = proxy.Delivered;
            proxy.CallAt(before + at, () =>
            {
                if (laterMs == 0) Die();
                else _ = Task.Delay(laterMs).ContinueWith(_ => Die(), TaskScheduler.Default);
            });
            var id = await StartAsync(folder);
            await DeathAsync(died.Task);
            await victim.WaitEndedAsync();
            id ??= "";
            long surplus = 0;
            if (killsReceiver)
            {
                var passed = proxy.Delivered;
                if (id.Length == 0) id = Recorded.IdOf(receiver.DataFolder, folder, scene.PathOf("journal"));
                var recorded = Recorded.Read(receiver.DataFolder, id, scene.PathOf("journal"));
                receiver = await StartReceiverAsync();
                await EndAsync(id);
                surplus = proxy.Delivered - passed - Left(recorded);
                Assert.True(surplus <= Overhead(), $"{surplus:N0} bytes were fetched again that had been recorded");
            }
            else
            {
                sender = await StartSenderAsync();
                await EndAsync(id);
            }
            var again = proxy.Delivered - before - SealedTotal;
            Assert.True(again <= (killsReceiver ? ReceiverLossMax : SenderLossMax)
                + Overhead(), $"{again:N0} bytes were fetched again");
            await target.CheckAsync(folder, source, hashes);
            var who = killsReceiver ? "receiver" : "sender";
            return string.Create(
                CultureInfo.InvariantCulture,
                $"seed {seed}: {who} died at {100.0 * at / SealedTotal:0.0}% + {laterMs} ms; "
                + $"{MiB(again):0.00} MiB fetched again, {MiB(surplus):0.00} of what was recorded; "
                + $"{watch.Elapsed.TotalSeconds:0.0} s");

            void Die()
            {
                victim.Kill();
                died.TrySetResult(proxy.Delivered);
            }
        }

        private async Task DeathAsync(Task died)
        {
            try
            {
                await died.WaitAsync(TimeSpan.FromMinutes(2));
            }
            catch (TimeoutException e)
            {
                var now = await receiver.Control.TransfersAsync(CancellationToken.None);
                throw new TimeoutException(
                    $"nobody died, {proxy.Delivered:N0} bytes of {SealedTotal:N0} passed: {now[0]}", e);
            }
        }

        /// <summary>Null when the receiver died before it could answer.</summary>
        private async Task<string?> StartAsync(string folder)
        {
            try
            {
                return (await receiver.Control.StartTransferAsync(
                    new TransferRequest(link, "target", folder), CancellationToken.None)).Id;
            }
            catch (VirgaException e) when (e.Kind == FailureKind.Unavailable)
            {
                return null;
            }
        }

        private async Task EndAsync(string id)
        {
            var info = await Scene.WatchAsync(receiver, id, TimeSpan.FromMinutes(2));
            Assert.True(info.State == TransferState.Completed, $"{info.State}: {info.Status}");
        }

        private Task<PeerProcess> StartSenderAsync() => scene.AgentAsync(
            "sender", [repository], "--listen", $"127.0.0.1:{proxy.TargetPort}", "--public-url",
                $"https://127.0.0.1:{proxy.Port}", "--forwarded");

        private Task<PeerProcess> StartReceiverAsync() => scene.AgentAsync("receiver", [repository]);

        /// <summary>Sealed bytes that the record leaves to be fetched.</summary>
        private long Left(Recorded recorded)
        {
            var left = sizes.Where((_, i) => !recorded.Files.Contains(i)).Sum(Sealed);
            foreach (var (file, part, partBytes) in recorded.Parts)
                left -= Math.Min(partBytes, sizes[file] - part * partBytes);
            return left;
        }

        /// <summary>
        /// TLS records, HTTP frames and headers, the manifest, and pieces that lie across the ends of parts.
        /// </summary>
        private long Overhead() => SealedTotal / 50 + (2 << 20);

        private static double MiB(long bytes) => bytes / (double)(1 << 20);

        private static long Sealed(long plain) => plain == 0 ? 0 : AgePayload.SealedLength(plain);

        private static int CompareUtf8(string a, string b) =>
            System.Text.Encoding.UTF8.GetBytes(a).AsSpan().SequenceCompareTo(System.Text.Encoding.UTF8.GetBytes(b));

        private static void WriteTree(string folder)
        {
            var random = new Seeded(1);
            for (var i = 0; i < FileCount; i++)
            {
                var length = i switch
                {
                    < 6 => (9 << 20) + random.Next(4 << 20),
                    < 20 => (600 << 10) + random.Next(800 << 10),
                    < 100 => random.Next(200 << 10),
                    _ => random.Next(12 << 10),
                };
                FileTree.Write(Path.Combine(folder, $"{i % 13} ü", $"file {i}.bin"), length, (ulong)i + 1);
            }
        }
    }
}
