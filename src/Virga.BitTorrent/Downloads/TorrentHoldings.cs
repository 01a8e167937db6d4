using Virga.Accounts;
using Virga.BitTorrent.Seeding;
using Virga.BitTorrent.Wire;
using Virga.Content;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Transfers.Swarm;

namespace Virga.BitTorrent.Downloads;

/// <summary>
/// What of a torrent has arrived in its account and can be read back from there, to give it to peers: whole files, and
/// stored parts of those that are written where the account reads them back at no cost. Safe for many threads.
/// </summary>
public sealed class TorrentHoldings : IReceivedPieces, IUploadSide, ISeedSource, IDisposable
{
    private readonly PieceLayout layout;
    private readonly IAccount account;
    private readonly SeedUpload upload;
    private readonly Action<int> have;
    private readonly Action<long> stored;
    private readonly bool readsCompleted;
    private readonly IReadsPendingUploads? pending;
    private readonly Lock gate = new();
    private readonly Bitfield held;
    private readonly Dictionary<string, int> filesByPath = new(StringComparer.Ordinal);
    private readonly Held[] files;

    private sealed class Held
    {
        public readonly HashSet<long> Parts = [];
        public EntryPath Path;
        public EntryVersion? Pin;
        public string? Token;
        public long PartBytes;
        public bool IsComplete;
    }

    /// <param name="account">Where it goes.</param>
    /// <param name="readsCompleted">Whether files may be read back, which some services charge for.</param>
    /// <param name="have">Told of each piece that can be given from now on.</param>
    /// <param name="stored">Told of each file that is complete, by its length.</param>
    public TorrentHoldings(
        PieceLayout layout, PieceLayers layers, IAccount account, SeedCache cache, bool readsCompleted,
        Action<int> have, Action<long> stored)
    {
        this.layout = layout;
        this.account = account;
        this.have = have;
        this.stored = stored;
        this.readsCompleted = readsCompleted;
        pending = readsCompleted ? account.Find<IReadsPendingUploads>() : null;
        upload = new SeedUpload(layout, layers, this, cache);
        held = new Bitfield(layout.PieceCount);
        files = new Held[layout.Info.Files.Count];
        for (var i = 0; i < files.Length; i++)
        {
            files[i] = new Held();
            if (!layout.Info.Files[i].IsPadding) filesByPath[TorrentContent.PathOf(layout.Info, i)] = i;
        }
    }

    public int HeldPieces
    {
        get
        {
            lock (gate) return held.Count;
        }
    }

    public bool Has(int piece)
    {
        lock (gate) return held[piece];
    }

    public void Expect(int piece) => upload.Expect(piece);

    public ValueTask<UploadBlock> ReadAsync(int piece, int begin, int length, CancellationToken cancellationToken) =>
        upload.ReadAsync(piece, begin, length, cancellationToken);

    public ValueTask<ReadOnlyMemory<byte>?> HashesAsync(HashRequest request, CancellationToken cancellationToken) =>
        upload.HashesAsync(request, cancellationToken);

    public void Begun(
        SharedFile file, EntryPath path, string? token, long partBytes, IReadOnlyList<PartReceipt> parts)
    {
        if (Find(file) is not { } at) return;
        lock (gate)
        {
            (files[at].Path, files[at].Token, files[at].PartBytes) = (path, token, partBytes);
            files[at].Parts.Clear();
        }
        foreach (var part in parts) Stored(file, part.Index);
    }

    public void Verified(SharedFile file, long offset, ReadOnlySpan<byte> data)
    {
        // It can be given once it is where it can be read again.
    }

    public void Stored(SharedFile file, long part)
    {
        if (pending is null || Find(file) is not { } at) return;
        long start, length;
        lock (gate)
        {
            if (files[at].Token is null || !files[at].Parts.Add(part)) return;
            start = part * files[at].PartBytes;
            length = Math.Min(files[at].PartBytes, file.Entry.Size - start);
        }
        if (length > 0) Look(layout.StartOf(at) + start, length);
    }

    public void Completed(SharedFile file, EntryPath path)
    {
        if (Find(file) is not { } at) return;
        lock (gate)
        {
            if (files[at].IsComplete) return;
            (files[at].Path, files[at].IsComplete, files[at].Token) = (path, true, null);
        }
        stored(file.Entry.Size);
        if (readsCompleted && file.Entry.Size > 0) Look(layout.StartOf(at), file.Entry.Size);
    }

    async ValueTask ISeedSource.ReadAsync(
        int file, long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        EntryPath path;
        EntryVersion? pin;
        string? token;
        lock (gate) (path, pin, token) = (files[file].Path, files[file].Pin, files[file].Token);
        if (token is not null && pending is not null)
        {
            var count = await pending.ReadPendingAsync(path, token, offset, destination, cancellationToken);
            if (count == destination.Length) return;
            throw new VirgaException(FailureKind.Unavailable, "what was stored can't be read back now");
        }
        await using var reader = await account.ReadAsync(
            path, new ByteRange(offset, destination.Length), pin, cancellationToken);
        // The file stays what it was when it was first read; that was right after it was written.
        lock (gate) files[file].Pin ??= reader.Entry.Version;
        await reader.Content.ReadExactlyAsync(destination, cancellationToken);
    }

    public void Dispose() => upload.Dispose();

    private int? Find(SharedFile file) => filesByPath.TryGetValue(file.Entry.Path.Value, out var at) ? at : null;

    /// <summary>Which pieces of a range are here as a whole now.</summary>
    private void Look(long start, long length)
    {
        var added = new List<int>();
        lock (gate)
        {
            var last = (int)((start + length - 1) / layout.PieceBytes);
            for (var piece = (int)(start / layout.PieceBytes); piece <= last; piece++)
                if (!held[piece] && IsHere(piece) && held.Set(piece)) added.Add(piece);
        }
        foreach (var piece in added) have(piece);
    }

    private bool IsHere(int piece)
    {
        foreach (var stretch in layout.Stretches(piece, 0, layout.PieceLength(piece)))
        {
            if (layout.Info.Files[stretch.File].IsPadding || files[stretch.File].IsComplete) continue;
            var file = files[stretch.File];
            if (file.Token is null) return false;
            var lastPart = (stretch.Offset + stretch.Length - 1) / file.PartBytes;
            for (var part = stretch.Offset / file.PartBytes; part <= lastPart; part++)
                if (!file.Parts.Contains(part)) return false;
        }
        return true;
    }
}
