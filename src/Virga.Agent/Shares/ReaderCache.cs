using System.Collections.Concurrent;
using Virga.Content.Snapshots;
using Virga.Core;

namespace Virga.Agent.Shares;

/// <summary>
/// Shares that are open for reading. Opening one reads and decrypts its whole index, and a large share's takes tens of
/// MiB: each is opened once however many ask, and let go of when nobody has asked for a minute.
/// </summary>
internal sealed class ReaderCache : IDisposable
{
    private const int Most = 16;
    private static readonly TimeSpan IdleFor = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(20);

    private readonly ConcurrentDictionary<Hash256, Opened> open = [];
    private readonly TimeProvider time;
    private readonly ITimer timer;

    public ReaderCache(TimeProvider time)
    {
        this.time = time;
        timer = time.CreateTimer(_ => DropIdle(), null, LookEvery, LookEvery);
    }

    public int Count => open.Count;

    /// <summary>The share's reader; a failure to open it is told to all who wait, and forgotten.</summary>
    public async Task<ShareReader> GetAsync(
        Hash256 infoHash, Func<Task<ShareReader>> load, CancellationToken cancellationToken)
    {
        if (open.Count >= Most && !open.ContainsKey(infoHash)) DropOldest();
        var opened = open.GetOrAdd(infoHash, _ => new Opened(load));
        opened.LastUse = time.GetTimestamp();
        try
        {
            return await opened.Reader.Value.WaitAsync(cancellationToken);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            open.TryRemove(KeyValuePair.Create(infoHash, opened));
            throw;
        }
    }

    public void Remove(Hash256 infoHash) => open.TryRemove(infoHash, out _);

    public void Dispose() => timer.Dispose();

    private void DropIdle()
    {
        foreach (var (infoHash, opened) in open)
        {
            var isOpen = opened.Reader is { IsValueCreated: true, Value.IsCompleted: true };
            if (isOpen && time.GetElapsedTime(opened.LastUse) >= IdleFor)
                open.TryRemove(KeyValuePair.Create(infoHash, opened));
        }
    }

    private void DropOldest()
    {
        var oldest = open.MinBy(o => o.Value.LastUse);
        if (oldest.Value is not null) open.TryRemove(oldest);
    }

    private sealed class Opened(Func<Task<ShareReader>> load)
    {
        private long lastUse;

        public Lazy<Task<ShareReader>> Reader { get; } = new(load);

        public long LastUse
        {
            get => Volatile.Read(ref lastUse);
            set => Volatile.Write(ref lastUse, value);
        }
    }
}
