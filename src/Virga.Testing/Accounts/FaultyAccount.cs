using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Virga.Accounts;
using Virga.Accounts.Decorators;
using Virga.Core;

namespace Virga.Testing.Accounts;

/// <summary>Which faults strike, each with its probability per call.</summary>
/// <param name="Seed">Say it in a test's failure: the same seed brings the same faults to the same calls.</param>
public sealed record FaultPlan(ulong Seed)
{
    /// <summary>The call fails and had no effect.</summary>
    public double Before { get; init; } = 0.1;

    /// <summary>A read or a listing breaks after a part of it.</summary>
    public double Middle { get; init; } = 0.1;

    /// <summary>The call took effect, and its answer gets lost.</summary>
    public double After { get; init; } = 0.1;

    /// <summary>A read just ends early, as if that were all.</summary>
    public double Truncate { get; init; }

    /// <summary>The call waits, on the clock that was passed in.</summary>
    public double Delay { get; init; }

    public TimeSpan DelayMax { get; init; } = TimeSpan.FromSeconds(30);

    public IReadOnlyList<FailureKind> Kinds { get; init; } =
        [FailureKind.Unavailable, FailureKind.Timeout, FailureKind.Throttled];

    /// <summary>Faults in a row on one operation and path; then one call comes through.</summary>
    public int InARowMax { get; init; } = 3;

    /// <summary>
    /// Calls whose answer is never lost. An upload that is begun without an answer stays behind for somebody to end,
    /// which is right but not what most tests are about.
    /// </summary>
    public IReadOnlySet<AccountOperation> NeverAfter { get; init; } =
        new HashSet<AccountOperation> { AccountOperation.BeginUpload };
}

/// <summary>
/// Injects faults. Whether a call is struck depends only on the seed, its operation, its path and how often that pair
/// was called before, so that calls on other paths at the same time change nothing.
/// </summary>
public sealed class FaultyAccount(IAccount inner, FaultPlan plan, TimeProvider time) : AccountDecorator(inner)
{
    private enum Fault { None, Before, Middle, After, Truncate }

    private readonly ConcurrentDictionary<(AccountOperation, EntryPath), (int Calls, int InARow)> history = new();
    private long faultCount;

    /// <summary>Faults that struck so far.</summary>
    public long FaultCount => Interlocked.Read(ref faultCount);

    public override async ValueTask<EntryReader> ReadAsync(
        EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken)
    {
        var (fault, chance) = await DecideAsync(AccountOperation.Read, path, cancellationToken);
        if (fault == Fault.Before) throw Failure(path, chance);
        var reader = await Inner.ReadAsync(path, range, pin, cancellationToken);
        if (fault == Fault.None) return reader;
        var until = (long)(Seeded.ToDouble(chance) * range.Length);
        var failure = fault == Fault.Truncate ? null : Failure(path, chance);
        return new EntryReader(reader.Entry, new BreakingStream(reader.Content, until, failure));
    }

    protected override async ValueTask<T> CallAsync<T>(
        AccountCall call, Func<CancellationToken, ValueTask<T>> action, CancellationToken cancellationToken)
    {
        var (fault, chance) = await DecideAsync(call.Operation, call.Path, cancellationToken);
        if (fault == Fault.Before) throw Failure(call.Path, chance);
        var result = await action(cancellationToken);
        if (fault == Fault.None) return result;
        if (result is IAsyncDisposable lost) await lost.DisposeAsync();
        throw Failure(call.Path, chance);
    }

    protected override async IAsyncEnumerable<T> ListAsync<T>(
        AccountCall call,
        Func<CancellationToken, IAsyncEnumerable<T>> list,
        Func<T, string> key,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (fault, chance) = await DecideAsync(call.Operation, call.Path, cancellationToken);
        if (fault == Fault.Before) throw Failure(call.Path, chance);
        var left = fault == Fault.None ? long.MaxValue : (long)(chance % 20);
        await foreach (var item in list(cancellationToken))
        {
            if (left-- <= 0) throw Failure(call.Path, chance);
            yield return item;
        }
        if (left != long.MaxValue && fault != Fault.None) throw Failure(call.Path, chance);
    }

    private async ValueTask<(Fault Fault, ulong Chance)> DecideAsync(
        AccountOperation operation, EntryPath path, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var decided = Fault.None;
        ulong chance = 0;
        var delay = TimeSpan.Zero;
        history.AddOrUpdate((operation, path), _ => Step((0, 0)), (_, before) => Step(before));
        if (delay > TimeSpan.Zero) await Task.Delay(delay, time, cancellationToken);
        if (decided != Fault.None) Interlocked.Increment(ref faultCount);
        return (decided, chance);

        (int Calls, int InARow) Step((int Calls, int InARow) before)
        {
            var random = new Seeded(Seeded.Hash(plan.Seed, $"{operation} {before.Calls} {path}"));
            chance = random.Next();
            delay = random.NextDouble() < plan.Delay ? plan.DelayMax * random.NextDouble() : TimeSpan.Zero;
            decided = before.InARow >= plan.InARowMax ? Fault.None : Draw(operation, random.NextDouble());
            return (before.Calls + 1, decided == Fault.None ? 0 : before.InARow + 1);
        }
    }

    private Fault Draw(AccountOperation operation, double draw)
    {
        if ((draw -= plan.Before) < 0) return Fault.Before;
        var isStream = operation is AccountOperation.Read or AccountOperation.List or AccountOperation.ListUploads;
        if (isStream && (draw -= plan.Middle) < 0) return Fault.Middle;
        if (operation == AccountOperation.Read && (draw -= plan.Truncate) < 0) return Fault.Truncate;
        return !isStream && draw - plan.After < 0 && !plan.NeverAfter.Contains(operation) ? Fault.After : Fault.None;
    }

    private VirgaException Failure(EntryPath path, ulong chance)
    {
        var kind = plan.Kinds[(int)(chance % (ulong)plan.Kinds.Count)];
        return new VirgaException(kind, $"injected fault on '{path}' (seed {plan.Seed})")
        {
            RetryAfter = kind == FailureKind.Throttled ? TimeSpan.FromSeconds(1 + chance % 10) : null,
        };
    }

    /// <summary>Delivers so many bytes, then fails, or just ends where there is no failure.</summary>
    private sealed class BreakingStream(Stream inner, long bytes, VirgaException? failure) : AccountReadStream
    {
        private long left = bytes;

        public override async ValueTask<int> ReadAsync(
            Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (left > 0)
            {
                var count = await inner.ReadAsync(buffer[..(int)Math.Min(buffer.Length, left)], cancellationToken);
                left -= count;
                return count;
            }
            return failure is null ? 0 : throw failure;
        }

        public override async ValueTask DisposeAsync()
        {
            await inner.DisposeAsync();
            await base.DisposeAsync();
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing) inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
