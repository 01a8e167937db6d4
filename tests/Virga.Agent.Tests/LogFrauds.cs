using System.Security.Cryptography;
using Virga.Core;
using Virga.Core.Keys;
using Virga.Testing;
using Virga.Trust;
using Virga.Trust.Following;

namespace Virga.Agent.Tests;

/// <summary>An agent that tells two histories.</summary>
internal static class LogFrauds
{
    public static (AgentId Who, Evidence Proof) Make()
    {
        var now = DateTimeOffset.FromUnixTimeSeconds(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds());
        var key = SigningKey.FromSeed(RandomNumberGenerator.GetBytes(32));
        var genesis = StatementWriter.Genesis(key.PublicKey, Sample.Hash(1), Sample.Hash(2), now);
        var chain = Sigchain.Check([(genesis, Sign(genesis))], now);
        var (a, b) = (Revoke(3), Revoke(4));
        return (chain.Id, Evidence.Of(new FraudProof(a, Sign(a), b, Sign(b)), chain));

        byte[] Revoke(int subject) => StatementWriter.Next(chain, StatementType.Revoke,
            new RevokeBody(new AgentId(Sample.Hash(subject)), TrustScopes.Exchange).Encode(), now);

        byte[] Sign(byte[] body) => DomainSignature.Sign(key, Statement.SignatureType, body);
    }
}
