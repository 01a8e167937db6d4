using System.Collections.Concurrent;
using System.Security.Cryptography;
using Virga.Core;
using Virga.EndToEnd.Harness;
using Virga.Hosting;
using Virga.Protocol;
using Virga.Testing;
using Virga.Trust;
using Virga.Trust.Log;

namespace Virga.EndToEnd;

/// <summary>
/// Kills a repository by SIGKILL at seeded moments while statements come in. Whatever checkpoint anybody was shown, the
/// log goes on from it, and has every statement that was acknowledged.
/// </summary>
[Trait("Needs", "server")]
public sealed class LogCrashTests
{
    private const int Lives = 8;
    private const int Agents = 6;

    [Fact]
    public async Task A_killed_repository_goes_on_from_every_checkpoint_it_gave_out_and_loses_no_statement()
    {
        var random = new Seeded(20);
        await using var scene = new Scene(inMemory: true);
        var folders = Enumerable.Range(0, Agents).Select(i => scene.Folder($"agent{i}")).ToList();
        var agents = folders.ConvertAll(folder =>
            PeerKeys.LoadOrCreate(folder, TimeProvider.System, RandomNumberGenerator.Fill));
        var shown = new ConcurrentDictionary<string, byte[]>();
        var acknowledged = new ConcurrentBag<SignedEnvelope>();
        for (var life = 0; life < Lives; life++)
        {
            var repository = await scene.RepositoryAsync();
            using var http = new PeerHttp(TimeProvider.System, RandomNumberGenerator.Fill);
            var client = ClientOf(http, repository, agents[0]);
            await CheckAsync(client, repository, shown, acknowledged);
            using var stop = new CancellationTokenSource();
            var writers = agents.Select(agent =>
                WriteAsync(ClientOf(http, repository, agent), agent, acknowledged, stop));
            var all = Task.WhenAll([.. writers, WatchAsync(client, shown, stop.Token)]);
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(900)));
            repository.Kill();
            await repository.WaitEndedAsync();
            await stop.CancelAsync();
            await all;
        }

        var last = await scene.RepositoryAsync();
        using (var http = new PeerHttp(TimeProvider.System, RandomNumberGenerator.Fill))
            await CheckAsync(ClientOf(http, last, agents[0]), last, shown, acknowledged);
        Assert.True(acknowledged.Count > 10 * Lives, $"only {acknowledged.Count} statements were taken in");
        Assert.True(shown.Count > Lives, $"only {shown.Count} checkpoints were seen");

        // A second process in the same folder is told who holds it.
        var second = await Executable.RunAsync(last.DataFolder, ["repository", "--listen", "127.0.0.1:0"]);
        Assert.NotEqual(0, second.Exit);
        Assert.Contains("in use by process", second.Error, StringComparison.Ordinal);
        agents.ForEach(agent => agent.Dispose());
    }

    private static LogClient ClientOf(PeerHttp http, PeerProcess repository, PeerKeys keys) => new(
        http, Endpoint.FromUser(repository.Endpoint), keys.Identity, () => keys.Envelopes,
        AgentId.Parse(repository.Id));

    /// <summary>Posts the agent's next statement again and again, until the repository is gone.</summary>
    private static async Task WriteAsync(
        LogClient client, PeerKeys agent, ConcurrentBag<SignedEnvelope> acknowledged, CancellationTokenSource stop)
    {
        try
        {
            while (!stop.IsCancellationRequested)
            {
                var body = StatementWriter.ProfileBody($"Name {agent.Envelopes.Count}");
                var statement = await agent.AppendStatementAsync(StatementType.Profile, body, CancellationToken.None);
                // What an earlier life took in without being able to say so is posted again.
                await client.PostChainAsync(agent.Id, agent.Envelopes, CancellationToken.None);
                acknowledged.Add(statement);
            }
        }
        catch (VirgaException e) when (e.IsTransient)
        {
            // Killed, or asked too often; the next life goes on.
        }
    }

    private static async Task WatchAsync(
        LogClient client, ConcurrentDictionary<string, byte[]> shown, CancellationToken stop)
    {
        try
        {
            while (!stop.IsCancellationRequested)
            {
                var note = await client.ReadAsync("checkpoint", SignedNote.BytesMax, CancellationToken.None);
                shown.TryAdd(Convert.ToHexString(SHA256.HashData(note!)), note!);
            }
        }
        catch (VirgaException e) when (e.IsTransient)
        {
            // Killed.
        }
    }

    private static async Task CheckAsync(
        LogClient client, PeerProcess repository, ConcurrentDictionary<string, byte[]> shown,
        ConcurrentBag<SignedEnvelope> acknowledged)
    {
        var envelopes = await client.GetWholeChainAsync(AgentId.Parse(repository.Id), 1_000, CancellationToken.None);
        var chain = Sigchain.Check(
            envelopes.Select(item => (item.Body, item.Signature)), TimeProvider.System.GetUtcNow());
        ValueTask<byte[]?> Fetch(string path, CancellationToken token) =>
            client.ReadAsync(path, LogReader.FileBytesMax, token);
        var newest = (await Fetch("checkpoint", CancellationToken.None))!;
        foreach (var note in shown.Values)
        {
            var watch = new LogWatch(chain);
            await watch.SeeAsync(note, Fetch, CancellationToken.None);
            var sighting = await watch.SeeAsync(newest, Fetch, CancellationToken.None);
            Assert.True(sighting.Verdict is LogVerdict.Same or LogVerdict.Grown, $"{sighting.Breach?.ToText()}");
        }

        var size = SignedCheckpoint.Open(newest, LogIdentity.Of(chain)).Head.Size;
        var reader = new LogReader(Fetch, size);
        var leaves = new HashSet<Hash256>();
        for (var bundle = 0L; bundle * LogTile.FullWidth < size; bundle++)
        {
            foreach (var entry in await reader.EntriesAsync(bundle, CancellationToken.None))
                Assert.True(leaves.Add(LogTree.LeafHash(entry.Span)), "an entry stands in the log twice");
        }

        Assert.All(acknowledged, statement =>
            Assert.Contains(LogTree.LeafHash(LogEntry.Of(statement.Body, statement.Signature)), leaves));
    }
}
