using Virga.Core;
using Virga.Testing;
using static Virga.Protocol.Tests.TestPeers;

namespace Virga.Protocol.Tests;

public sealed class ReplayCacheTests
{
    private readonly FakeTimeProvider time = new(Now);

    [Fact]
    public void A_nonce_counts_once_an_asker_until_it_expires()
    {
        var cache = new ReplayCache(time);
        var nonce = Sample.Array(1, 16);
        Assert.True(cache.TryAdd(Alice.Id, nonce, Now.AddSeconds(300)));
        Assert.False(cache.TryAdd(Alice.Id, nonce, Now.AddSeconds(300)));
        Assert.True(cache.TryAdd(Bob.Id, nonce, Now.AddSeconds(300)));
        Assert.True(cache.TryAdd(Alice.Id, Sample.Array(2, 16), Now.AddSeconds(300)));
        time.Advance(TimeSpan.FromSeconds(299));
        Assert.False(cache.TryAdd(Alice.Id, nonce, Now.AddSeconds(300)));
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(cache.TryAdd(Alice.Id, nonce, Now.AddSeconds(600)));
        Assert.Equal(1, cache.Count);
    }

    [Fact]
    public void One_asker_fills_an_eighth_at_most_and_is_told_when_to_come_back()
    {
        var cache = new ReplayCache(time, capacity: 80);
        for (var i = 0; i < 10; i++) Assert.True(cache.TryAdd(Alice.Id, Sample.Array(i, 16), Now.AddSeconds(60)));
        var failure =
            Refused(FailureKind.Throttled, () => cache.TryAdd(Alice.Id, Sample.Array(99, 16), Now.AddSeconds(60)));
        Assert.Equal(TimeSpan.FromSeconds(60), failure.RetryAfter);
        Assert.True(cache.TryAdd(Bob.Id, Sample.Array(99, 16), Now.AddSeconds(60)));
        time.Advance(TimeSpan.FromSeconds(60));
        Assert.True(cache.TryAdd(Alice.Id, Sample.Array(99, 16), Now.AddSeconds(120)));
    }

    [Fact]
    public void It_never_holds_more_than_its_capacity()
    {
        var cache = new ReplayCache(time, capacity: 80);
        for (var i = 0; i < 80; i++) Assert.True(cache.TryAdd(Identity(i).Id, Sample.Array(i, 16), Now.AddSeconds(60)));
        Refused(FailureKind.Throttled, () => cache.TryAdd(Identity(1_000).Id, Sample.Array(1, 16), Now.AddSeconds(60)));
        Assert.Equal(80, cache.Count);
    }

    [Fact]
    public async Task Of_many_at_once_with_one_nonce_exactly_one_gets_through()
    {
        var cache = new ReplayCache(time);
        var tasks =
            Enumerable.Range(0, 64)
                .Select(_ => Task.Run(() => cache.TryAdd(Alice.Id, Sample.Array(1, 16), Now.AddSeconds(60))));
        Assert.Equal(1, (await Task.WhenAll(tasks)).Count(isNew => isNew));
    }
}
