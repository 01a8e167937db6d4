using System.Runtime.CompilerServices;
using Virga.Accounts.Decorators;
using Virga.Core;

namespace Virga.Accounts.Tests;

/// <summary>Fails exactly as the test says, in the order it says.</summary>
internal sealed class ScriptedAccount(IAccount inner) : AccountDecorator(inner)
{
    public Dictionary<AccountOperation, Queue<VirgaException>> Before { get; } = [];

    public Dictionary<AccountOperation, Queue<VirgaException>> After { get; } = [];

    public Queue<long> BreaksReadsAfter { get; init; } = new();

    public Queue<int> BreaksListsAfter { get; init; } = new();

    /// <summary>The first completion's answer gets lost, and the service then knows no such upload.</summary>
    public bool ForgetsCompletion { get; set; }

    public Dictionary<AccountOperation, int> Calls { get; } = [];

    public List<(ByteRange Range, EntryVersion? Pin)> Reads { get; } = [];

    public override async ValueTask<EntryReader> ReadAsync(
        EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken)
    {
        Reads.Add((range, pin));
        var reader = await Inner.ReadAsync(path, range, pin, cancellationToken);
        return BreaksReadsAfter.TryDequeue(out var bytes)
            ? new EntryReader(reader.Entry, new Breaking(reader.Content, bytes))
            : reader;
    }

    protected override async ValueTask<T> CallAsync<T>(
        AccountCall call, Func<CancellationToken, ValueTask<T>> action, CancellationToken cancellationToken)
    {
        Count(call);
        if (Before.GetValueOrDefault(call.Operation)?.TryDequeue(out var before) == true) throw before;
        var result = await action(cancellationToken);
        if (After.GetValueOrDefault(call.Operation)?.TryDequeue(out var after) == true) throw after;
        return result;
    }

    protected override async ValueTask<Entry> CompleteAsync(
        AccountCall call, IUpload upload, IReadOnlyList<PartReceipt> parts, CancellationToken cancellationToken)
    {
        Count(call);
        if (ForgetsCompletion && Calls[call.Operation] > 1)
            throw new VirgaException(FailureKind.NotFound, "no such upload");
        var entry = await upload.CompleteAsync(parts, cancellationToken);
        return ForgetsCompletion ? throw new VirgaException(FailureKind.Timeout, "scripted") : entry;
    }

    protected override async IAsyncEnumerable<T> ListAsync<T>(
        AccountCall call,
        Func<CancellationToken, IAsyncEnumerable<T>> list,
        Func<T, string> key,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Count(call);
        int? breaksAfter = BreaksListsAfter.TryDequeue(out var items) ? items : null;
        var count = 0;
        await foreach (var item in list(cancellationToken))
        {
            if (count++ == breaksAfter) throw new VirgaException(FailureKind.Unavailable, "scripted");
            yield return item;
        }
        if (count == breaksAfter) throw new VirgaException(FailureKind.Unavailable, "scripted");
    }

    private void Count(AccountCall call) => Calls[call.Operation] = Calls.GetValueOrDefault(call.Operation) + 1;

    private sealed class Breaking(Stream inner, long left) : AccountReadStream
    {
        private long left = left;

        public override async ValueTask<int> ReadAsync(
            Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (left == 0) throw new VirgaException(FailureKind.Unavailable, "scripted");
            var count = await inner.ReadAsync(buffer[..(int)Math.Min(buffer.Length, left)], cancellationToken);
            left -= count;
            return count;
        }
    }
}
