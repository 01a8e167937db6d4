namespace Virga.Accounts.Adapters.Http;

/// <summary>
/// Cancels a request that makes no progress. A whole request has no time limit, since a slow line may need an hour for
/// what another does in a second; silence has one. Whoever moves bytes calls <see cref="Touch"/>.
/// </summary>
internal sealed class StallGuard : IDisposable
{
    private readonly CancellationTokenSource silence;
    private readonly CancellationTokenSource linked;
    private readonly CancellationToken caller;
    private readonly TimeSpan timeout;

    public StallGuard(AdapterServices services, CancellationToken cancellationToken)
    {
        timeout = services.StallTimeout;
        caller = cancellationToken;
        silence = new CancellationTokenSource(timeout, services.Clock);
        linked = CancellationTokenSource.CreateLinkedTokenSource(silence.Token, cancellationToken);
    }

    public CancellationToken Token => linked.Token;

    /// <summary>Whether a cancellation that was seen came from silence, not from the caller.</summary>
    public bool HasStalled => silence.IsCancellationRequested && !caller.IsCancellationRequested;

    public TimeSpan Timeout => timeout;

    /// <summary>Whether <see cref="Token"/> already ends with that token.</summary>
    public bool Covers(CancellationToken cancellationToken) =>
        !cancellationToken.CanBeCanceled || cancellationToken == caller;

    /// <summary>No silence is counted until the next <see cref="Touch"/>.</summary>
    public void Pause() => silence.CancelAfter(System.Threading.Timeout.InfiniteTimeSpan);

    public void Touch() => silence.CancelAfter(timeout);

    public void Dispose()
    {
        linked.Dispose();
        silence.Dispose();
    }
}
