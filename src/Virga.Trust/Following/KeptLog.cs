using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Keys;
using Virga.Trust.Log;

namespace Virga.Trust.Following;

/// <summary>
/// What is kept durably of a repository's log, so that it is held to it across a restart: its chain, the newest head
/// that was accepted, and others that were seen or heard.
/// </summary>
public sealed record KeptHeads(
    AgentId Repository, IReadOnlyList<(byte[] Body, byte[] Signature)> Chain, byte[]? Newest,
    IReadOnlyList<byte[]> Others)
{
    private const int BytesMax = LogBreach.BytesMax;

    private static readonly BencodeLimits limits = new(BytesMax, 3, 5 * (Sigchain.MaxStatements + 64));

    public byte[] Encode() => BencodeWriter.Encode(writer =>
    {
        writer.StartDictionary().Key("chain").StartList();
        foreach (var (body, signature) in Chain)
            writer.StartDictionary().Key("body").Bytes(body).Key("sig").Bytes(signature).End();
        writer.End();
        if (Newest is not null) writer.Key("newest").Bytes(Newest);
        writer.Key("others").StartList();
        foreach (var other in Others) writer.Bytes(other);
        writer.End().End();
    });

    /// <exception cref="VirgaException">BadInput.</exception>
    public static KeptHeads Parse(AgentId repository, ReadOnlySpan<byte> data)
    {
        var fields = BencodeValue.ParseDictionary(data, limits, "kept heads");
        fields.AllowOnly("chain", "newest", "others");
        var chain = fields.List("chain", Sigchain.MaxStatements).Select(item =>
        {
            var envelope = item.AsDictionary();
            return (envelope.Bytes("body", 1, Statement.MaxBytes),
                envelope.Bytes("sig", SigningKey.SignatureBytes, SigningKey.SignatureBytes));
        });
        return new KeptHeads(repository, [.. chain], fields.OptionalBytes("newest", 1, SignedNote.BytesMax),
            [.. fields.List("others", 64).Select(item => item.AsBytes(1, SignedNote.BytesMax).ToArray())]);
    }
}

/// <summary>
/// What is kept of one repository's log: the newest head, and some that were seen or heard of before it, so that two
/// views which never meet at their newest heads are told apart all the same. Heads may be met by several callers at
/// once; what reads tiles is for one caller at a time, who holds <see cref="Gate"/>.
/// </summary>
internal sealed class KeptLog(AgentId repository)
{
    /// <summary>Different heads that are remembered beside those that wait to be judged.</summary>
    public const int HeadsMax = 8;

    private const int PendingMax = 8;
    private const int ExpectedMax = 1_000;
    private const int JudgedMax = 1_024;
    private static readonly TimeSpan PromisedWithin = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan ExpectedFor = TimeSpan.FromDays(1);

    private readonly Lock state = new();
    private readonly List<SignedCheckpoint> heads = [];
    private readonly List<SignedCheckpoint> pending = [];
    private readonly HashSet<(long Size, Hash256 Root)> judged = [];
    private readonly Dictionary<Hash256, Expectation> expected = [];
    private KeptHeads? unread;
    private long saved;
    private bool hasFailed;
    private LogWatch? watch;

    private sealed record Expectation(DateTimeOffset Since, byte[]? Promise = null, bool IsOverdue = false);

    public AgentId Repository { get; } = repository;

    public string Origin { get; } = LogIdentity.OriginOf(repository);

    public Turnstile Gate { get; } = new();

    /// <summary>Where its files are fetched; null of a log that is only heard of.</summary>
    public ITrustPlace? Place { get; set; }

    /// <summary>When it last showed a head that nothing speaks against.</summary>
    public DateTimeOffset? SeenAt { get; private set; }

    /// <summary>Since when what went wrong last goes wrong, and what it is; null while all is well.</summary>
    public (DateTimeOffset Since, string What)? Problem { get; private set; }

    public SignedCheckpoint? Newest => watch?.Newest;

    /// <summary>Counts changes of what is told to others and must survive a restart.</summary>
    public long Changes { get; private set; }

    /// <summary>Heads that were forgotten before they could be judged: to be told again.</summary>
    public long Forgotten { get; private set; }

    public DateTimeOffset HeardAt { get; private set; }

    /// <summary>Entries that were posted there and that it has not promised a place in time.</summary>
    public int Overdue
    {
        get
        {
            lock (state) return expected.Values.Count(item => item.IsOverdue);
        }
    }

    /// <summary>What is told to others, the newest first.</summary>
    public IReadOnlyList<SignedCheckpoint> Told()
    {
        lock (state)
        {
            var all = new List<SignedCheckpoint>();
            if (Newest is { } newest) all.Add(newest);
            all.AddRange(heads.AsEnumerable().Reverse());
            all.AddRange(pending);
            return [.. all.DistinctBy(head => (head.Head.Size, head.Head.Root, head.Time))];
        }
    }

    /// <summary>What an earlier run kept; the heads are met once the chain is there.</summary>
    public void Load(KeptHeads kept)
    {
        lock (state) unread = kept;
    }

    /// <summary>For the next run; null where nothing has changed.</summary>
    public KeptHeads? Save()
    {
        lock (state)
        {
            if (saved == Changes) return null;
            saved = Changes;
            return new KeptHeads(
                Repository, [.. watch!.Repository.Statements.Select(item => (item.Bytes, item.Signature))],
                Newest?.Note.Encode(), [.. Told().Where(head => head != Newest).Select(head => head.Note.Encode())]);
        }
    }

    /// <summary>What was to be saved could not be: it is tried again.</summary>
    public void Unsave()
    {
        lock (state) saved = -1;
    }

    public void Fail(string what, DateTimeOffset now)
    {
        hasFailed = true;
        Note(what, now);
    }

    /// <summary>
    /// Takes note of a head, and compares it with all others by what they say themselves. Returns the proof where two
    /// contradict each other.
    /// </summary>
    /// <exception cref="VirgaException">BadInput or Unauthenticated: no head of this log, or undated.</exception>
    public LogBreach? Meet(byte[] note, Sigchain chain, DateTimeOffset now)
    {
        Open(chain);
        var seen = SignedCheckpoint.Open(note, LogIdentity.Ever(chain));
        if (seen.Time is null) throw SignedNote.Bad($"a checkpoint of {Origin} does not say of what time it is");
        lock (state)
        {
            HeardAt = now;
            foreach (var known in Told())
            {
                if (Contradiction(known, seen, chain) is { } breach) return breach;
            }
            if (judged.Contains((seen.Head.Size, seen.Head.Root))) Remember(seen);
            else Await(seen);
        }
        return null;
    }

    /// <summary>Fetches the head that the repository shows now, and looks at it. The caller holds the gate.</summary>
    /// <exception cref="VirgaException">As <see cref="LogWatch.RefreshAsync"/>.</exception>
    public async Task<LogBreach?> RefreshAsync(Sigchain chain, DateTimeOffset now, CancellationToken cancellationToken)
    {
        Open(chain);
        var note = await FetchAsync("checkpoint", cancellationToken) ?? throw new VirgaException(
            FailureKind.NotFound, $"{Repository} shows no checkpoint of its log",
            "Use another repository, or try again later.");
        // By a key that is valid now; an older head may be by another.
        var seen = SignedCheckpoint.Open(note, LogIdentity.Of(chain));
        if (Meet(note, chain, now) is { } breach) return breach;
        var before = watch!.Newest;
        var sighting = await watch.SeeAsync(seen, FetchAsync, cancellationToken);
        if (sighting.Breach is not null) return sighting.Breach;
        lock (state)
        {
            Accept(seen);
            if (watch.Newest != before) Changes++;
        }
        SeenAt = now;
        return await JudgeAsync(cancellationToken);
    }

    /// <summary>
    /// Judges the heads that wait, by the tiles that the repository shows us. The caller holds the gate.
    /// </summary>
    public async Task<LogBreach?> JudgeAsync(CancellationToken cancellationToken)
    {
        if (watch?.Newest is null || Place is null) return null;
        List<SignedCheckpoint> waiting;
        lock (state) waiting = [.. pending];
        foreach (var head in waiting)
        {
            try
            {
                var before = watch.Newest;
                var sighting = await watch.SeeAsync(head, FetchAsync, cancellationToken);
                if (sighting.Breach is not null) return sighting.Breach;
                lock (state)
                {
                    Accept(head);
                    if (watch.Newest != before) Changes++;
                }
            }
            catch (VirgaException)
            {
                // It is rightly signed: once we can read that far, it fits or it is proof.
            }
        }
        return null;
    }

    /// <summary>Holds it to an entry from now on.</summary>
    public void Expect(Hash256 leaf, DateTimeOffset now)
    {
        lock (state)
        {
            if (expected.Count >= ExpectedMax) expected.Remove(expected.MinBy(pair => pair.Value.Since).Key);
            expected.TryAdd(leaf, new Expectation(now));
        }
    }

    /// <summary>
    /// Asks for promises, and compares those that are due with the newest head. The caller holds the gate.
    /// </summary>
    public async Task<LogBreach?> HoldAsync(
        DateTimeOffset now, Action<string> log, CancellationToken cancellationToken)
    {
        if (watch?.Newest is null) return null;
        List<KeyValuePair<Hash256, Expectation>> open;
        lock (state) open = [.. expected];
        foreach (var (leaf, item) in open)
        {
            try
            {
                if (await HoldAsync(leaf, item, now, log, cancellationToken) is { } breach) return breach;
            }
            catch (VirgaException e)
            {
                // The others are asked for all the same: no broken answer keeps a proof back.
                Fail($"its promise of a place for {leaf}: {e.Message}", now);
            }
        }
        return null;
    }

    private async Task<LogBreach?> HoldAsync(
        Hash256 leaf, Expectation item, DateTimeOffset now, Action<string> log, CancellationToken cancellationToken)
    {
        if (item.Promise is null)
        {
            item = await PromiseAsync(leaf, cancellationToken) is { } promise
                ? item with { Promise = promise, IsOverdue = false } : Missing(leaf, item, now, log);
            lock (state) expected[leaf] = item;
        }
        var isDone = now - item.Since > ExpectedFor;
        if (item.Promise is not null)
        {
            var sighting = await watch!.HoldToAsync(item.Promise, FetchAsync, cancellationToken);
            if (sighting.Breach is not null) return sighting.Breach;
            isDone |= sighting.Verdict == LogVerdict.Same;
        }
        if (!isDone) return null;
        lock (state) expected.Remove(leaf);
        return null;
    }

    /// <summary>Says whether all is well after a round.</summary>
    public void Settle(DateTimeOffset now)
    {
        var overdue = Overdue;
        if (hasFailed) hasFailed = false;
        else if (overdue > 0) Note($"it has not promised a place in its log to {overdue} entries of ours", now);
        else if (IsHeldBack()) Note("others were shown a head of its log that it does not let us check", now);
        else Problem = null;
    }

    private void Note(string what, DateTimeOffset now) => Problem = (Problem?.Since ?? now, what);

    private bool IsHeldBack()
    {
        lock (state) return pending.Exists(head => head.Time < Newest?.Time);
    }

    private Expectation Missing(Hash256 leaf, Expectation item, DateTimeOffset now, Action<string> log)
    {
        if (item.IsOverdue || now - item.Since <= PromisedWithin) return item;
        log($"{Repository} has not promised a place in its log to the entry {leaf} within a minute");
        return item with { IsOverdue = true };
    }

    private async Task<byte[]?> PromiseAsync(Hash256 leaf, CancellationToken cancellationToken)
    {
        var promise = await Place!.ReadPromiseAsync(leaf, cancellationToken);
        if (promise is null) return null;
        return LogPromise.Open(promise, LogIdentity.Ever(watch!.Repository)).Leaf == leaf ? promise : null;
    }

    /// <summary>The watch, and the heads of an earlier run, once the keys are known.</summary>
    private void Open(Sigchain chain)
    {
        lock (state)
        {
            if (watch is not null)
            {
                watch.Repository = chain;
                return;
            }
            var log = LogIdentity.Ever(chain);
            var newest = unread?.Newest is { } note ? SignedCheckpoint.Open(note, log) : null;
            var others = unread?.Others.Select(other => SignedCheckpoint.Open(other, log)).ToList() ?? [];
            unread = null;
            watch = new LogWatch(chain, newest);
            if (newest is not null) Accept(newest);
            foreach (var head in others) Await(head);
        }
    }

    private ValueTask<byte[]?> FetchAsync(string path, CancellationToken cancellationToken) =>
        Place is { } place ? place.ReadLogAsync(path, cancellationToken) : ValueTask.FromResult<byte[]?>(null);

    private void Accept(SignedCheckpoint head)
    {
        if (judged.Count >= JudgedMax) judged.Clear();
        judged.Add((head.Head.Size, head.Head.Root));
        Remember(head);
        foreach (var item in pending.Where(item => IsSame(item, head))) Remember(item);
        pending.RemoveAll(item => IsSame(item, head));
    }

    /// <summary>
    /// Of equal heads the one that was dated first binds the log from then on, the last one until then: both are kept.
    /// </summary>
    private void Remember(SignedCheckpoint head)
    {
        var same = heads.Where(item => IsSame(item, head)).Append(head).OrderBy(item => item.Time).ToList();
        if (same.Count(item => item.Time == head.Time) > 1 || (same.Count == 3 && same[1] == head)) return;
        if (same.Count == 3) heads.Remove(same[1]);
        heads.Add(head);
        heads.Sort((a, b) => (a.Head.Size, a.Time!.Value).CompareTo((b.Head.Size, b.Time!.Value)));
        if (heads.Select(item => item.Head.Size).Distinct().Count() > HeadsMax)
        {
            var oldest = heads[0].Head.Size;
            heads.RemoveAll(item => item.Head.Size == oldest);
        }
        Changes++;
    }

    private void Await(SignedCheckpoint head)
    {
        if (pending.Exists(item => IsSame(item, head) && item.Time == head.Time)) return;
        pending.Add(head);
        pending.Sort((a, b) => a.Head.Size.CompareTo(b.Head.Size));
        // What is nearest can be judged first; a liar who shows many far ones crowds nothing out.
        if (pending.Count > PendingMax)
        {
            pending.RemoveAt(PendingMax);
            Forgotten++;
        }
        Changes++;
    }

    private static bool IsSame(SignedCheckpoint a, SignedCheckpoint b) =>
        a.Head.Size == b.Head.Size && a.Head.Root == b.Head.Root;

    private static LogBreach? Contradiction(SignedCheckpoint a, SignedCheckpoint b, Sigchain chain)
    {
        if (a.Head.Size == b.Head.Size)
            return a.Head.Root == b.Head.Root ? null : Prove(LogBreachKind.Fork, a, b, chain);
        if (a.Time < b.Time && a.Head.Size > b.Head.Size) return Prove(LogBreachKind.Rewind, a, b, chain);
        if (b.Time < a.Time && b.Head.Size > a.Head.Size) return Prove(LogBreachKind.Rewind, b, a, chain);
        return null;
    }

    private static LogBreach Prove(
        LogBreachKind kind, SignedCheckpoint first, SignedCheckpoint second, Sigchain chain) =>
        new(kind, first.Note, second.Note, [], [.. chain.Statements.Select(item => (item.Bytes, item.Signature))]);
}
