using Virga.Agent.State;
using Virga.Core;

namespace Virga.Agent.Shares;

/// <summary>Shares that end by themselves.</summary>
internal sealed partial class ShareService
{
    /// <summary>The clock may be set, or the machine sleep: it is looked at this often at least.</summary>
    private static readonly TimeSpan LookAtMost = TimeSpan.FromMinutes(1);

    private readonly EndedShares ended = new(state);
    private TaskCompletionSource endsChanged = NewSignal();

    /// <summary>A share whose time is over; null where there was none, or not for some time.</summary>
    public ShareRow? FindEnded(Hash256 infoHash) =>
        ended.Find(infoHash) ?? (rows.GetValueOrDefault(infoHash) is { } row && IsOver(row) ? row : null);

    /// <summary>When announces of a share must be over; null: never.</summary>
    public DateTimeOffset? EndOf(Hash256 infoHash) => rows.GetValueOrDefault(infoHash)?.Ends;

    /// <summary>Withdraws each share when its time is over.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var signal = Volatile.Read(ref endsChanged);
            var isDone = true;
            foreach (var row in rows.Values.Where(IsOver))
            {
                try
                {
                    await EndAsync(row, cancellationToken);
                }
                catch (VirgaException e)
                {
                    // Nobody gets it any more in any case; what is left of it is removed later.
                    log($"share {row.InfoHash} has ended, and can't be removed yet: {e.Message}");
                    isDone = false;
                }
            }
            var left = rows.Values.Min(r => r.Ends) - options.Time.GetUtcNow();
            var wait = left is { } next && next < LookAtMost && isDone ? next : LookAtMost;
            if (wait <= TimeSpan.Zero) continue;
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            await Task.WhenAny(signal.Task, Task.Delay(wait, options.Time, stop.Token));
            await stop.CancelAsync();
            cancellationToken.ThrowIfCancellationRequested();
            if (signal.Task.IsCompleted) Interlocked.CompareExchange(ref endsChanged, NewSignal(), signal);
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private bool IsOver(ShareRow row) => row.Ends <= options.Time.GetUtcNow();

    /// <summary>Whole seconds, as they are recorded.</summary>
    private DateTimeOffset? EndsOf(Control.ShareRequest request)
    {
        if (request.Ends is not { } ends) return null;
        if (ends > options.Time.GetUtcNow()) return DateTimeOffset.FromUnixTimeSeconds(ends.ToUnixTimeSeconds());
        throw new VirgaException(
            FailureKind.BadInput, $"the share would end at {ends.UtcDateTime:yyyy-MM-dd HH:mm} UTC, which is over",
            "Give a time that is to come.");
    }

    private async Task EndAsync(ShareRow row, CancellationToken cancellationToken)
    {
        await making.WaitAsync(cancellationToken);
        try
        {
            // It may have been shared again meanwhile, for longer.
            if (rows.GetValueOrDefault(row.InfoHash) is not { } now || !IsOver(now)) return;
            await ended.AddAsync(now, cancellationToken);
            log($"share {row.InfoHash} has ended, as it was to");
            await ForgetAsync(row.InfoHash, cancellationToken);
        }
        finally
        {
            making.Release();
        }
    }
}
