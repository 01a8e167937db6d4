using System.Runtime.CompilerServices;
using Virga.Core;

namespace Virga.Accounts.Decorators;

/// <summary>
/// Keeps the calls that run at once within a limit, by default what the traits allow. A read holds its permit until its
/// stream is disposed; a listing only while it fetches, so that its consumer may make calls of its own. One limiter may
/// serve several accounts of one service.
/// </summary>
public sealed class LimitedAccount(IAccount inner, FairLimiter? limiter = null) : AccountDecorator(inner)
{
    private readonly FairLimiter limiter = limiter ?? new FairLimiter(inner.Traits.MaxConcurrency);

    public override AccountTraits Traits { get; } = inner.Traits with
    {
        MaxConcurrency = Math.Min(inner.Traits.MaxConcurrency, limiter?.Permits ?? int.MaxValue),
    };

    public override async ValueTask<EntryReader> ReadAsync(
        EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken)
    {
        var permit = await limiter.EnterAsync(cancellationToken);
        try
        {
            var reader = await Inner.ReadAsync(path, range, pin, cancellationToken);
            return new EntryReader(reader.Entry, new PermitStream(reader.Content, permit));
        }
        catch
        {
            permit.Dispose();
            throw;
        }
    }

    protected override async ValueTask<T> CallAsync<T>(
        AccountCall call, Func<CancellationToken, ValueTask<T>> action, CancellationToken cancellationToken)
    {
        using var permit = await limiter.EnterAsync(cancellationToken);
        return await action(cancellationToken);
    }

    protected override async IAsyncEnumerable<T> ListAsync<T>(
        AccountCall call,
        Func<CancellationToken, IAsyncEnumerable<T>> list,
        Func<T, string> key,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var items = list(cancellationToken).GetAsyncEnumerator(cancellationToken);
        while (true)
        {
            using (await limiter.EnterAsync(cancellationToken))
            {
                if (!await items.MoveNextAsync()) yield break;
            }
            yield return items.Current;
        }
    }

    private sealed class PermitStream(Stream inner, IDisposable permit) : AccountReadStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            inner.ReadAsync(buffer, cancellationToken);

        public override async ValueTask DisposeAsync()
        {
            try
            {
                await inner.DisposeAsync();
            }
            finally
            {
                permit.Dispose();
                await base.DisposeAsync();
            }
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                inner.Dispose();
                permit.Dispose();
            }
            base.Dispose(disposing);
        }
    }
}
