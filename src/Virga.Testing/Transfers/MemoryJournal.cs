using System.Collections.Concurrent;
using Virga.Accounts;
using Virga.Transfers.Engine;
using Virga.Transfers.Journal;

namespace Virga.Testing.Transfers;

/// <summary>A journal in memory that outlives engine runs, as the agent's database does.</summary>
public sealed class MemoryJournal : ITransferJournal
{
    private readonly ConcurrentDictionary<int, RecordedUpload> uploads = [];
    private readonly ConcurrentDictionary<int, bool> completed = [];
    private readonly ConcurrentDictionary<int, CopyCheck?> copies = [];
    private IReadOnlyDictionary<int, EntryPath> names = new Dictionary<int, EntryPath>();
    private bool started;

    public int Completed => completed.Count;

    /// <summary>Called before each record is made; throwing is a crash between doing and recording.</summary>
    public Action<string>? Before { get; set; }

    public ValueTask<JournalState> LoadAsync(CancellationToken cancellationToken) => new(new JournalState(
        started, completed.Keys.ToHashSet(), uploads.ToDictionary(u => u.Key, u => u.Value))
    {
        Copies = copies.ToDictionary(c => c.Key, c => c.Value),
        Renamed = names,
    });

    public ValueTask StartedAsync(
        IReadOnlyDictionary<int, EntryPath> renamed, CancellationToken cancellationToken)
    {
        Before?.Invoke("started");
        names = renamed;
        started = true;
        return default;
    }

    public ValueTask UploadBegunAsync(int file, string token, long partBytes, CancellationToken cancellationToken)
    {
        Before?.Invoke("begun");
        uploads[file] = new RecordedUpload(token, partBytes, []);
        return default;
    }

    public ValueTask PartStoredAsync(int file, PartReceipt receipt, CancellationToken cancellationToken)
    {
        Before?.Invoke("part");
        uploads.AddOrUpdate(file, _ => throw new InvalidOperationException("a part of no upload"),
            (_, u) => u with { Parts = [.. u.Parts, receipt] });
        return default;
    }

    public ValueTask UploadEndedAsync(int file, CancellationToken cancellationToken)
    {
        Before?.Invoke("ended");
        uploads.TryRemove(file, out _);
        return default;
    }

    public ValueTask FileCompletedAsync(int file, CancellationToken cancellationToken)
    {
        Before?.Invoke("completed");
        AddCompleted(file);
        uploads.TryRemove(file, out _);
        return default;
    }

    public ValueTask CopyBegunAsync(int file, CancellationToken cancellationToken)
    {
        Before?.Invoke("copy begun");
        copies[file] = null;
        return default;
    }

    public ValueTask CopyCompletedAsync(int file, CopyCheck how, CancellationToken cancellationToken)
    {
        Before?.Invoke("copied");
        copies[file] = how;
        AddCompleted(file);
        uploads.TryRemove(file, out _);
        return default;
    }

    public ValueTask CopyDroppedAsync(int file, CancellationToken cancellationToken)
    {
        Before?.Invoke("copy dropped");
        copies.TryRemove(file, out _);
        uploads.TryRemove(file, out _);
        return default;
    }

    private void AddCompleted(int file)
    {
        if (!completed.TryAdd(file, true)) throw new InvalidOperationException($"file {file} completed twice");
    }
}
