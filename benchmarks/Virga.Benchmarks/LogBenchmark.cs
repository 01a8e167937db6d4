using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Virga.Core;
using Virga.Core.Keys;
using Virga.Hosting;
using Virga.Protocol;
using Virga.Repository;
using Virga.Testing;
using Virga.Trust;

namespace Virga.Benchmarks;

/// <summary>
/// A repository that takes in signed statements: posted over TLS by clients in this same process, checked, stored,
/// logged, and published in a checkpoint; against nothing but verifying the same signatures on all cores.
/// </summary>
public sealed class LogBenchmark : IBenchmark
{
    private const int Agents = 256;
    private const int StatementsEach = 128;
    private const int Rounds = 5;
    private const int PostsAtOnce = 8;

    public string Name => "log";

    public string Summary => "a repository takes in signed statements and publishes them, against bare Ed25519";

    public async IAsyncEnumerable<BenchLine> RunAsync(
        IReadOnlyList<string> arguments, [EnumeratorCancellation] CancellationToken token)
    {
        if (arguments.Count > 0) throw new UsageException($"log takes no arguments, not '{arguments[0]}'");
        yield return await StatementsAsync(Name, token);
    }

    /// <summary>The median of a few rounds, in turns with the bare verification.</summary>
    internal static async Task<BenchLine> StatementsAsync(string name, CancellationToken token)
    {
        var chains = Enumerable.Range(0, Agents).Select(Chain).ToList();
        var (rates, ratios) = (new List<double>(), new List<double>());
        // The first of each is for the JIT.
        for (var round = -1; round < Rounds; round++)
        {
            var bare = await Task.Run(() => Bare(chains, token), token);
            var ours = await TakeInAsync(chains, token);
            if (round < 0) continue;
            rates.Add(ours);
            ratios.Add(ours / bare);
            Console.Error.WriteLine($"log: {ours:F0} statements a second, bare verification {bare:F0}");
        }

        return new BenchLine(
            name, "statements-per-second", Duel.Median(rates), "1/s", "bare-verify", Duel.Median(ratios));
    }

    private static double Bare(List<AgentChain> chains, CancellationToken token)
    {
        var begun = Stopwatch.GetTimestamp();
        Parallel.ForEach(chains, new ParallelOptions { CancellationToken = token }, chain =>
        {
            foreach (var envelope in chain.Envelopes)
            {
                if (!envelope.Verify(chain.Key, Statement.SignatureType))
                    throw new InvalidOperationException("a signature does not hold");
            }
        });
        return Agents * StatementsEach / Stopwatch.GetElapsedTime(begun).TotalSeconds;
    }

    private static async Task<double> TakeInAsync(List<AgentChain> chains, CancellationToken token)
    {
        var folder = Directory.CreateTempSubdirectory("virga-bench-").FullName;
        try
        {
            var rate = new RequestRate(PerSecond: 1e9, Burst: 1_000_000_000);
            await using var host = await RepositoryHost.StartAsync(new RepositoryOptions
            {
                DataFolder = folder,
                Time = TimeProvider.System,
                Random = RandomNumberGenerator.Fill,
                Limits = new PeerLimits { Address = rate, NewChains = rate },
            }, token);
            using var keys = PeerKeys.LoadOrCreate(
                Directory.CreateDirectory(Path.Combine(folder, "client")).FullName, TimeProvider.System,
                RandomNumberGenerator.Fill);
            using var http = new PeerHttp(TimeProvider.System, RandomNumberGenerator.Fill);
            var client = new LogClient(http, host.Endpoint, keys.Identity, () => keys.Envelopes, host.Id);
            await client.GetPeerAsync(token);
            var begun = Stopwatch.GetTimestamp();
            var options = new ParallelOptions { MaxDegreeOfParallelism = PostsAtOnce, CancellationToken = token };
            await Parallel.ForEachAsync(chains, options, async (chain, stop) =>
                await client.PostChainAsync(chain.Id, chain.Envelopes, stop));
            // Asked for a place that is not there, it publishes everything first.
            await client.PromiseAsync(default, token);
            var seconds = Stopwatch.GetElapsedTime(begun).TotalSeconds;
            var logged = host.Checkpoint.Head.Size;
            if (logged != (Agents * StatementsEach) + 1)
                throw new InvalidOperationException($"the log has {logged} entries");
            return Agents * StatementsEach / seconds;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static AgentChain Chain(int number)
    {
        var random = new Seeded((ulong)number + 1);
        using var key = SigningKey.Generate(random.RandomBytes);
        var now = TimeProvider.System.GetUtcNow();
        var genesis = StatementWriter.Genesis(key.PublicKey, Sample.Hash(number), Sample.Hash(number + 1), now);
        var envelopes = new List<SignedEnvelope> { SignedEnvelope.Sign(key, Statement.SignatureType, genesis) };
        var chain = Sigchain.Check([(envelopes[0].Body, envelopes[0].Signature)], now);
        while (envelopes.Count < StatementsEach)
        {
            var body = StatementWriter.Next(
                chain, StatementType.Profile, StatementWriter.ProfileBody($"Name {envelopes.Count}"), now);
            envelopes.Add(SignedEnvelope.Sign(key, Statement.SignatureType, body));
            chain = chain.Append(body, envelopes[^1].Signature, now);
        }

        return new AgentChain(chain.Id, key.PublicKey, envelopes);
    }

    private sealed record AgentChain(AgentId Id, VerifyKey Key, List<SignedEnvelope> Envelopes);
}
