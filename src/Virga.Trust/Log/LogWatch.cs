using Virga.Core;

namespace Virga.Trust.Log;

/// <summary>What came of looking at a checkpoint.</summary>
public enum LogVerdict
{
    /// <summary>The first one that is seen of this log: taken on trust, and held to from now on.</summary>
    First,

    /// <summary>The head that is known already.</summary>
    Same,

    /// <summary>The log has grown, and has kept everything that it had.</summary>
    Grown,

    /// <summary>An older head, from which the known one has grown. Nothing is proven by it alone.</summary>
    Older,

    /// <summary>The repository is proven a liar; it must not be used any more.</summary>
    Breach,
}

/// <param name="Breach">The proof, where the verdict is a breach.</param>
public sealed record LogSighting(LogVerdict Verdict, LogBreach? Breach = null);

/// <summary>
/// Watches one repository's log for its reader: holds on to the newest checkpoint that was seen, accepts another only
/// if the tiles show that both are one history, and makes a proof if they show two. Pure but for what it fetches; for
/// one caller at a time. The caller keeps <see cref="Newest"/> durably.
/// </summary>
/// <param name="newest">The newest checkpoint that was accepted before; null for none.</param>
public sealed class LogWatch(Sigchain repository, SignedCheckpoint? newest = null)
{
    private LogReader? reader;

    /// <summary>The repository's chain; a newer one takes its place when its keys change.</summary>
    public Sigchain Repository { get; set; } = repository;

    /// <summary>Null until the first was seen.</summary>
    public SignedCheckpoint? Newest { get; private set; } = newest;

    /// <summary>The proof, once there is one. From then on nothing is accepted.</summary>
    public LogBreach? Breach { get; private set; }

    /// <summary>Fetches the checkpoint that the repository shows now, and looks at it.</summary>
    /// <inheritdoc cref="SeeAsync(byte[], LogFetch, CancellationToken)"/>
    public async ValueTask<LogSighting> RefreshAsync(LogFetch fetch, CancellationToken cancellationToken)
    {
        var note = await fetch("checkpoint", cancellationToken) ?? throw new VirgaException(FailureKind.NotFound,
            $"{Repository.Id} shows no checkpoint of its log", "Use another repository, or try again later.");
        return await SeeAsync(note, fetch, cancellationToken);
    }

    /// <summary>Looks at a checkpoint, from the repository itself or from anybody who has seen it.</summary>
    /// <exception cref="VirgaException">
    /// BadInput or Unauthenticated: it is no checkpoint of this log. Corrupt or NotFound: the repository's tiles are
    /// damaged, missing, or another history's, so that nothing can be told; the newest stays as it was.
    /// </exception>
    public async ValueTask<LogSighting> SeeAsync(byte[] note, LogFetch fetch, CancellationToken cancellationToken)
    {
        if (Breach is not null) return new LogSighting(LogVerdict.Breach, Breach);
        return await SeeAsync(SignedCheckpoint.Open(note, LogIdentity.Of(Repository)), fetch, cancellationToken);
    }

    /// <summary>As above, of a checkpoint that was opened, perhaps with a key that is valid no more.</summary>
    /// <inheritdoc cref="SeeAsync(byte[], LogFetch, CancellationToken)"/>
    public async ValueTask<LogSighting> SeeAsync(
        SignedCheckpoint seen, LogFetch fetch, CancellationToken cancellationToken)
    {
        if (Breach is not null) return new LogSighting(LogVerdict.Breach, Breach);
        // Without its time a head would not bind the log, and anybody on the way can take the time off.
        if (seen.Time is null)
            throw SignedNote.Bad($"the checkpoint of {seen.Head.Origin} does not say of what time it is");
        if (Newest is null)
        {
            Newest = seen;
            return new LogSighting(LogVerdict.First);
        }

        var isOlder = seen.Head.Size < Newest.Head.Size;
        // Its own word is enough, and the tiles of the larger one may be gone with it.
        if (IsRewind(Newest, seen)) return Prove(LogBreachKind.Rewind, Newest.Note, seen.Note, []);
        if (IsRewind(seen, Newest)) return Prove(LogBreachKind.Rewind, seen.Note, Newest.Note, []);
        var (smaller, larger) = isOlder ? (seen, Newest) : (Newest, seen);
        if (!await IsOneHistoryAsync(smaller, larger, fetch, cancellationToken))
            return new LogSighting(LogVerdict.Breach, Breach);
        if (isOlder) return new LogSighting(LogVerdict.Older);
        if (seen.Head.Size == Newest.Head.Size)
        {
            // The later of two equal heads binds the log for longer.
            if (seen.Time >= Newest.Time) Newest = seen;
            return new LogSighting(LogVerdict.Same);
        }

        Newest = seen;
        return new LogSighting(LogVerdict.Grown);
    }

    /// <summary>
    /// Looks where the newest checkpoint has the entry that was promised a place there.
    /// </summary>
    /// <returns>Same where it stands there; Older where the checkpoint may be older; or a breach.</returns>
    /// <inheritdoc cref="SeeAsync(byte[], LogFetch, CancellationToken)"/>
    public async ValueTask<LogSighting> HoldToAsync(
        byte[] promise, LogFetch fetch, CancellationToken cancellationToken)
    {
        if (Breach is not null) return new LogSighting(LogVerdict.Breach, Breach);
        var note = SignedNote.Parse(promise);
        var place = LogPromise.Open(promise, LogIdentity.Ever(Repository));
        if (Newest is null) return new LogSighting(LogVerdict.Older);
        if (Newest.Head.Size <= place.Index)
            return place.Time < Newest.Time ? Prove(LogBreachKind.Dropped, note, Newest.Note, [])
                : new LogSighting(LogVerdict.Older);
        var tiles = ReaderAt(Newest.Head.Size, fetch);
        var leaf = await tiles.LeafAsync(place.Index, cancellationToken);
        var path = await tiles.InclusionAsync(place.Index, cancellationToken);
        if (!LogProof.IsIncluded(place.Index, Newest.Head.Size, leaf, path, Newest.Head.Root)) throw Unfit(Newest);
        return leaf == place.Leaf ? new LogSighting(LogVerdict.Same)
            : Prove(LogBreachKind.Replaced, note, Newest.Note, [leaf, .. path]);
    }

    /// <summary>Whether an entry stands at that place under the newest checkpoint.</summary>
    /// <inheritdoc cref="SeeAsync(byte[], LogFetch, CancellationToken)"/>
    public async ValueTask<bool> IsIncludedAsync(
        long index, Hash256 leaf, LogFetch fetch, CancellationToken cancellationToken)
    {
        if (Newest is null || Breach is not null || index < 0 || index >= Newest.Head.Size) return false;
        var path = await ReaderAt(Newest.Head.Size, fetch).InclusionAsync(index, cancellationToken);
        if (LogProof.IsIncluded(index, Newest.Head.Size, leaf, path, Newest.Head.Root)) return true;
        reader = null;
        return false;
    }

    private static bool IsRewind(SignedCheckpoint first, SignedCheckpoint second) =>
        first.Time < second.Time && first.Head.Size > second.Head.Size;

    private async ValueTask<bool> IsOneHistoryAsync(
        SignedCheckpoint smaller, SignedCheckpoint larger, LogFetch fetch, CancellationToken cancellationToken)
    {
        var (first, second) = (smaller.Head, larger.Head);
        if (first.Size == second.Size)
        {
            if (first.Root == second.Root) return true;
            Prove(LogBreachKind.Fork, smaller.Note, larger.Note, []);
            return false;
        }

        if (first.Size == 0) return true;
        var whole = await ReaderAt(second.Size, fetch).ConsistencyAsync(first.Size, isWhole: true, cancellationToken);
        // The tiles must be those of the larger head; then what they say of the smaller one is its own word.
        if (LogProof.RootsOf(first.Size, second.Size, whole) is not { } roots || roots.Second != second.Root)
            throw Unfit(larger);
        if (roots.First == first.Root) return true;
        Prove(LogBreachKind.Fork, smaller.Note, larger.Note, whole);
        return false;
    }

    private LogSighting Prove(LogBreachKind kind, SignedNote first, SignedNote second, IReadOnlyList<Hash256> path)
    {
        Breach = new LogBreach(
            kind, first, second, path, [.. Repository.Statements.Select(item => (item.Bytes, item.Signature))]);
        return new LogSighting(LogVerdict.Breach, Breach);
    }

    /// <summary>Many heads are compared with one: its tiles are fetched once.</summary>
    private LogReader ReaderAt(long size, LogFetch fetch)
    {
        if (reader is null || reader.Size != size) reader = new LogReader(fetch, size);
        return reader;
    }

    private VirgaException Unfit(SignedCheckpoint head)
    {
        // It may show others the next time.
        reader = null;
        return new VirgaException(FailureKind.Corrupt,
            $"the tiles of {Repository.Id}'s log do not fit its checkpoint of {head.Head.Size} entries",
            "Its log is damaged, or it shows others another one. Use another repository until its owner has repaired "
                + "it.");
    }
}
