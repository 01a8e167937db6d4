using System.Security.Cryptography;
using Virga.Core;
using Virga.Core.Keys;
using Virga.Hosting;
using Virga.Protocol;
using Virga.Repository;
using Virga.Testing;
using Virga.Trust;

namespace Virga.Benchmarks.Web;

/// <summary>
/// Many agents with sigchains that they have signed themselves, at a repository of this process: a few friends, who
/// vouch for theirs, and these for others, with vouches across. All but the last row vouch for somebody.
/// </summary>
internal sealed class TrustCrowd : IAsyncDisposable
{
    private const int PostsAtOnce = 8;
    private const int AcrossEach = 2;
    private const int DaysMost = 400;
    private static readonly int[] rows = [12, 60, 240];

    private readonly RepositoryHost repository;

    private TrustCrowd(RepositoryHost repository, IReadOnlyList<AgentId> friends)
    {
        this.repository = repository;
        Friends = friends;
    }

    /// <summary>Who vouches for friends with this depth admits all.</summary>
    public static int Depth => rows.Length;

    public IReadOnlyList<AgentId> Friends { get; }

    public Endpoint Repository => repository.Endpoint;

    public static async Task<TrustCrowd> StartAsync(string folder, int agents, CancellationToken token)
    {
        var rate = new RequestRate(PerSecond: 1e9, Burst: 1_000_000_000);
        var host = await RepositoryHost.StartAsync(new RepositoryOptions
        {
            DataFolder = folder, Time = TimeProvider.System, Random = RandomNumberGenerator.Fill,
            Limits = new PeerLimits { Address = rate, NewChains = rate },
        }, token);
        var members = await Task.Run(() => Make(agents, new Seeded(5), token), token);
        using var keys = PeerKeys.LoadOrCreate(
            Directory.CreateDirectory(Path.Combine(folder, "client")).FullName, TimeProvider.System,
            RandomNumberGenerator.Fill);
        using var http = new PeerHttp(TimeProvider.System, RandomNumberGenerator.Fill);
        var client = new RepositoryClient(http, host.Endpoint, keys.Identity, () => keys.Envelopes, host.Id);
        await client.GetPeerAsync(token);
        var options = new ParallelOptions { MaxDegreeOfParallelism = PostsAtOnce, CancellationToken = token };
        await Parallel.ForEachAsync(members, options, async (member, stop) =>
            await client.PostChainAsync(member.Chain.Id, member.Envelopes, stop));
        return new TrustCrowd(host, [.. members.Take(rows[0]).Select(member => member.Chain.Id)]);
    }

    public ValueTask DisposeAsync() => repository.DisposeAsync();

    private static List<Member> Make(int agents, Seeded random, CancellationToken token)
    {
        var now = TimeProvider.System.GetUtcNow();
        var members = Enumerable.Range(0, agents).Select(_ => new Member(random, now)).ToList();
        var first = 0;
        for (var row = 0; row < rows.Length; row++)
        {
            var next = first + rows[row];
            var count = row + 1 < rows.Length ? rows[row + 1] : agents - next;
            // Everybody of the next row is vouched for by one of this row, some by more.
            for (var i = 0; i < count; i++)
                members[first + (i % rows[row])].Vouch(members[next + i], rows.Length - row - 1, random, now);
            for (var i = first; i < next; i++)
            {
                token.ThrowIfCancellationRequested();
                for (var across = 0; across < AcrossEach; across++)
                    members[i].Vouch(members[(int)random.Next(agents)], 0, random, now);
            }
            first = next;
        }
        return members;
    }

    private sealed class Member
    {
        private readonly SigningKey key;
        private readonly HashSet<AgentId> subjects = [];

        public Member(Seeded random, DateTimeOffset now)
        {
            key = SigningKey.Generate(random.RandomBytes);
            var number = (int)random.Next(int.MaxValue);
            var genesis = StatementWriter.Genesis(key.PublicKey, Sample.Hash(number), Sample.Hash(number + 1), now);
            Envelopes.Add(SignedEnvelope.Sign(key, Statement.SignatureType, genesis));
            Chain = Sigchain.Check([(Envelopes[0].Body, Envelopes[0].Signature)], now);
        }

        public Sigchain Chain { get; private set; }

        public List<SignedEnvelope> Envelopes { get; } = [];

        public void Vouch(Member subject, int depth, Seeded random, DateTimeOffset now)
        {
            // Said again, a vouch with less depth would take the place of the one that counts.
            if (subject == this || !subjects.Add(subject.Chain.Id)) return;
            var hour = VouchBody.HourOf(now);
            var end = VouchBody.TimeOf(hour + (24 * (30 + (int)random.Next(DaysMost - 30))));
            var vouch = new VouchBody(
                subject.Chain.Id, TrustScopes.Exchange, depth, VouchBody.TimeOf(hour), end);
            var body = StatementWriter.Next(Chain, StatementType.Vouch, vouch.Encode(), now);
            Envelopes.Add(SignedEnvelope.Sign(key, Statement.SignatureType, body));
            Chain = Chain.Append(body, Envelopes[^1].Signature, now);
        }
    }
}
