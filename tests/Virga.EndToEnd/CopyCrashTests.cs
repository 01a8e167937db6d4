using System.Globalization;
using System.Text.Json;
using Virga.Agent.Control;
using Virga.Core;
using Virga.EndToEnd.Harness;
using Virga.Testing;
using Xunit.Abstractions;

namespace Virga.EndToEnd;

/// <summary>
/// Kills either agent by SIGKILL at seeded moments while a real S3 gateway copies from one user's bucket to another's.
/// A failure names its seed; VIRGA_CRASH_SEED=N runs that one alone.
/// </summary>
[Trait("Needs", "server")]
public sealed class CopyCrashTests(ITestOutputHelper output)
{
    private const int Seeds = 8;
    private const int FileCount = 300;

    [Fact]
    public async Task Copies_inside_a_service_survive_the_death_of_either_agent()
    {
        var only = Environment.GetEnvironmentVariable("VIRGA_CRASH_SEED");
        await using var scene = new Scene(inMemory: true);
        var crashes = await Crashes.CreateAsync(scene);
        foreach (var seed in Enumerable.Range(1, Seeds))
        {
            if (only is not null && only != seed.ToString(CultureInfo.InvariantCulture)) continue;
            try
            {
                output.WriteLine(await crashes.RunAsync(seed));
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {seed} (again with VIRGA_CRASH_SEED={seed}): {e}\n{scene.Logs()}");
            }
        }
        await crashes.EndAsync();
    }

    private sealed class Crashes(Scene scene, S3Place from, S3Place to, int port)
    {
        private PeerProcess repository = null!;
        private PeerProcess owner = null!;
        private PeerProcess receiver = null!;
        private string link = "";

        public static async Task<Crashes> CreateAsync(Scene scene)
        {
            var from = scene.Own(await S3Place.CreateAsync());
            var to = scene.Own(await S3Place.CreateAsync("S3_OTHER_"));
            var source = scene.Folder("source");
            var random = new Seeded(1);
            for (var i = 0; i < FileCount; i++)
            {
                var length = i < 5 ? (1 << 20) + random.Next(2 << 20) : random.Next(20 << 10);
                FileTree.Write(Path.Combine(source, $"{i % 7} ü", $"file {i}.bin"), length, (ulong)i + 1);
            }
            await from.RcloneAsync("copy", source, from.Remote + "/share", "--transfers", "16");
            var crashes = new Crashes(scene, from, to, FreePort.Take());
            crashes.repository = await scene.RepositoryAsync();
            crashes.owner = await crashes.StartOwnerAsync();
            crashes.receiver = await crashes.StartReceiverAsync();
            await from.AddToAsync(crashes.owner, "cloud");
            await to.AddToAsync(crashes.receiver, "cloud");
            var shared = await Executable.RunAsync(
                crashes.owner.DataFolder, ["share", "cloud:share", "--link", "--copy"]);
            Assert.True(shared.Exit == 0, shared.ToString());
            crashes.link = shared.Out.Trim();
            return crashes;
        }

        public async Task<string> RunAsync(int seed)
        {
            var random = new Seeded((ulong)seed);
            var killsReceiver = seed % 2 == 0;
            var afterMs = (int)random.Next(1500);
            var folder = $"seed-{seed}";
            var victim = killsReceiver ? receiver : owner;
            var id = (await receiver.Control.StartTransferAsync(
                new TransferRequest(link, "cloud", folder), CancellationToken.None)).Id;
            await Task.Delay(afterMs);
            victim.Kill();
            await victim.WaitEndedAsync();
            if (killsReceiver) receiver = await StartReceiverAsync();
            else owner = await StartOwnerAsync();
            var got = await Scene.WatchAsync(receiver, id, TimeSpan.FromMinutes(2));
            Assert.True(got.State == TransferState.Completed, $"{got.State}: {got.Status}");
            await to.RcloneAsync(
                "check", "--download", "--checkers", "32", scene.PathOf("source"), $"{to.Remote}/{folder}");
            Assert.DoesNotContain("UploadId", await to.OpenUploadsAsync(), StringComparison.Ordinal);
            if (killsReceiver) Assert.Equal(0, got.BytesFetched);
            // While the owner is being started again some may come by the agent: nothing is lost either way.
            AssertEnds(await from.PolicyAsync());
            var who = killsReceiver ? "receiver" : "owner";
            return $"seed {seed}: {who} died after {afterMs} ms; {got.Copied?.Bytes ?? 0:N0} bytes copied, "
                + $"{got.BytesFetched:N0} fetched";
        }

        /// <summary>What died left is closed with the share.</summary>
        public async Task EndAsync()
        {
            var share = Assert.Single(await owner.Control.SharesAsync(CancellationToken.None));
            await owner.Control.UnshareAsync(share.InfoHash, CancellationToken.None);
            for (var i = 0; i < 100 && (await from.PolicyAsync()).Contains("Virga", StringComparison.Ordinal); i++)
                await Task.Delay(100);
            Assert.DoesNotContain("Virga", await from.PolicyAsync(), StringComparison.Ordinal);
        }

        /// <summary>Each statement ends by itself, ten minutes after it was made at the latest.</summary>
        private static void AssertEnds(string policy)
        {
            if (policy.Length == 0) return;
            using var parsed = JsonDocument.Parse(policy);
            foreach (var statement in parsed.RootElement.GetProperty("Statement").EnumerateArray())
            {
                var end = statement.GetProperty("Condition").GetProperty("DateLessThan")
                    .GetProperty("aws:CurrentTime").GetString()!;
                Assert.InRange(
                    DateTimeOffset.Parse(end, CultureInfo.InvariantCulture) - DateTimeOffset.UtcNow,
                    TimeSpan.FromMinutes(-10), TimeSpan.FromMinutes(10));
            }
        }

        private Task<PeerProcess> StartOwnerAsync() =>
            scene.AgentAsync("owner", [repository], "--listen", $"127.0.0.1:{port}");

        private Task<PeerProcess> StartReceiverAsync() => scene.AgentAsync("receiver", [repository]);
    }
}
