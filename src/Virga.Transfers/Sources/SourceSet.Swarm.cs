using Virga.Core;
using Virga.Transfers.Swarm;

namespace Virga.Transfers.Sources;

/// <summary>Several holders at once: who has what, who may be asked now, how each has done.</summary>
public sealed partial class SourceSet
{
    /// <summary>Holders that are asked at once; more would only cost questions.</summary>
    private const int HoldersMax = 6;
    private const int ManyHolders = 4;
    private const int ReadsPerSourceMax = 6;
    private const int FailuresMany = 2;
    private const int PiecesPerSecondOfPause = 1 << 16;

    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RefreshPause = TimeSpan.FromSeconds(1);

    private TaskCompletionSource news = NewSignal();

    /// <summary>A source that may be asked for something now.</summary>
    internal sealed class Candidate
    {
        internal Candidate(ISource source, int running, double rate, object key)
        {
            Source = source;
            Running = running;
            Rate = rate;
            Key = key;
        }

        public ISource Source { get; }

        public int Running { get; }

        public double Rate { get; }

        internal object Key { get; }
    }

    /// <summary>Whether anybody besides the owner is known who may have some of it.</summary>
    public bool IsSwarm
    {
        get
        {
            lock (gate) return numbers is not null && byName.Values.Any(k => !k.Source.IsOrigin && !IsOut(k));
        }
    }

    internal PieceNumbers? Numbers => numbers;

    internal TimeProvider Time => time;

    /// <summary>Completes when a source joined, said what it has, or has room again.</summary>
    internal Task News
    {
        get
        {
            lock (gate) return news.Task;
        }
    }

    /// <summary>
    /// Looks for sources, and asks those that pass on what they receive what they have, until it is cancelled.
    /// </summary>
    public async Task WatchAsync(CancellationToken cancellationToken)
    {
        if (numbers is null) return;
        var watching = new List<Task>();
        try
        {
            while (true)
            {
                await LookQuietlyAsync(cancellationToken);
                lock (gate)
                {
                    foreach (var known in Chosen())
                    {
                        if (known.IsWatched) continue;
                        known.IsWatched = true;
                        watching.Add(WatchAsync(known, cancellationToken));
                    }
                }
                watching.RemoveAll(task => task.IsCompleted);
                await Task.Delay(LookEvery, time, cancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
            // The transfer has ended.
        }
        await Task.WhenAll(watching);
    }

    /// <summary>Looks for sources once, if nobody has yet.</summary>
    internal Task LookFirstAsync(CancellationToken cancellationToken) =>
        lastLook == DateTimeOffset.MinValue ? LookQuietlyAsync(cancellationToken) : Task.CompletedTask;

    /// <summary>
    /// Who may be asked now: an idle origin first, so that there is always something new on its way, then holders, the
    /// least busy first.
    /// </summary>
    /// <param name="isRefused">Sources that said no for good.</param>
    internal List<Candidate> Candidates(Func<ISource, bool> isRefused)
    {
        lock (gate)
        {
            var now = time.GetUtcNow();
            var free = new List<Known>();
            var rank = int.MaxValue;
            var asked = Chosen();
            var least = asked.Count(k => !k.Source.IsOrigin) >= ManyHolders ? 1 : 2;
            foreach (var known in byName.Values)
            {
                if (IsOut(known) || known.PausedUntil > now || isRefused(known.Source)) continue;
                if (known.Source.IsOrigin) rank = Math.Min(rank, known.Source.Rank);
                else if (!asked.Contains(known)) continue;
                free.Add(known);
            }
            return
            [
                .. free.Where(k => k.Running < ReadsAtOnce(k, least) && (!k.Source.IsOrigin || k.Source.Rank == rank))
                    .OrderBy(k => !k.Source.IsOrigin ? 1 : k.Running == 0 ? 0 : 2)
                    .ThenBy(k => k.Running).ThenByDescending(k => k.Rate)
                    .Select(k => new Candidate(k.Source, k.Running, k.Rate, k)),
            ];
        }
    }

    /// <summary>What holders have, but for those that don't answer: for the count of who has what.</summary>
    internal List<PieceSet> Haves()
    {
        lock (gate)
        {
            var now = time.GetUtcNow();
            var here = byName.Values.Where(
                k => !k.Source.IsOrigin && !IsOut(k) && (k.PausedUntil <= now || k.Failures < FailuresMany));
            return [.. here.Select(k => k.Source.Have).OfType<PieceSet>()];
        }
    }

    /// <summary>Origins that are known and were not dropped.</summary>
    internal List<ISource> Origins()
    {
        lock (gate) return [.. byName.Values.Where(k => k.Source.IsOrigin && !IsOut(k)).Select(k => k.Source)];
    }

    /// <summary>Runs one read that was chosen; every failure is counted against its source, and thrown.</summary>
    /// <param name="check">Null when the bytes are right, else what is wrong with them.</param>
    /// <exception cref="VirgaException">Corrupt when they are not: the source is dropped.</exception>
    internal async Task RunAsync(
        Candidate candidate, long bytes, Func<CancellationToken, Task> read, Func<string?> check,
        CancellationToken cancellationToken)
    {
        var known = (Known)candidate.Key;
        var pauses = known.Pauses;
        var began = time.GetTimestamp();
        try
        {
            await read(cancellationToken);
            if (!known.Source.IsVerified && check() is { } wrong)
            {
                Drop(known, wrong);
                throw new VirgaException(FailureKind.Corrupt, wrong);
            }
            lock (gate)
            {
                known.Bytes += bytes;
                known.Failures = 0;
                Waiting = null;
                Measure(known, bytes, time.GetElapsedTime(began));
            }
        }
        catch (VirgaException e) when (e.Kind == FailureKind.NotFound && !known.Source.IsOrigin)
        {
            lock (gate) known.PauseUntil(time.GetUtcNow() + PauseMin);
            throw;
        }
        catch (VirgaException e) when (e.Kind == FailureKind.Conflict && known.Source.IsOrigin)
        {
            // Another has it: no failure.
            throw;
        }
        catch (VirgaException e) when (known.Dropped is null && !IsRefusal(known.Source, e))
        {
            Pause(known, pauses, e);
            throw;
        }
        finally
        {
            lock (gate) known.Running--;
            Tell();
        }
    }

    /// <summary>Counts a read before it runs, so that no other takes its place.</summary>
    internal void Begin(Candidate candidate)
    {
        lock (gate) ((Known)candidate.Key).Running++;
    }

    /// <summary>An origin's no, which asking again doesn't change.</summary>
    internal static bool IsRefusal(ISource source, VirgaException e) =>
        source.IsOrigin && e.Kind is FailureKind.Changed or FailureKind.Denied or FailureKind.NotFound;

    internal void SayWaiting(string? why)
    {
        lock (gate) Waiting = why;
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Tell()
    {
        TaskCompletionSource signal;
        lock (gate) (signal, news) = (news, NewSignal());
        signal.TrySetResult();
    }

    /// <summary>As many as hide the wait for the first byte; from a near source one after the other will do.</summary>
    private static int ReadsAtOnce(Known known, int least)
    {
        least = known.Source.IsOrigin ? least : 2;
        var flow = 1 - Math.Clamp(known.Source.WaitShare, 0, 0.9);
        return Math.Clamp((int)(least / flow), least, ReadsPerSourceMax);
    }

    private static void Measure(Known known, long bytes, TimeSpan took)
    {
        if (took <= TimeSpan.Zero) return;
        var rate = bytes / took.TotalSeconds;
        known.Rate = known.Rate == 0 ? rate : (0.7 * known.Rate) + (0.3 * rate);
    }

    /// <summary>Dropped, or banned by what it did to another transfer.</summary>
    private bool IsOut(Known known)
    {
        if (known.Dropped is not null) return true;
        if (bans is null || known.Source.Agent is not { } agent || bans.WhyBanned(agent) is not { } why) return false;
        known.Dropped = why;
        return true;
    }

    /// <summary>All origins, and the holders that this receiver asks: another choice for each receiver.</summary>
    private HashSet<Known> Chosen()
    {
        var now = time.GetUtcNow();
        var holders = byName.Values
            .Where(k => !k.Source.IsOrigin && !IsOut(k) && (k.PausedUntil <= now || k.Running > 0))
            .OrderBy(k => Mix(NumberOf(k.Source.Name)))
            .Take(HoldersMax);
        return [.. byName.Values.Where(k => k.Source.IsOrigin && !IsOut(k)), .. holders];
    }

    /// <summary>Spreads numbers evenly, differently for each seed (the finaliser of SplitMix64).</summary>
    internal ulong Mix(ulong value)
    {
        var x = value + seed + 0x9E3779B97F4A7C15;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }

    /// <summary>FNV-1a: the same in every run.</summary>
    private static ulong NumberOf(string name)
    {
        var number = 0xCBF29CE484222325;
        foreach (var c in name) number = (number ^ c) * 0x100000001B3;
        return number;
    }

    private async Task LookQuietlyAsync(CancellationToken cancellationToken)
    {
        try
        {
            var before = byName.Count;
            await LookAsync(cancellationToken);
            if (byName.Count != before) Tell();
        }
        catch (VirgaException e)
        {
            log?.Invoke($"looking for sources: {e.Message}");
        }
    }

    private async Task WatchAsync(Known known, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                lock (gate)
                {
                    if (IsOut(known) || (!known.Source.IsOrigin && !Chosen().Contains(known))) return;
                }
                var pause = RefreshPause + TimeSpan.FromSeconds(numbers!.Total / (double)PiecesPerSecondOfPause);
                if (IsSwarm)
                {
                    try
                    {
                        await known.Source.RefreshAsync(numbers, cancellationToken);
                        Tell();
                    }
                    catch (VirgaException e) when (known.Source.IsOrigin)
                    {
                        // It may know nothing of swarms: it is asked for what nobody else has all the same.
                        log?.Invoke($"{known.Source.Name} does not say what it has sent: {e.Message}");
                        pause += TimeSpan.FromSeconds(10);
                    }
                    catch (VirgaException e)
                    {
                        Pause(known, known.Pauses, e);
                    }
                }
                await Task.Delay(pause, time, cancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
            // The transfer has ended.
        }
        finally
        {
            lock (gate) known.IsWatched = false;
        }
    }
}
