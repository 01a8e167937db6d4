using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using Virga.Core;

namespace Virga.Accounts.Decorators;

/// <summary>
/// Counts what an account is asked and how it answers, on the meter <c>Virga.Accounts</c>:
/// <c>virga.accounts.calls</c> and <c>virga.accounts.duration</c> (seconds; a read's until its stream is disposed) by
/// adapter, operation and outcome ("ok", "cancelled" or a <see cref="FailureKind"/>), and <c>virga.accounts.bytes</c>
/// by adapter and direction ("read", "written"). No names and no paths.
/// </summary>
public sealed class MeteredAccount(IAccount inner, TimeProvider time) : AccountDecorator(inner)
{
    public const string MeterName = "Virga.Accounts";

    private static readonly Meter Meter = new(MeterName);
    private static readonly Counter<long> Calls = Meter.CreateCounter<long>("virga.accounts.calls", "{call}");
    private static readonly Counter<long> Bytes = Meter.CreateCounter<long>("virga.accounts.bytes", "By");
    private static readonly Histogram<double> Duration = Meter.CreateHistogram<double>("virga.accounts.duration", "s");

    private readonly string adapter = inner.Traits.Adapter;

    public override async ValueTask<EntryReader> ReadAsync(
        EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        try
        {
            var reader = await Inner.ReadAsync(path, range, pin, cancellationToken);
            return new EntryReader(reader.Entry, new CountingStream(this, reader.Content, began));
        }
        catch (Exception e)
        {
            Record(AccountOperation.Read, began, e);
            throw;
        }
    }

    protected override async ValueTask<T> CallAsync<T>(
        AccountCall call, Func<CancellationToken, ValueTask<T>> action, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        try
        {
            var result = await action(cancellationToken);
            Record(call.Operation, began, null);
            if (call.Operation is AccountOperation.Write or AccountOperation.WritePart) Count(call.Bytes, "written");
            return result;
        }
        catch (Exception e)
        {
            Record(call.Operation, began, e);
            throw;
        }
    }

    protected override async IAsyncEnumerable<T> ListAsync<T>(
        AccountCall call,
        Func<CancellationToken, IAsyncEnumerable<T>> list,
        Func<T, string> key,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        Exception? failure = null;
        try
        {
            await using var items = list(cancellationToken).GetAsyncEnumerator(cancellationToken);
            while (true)
            {
                try
                {
                    if (!await items.MoveNextAsync()) yield break;
                }
                catch (Exception e)
                {
                    failure = e;
                    throw;
                }
                yield return items.Current;
            }
        }
        finally
        {
            Record(call.Operation, began, failure);
        }
    }

    private void Count(long bytes, string direction) =>
        Bytes.Add(bytes, new("adapter", adapter), new("direction", direction));

    private void Record(AccountOperation operation, long began, Exception? failure)
    {
        var outcome = failure switch
        {
            null => "ok",
            VirgaException known => known.Kind.ToString(),
            OperationCanceledException => "cancelled",
            _ => "bug",
        };
        KeyValuePair<string, object?> adapterTag = new("adapter", adapter);
        KeyValuePair<string, object?> operationTag = new("operation", operation.ToString());
        KeyValuePair<string, object?> outcomeTag = new("outcome", outcome);
        Calls.Add(1, adapterTag, operationTag, outcomeTag);
        Duration.Record(time.GetElapsedTime(began).TotalSeconds, adapterTag, operationTag, outcomeTag);
    }

    private sealed class CountingStream(MeteredAccount account, Stream inner, long began) : AccountReadStream
    {
        private Exception? failure;
        private bool isRecorded;

        public override async ValueTask<int> ReadAsync(
            Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            try
            {
                var count = await inner.ReadAsync(buffer, cancellationToken);
                account.Count(count, "read");
                return count;
            }
            catch (Exception e)
            {
                failure = e;
                throw;
            }
        }

        public override async ValueTask DisposeAsync()
        {
            await inner.DisposeAsync();
            await base.DisposeAsync();
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing) inner.Dispose();
            if (!isRecorded) account.Record(AccountOperation.Read, began, failure);
            isRecorded = true;
            base.Dispose(disposing);
        }
    }
}
