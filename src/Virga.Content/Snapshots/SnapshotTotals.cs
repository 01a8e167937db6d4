namespace Virga.Content.Snapshots;

/// <summary>Running totals, counted from many threads and told to the caller every so often.</summary>
internal sealed class SnapshotTotals(IProgress<SnapshotProgress>? progress)
{
    private const long BytesBetweenReports = 16 << 20;
    private const int FilesBetweenReports = 256;

    private int seen, hashed, unchanged;
    private long bytes, reportedAt;

    public SnapshotProgress Current => new(seen, hashed, unchanged, Interlocked.Read(ref bytes));

    public void Seen(int files)
    {
        seen = files;
        Report();
    }

    public void Hashed() => Counted(Interlocked.Increment(ref hashed));

    public void Unchanged() => Counted(Interlocked.Increment(ref unchanged));

    public void Read(long count)
    {
        var total = Interlocked.Add(ref bytes, count);
        var last = Interlocked.Read(ref reportedAt);
        if (total - last >= BytesBetweenReports && Interlocked.CompareExchange(ref reportedAt, total, last) == last)
            Report();
    }

    public void Report() => progress?.Report(Current);

    private void Counted(int files)
    {
        if (files % FilesBetweenReports == 0) Report();
    }
}
