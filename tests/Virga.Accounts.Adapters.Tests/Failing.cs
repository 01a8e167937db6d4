using Virga.Core;

namespace Virga.Accounts.Adapters.Tests;

/// <summary>Failures as a person sees them: the kind, a message that names the thing, and advice.</summary>
internal static class Failing
{
    public static async Task<VirgaException> WithAsync(
        FailureKind kind, Func<ValueTask> call, string messageHolds, bool hasAdvice = true)
    {
        var failure = await Assert.ThrowsAsync<VirgaException>(async () => await call());
        Assert.True(failure.Kind == kind, $"{failure.Kind} instead of {kind}: {failure}");
        Assert.Contains(messageHolds, failure.Message, StringComparison.Ordinal);
        if (hasAdvice) Assert.False(string.IsNullOrEmpty(failure.Advice), $"no advice with: {failure.Message}");
        return failure;
    }

    public static async Task<VirgaException> WithAsync<T>(
        FailureKind kind, Func<ValueTask<T>> call, string messageHolds, bool hasAdvice = true) =>
        await WithAsync(kind, async ValueTask () => await call(), messageHolds, hasAdvice);

    public static VirgaException With(FailureKind kind, Func<object?> call, string messageHolds)
    {
        var failure = Assert.Throws<VirgaException>(() => call());
        Assert.Equal(kind, failure.Kind);
        Assert.Contains(messageHolds, failure.Message, StringComparison.Ordinal);
        return failure;
    }

    public static async ValueTask<List<Entry>> ListAsync(
        IAccount account, string folder = "", Action<SkippedEntry>? onSkipped = null)
    {
        var entries = new List<Entry>();
        var path = EntryPath.Parse(folder);
        var listing = onSkipped is null
            ? account.ListAsync(path, default)
            : account.Find<IReportsSkipped>()!.ListAsync(path, onSkipped, default);
        await foreach (var entry in listing) entries.Add(entry);
        return entries;
    }

    /// <summary>A port of this machine on which nothing listens.</summary>
    public static int ClosedPort()
    {
        using var socket = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        socket.Start();
        return ((System.Net.IPEndPoint)socket.LocalEndpoint).Port;
    }
}
