using System.Runtime.ExceptionServices;
using Virga.Accounts;
using Virga.Content;
using Virga.Core;
using Virga.Transfers.Sources;
using Virga.Transfers.Swarm;

namespace Virga.Transfers.Engine;

/// <summary>
/// Fetches missing parts of one file from several holders at once: of what a holder has, the parts that the fewest have
/// are fetched first; the owner is asked for what nobody else has; what is late at the end is raced.
/// </summary>
/// <param name="parts">Missing parts, in order.</param>
/// <param name="regions">Which region of the file a part belongs to.</param>
internal sealed class SwarmFetch(
    TransferJob job, SharedFile file, SwarmUnits units, PartBuffers buffers, IReadOnlyList<long> parts,
    Func<long, Region> regions, EngineLimits limits, BufferPool pool, TimeProvider time)
{
    private const long StashBytesMax = 8 << 20;
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan SentIsLost = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LateLeast = TimeSpan.FromSeconds(1);

    private readonly BlobName blob = file.Blob!.Value;
    private readonly int pieceBytes = job.Content.PieceBytes;
    private readonly int firstPiece = job.Sources.Numbers!.Find(file.Blob!.Value.Root)!.Value.First;
    private readonly Lock gate = new();
    private readonly List<int> unopened = [.. parts.Select(p => (int)p)];
    private readonly List<Item> open = [];
    private readonly HashSet<int> openParts = [];
    private readonly Dictionary<int, (Memory<byte> Buffer, int Length)> stash = [];
    private readonly HashSet<int> claimed = [];
    private readonly Dictionary<string, VirgaException> refusals = new(StringComparer.Ordinal);
    private readonly PartAvailability availability =
        new(units, job.Sources.Numbers!.Find(file.Blob!.Value.Root)!.Value.First);
    private long stashBytes;
    private double usualSeconds;

    /// <summary>Some pieces of an open part that one source is asked for.</summary>
    private sealed class Item(int part, int first, int end)
    {
        public readonly int Part = part;
        public readonly int First = first;
        public readonly int End = end;
        public readonly List<Attempt> Attempts = [];
        public long Opened;
        public bool IsDone;
    }

    private sealed class Attempt(ISource source, long began, CancellationTokenSource stop)
    {
        public readonly ISource Source = source;
        public readonly long Began = began;
        public readonly CancellationTokenSource Stop = stop;
    }

    public async Task RunAsync()
    {
        var running = new List<Task>();
        try
        {
            while (true)
            {
                var news = job.Sources.News;
                if (IsDone()) break;
                var (candidate, item) = running.Count < limits.SwarmReadsInFlight ? await ChooseAsync() : default;
                if (item is not null)
                {
                    running.Add(FetchAsync(candidate!, item));
                }
                else
                {
                    RequireHope(running.Count);
                    var wake = Task.WhenAny([.. running, news]);
                    await Task.WhenAny(wake, Task.Delay(LookAgain, time, buffers.Stopped));
                    buffers.Stopped.ThrowIfCancellationRequested();
                }
                running.RemoveAll(task => task.IsCompleted);
            }
        }
        catch (Exception e)
        {
            buffers.Fail(e);
        }
        await Task.WhenAll(running);
    }

    private bool IsDone()
    {
        lock (gate) return unopened.Count == 0 && open.Count == 0;
    }

    private bool IsRefused(ISource source)
    {
        lock (gate) return refusals.ContainsKey(source.Name);
    }

    /// <summary>Ends the file when every origin refuses it for good and nobody else has what is missing.</summary>
    private void RequireHope(int running)
    {
        if (running > 0) return;
        lock (gate)
        {
            var origins = job.Sources.Origins();
            if (refusals.Count > 0 && origins.TrueForAll(o => refusals.ContainsKey(o.Name)) && !IsAnyHeld())
                ExceptionDispatchInfo.Throw(refusals.Values.Last());
        }
        job.Sources.SayWaiting("nobody who has the rest answers");
    }

    /// <summary>Whether a holder has anything of what is missing.</summary>
    private bool IsAnyHeld()
    {
        var haves = job.Sources.Haves();
        return open.Exists(item => IsHeldIn(haves, item.First, item.End))
            || unopened.Exists(part => IsHeldIn(haves, units.PiecesOf(part).First, units.PiecesOf(part).End));

        bool IsHeldIn(List<PieceSet> sets, int first, int end) => sets.Exists(
            have => Enumerable.Range(firstPiece + first, end - first).Any(have.Contains));
    }

    private async ValueTask<(SourceSet.Candidate? Candidate, Item? Item)> ChooseAsync()
    {
        var candidates = job.Sources.Candidates(IsRefused);
        if (candidates.Count == 0) return default;
        availability.Refresh(job.Sources.Haves());
        foreach (var candidate in candidates)
        {
            var source = candidate.Source;
            var item = Started(source);
            if (item is null && ToOpen(source) is { } part)
            {
                await OpenAsync(part);
                item = Started(source);
            }
            if (item is not null) return Begin(candidate, item);
        }
        foreach (var candidate in candidates)
            if (Late(candidate) is { } late) return Begin(candidate, late);
        return default;
    }

    private (SourceSet.Candidate Candidate, Item Item) Begin(SourceSet.Candidate candidate, Item item)
    {
        job.Sources.Begin(candidate);
        var stop = CancellationTokenSource.CreateLinkedTokenSource(buffers.Stopped);
        lock (gate) item.Attempts.Add(new Attempt(candidate.Source, time.GetTimestamp(), stop));
        return (candidate, item);
    }

    /// <summary>Something of an open part that nobody is asked for yet.</summary>
    private Item? Started(ISource source)
    {
        lock (gate)
        {
            if (!open.Exists(item => item.Attempts.Count == 0 && !item.IsDone)) return null;
            Item? best = null;
            foreach (var item in open)
            {
                if (item.Attempts.Count > 0 || item.IsDone || !MayAsk(source, item)) continue;
                if (best is null || availability.Of(item.Part) < availability.Of(best.Part)) best = item;
            }
            return best;
        }
    }

    private Item NewItem(int part, int first, int end) => new(part, first, end) { Opened = time.GetTimestamp() };

    /// <summary>What the owner has begun to send comes from others soon; if it does not, the owner is asked.</summary>
    private bool MayAsk(ISource source, Item item) => source.IsOrigin
        ? (availability.Of(item.Part) == 0 || !IsHeld(item))
            && (!IsSent(source, item.Part) || open.Count < 2 || time.GetElapsedTime(item.Opened) > SentIsLost)
        : source.Have is { } have && have.ContainsAll(firstPiece + item.First, item.End - item.First);

    /// <summary>Whether a holder has all of it.</summary>
    private bool IsHeld(Item item) => job.Sources.Haves()
        .Exists(have => have.ContainsAll(firstPiece + item.First, item.End - item.First));

    /// <summary>The best part to begin with, where there is room for one more.</summary>
    private int? ToOpen(ISource source)
    {
        if (!buffers.HasRoom) return null;
        lock (gate)
        {
            var isInOrder = job.Target.Traits.PartOrder == PartOrder.Sequence;
            var choice = isInOrder ? unopened.Take(1) : unopened;
            var isShared = !unopened.Exists(p => availability.Of(p) == 0);
            int? best = null;
            var bestRank = (Class: int.MaxValue, Count: int.MaxValue, Chance: ulong.MaxValue);
            var has = source.IsOrigin ? null : availability.PartsOf(source.Have);
            if (!source.IsOrigin && has is null) return null;
            foreach (var part in choice)
            {
                if (has is not null && !has[part]) continue;
                if (stashBytes > StashBytesMax && !stash.ContainsKey(units.PiecesOf(part).First)
                    && !stash.ContainsKey(units.PiecesOf(part).End - 1)) continue;
                if (ClassOf(source, part, isShared) is not { } kind) continue;
                var rank = (kind, availability.Of(part), job.Sources.Mix((ulong)part));
                if (rank.CompareTo(bestRank) >= 0) continue;
                (best, bestRank) = (part, rank);
            }
            return best;
        }
    }

    /// <summary>
    /// How well a part that a source has suits it, 0 best; null where others should be asked. The owner's way out is
    /// what all share: it is asked for what nobody has got from it yet, then for what nobody else has.
    /// </summary>
    /// <param name="isShared">Nothing that is missing is with the owner alone.</param>
    private int? ClassOf(ISource source, int part, bool isShared)
    {
        if (!source.IsOrigin) return 0;
        if (availability.Of(part) > 0) return isShared || open.Count == 0 ? 2 : null;
        return !IsSent(source, part) ? 0 : open.Count < 2 ? 1 : null;
    }

    private bool IsSent(ISource source, int part)
    {
        var (first, end) = units.PiecesOf(part);
        return source.Sent is { } sent && sent.Contains(firstPiece + ((first + end) / 2));
    }

    private async ValueTask OpenAsync(int part)
    {
        var bytes = Math.Min(buffers.PartBytes, file.Entry.Size - part * buffers.PartBytes);
        await buffers.OpenAsync(new ByteRange(part * buffers.PartBytes, bytes));
        var (first, end) = units.PiecesOf(part);
        var ready = new List<(int Piece, Memory<byte> Buffer, int Length)>();
        lock (gate)
        {
            unopened.Remove(part);
            openParts.Add(part);
            var (from, to) = (first, end);
            if (!claimed.Add(from)) from++;
            // The file's last part may have a single piece.
            if (to - 1 > first && !claimed.Add(to - 1)) to--;
            foreach (var piece in new[] { first, end - 1 })
                if (stash.Remove(piece, out var kept)) ready.Add((piece, kept.Buffer, kept.Length));
            stashBytes -= ready.Sum(r => r.Length);
            var most = Math.Max(1, (limits.SwarmRangeBytes / pieceBytes) + 1);
            var items = (to - from + most - 1) / most;
            for (var i = 0; i < items; i++)
                open.Add(NewItem(part, from + ((to - from) * i / items), from + ((to - from) * (i + 1) / items)));
        }
        foreach (var (piece, buffer, length) in ready)
        {
            Deliver(part, (long)piece * pieceBytes, buffer.Span[..length]);
            pool.Return(buffer);
        }
    }

    /// <summary>
    /// What has been asked for and is late, where nothing else is left to ask this source for: it may be faster.
    /// </summary>
    private Item? Late(SourceSet.Candidate candidate)
    {
        lock (gate)
        {
            if (unopened.Count > 0 && buffers.HasRoom) return null;
            Item? latest = null;
            var longest = Math.Max(LateLeast.TotalSeconds, 2 * usualSeconds);
            foreach (var item in open)
            {
                if (item.IsDone || item.Attempts.Count != 1 || item.Attempts[0].Source == candidate.Source) continue;
                var source = candidate.Source;
                var has = source.IsOrigin
                    || (source.Have?.ContainsAll(firstPiece + item.First, item.End - item.First) ?? false);
                var seconds = time.GetElapsedTime(item.Attempts[0].Began).TotalSeconds;
                if (!has || seconds <= longest) continue;
                (latest, longest) = (item, seconds);
            }
            return latest;
        }
    }

    /// <summary>Never throws: what fails for good ends the file.</summary>
    private async Task FetchAsync(SourceSet.Candidate candidate, Item item)
    {
        // Off the chooser's stack.
        await Task.Yield();
        Attempt attempt;
        lock (gate) attempt = item.Attempts[^1];
        var offset = (long)item.First * pieceBytes;
        var length = (int)(Math.Min(blob.Length, (long)item.End * pieceBytes) - offset);
        // An owner's line is for what nobody has from it: it knows better than what it told a moment ago.
        var isFresh = candidate.Source is { IsOrigin: true, Sent: not null }
            && availability.Of(item.Part) == 0 && !IsSent(candidate.Source, item.Part);
        var buffer = pool.Rent(length);
        try
        {
            var data = buffer[..length];
            await job.Sources.RunAsync(
                candidate, length,
                async token =>
                {
                    if (isFresh) await candidate.Source.ReadFreshAsync(blob.Root, offset, data, token);
                    else await candidate.Source.ReadAsync(blob.Root, offset, data, token);
                    job.Status.AddFetched(length);
                },
                () => BlobVerifier.WhyWrong(blob, file.PieceLayer.Span, pieceBytes, offset, data.Span),
                attempt.Stop.Token);
            if (!Win(item, attempt)) return;
            job.Received?.Verified(file, offset, data.Span);
            Take(item, offset, data.Span);
        }
        catch (OperationCanceledException) when (!buffers.Stopped.IsCancellationRequested)
        {
            // Another source was faster.
        }
        catch (VirgaException e) when (SourceSet.IsRefusal(candidate.Source, e))
        {
            lock (gate) refusals[candidate.Source.Name] = e;
        }
        catch (VirgaException)
        {
            // Counted against its source already; the item is asked for elsewhere.
        }
        catch (Exception e)
        {
            buffers.Fail(e);
        }
        finally
        {
            lock (gate) item.Attempts.Remove(attempt);
            attempt.Stop.Dispose();
            pool.Return(buffer);
        }
    }

    /// <summary>True for the first right answer; the others are ended.</summary>
    private bool Win(Item item, Attempt attempt)
    {
        lock (gate)
        {
            if (item.IsDone) return false;
            item.IsDone = true;
            var seconds = time.GetElapsedTime(attempt.Began).TotalSeconds;
            usualSeconds = usualSeconds == 0 ? seconds : (0.9 * usualSeconds) + (0.1 * seconds);
            foreach (var other in item.Attempts.ToArray())
                if (other != attempt) _ = other.Stop.CancelAsync();
            return true;
        }
    }

    /// <summary>Puts an item's bytes where they belong; a piece that lies across two parts is for both.</summary>
    private void Take(Item item, long offset, ReadOnlySpan<byte> data)
    {
        var (first, end) = units.PiecesOf(item.Part);
        if (item.First == first) Share(item.Part - 1, first, data[..Math.Min(pieceBytes, data.Length)]);
        if (item.End == end)
        {
            var at = (int)((long)(end - 1) * pieceBytes - offset);
            Share(item.Part + 1, end - 1, data[at..]);
        }
        Deliver(item.Part, offset, data);
        // Only now: who waits for the last item must find everything delivered.
        lock (gate) open.Remove(item);
    }

    /// <summary>Gives a piece to the neighbour that needs it too, now or when it is opened.</summary>
    private void Share(int neighbour, int piece, ReadOnlySpan<byte> data)
    {
        if (neighbour < 0 || neighbour >= units.Count) return;
        var (first, end) = units.PiecesOf(neighbour);
        if (piece < first || piece >= end) return;
        lock (gate)
        {
            if (!openParts.Contains(neighbour))
            {
                if (!unopened.Contains(neighbour) || stash.ContainsKey(piece)) return;
                var buffer = pool.Rent(data.Length);
                data.CopyTo(buffer.Span);
                stash.Add(piece, (buffer, data.Length));
                stashBytes += data.Length;
                return;
            }
        }
        Deliver(neighbour, (long)piece * pieceBytes, data);
    }

    private void Deliver(int part, long offset, ReadOnlySpan<byte> data)
    {
        var bytes = units.BytesOf(part);
        var from = Math.Max(bytes.Offset, offset);
        var to = Math.Min(bytes.End, offset + data.Length);
        if (from < to) regions(part).Deliver(from, data[(int)(from - offset)..(int)(to - offset)]);
    }
}

/// <summary>How many holders have each part of a file, as far as they have said. For one task at a time.</summary>
internal sealed class PartAvailability(SwarmUnits units, int firstPiece)
{
    private readonly Dictionary<PieceSet, bool[]> known = [];
    private int[] counts = new int[units.Count];

    public int Of(int part) => counts[part];

    /// <summary>Which parts one holder has, as it said last; null where that was not counted yet.</summary>
    public bool[]? PartsOf(PieceSet? have) => have is null ? null : known.GetValueOrDefault(have);

    /// <param name="haves">One a holder; another object when it has something new.</param>
    public void Refresh(List<PieceSet> haves)
    {
        if (haves.Count == known.Count && haves.TrueForAll(known.ContainsKey)) return;
        foreach (var gone in known.Keys.Except(haves).ToList()) known.Remove(gone);
        foreach (var have in haves)
            if (!known.ContainsKey(have)) known.Add(have, PartsIn(have));
        var sum = new int[units.Count];
        foreach (var parts in known.Values)
            for (var part = 0; part < sum.Length; part++) sum[part] += parts[part] ? 1 : 0;
        counts = sum;
    }

    private bool[] PartsIn(PieceSet have)
    {
        var parts = new bool[units.Count];
        for (var part = 0; part < parts.Length; part++)
        {
            var (first, end) = units.PiecesOf(part);
            parts[part] = have.ContainsAll(firstPiece + first, end - first);
        }
        return parts;
    }
}
