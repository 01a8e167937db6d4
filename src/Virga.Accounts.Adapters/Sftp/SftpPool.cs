namespace Virga.Accounts.Adapters.Sftp;

/// <summary>
/// The connections of an account: a server works through each of them in turn, and one core of either side does its
/// ciphers, so that busy accounts have several.
/// </summary>
internal sealed class SftpPool(SftpSettings settings, AdapterServices services) : IAsyncDisposable
{
    private static readonly int Most = Math.Clamp(Environment.ProcessorCount, 2, 4);
    // So many requests without an answer make a connection busy.
    private const int Busy = 12;

    private readonly SemaphoreSlim opening = new(1, 1);
    private readonly Lock gate = new();
    private List<SftpConnection> open = [];
    private bool isDisposed;

    public SftpSettings Settings => settings;

    /// <summary>The connection with the fewest requests; a new one where there is none, or all are busy.</summary>
    public async ValueTask<SftpConnection> GetAsync(CancellationToken cancellationToken)
    {
        if (Least() is { } free && (free.Pending < Busy || Count >= Most)) return free;
        var isFirst = Count == 0;
        if (!isFirst && !opening.Wait(0, CancellationToken.None)) return Least() ?? await GetAsync(cancellationToken);
        if (isFirst) await opening.WaitAsync(cancellationToken);
        try
        {
            if (isFirst && Least() is { } meanwhile) return meanwhile;
            var fresh = await SftpConnection.OpenAsync(settings, services, cancellationToken);
            lock (gate)
            {
                ObjectDisposedException.ThrowIf(isDisposed, this);
                open = [.. open.Where(c => !c.IsBroken), fresh];
            }
            return fresh;
        }
        finally
        {
            opening.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        List<SftpConnection> all;
        lock (gate) (all, open, isDisposed) = (open, [], true);
        foreach (var connection in all) await connection.DisposeAsync();
    }

    private int Count
    {
        get
        {
            lock (gate) return open.Count(c => !c.IsBroken);
        }
    }

    private SftpConnection? Least()
    {
        lock (gate) return open.Where(c => !c.IsBroken).MinBy(c => c.Pending);
    }
}
