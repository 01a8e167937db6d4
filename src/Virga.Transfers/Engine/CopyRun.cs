using System.Collections.Concurrent;
using Virga.Accounts;
using Virga.Content;
using Virga.Core;
using Virga.Protocol;
using Virga.Transfers.Journal;

namespace Virga.Transfers.Engine;

/// <summary>
/// Has the service of the target copy what an owner opens to it, before anything is fetched: opens some entries, copies
/// and checks them while the next are opened, closes them. Whatever can't be had that way is left to the other routes;
/// only what ends the whole transfer is thrown.
/// </summary>
internal sealed class CopyRun(
    TransferJob job, CopyRoute route, ICopyFromOthers target, EngineLimits limits, JournalState state)
{
    private const int OpenTriesMax = 8;
    private const int LookedAtOneByOne = 8;
    private const int ListedForEach = 25;
    private static readonly TimeSpan OpenPauseMax = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan EndsTooSoon = TimeSpan.FromSeconds(30);

    /// <summary>A policy that has just been written is not known everywhere in a large service at once.</summary>
    private static readonly TimeSpan[] DeniedPauses =
        [.. new[] { 200, 400, 800, 1600, 3200 }.Select(ms => TimeSpan.FromMilliseconds(ms))];

    /// <summary>How often what an opening was too short for is opened anew: an object of 5 TB takes hours.</summary>
    private const int AgainMax = 200;

    private readonly ConcurrentDictionary<int, bool> done = [];
    private readonly ConcurrentQueue<Hash256> again = new();
    private readonly CopyFile copying = new(job, route, target, limits, state);

    /// <summary>Whether the offer has let anything be copied yet: then a refusal is no matter of waiting.</summary>
    private volatile bool hasCopied;

    /// <summary>Why an offer is no longer used; null while it is.</summary>
    private volatile string? problem;

    /// <summary>One line for each offer that could not be used to its end.</summary>
    public List<TransferNote> Notes { get; } = [];

    /// <summary>The indices of the files that are there, copied and checked.</summary>
    public async Task<IReadOnlySet<int>> RunAsync(IReadOnlyList<SharedFile> files, CancellationToken cancellationToken)
    {
        // What was begun from sources goes on from there.
        var left = files.Where(f => f.Blob is not null
            && (!state.Uploads.ContainsKey(f.Index) || state.Copies.ContainsKey(f.Index))).ToList();
        if (left.Count > 0) await CopyAllAsync(left, cancellationToken);
        foreach (var file in files.Where(f => copying.HasBegun(f) && !done.ContainsKey(f.Index)))
            await copying.DropAsync(file, cancellationToken);
        return done.Keys.ToHashSet();
    }

    private async Task CopyAllAsync(List<SharedFile> left, CancellationToken cancellationToken)
    {
        try
        {
            var offers = await route.Finder.FindAsync(target.Service, cancellationToken);
            if (offers.Count == 0) return;
            var principal = await target.GetPrincipalAsync(cancellationToken);
            foreach (var offer in offers)
            {
                (hasCopied, problem) = (false, null);
                await UseAsync(offer, principal, left, cancellationToken);
                left.RemoveAll(f => done.ContainsKey(f.Index));
                if (problem is not null && left.Count > 0) Note($"{offer.Name}: {problem}", left.Count);
                if (left.Count == 0) return;
            }
        }
        catch (VirgaException e) when (e != copying.TargetFailure)
        {
            Note(e.Message, left.Count);
        }
    }

    private void Note(string why, int files)
    {
        var what = files == 1 ? "1 file was" : $"{files:N0} files were";
        Notes.Add(new TransferNote("", $"{what} not copied inside the service: {why}"));
    }

    private async Task UseAsync(
        ICopyOffer offer, string principal, List<SharedFile> left, CancellationToken cancellationToken)
    {
        var queue = new Queue<Hash256>(left.Select(f => f.Blob!.Value.Root).Distinct());
        var byRoot = left.ToLookup(f => f.Blob!.Value.Root);
        var finished = new List<string>();
        var next = OpenNextAsync();
        try
        {
            for (var round = 0; round <= AgainMax; round++)
            {
                while (await next is { } opening)
                {
                    next = OpenNextAsync();
                    try
                    {
                        await CopyAsync(opening, byRoot, cancellationToken);
                    }
                    finally
                    {
                        lock (finished) finished.Add(opening.Id);
                    }
                }
                while (again.TryDequeue(out var root)) queue.Enqueue(root);
                if (queue.Count == 0) break;
                next = OpenNextAsync();
            }
        }
        catch (VirgaException e) when (e != copying.TargetFailure && !cancellationToken.IsCancellationRequested)
        {
            problem ??= e.Message;
        }
        finally
        {
            await CloseAsync(offer, principal, next, finished);
        }

        async Task<CopiesAnswer?> OpenNextAsync()
        {
            if (queue.Count == 0 || problem is not null) return null;
            var roots = queue.Take(CopiesRequest.RootsMax).ToList();
            string[] over;
            lock (finished) over = [.. finished.Take(CopiesRequest.DoneMax)];
            var answer = await OpenAsync(offer, over, principal, roots, cancellationToken);
            lock (finished) finished.RemoveRange(0, over.Length);
            var opened = answer.Sources.Select(s => s.Root).ToHashSet();
            // None of them, with room enough: their names or versions don't allow it, and asking again doesn't either.
            var rest = opened.Count == 0 ? [] : roots.Where(root => !opened.Contains(root));
            var others = queue.Skip(roots.Count).ToList();
            queue.Clear();
            foreach (var root in rest.Concat(others)) queue.Enqueue(root);
            if (opened.Count > 0 || queue.Count == 0) return answer;
            lock (finished) finished.Add(answer.Id);
            return await OpenNextAsync();
        }
    }

    /// <summary>Waits for an owner that is busy or just starting again, but not for long: others may have it.</summary>
    private async Task<CopiesAnswer> OpenAsync(
        ICopyOffer offer, string[] over, string principal, List<Hash256> roots, CancellationToken cancellationToken)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                return await offer.OpenAsync(over, principal, roots, cancellationToken);
            }
            catch (VirgaException e) when (
                tries < OpenTriesMax && (e.IsTransient || e.Kind == FailureKind.Full) && problem is null)
            {
                var pause = e.RetryAfter ?? TimeSpan.FromMilliseconds(250 << Math.Min(tries, 6));
                await Task.Delay(pause < OpenPauseMax ? pause : OpenPauseMax, route.Time, cancellationToken);
            }
        }
    }

    private async Task CopyAsync(
        CopiesAnswer opening, ILookup<Hash256, SharedFile> byRoot, CancellationToken cancellationToken)
    {
        // The longest first, so that none is left alone at the end.
        var work = opening.Sources
            .SelectMany(
                source => byRoot[source.Root],
                (source, file) => (
                    File: file,
                    Source: new CopySource(source.Container, source.Name, new EntryVersion(source.Match))))
            .DistinctBy(item => item.File.Index).OrderByDescending(item => item.File.Entry.Size).ToList();
        // A short one alone before all others: if it is refused, so are they, and it is waited for once.
        var copied = new ConcurrentBag<Copied>();
        if (!hasCopied && work.Count > 0)
        {
            var (file, source) = work[^1];
            work.RemoveAt(work.Count - 1);
            await CopyAsync(file, source, opening.Expires, copied, cancellationToken);
        }
        var options = new ParallelOptions
        {
            MaxDegreeOfParallelism = Math.Max(1, job.Target.Traits.MaxConcurrency),
            CancellationToken = cancellationToken,
        };
        await Parallel.ForEachAsync(work, options, async (item, token) =>
        {
            if (problem is null) await CopyAsync(item.File, item.Source, opening.Expires, copied, token);
        });
        var known = await LookAsync(copied, cancellationToken);
        await Parallel.ForEachAsync(copied, options, async (item, token) =>
            await CheckAsync(item with { Copy = known.GetValueOrDefault(item.Copy.Path, item.Copy) }, token));
    }

    private sealed record Copied(SharedFile File, CopySource Source, Entry Copy);

    /// <summary>
    /// The copies whose lengths nobody has told, found in one listing where that is cheaper than to look at each.
    /// </summary>
    private async Task<Dictionary<EntryPath, Entry>> LookAsync(
        IReadOnlyCollection<Copied> copied, CancellationToken cancellationToken)
    {
        var found = new Dictionary<EntryPath, Entry>();
        var sought = copied.Where(c => c.Copy.Length < 0).ToDictionary(c => c.Copy.Path, c => c.Copy.Version);
        if (sought.Count < LookedAtOneByOne || job.Target.Find<IRecursiveListing>() is not { } listing) return found;
        var left = sought.Count * ListedForEach;
        try
        {
            await foreach (var entry in listing.ListAllAsync(job.Folder, null, cancellationToken))
            {
                if (sought.TryGetValue(entry.Path, out var version) && entry.Version == version)
                    found[entry.Path] = entry;
                if (found.Count == sought.Count || left-- == 0) break;
            }
        }
        catch (VirgaException e) when (e.Kind == FailureKind.NotFound)
        {
            // Nothing was copied, or it is gone again: each is looked at.
        }
        return found;
    }

    private async Task CheckAsync(Copied item, CancellationToken cancellationToken)
    {
        try
        {
            var (how, compared) = await copying.CheckAsync(item.File, item.Source, item.Copy, cancellationToken);
            done[item.File.Index] = true;
            job.Status.AddCopied(item.File.Entry.Size, how, compared);
        }
        // Not the pinned version: what was shared may still be had from the agent.
        catch (VirgaException e) when (e.Kind is FailureKind.Changed or FailureKind.NotFound)
        {
        }
        catch (VirgaException e)
        {
            problem ??= e.Message;
        }
    }

    private async Task CopyAsync(
        SharedFile file, CopySource source, DateTimeOffset expires, ConcurrentBag<Copied> copied,
        CancellationToken cancellationToken)
    {
        if (done.ContainsKey(file.Index)) return;
        for (var tries = 0; ; tries++)
        {
            try
            {
                copied.Add(new Copied(file, source, await copying.CopyAsync(file, source, cancellationToken)));
                hasCopied = true;
                return;
            }
            catch (VirgaException e) when (e.Kind == FailureKind.Denied)
            {
                var isWorthWaiting = tries < DeniedPauses.Length && (!hasCopied || tries == 0)
                    && expires - route.Time.GetUtcNow() > EndsTooSoon;
                if (!isWorthWaiting)
                {
                    if (!hasCopied) problem ??= $"the service refuses: {e.Message}";
                    // Its time was over: parts that are there already are kept until it is open again.
                    else if (expires - route.Time.GetUtcNow() <= EndsTooSoon) again.Enqueue(file.Blob!.Value.Root);
                    return;
                }
                await Task.Delay(DeniedPauses[tries], route.Time, cancellationToken);
            }
            // The agent knows more of it: that it was changed, and how to share it again.
            catch (VirgaException e) when (e.Kind is FailureKind.Changed or FailureKind.NotFound)
            {
                return;
            }
            catch (VirgaException e) when (e != copying.TargetFailure)
            {
                problem ??= e.Message;
                return;
            }
        }
    }

    /// <summary>What isn't closed here ends by itself.</summary>
    private async Task CloseAsync(ICopyOffer offer, string principal, Task<CopiesAnswer?> next, List<string> finished)
    {
        using var limit = new CancellationTokenSource(CloseTimeout, route.Time);
        try
        {
            if (await next.WaitAsync(limit.Token) is { } opened) finished.Add(opened.Id);
        }
        catch (Exception e) when (e is VirgaException or OperationCanceledException)
        {
            problem ??= (e as VirgaException)?.Message;
        }
        try
        {
            foreach (var ids in finished.Distinct(StringComparer.Ordinal).Chunk(CopiesRequest.DoneMax))
                await offer.OpenAsync(ids, principal, [], limit.Token);
        }
        catch (Exception e) when (e is VirgaException or OperationCanceledException)
        {
        }
    }
}
