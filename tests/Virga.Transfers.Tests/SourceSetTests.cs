using Virga.Core;
using Virga.Testing;
using Virga.Transfers.Sources;

namespace Virga.Transfers.Tests;

public sealed class SourceSetTests
{
    private const int AtOnce = 8;

    [Fact]
    public async Task Reads_that_fail_together_are_one_failure_and_one_short_pause()
    {
        var source = new FailingSource();
        var problems = new List<string>();
        var time = new SkippingTime();
        var set = new SourceSet(new FixedFinder([source]), time, problems.Add);
        var start = time.GetUtcNow();
        var reads = Enumerable.Range(0, AtOnce).Select(_ => set.ReadAsync(
            1, static (s, token) => s.ReadAsync(default, 0, new byte[1], token), static () => null,
            CancellationToken.None)).ToList();
        await Task.WhenAll(reads);
        Assert.Single(problems);
        Assert.True(time.GetUtcNow() - start < TimeSpan.FromSeconds(20), $"{time.GetUtcNow() - start}");
    }

    /// <summary>Its connection breaks under the first eight reads, all at once.</summary>
    private sealed class FailingSource : ISource
    {
        private readonly TaskCompletionSource all = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int reads;

        public string Name => "failing";

        public async Task ReadAsync(
            Hash256 root, long offset, Memory<byte> destination, CancellationToken cancellationToken)
        {
            var number = Interlocked.Increment(ref reads);
            if (number > AtOnce) return;
            if (number == AtOnce) all.SetResult();
            await all.Task;
            throw new VirgaException(FailureKind.Unavailable, "connection reset");
        }

        public Task ReadManyAsync(
            IReadOnlyList<Protocol.BlobRange> ranges, Memory<byte> destination, CancellationToken cancellationToken) =>
            throw new NotSupportedException();
    }
}
