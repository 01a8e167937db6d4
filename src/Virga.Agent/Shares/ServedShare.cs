using System.Collections.Concurrent;
using System.IO.Pipelines;
using Virga.Content.Snapshots;
using Virga.Core;
using Virga.Protocol;
using Virga.Transfers.Swarm;

namespace Virga.Agent.Shares;

/// <summary>A share that others read here: one of our own, or one that we pass on.</summary>
internal abstract class ServedShare
{
    public abstract Hash256 InfoHash { get; }

    public abstract ReadOnlyMemory<byte> Info { get; }

    public abstract ReadOnlyMemory<byte> Layers { get; }

    /// <summary>Null for a blob that is not of the share.</summary>
    public abstract long? LengthOf(Hash256 root);

    /// <summary>Called with what will be sent, before an answer begins; NotFound where it is not here.</summary>
    /// <param name="isFresh">Conflict where it was sent to somebody lately.</param>
    public abstract void Require(IReadOnlyList<BlobRange> ranges, bool isFresh = false);

    public abstract ValueTask CopyRangeAsync(
        Hash256 root, ByteRange range, PipeWriter output, CancellationToken cancellationToken);

    public abstract ValueTask<HaveAnswer> HaveAsync(
        HaveVersion? known, TimeSpan wait, CancellationToken cancellationToken);
}

/// <summary>What was sent of our own shares lately, so that readers can ask us for what nobody else has.</summary>
internal sealed class SentPieces(TimeProvider time)
{
    private const int SharesMax = 64;
    private static readonly TimeSpan ForgottenAfter = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<Hash256, Sent> shares = [];

    private sealed class Sent(PieceNumbers? numbers)
    {
        public readonly PieceNumbers? Numbers = numbers;
        public PieceSet? Pieces = numbers is null ? null : new PieceSet(numbers.Total);
        public long LastUse;
    }

    /// <returns>False where only what is fresh was wanted, and it is not.</returns>
    public bool Add(OwnerIndex index, IReadOnlyList<BlobRange> ranges, bool isFresh)
    {
        var sent = Find(index);
        if (sent.Numbers is not { } numbers || sent.Pieces is not { } pieces) return true;
        foreach (var (root, range) in ranges)
        {
            var (first, count) = numbers.Of(root, range.Offset, range.Length);
            lock (pieces)
            {
                if (isFresh && count > 0 && pieces.Contains(first + (count / 2))) return false;
                pieces.Add(first, count);
            }
        }
        return true;
    }

    public byte[]? Describe(OwnerIndex index) => Find(index).Pieces?.ToBytes();

    private Sent Find(OwnerIndex index)
    {
        if (shares.Count >= SharesMax) shares.Clear();
        var sent = shares.GetOrAdd(index.InfoHash, _ => new Sent(PieceNumbers.Of(index.Info)));
        var last = Interlocked.Exchange(ref sent.LastUse, time.GetTimestamp());
        // Who got it then may be gone.
        if (last != 0 && sent.Numbers is not null && time.GetElapsedTime(last) > ForgottenAfter)
            sent.Pieces = new PieceSet(sent.Numbers.Total);
        return sent;
    }
}

internal sealed class OwnServedShare(ShareReader reader, SentPieces sent) : ServedShare
{
    public ShareReader Reader => reader;

    public override Hash256 InfoHash => reader.Index.InfoHash;

    public override ReadOnlyMemory<byte> Info => reader.Index.Info.Raw;

    public override ReadOnlyMemory<byte> Layers => reader.Index.Layers.Encode();

    public override long? LengthOf(Hash256 root) => reader.LengthOf(root);

    public override void Require(IReadOnlyList<BlobRange> ranges, bool isFresh = false)
    {
        if (sent.Add(reader.Index, ranges, isFresh)) return;
        throw new VirgaException(
            FailureKind.Conflict, "that was sent to somebody already", "Ask for something else, or others for it.");
    }

    public override ValueTask CopyRangeAsync(
        Hash256 root, ByteRange range, PipeWriter output, CancellationToken cancellationToken) =>
        reader.CopyRangeAsync(root, range, output, cancellationToken);

    public override ValueTask<HaveAnswer> HaveAsync(
        HaveVersion? known, TimeSpan wait, CancellationToken cancellationToken) =>
        new(new HaveAnswer(default, null, sent.Describe(reader.Index)));
}

internal sealed class HeldServedShare(Holding holding) : ServedShare
{
    public override Hash256 InfoHash => holding.Share.InfoHash;

    public override ReadOnlyMemory<byte> Info => holding.Content.Info;

    public override ReadOnlyMemory<byte> Layers => holding.Content.Layers;

    /// <summary>The owner's signed extras of a public share, as they came.</summary>
    public byte[]? Extras => holding.Content.Extras;

    public override long? LengthOf(Hash256 root) => holding.Share.LengthOf(root);

    public override void Require(IReadOnlyList<BlobRange> ranges, bool isFresh = false)
    {
        holding.Share.Notice();
        foreach (var (root, range) in ranges)
        {
            if (!holding.Share.Has(root, range))
            {
                throw new VirgaException(
                    FailureKind.NotFound, "that is not here, or not yet",
                    "Ask somebody else who has the share, or later.");
            }
        }
    }

    public override ValueTask CopyRangeAsync(
        Hash256 root, ByteRange range, PipeWriter output, CancellationToken cancellationToken) =>
        holding.Share.CopyRangeAsync(root, range, output, cancellationToken);

    public override async ValueTask<HaveAnswer> HaveAsync(
        HaveVersion? known, TimeSpan wait, CancellationToken cancellationToken)
    {
        holding.Share.Notice();
        if (known is { } version && wait > TimeSpan.Zero)
            await holding.Share.WaitAsync(version, wait, cancellationToken);
        return holding.Share.Describe();
    }
}
