using Virga.Testing;

namespace Virga.Protocol.Tests;

public sealed class PaceTests
{
    private readonly FakeTimeProvider time = new();

    [Fact]
    public async Task Without_a_bound_nobody_waits()
    {
        var pace = new Pace(time);
        for (var i = 0; i < 100; i++) Assert.True(pace.PayAsync(1 << 30, CancellationToken.None).IsCompleted);
        Assert.Equal(int.MaxValue, pace.SliceBytes);
        await Task.CompletedTask;
    }

    [Theory]
    [InlineData(100_000)]
    [InlineData(20_000_000)]
    public async Task Many_flows_together_keep_to_the_rate(long rate)
    {
        var pace = new Pace(time) { BytesPerSecond = rate };
        long moved = 0;
        var stop = false;
        var flows = Enumerable.Range(0, 5).Select(async _ =>
        {
            while (!Volatile.Read(ref stop))
            {
                var bytes = pace.SliceBytes;
                Interlocked.Add(ref moved, bytes);
                await pace.PayAsync(bytes, CancellationToken.None);
            }
        }).ToArray();
        await AdvanceAsync(TimeSpan.FromSeconds(10));
        // A burst of a quarter of a second, and what every flow has begun.
        Assert.InRange(Volatile.Read(ref moved), rate * 10, (long)(rate * 10.25) + (6 * pace.SliceBytes));
        stop = true;
        await AdvanceAsync(TimeSpan.FromSeconds(3));
        await Task.WhenAll(flows);
    }

    [Fact]
    public async Task A_pause_saves_up_no_more_than_a_short_burst()
    {
        var pace = new Pace(time) { BytesPerSecond = 100_000 };
        await AdvanceAsync(TimeSpan.FromHours(1));
        Assert.True(pace.PayAsync(25_000, CancellationToken.None).IsCompleted);
        Assert.False(pace.PayAsync(1_000, CancellationToken.None).IsCompleted);
    }

    [Fact]
    public void A_new_rate_holds_at_once_and_old_debts_are_forgotten()
    {
        var pace = new Pace(time) { BytesPerSecond = 1_000 };
        Assert.False(pace.PayAsync(1_000_000, CancellationToken.None).IsCompleted);
        pace.BytesPerSecond = 10_000_000;
        Assert.False(pace.PayAsync(1_000_000, CancellationToken.None).IsCompleted);
        time.Advance(TimeSpan.FromMilliseconds(101));
        Assert.True(pace.PayAsync(0, CancellationToken.None).IsCompleted);
        pace.BytesPerSecond = null;
        Assert.True(pace.PayAsync(1 << 30, CancellationToken.None).IsCompleted);
    }

    [Fact]
    public void A_part_keeps_to_its_own_rate_and_to_that_of_all()
    {
        var all = new Pace(time) { BytesPerSecond = 100_000 };
        var (slow, free) = (new Pace(time, all) { BytesPerSecond = 64_000 }, new Pace(time, all));
        Assert.Equal(64_000 / 8, slow.SliceBytes);
        Assert.Equal(all.SliceBytes, free.SliceBytes);
        time.Advance(TimeSpan.FromMinutes(1));
        // The burst of a quarter of a second is all's, too.
        Assert.True(slow.PayAsync(16_000, CancellationToken.None).IsCompleted);
        Assert.False(slow.PayAsync(1_000, CancellationToken.None).IsCompleted);
        Assert.True(free.PayAsync(8_000, CancellationToken.None).IsCompleted);
        Assert.False(free.PayAsync(2_000, CancellationToken.None).IsCompleted);
        all.BytesPerSecond = null;
        Assert.True(free.PayAsync(1 << 30, CancellationToken.None).IsCompleted);
        Assert.False(slow.PayAsync(1_000, CancellationToken.None).IsCompleted);
    }

    [Fact]
    public async Task Waiting_ends_with_the_callers_cancellation()
    {
        var pace = new Pace(time) { BytesPerSecond = 1_000 };
        using var stop = new CancellationTokenSource();
        var waiting = pace.PayAsync(1_000_000, stop.Token).AsTask();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    /// <summary>In steps, so that those who wait go on as time does.</summary>
    private async Task AdvanceAsync(TimeSpan span)
    {
        var step = TimeSpan.FromMilliseconds(5);
        for (var at = TimeSpan.Zero; at < span; at += step)
        {
            time.Advance(step);
            // Those who were woken run before time goes on.
            if (span.TotalMinutes < 1) await Task.Yield();
        }
    }
}
