using Virga.Core;
using Virga.Protocol;
using Virga.Transfers.Swarm;

namespace Virga.Transfers.Sources;

/// <summary>How one source has done so far.</summary>
/// <param name="Dropped">Why it is no longer asked; null while it is.</param>
/// <param name="BytesPerSecond">Of one read, as measured lately.</param>
public sealed record SourceReport(
    string Name, long Bytes, string? Dropped, double BytesPerSecond = 0, bool IsOrigin = true, AgentId? Agent = null);

/// <summary>
/// The sources of one transfer: picks the one to ask, pauses those that fail, drops those that lie, and looks for
/// more when none is left. A source that delivered a wrong leaf is never asked again in this transfer.
/// </summary>
/// <param name="bans">Who lied to any transfer of this agent, lately.</param>
/// <param name="seed">Another for each receiver, so that they begin with different pieces.</param>
/// <param name="numbers">Of the share's pieces; null where nobody is asked which of them it has.</param>
public sealed partial class SourceSet(
    ISourceFinder finder, TimeProvider time, Action<string>? log = null, PieceNumbers? numbers = null,
    BanList? bans = null, ulong seed = 0)
{
    private static readonly TimeSpan PauseMin = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan PauseMax = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(2);

    private readonly Lock gate = new();
    private readonly SemaphoreSlim looking = new(1, 1);
    private readonly Dictionary<string, Known> byName = new(StringComparer.Ordinal);
    private DateTimeOffset lastLook = DateTimeOffset.MinValue;
    private int lookPause;

    private sealed class Known(ISource source)
    {
        public ISource Source = source;
        public long Bytes;
        public int Running;
        public int Failures;
        /// <summary>Counts the pauses: reads that began before one and fail after it are of the same failure.</summary>
        public int Pauses;
        public DateTimeOffset PausedUntil { get; private set; }
        public string? LastProblem;
        public string? Dropped;
        /// <summary>Bytes a second of one read, as measured lately; 0 before the first.</summary>
        public double Rate;
        public bool IsWatched;

        public void PauseUntil(DateTimeOffset end) => PausedUntil = end > PausedUntil ? end : PausedUntil;
    }

    /// <summary>One plain sentence while nobody can be asked; null while somebody can.</summary>
    public string? Waiting { get; private set; }

    /// <summary>The longest way among the sources in use; see <see cref="ISource.WaitShare"/>.</summary>
    public double WaitShare
    {
        get
        {
            lock (gate)
            {
                var asked = byName.Values.Where(k => k.Dropped is null);
                return asked.Select(k => k.Source.WaitShare).DefaultIfEmpty(0).Max();
            }
        }
    }

    /// <summary>Whether a source in use is far; see <see cref="ISource.IsFar"/>.</summary>
    public bool IsFar
    {
        get
        {
            lock (gate) return byName.Values.Any(k => k.Dropped is null && k.Source.IsFar);
        }
    }

    public IReadOnlyList<SourceReport> Report()
    {
        lock (gate)
        {
            return
            [
                .. byName.Values.Select(
                    k => new SourceReport(
                        k.Source.Name, Volatile.Read(ref k.Bytes), k.Dropped, k.Rate, k.Source.IsOrigin,
                        k.Source.Agent)),
            ];
        }
    }

    /// <summary>
    /// Runs a read against one source after the other until one delivers what <paramref name="check"/> accepts.
    /// Waits, and looks for more sources, as long as it takes; ends early only when asking again can't help: every
    /// source says Changed, Denied or NotFound.
    /// </summary>
    /// <param name="check">Null when the bytes are right, else what is wrong with them.</param>
    /// <param name="ranges">What is read; only origins are asked where it isn't said.</param>
    public async Task ReadAsync(
        long bytes, Func<ISource, CancellationToken, Task> read, Func<string?> check,
        CancellationToken cancellationToken, IReadOnlyList<BlobRange>? ranges = null)
    {
        var refusals = new Dictionary<string, VirgaException>(StringComparer.Ordinal);
        while (true)
        {
            var (known, pauses) = await PickAsync(refusals, ranges, cancellationToken);
            var began = time.GetTimestamp();
            try
            {
                await read(known.Source, cancellationToken);
                if (!known.Source.IsVerified && check() is { } wrong)
                {
                    Drop(known, wrong);
                    continue;
                }
                lock (gate)
                {
                    known.Bytes += bytes;
                    known.Failures = 0;
                    Measure(known, bytes, time.GetElapsedTime(began));
                    Waiting = null;
                }
                return;
            }
            catch (VirgaException e) when (known.Source.IsOrigin
                && e.Kind is FailureKind.Changed or FailureKind.Denied or FailureKind.NotFound)
            {
                refusals[known.Source.Name] = e;
            }
            catch (VirgaException e) when (e.Kind == FailureKind.NotFound)
            {
                // It had it a moment ago, and told so: that is no fault.
                known.PauseUntil(time.GetUtcNow() + PauseMin);
            }
            catch (VirgaException e)
            {
                Pause(known, pauses, e);
            }
            finally
            {
                lock (gate) known.Running--;
            }
        }
    }

    private async Task<(Known Known, int Pauses)> PickAsync(
        Dictionary<string, VirgaException> refusals, IReadOnlyList<BlobRange>? ranges,
        CancellationToken cancellationToken)
    {
        while (true)
        {
            TimeSpan wait;
            lock (gate)
            {
                var now = time.GetUtcNow();
                Known? best = null;
                var soonest = DateTimeOffset.MaxValue;
                var others = 0;
                foreach (var known in byName.Values)
                {
                    if (IsOut(known) || refusals.ContainsKey(known.Source.Name)) continue;
                    if (!Has(known.Source, ranges)) continue;
                    others++;
                    if (known.PausedUntil > now) soonest = known.PausedUntil < soonest ? known.PausedUntil : soonest;
                    else if (best is null || IsBetter(known, best)) best = known;
                }
                if (best is not null)
                {
                    best.Running++;
                    return (best, best.Pauses);
                }
                var hasLooked = lastLook != DateTimeOffset.MinValue;
                if (others == 0 && refusals.Count > 0 && hasLooked) throw refusals.Values.Last();
                wait = soonest == DateTimeOffset.MaxValue ? TimeSpan.Zero : soonest - now;
                Waiting = byName.Count == 0
                    ? "looking for somebody who has it"
                    : "nobody who has it answers: " + string.Join("; ", byName.Values.Select(
                        k => $"{k.Source.Name}: {k.Dropped ?? k.LastProblem}"));
            }
            await LookAsync(cancellationToken);
            lock (gate)
            {
                var now = time.GetUtcNow();
                if (byName.Values.Any(k => k.Dropped is null && k.PausedUntil <= now && Has(k.Source, ranges)
                    && !refusals.ContainsKey(k.Source.Name))) continue;
            }
            if (wait <= TimeSpan.Zero || wait > LookAgain) wait = LookAgain;
            await Task.Delay(wait, time, cancellationToken);
        }
    }

    /// <summary>Whether a source has all of some ranges, as far as it has said.</summary>
    private bool Has(ISource source, IReadOnlyList<BlobRange>? ranges)
    {
        if (source.IsOrigin) return true;
        if (ranges is null || numbers is null || source.Have is not { } have) return false;
        foreach (var (root, range) in ranges)
        {
            var (first, count) = numbers.Of(root, range.Offset, range.Length);
            if (!have.ContainsAll(first, count)) return false;
        }
        return true;
    }

    private static bool IsBetter(Known known, Known best) =>
        known.Source.Rank != best.Source.Rank ? known.Source.Rank < best.Source.Rank : known.Running < best.Running;

    /// <summary>One look at a time, with growing pauses between looks that find nothing new.</summary>
    private async Task LookAsync(CancellationToken cancellationToken)
    {
        await looking.WaitAsync(cancellationToken);
        try
        {
            var pause = TimeSpan.FromSeconds(Math.Min(30, 1 << Math.Min(lookPause, 5)));
            if (lastLook != DateTimeOffset.MinValue && time.GetUtcNow() - lastLook < pause) return;
            var found = await finder.FindAsync(cancellationToken);
            lock (gate)
            {
                lastLook = time.GetUtcNow();
                var news = 0;
                foreach (var source in found)
                {
                    if (byName.TryAdd(source.Name, new Known(source))) news++;
                    else if (!ReferenceEquals(byName[source.Name].Source, source)) (source as IDisposable)?.Dispose();
                }
                lookPause = news > 0 ? 0 : lookPause + 1;
            }
        }
        finally
        {
            looking.Release();
        }
    }

    private void Pause(Known known, int pauses, VirgaException e)
    {
        lock (gate)
        {
            var now = time.GetUtcNow();
            if (known.Pauses != pauses)
            {
                if (e.RetryAfter is { } asked) known.PauseUntil(now + Shorter(asked, PauseMax));
                return;
            }
            known.Pauses++;
            known.Failures++;
            known.LastProblem = e.Message;
            var pause = e.RetryAfter ?? PauseMin * Math.Pow(2, Math.Min(known.Failures - 1, 10));
            known.PauseUntil(now + Shorter(pause, PauseMax));
        }
        log?.Invoke($"source {known.Source.Name} failed: {e.Message}");
    }

    private static TimeSpan Shorter(TimeSpan a, TimeSpan b) => a < b ? a : b;

    private void Drop(Known known, string why)
    {
        var who = known.Source.Agent is { } agent ? $"{agent} " : "";
        lock (gate)
        {
            // Several reads may have found out at once: the first is what is told.
            if (known.Dropped is not null) return;
            known.Dropped = who + why;
        }
        if (known.Source.Agent is { } liar) bans?.Add(liar, known.Dropped);
        log?.Invoke($"source {known.Source.Name} dropped: {why}");
    }
}
