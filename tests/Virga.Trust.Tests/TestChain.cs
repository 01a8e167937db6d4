using System.Security.Cryptography;
using Virga.Core;
using Virga.Core.Keys;
using Virga.Testing;

namespace Virga.Trust.Tests;

/// <summary>A chain in the making, with the keys that its owner has.</summary>
internal sealed class TestChain
{
    public static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public TestChain(int seed)
    {
        Key = NewKey(seed);
        NextKey = NewKey(seed + 100);
        var body = StatementWriter.Genesis(Key.PublicKey, Sample.Hash(seed + 200), HashOf(NextKey), Now);
        Envelopes.Add((body, Sign(Key, body)));
        Chain = Sigchain.Check(Envelopes, Now);
    }

    public SigningKey Key { get; }

    public SigningKey NextKey { get; }

    public List<(byte[] Body, byte[] Signature)> Envelopes { get; } = [];

    public Sigchain Chain { get; private set; }

    public static SigningKey NewKey(int seed) => SigningKey.FromSeed(Sample.Array(seed, 32));

    public static Hash256 HashOf(SigningKey key) => new(SHA256.HashData(key.PublicKey.Bytes.ToArray()));

    public static byte[] Sign(SigningKey key, byte[] body) => DomainSignature.Sign(key, Statement.SignatureType, body);

    public (byte[] Body, byte[] Signature) Make(
        string type, byte[] body, SigningKey? by = null, DateTimeOffset? time = null)
    {
        var bytes = StatementWriter.Next(Chain, type, body, time ?? Now);
        return (bytes, Sign(by ?? Key, bytes));
    }

    public TestChain Add(string type, byte[] body, SigningKey? by = null, DateTimeOffset? time = null)
    {
        var envelope = Make(type, body, by, time);
        Chain = Chain.Append(envelope.Body, envelope.Signature, time ?? Now);
        Envelopes.Add(envelope);
        return this;
    }
}
