using Virga.Core;
using Virga.Testing;

namespace Virga.Trust.Tests;

/// <summary>
/// Some agents whose sigchains say things at random: cycles, diamonds, vouches that ended or have not begun, revokes of
/// what was never said, disowns of others and of themselves. Every beginning of every chain is kept.
/// </summary>
internal sealed class TrustWorld
{
    public static readonly DateTimeOffset Start = VouchBody.TimeOf(VouchBody.HourOf(TestChain.Now));
    public static readonly TrustScopes[] Scopes = [TrustScopes.Exchange, TrustScopes.Host];

    public TrustWorld(ulong seed, int agents = 12, int statements = 90, int disownsInHundred = 8)
    {
        Random = new Seeded(seed);
        var chains = Enumerable.Range(0, agents).Select(i => new TestChain((int)(seed * 1_000) + i)).ToList();
        Ids = [.. chains.Select(chain => chain.Chain.Id)];
        Beginnings = [.. chains.Select(chain => new List<Sigchain> { chain.Chain })];
        for (var i = 0; i < statements; i++)
        {
            var (issuer, subject) = ((int)Random.Next(agents), (int)Random.Next(agents));
            var (type, body) = Say(chains[issuer].Chain.Head.Seq, issuer, subject, disownsInHundred);
            Beginnings[issuer].Add(chains[issuer].Add(type, body).Chain);
        }
    }

    public Seeded Random { get; }

    public AgentId[] Ids { get; }

    public List<Sigchain>[] Beginnings { get; }

    private (string Type, byte[] Body) Say(long head, int issuer, int subject, int disownsInHundred)
    {
        var dice = Random.Next(100);
        if (dice < disownsInHundred && (issuer != subject || head > 0))
        {
            var from = 1 + (int)Random.Next(issuer == subject ? head : 12);
            return (StatementType.Disown, new DisownBody(Ids[subject], from).Encode());
        }
        if (issuer == subject) return (StatementType.Profile, StatementWriter.ProfileBody("x"));
        var scopes = (TrustScopes)(1 + Random.Next(31)) | Scopes[Random.Next(Scopes.Length)];
        if (dice < disownsInHundred + 12) return (StatementType.Revoke, new RevokeBody(Ids[subject], scopes).Encode());
        var from0 = Start.AddHours(Random.Next(12) - 8);
        var body = new VouchBody(Ids[subject], scopes, (int)Random.Next(8), from0, from0.AddHours(1 + Random.Next(30)));
        return (StatementType.Vouch, body.Encode());
    }
}
