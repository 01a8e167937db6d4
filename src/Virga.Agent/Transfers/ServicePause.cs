using Virga.Core;

namespace Virga.Agent.Transfers;

/// <summary>
/// A service takes no more for a time, such as what may be uploaded in a day: the transfer waits, and says so.
/// </summary>
/// <param name="BytesDone">What was there when it began.</param>
internal sealed record ServicePause(VirgaException Cause, TimeSpan Length, DateTimeOffset Until, long BytesDone)
{
    /// <summary>The first pause where the service does not say how long; each is twice the one before.</summary>
    public static readonly TimeSpan First = TimeSpan.FromMinutes(1);

    public static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    /// <summary>A service that asks for longer is asked again after so long all the same.</summary>
    public static readonly TimeSpan Most = TimeSpan.FromDays(1);

    private readonly TaskCompletionSource over = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool IsOver { get; private set; }

    /// <summary>The user wants it to try now.</summary>
    public void End() => over.TrySetResult();

    public async Task WaitAsync(TimeProvider time, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var wait = Until - time.GetUtcNow();
        if (wait > TimeSpan.Zero) await Task.WhenAny(over.Task, Task.Delay(wait, time, stop.Token));
        await stop.CancelAsync();
        cancellationToken.ThrowIfCancellationRequested();
        IsOver = true;
    }

    /// <summary>For people.</summary>
    public string Describe(TimeZoneInfo zone) =>
        $"{Cause.Message}{(Cause.Advice is { } advice ? $" ({advice.TrimEnd('.')})" : "")}; it tries again at "
            + $"{TimeZoneInfo.ConvertTime(Until, zone):ddd HH:mm}";
}
