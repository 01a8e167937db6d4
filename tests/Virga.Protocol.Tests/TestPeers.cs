using Virga.Core;
using Virga.Core.Age;
using Virga.Core.Keys;
using Virga.Testing;

namespace Virga.Protocol.Tests;

internal static class TestPeers
{
    public static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    public static readonly PeerIdentity Alice = Identity(1);
    public static readonly PeerIdentity Bob = Identity(2);

    public static PeerIdentity Identity(int seed) => new(
        new AgentId(Sample.Hash(seed)), SigningKey.FromSeed(Sample.Array(seed + 1_000, 32)),
        new AgeIdentity(Sample.Array(seed + 2_000, 32)));

    public static Endpoint Endpoint(string url, int? certificateSeed = null) =>
        new(new Uri(url), certificateSeed is { } seed ? Sample.Hash(seed) : null);

    public static VirgaException Refused(FailureKind kind, Action action)
    {
        var failure = Assert.Throws<VirgaException>(action);
        Assert.Equal(kind, failure.Kind);
        Assert.False(string.IsNullOrEmpty(failure.Advice), $"no advice in: {failure.Message}");
        return failure;
    }
}
