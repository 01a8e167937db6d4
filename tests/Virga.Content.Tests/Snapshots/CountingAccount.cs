using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Virga.Accounts;
using Virga.Accounts.Decorators;
using Virga.Core;

namespace Virga.Content.Tests.Snapshots;

/// <summary>
/// Counts the bytes that each entry's readers got, and lets a test meddle with the entry in the midst of a read.
/// </summary>
internal sealed class CountingAccount(IAccount inner) : AccountDecorator(inner)
{
    private readonly ConcurrentDictionary<EntryPath, long> bytes = new();

    public override AccountTraits Traits => Override ?? Inner.Traits;

    public AccountTraits? Override { get; init; }

    public IReadOnlyDictionary<EntryPath, long> BytesRead => bytes;

    public long TotalRead => bytes.Values.Sum();

    public int Reads;

    /// <summary>Called with the entry after each part of it was read.</summary>
    public Action<EntryPath>? OnRead { get; set; }

    public void Forget() => bytes.Clear();

    public override async ValueTask<EntryReader> ReadAsync(EntryPath path, ByteRange range, EntryVersion? pin,
        CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref Reads);
        var reader = await Inner.ReadAsync(path, range, pin, cancellationToken);
        return new EntryReader(reader.Entry, new Counter(this, path, reader.Content));
    }

    protected override ValueTask<T> CallAsync<T>(AccountCall call, Func<CancellationToken, ValueTask<T>> action,
        CancellationToken cancellationToken) =>
        action(cancellationToken);

    protected override async IAsyncEnumerable<T> ListAsync<T>(AccountCall call,
        Func<CancellationToken, IAsyncEnumerable<T>> list, Func<T, string> key,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var item in list(cancellationToken)) yield return item;
    }

    private sealed class Counter(CountingAccount account, EntryPath path, Stream inner) : AccountReadStream
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer,
            CancellationToken cancellationToken = default)
        {
            var count = await inner.ReadAsync(buffer, cancellationToken);
            if (count > 0) account.bytes.AddOrUpdate(path, count, (_, before) => before + count);
            if (count > 0) account.OnRead?.Invoke(path);
            return count;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing) inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
