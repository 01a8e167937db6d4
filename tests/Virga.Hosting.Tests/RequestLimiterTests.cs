using System.Net;
using Microsoft.Extensions.Logging;
using Virga.Testing;

namespace Virga.Hosting.Tests;

public sealed class RequestLimiterTests
{
    private readonly FakeTimeProvider time = new();

    [Fact]
    public void A_burst_passes_and_then_the_steady_rate()
    {
        var limiter = new RequestLimiter<int>(new RequestRate(PerSecond: 10, Burst: 5), time);
        for (var i = 0; i < 5; i++) Assert.Equal(TimeSpan.Zero, limiter.TryAcquire(1));
        var wait = limiter.TryAcquire(1);
        Assert.Equal(TimeSpan.FromMilliseconds(100), wait);
        time.Advance(wait - TimeSpan.FromTicks(1));
        Assert.NotEqual(TimeSpan.Zero, limiter.TryAcquire(1));
        time.Advance(TimeSpan.FromTicks(1));
        Assert.Equal(TimeSpan.Zero, limiter.TryAcquire(1));
        Assert.NotEqual(TimeSpan.Zero, limiter.TryAcquire(1));
        time.Advance(TimeSpan.FromHours(1));
        for (var i = 0; i < 5; i++) Assert.Equal(TimeSpan.Zero, limiter.TryAcquire(1));
        Assert.NotEqual(TimeSpan.Zero, limiter.TryAcquire(1));
    }

    [Fact]
    public void Refused_tries_do_not_lengthen_the_wait()
    {
        var limiter = new RequestLimiter<int>(new RequestRate(1, 1), time);
        limiter.TryAcquire(1);
        for (var i = 0; i < 100; i++) Assert.Equal(TimeSpan.FromSeconds(1), limiter.TryAcquire(1));
    }

    [Fact]
    public void Keys_do_not_hinder_each_other_and_their_number_is_bounded()
    {
        var limiter = new RequestLimiter<int>(new RequestRate(1, 2), time, keysMax: 100);
        for (var key = 0; key < 100; key++) Assert.Equal(TimeSpan.Zero, limiter.TryAcquire(key));
        Assert.Equal(TimeSpan.Zero, limiter.TryAcquire(1000));
        Assert.Equal(TimeSpan.Zero, limiter.TryAcquire(1001));
        Assert.NotEqual(TimeSpan.Zero, limiter.TryAcquire(1002));
        Assert.Equal(TimeSpan.Zero, limiter.TryAcquire(5));
        Assert.Equal(100, limiter.Keys);
        time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(TimeSpan.Zero, limiter.TryAcquire(1003));
        Assert.Equal(1, limiter.Keys);
    }

    [Fact]
    public void Addresses_of_one_host_count_as_one()
    {
        Assert.Equal(Of("192.0.2.1"), Of("::ffff:192.0.2.1"));
        Assert.NotEqual(Of("192.0.2.1"), Of("192.0.2.2"));
        Assert.Equal(Of("2001:db8::1"), Of("2001:db8::ffff:1"));
        Assert.NotEqual(Of("2001:db8::1"), Of("2001:db8:0:1::1"));

        static ClientAddress Of(string text) => ClientAddress.Of(IPAddress.Parse(text));
    }
}

public sealed class LineLoggerTests
{
    [Fact]
    public void A_message_is_one_line_whatever_is_in_it()
    {
        var output = new StringWriter();
        using var provider = new LineLogger(output, LogLevel.Information, new FakeTimeProvider());
        var logger = provider.CreateLogger("Virga.Test");
        logger.LogDebug("not shown");
        logger.LogWarning("{Text}", "evil\n2026-01-01T00:00:00Z info virga: forged\u001b[31m");
        provider.CreateLogger("Microsoft.Something").LogInformation("chatter");
        Assert.Equal("2026-01-01T00:00:00Z warn Virga.Test: evil \\n2026-01-01T00:00:00Z info virga: forged [31m\n",
            output.ToString());
    }
}
