using Virga.Core;
using Virga.Core.Bencoding;

namespace Virga.Trust.Log;

/// <summary>
/// The checkpoints that an agent has seen, as agents tell them each other so that no repository can show two of them
/// two histories: <c>{ heads: [note...] }</c> (spec/v1/log.md).
/// </summary>
public static class LogHeadsMessage
{
    /// <summary>Heads of one message.</summary>
    public const int HeadsMax = 64;

    /// <summary>Bytes of one head; a note with more cosignatures is told without them.</summary>
    public const int HeadBytesMax = 8 << 10;

    private static readonly BencodeLimits limits = new(1 << 20, 2, 3 + HeadsMax);

    /// <summary>The newest head of each log, at most <see cref="HeadsMax"/>.</summary>
    public static byte[] Encode(IEnumerable<SignedCheckpoint> heads) => BencodeWriter.Encode(writer =>
    {
        writer.StartDictionary().Key("heads").StartList();
        foreach (var head in heads.Take(HeadsMax)) writer.Bytes(Bounded(head.Note));
        writer.End().End();
    });

    /// <summary>Notes that nobody has checked yet.</summary>
    /// <exception cref="VirgaException">BadInput.</exception>
    public static IReadOnlyList<byte[]> Parse(ReadOnlySpan<byte> message)
    {
        var fields = BencodeValue.ParseDictionary(message, limits, "log heads");
        fields.AllowOnly("heads");
        return [.. fields.List("heads", HeadsMax).Select(item => item.AsBytes(1, HeadBytesMax).ToArray())];
    }

    private static byte[] Bounded(SignedNote note)
    {
        var whole = note.Encode();
        if (whole.Length <= HeadBytesMax) return whole;
        var origin = Checkpoint.Parse(note.Text).Origin;
        return new SignedNote(note.Text, [.. note.Signatures.Where(line => line.Name == origin).Take(4)]).Encode();
    }
}

/// <summary>What was made of one head that somebody told.</summary>
/// <param name="Origin">Which log.</param>
/// <param name="Sighting">Null where it could not be told; then <paramref name="Failure"/> says why.</param>
public sealed record HeardHead(string Origin, LogSighting? Sighting, VirgaException? Failure);

/// <summary>
/// All logs that an agent watches, and what others tell of them. A head that can't be judged yet, because the
/// repository does not show that history to us, is kept and judged again later. For one caller at a time.
/// </summary>
public sealed class LogHeads
{
    private const int PendingMax = 64;

    private readonly Dictionary<string, LogWatch> watches = [];
    private readonly Dictionary<string, byte[]> pending = [];

    /// <summary>The watched logs by origin.</summary>
    public IReadOnlyDictionary<string, LogWatch> Watches => watches;

    /// <summary>Watches a log from now on.</summary>
    public void Watch(LogWatch watch) => watches[LogIdentity.OriginOf(watch.Repository.Id)] = watch;

    /// <summary>Watches it no more.</summary>
    public void Forget(string origin)
    {
        watches.Remove(origin);
        pending.Remove(origin);
    }

    /// <summary>Our own message to others.</summary>
    public byte[] Tell() => LogHeadsMessage.Encode(
        watches.Values.Where(watch => watch.Newest is not null).Select(watch => watch.Newest!));

    /// <summary>
    /// Compares what another agent tells with what was seen, and earlier unjudged heads with it. Heads of logs that are
    /// not watched are passed over.
    /// </summary>
    /// <param name="fetchOf">How the files of a log are fetched, by its origin.</param>
    /// <exception cref="VirgaException">BadInput: the message itself is broken.</exception>
    public async ValueTask<IReadOnlyList<HeardHead>> HearAsync(
        ReadOnlyMemory<byte> message, Func<string, LogFetch> fetchOf, CancellationToken cancellationToken)
    {
        var notes = LogHeadsMessage.Parse(message.Span).Concat(pending.Values).ToList();
        var heard = new List<HeardHead>();
        foreach (var note in notes)
        {
            if (OriginOf(note) is not { } origin || !watches.TryGetValue(origin, out var watch)) continue;
            heard.Add(await JudgeAsync(origin, watch, note, fetchOf(origin), cancellationToken));
        }

        return heard;
    }

    private async ValueTask<HeardHead> JudgeAsync(
        string origin, LogWatch watch, byte[] note, LogFetch fetch, CancellationToken cancellationToken)
    {
        try
        {
            var sighting = await watch.SeeAsync(note, fetch, cancellationToken);
            pending.Remove(origin);
            return new HeardHead(origin, sighting, null);
        }
        catch (VirgaException e) when (e.Kind is FailureKind.BadInput or FailureKind.Unauthenticated)
        {
            return new HeardHead(origin, null, e);
        }
        catch (VirgaException e)
        {
            // It is rightly signed: once we can read that far, it fits or it is proof.
            if (pending.Count < PendingMax) pending.TryAdd(origin, note);
            return new HeardHead(origin, null, e);
        }
    }

    private static string? OriginOf(byte[] note)
    {
        var end = note.AsSpan().IndexOf((byte)'\n');
        return end is < 1 or > 512 ? null : System.Text.Encoding.UTF8.GetString(note, 0, end);
    }
}
