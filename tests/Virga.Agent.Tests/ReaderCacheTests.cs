using Virga.Agent.Shares;
using Virga.Content.Snapshots;
using Virga.Core;
using Virga.Testing;

namespace Virga.Agent.Tests;

public sealed class ReaderCacheTests
{
    private static readonly Hash256 Share = default;
    private readonly FakeTimeProvider time = new();
    private int loads;

    [Fact]
    public async Task However_many_ask_at_once_a_share_is_opened_once()
    {
        using var cache = new ReaderCache(time);
        var opening = new TaskCompletionSource<ShareReader>();
        var asking = Enumerable.Range(0, 8).Select(_ => cache.GetAsync(Share, Load, CancellationToken.None)).ToList();
        opening.SetResult(null!);
        await Task.WhenAll(asking);
        Assert.Equal(1, loads);

        Task<ShareReader> Load()
        {
            Interlocked.Increment(ref loads);
            return opening.Task;
        }
    }

    [Fact]
    public async Task A_share_that_nobody_reads_any_more_is_let_go_of()
    {
        using var cache = new ReaderCache(time);
        await cache.GetAsync(Share, Open, CancellationToken.None);
        time.Advance(TimeSpan.FromSeconds(50));
        await cache.GetAsync(Share, Open, CancellationToken.None);
        time.Advance(TimeSpan.FromSeconds(50));
        Assert.Equal((1, 1), (cache.Count, loads));
        time.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal(0, cache.Count);
        await cache.GetAsync(Share, Open, CancellationToken.None);
        Assert.Equal(2, loads);
    }

    [Fact]
    public async Task A_failure_to_open_is_not_kept()
    {
        using var cache = new ReaderCache(time);
        await Assert.ThrowsAsync<VirgaException>(() => cache.GetAsync(
            Share, () => Task.FromException<ShareReader>(new VirgaException(FailureKind.Corrupt, "damaged")),
            CancellationToken.None));
        await cache.GetAsync(Share, Open, CancellationToken.None);
        Assert.Equal(1, loads);
    }

    private Task<ShareReader> Open()
    {
        loads++;
        return Task.FromResult<ShareReader>(null!);
    }
}
