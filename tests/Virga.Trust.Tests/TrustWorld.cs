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
            // Every other world is a band with few ways around, so that one word more or less is felt far away.
            var isBand = seed % 2 == 1;
            var issuer = (int)Random.Next(agents);
            var subject = (int)(isBand ? (issuer + 1 + Random.Next(3)) % agents : Random.Next(agents));
            if (Random.Next(20) == 0) subject = issuer;
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
            var from = 1 + (int)Random.Next(issuer == subject ? head : 6);
            return (StatementType.Disown, new DisownBody(Ids[subject], from).Encode());
        }
        if (issuer == subject) return (StatementType.Profile, StatementWriter.ProfileBody("x"));
        var scopes = (TrustScopes)(1 + Random.Next(31)) | Scopes[Random.Next(Scopes.Length)];
        if (dice < disownsInHundred + 12) return (StatementType.Revoke, new RevokeBody(Ids[subject], scopes).Encode());
        var begins = Start.AddHours(Random.Next(12) - 9);
        var hours = Random.Next(4) == 0 ? 1 + Random.Next(30) : 1_000;
        var body = new VouchBody(
            Ids[subject], scopes, (int)(7 - (Random.Next(8) * Random.Next(2))), begins, begins.AddHours(hours));
        return (StatementType.Vouch, body.Encode());
    }
}
