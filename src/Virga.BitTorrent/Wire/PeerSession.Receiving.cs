using System.Buffers;
using System.Net;
using Virga.BitTorrent.Wire.Extensions;

namespace Virga.BitTorrent.Wire;

/// <summary>What comes from the peer.</summary>
public sealed partial class PeerSession
{
    private const int BufferBytesMin = 32 << 10;
    private const int BufferBytesUsual = 256 << 10;

    /// <summary>Pieces that a peer says it has before we know how many there are; more are left out.</summary>
    private const int EarlyHavesMax = 10_000;

    private byte[]? earlyBits;
    private bool? earlyAll;
    private HashSet<int> earlyHaves = [];
    private int unaskedBlocks;
    private long receivedBytes;

    private async Task ReceiveLoopAsync(CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytesMin);
        var (start, end) = (0, 0);
        try
        {
            while (true)
            {
                int size;
                while (PeerCodec.TryRead(buffer.AsMemory(start, end - start), out var message, out size))
                {
                    lock (handling) Handle(message);
                    start += size;
                    Volatile.Write(ref lastMessage, settings.Time.GetTimestamp());
                }
                if (start == end) (start, end) = (0, 0);
                // A buffer that is filled at once is worth being a large one.
                var wanted = Math.Max(size, end == buffer.Length && start == 0 ? BufferBytesUsual : 0);
                if (wanted > buffer.Length) Grow(ref buffer, wanted, ref start, ref end);
                else if (start + size > buffer.Length || (start > 0 && buffer.Length - end < BufferBytesMin / 2))
                    Compact(buffer, ref start, ref end);
                var count = await link.ReceiveAsync(buffer.AsMemory(end), cancellationToken);
                if (count == 0) throw new IOException("the peer closed the connection");
                if (count == buffer.Length - end && buffer.Length < BufferBytesUsual)
                {
                    end += count;
                    Grow(ref buffer, BufferBytesUsual, ref start, ref end);
                }
                else
                {
                    end += count;
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static void Grow(ref byte[] buffer, int bytes, ref int start, ref int end)
    {
        var larger = ArrayPool<byte>.Shared.Rent(bytes);
        buffer.AsSpan(start, end - start).CopyTo(larger);
        (start, end) = (0, end - start);
        ArrayPool<byte>.Shared.Return(buffer);
        buffer = larger;
    }

    private static void Compact(byte[] buffer, ref int start, ref int end)
    {
        buffer.AsSpan(start, end - start).CopyTo(buffer);
        (start, end) = (0, end - start);
    }

    private void Handle(in PeerMessage message)
    {
        switch (message.Kind)
        {
            case PeerMessageKind.Choke: OnChoke(); break;
            case PeerMessageKind.Unchoke: OnUnchoke(); break;
            case PeerMessageKind.Interested: SetPeerInterest(true); break;
            case PeerMessageKind.NotInterested: SetPeerInterest(false); break;
            case PeerMessageKind.Have: OnHave(message.Piece); break;
            case PeerMessageKind.Bitfield: OnBitfield(message.Payload.Span); break;
            case PeerMessageKind.HaveAll: OnHaveAll(true); break;
            case PeerMessageKind.HaveNone: OnHaveAll(false); break;
            case PeerMessageKind.Request: OnRequest(message.Piece, message.Begin, message.Length); break;
            case PeerMessageKind.Cancel: OnCancel(message.Piece, message.Begin, message.Length); break;
            case PeerMessageKind.Piece: OnBlock(message); break;
            case PeerMessageKind.Reject: OnReject(message.Piece, message.Begin, message.Length); break;
            case PeerMessageKind.AllowedFast: download?.OnAllowedFast(CheckPiece(message.Piece)); break;
            case PeerMessageKind.Suggest: download?.OnSuggested(CheckPiece(message.Piece)); break;
            case PeerMessageKind.Port when message.Piece > 0:
                settings.DhtNode?.Invoke(new IPEndPoint(Remote.Address, message.Piece));
                break;
            case PeerMessageKind.Extended: OnExtended(message.Piece, message.Payload); break;
            case PeerMessageKind.HashRequest: OnHashRequest(message.Hashes); break;
            case PeerMessageKind.Hashes: OnHashes(message.Hashes, message.Payload); break;
            case PeerMessageKind.HashReject: OnHashes(message.Hashes, null); break;
        }
    }

    /// <summary>Without the fast extension a choke drops all that was asked for (BEP 3).</summary>
    private void OnChoke()
    {
        IsPeerChoking = true;
        if (!HasFast) DropOutstanding();
        download?.OnChoked();
    }

    private void OnUnchoke()
    {
        IsPeerChoking = false;
        download?.OnUnchoked();
    }

    private void SetPeerInterest(bool isInterested)
    {
        if (IsPeerInterested == isInterested) return;
        IsPeerInterested = isInterested;
        swarm.Choker?.Changed(this);
    }

    private int CheckPiece(int piece)
    {
        if (swarm.Layout is { } layout ? piece >= layout.PieceCount : piece >= WireLimits.PiecesMax)
            throw PeerCodec.Bad($"the number of a piece that isn't there: {piece}");
        return piece;
    }

    private void OnHave(int piece)
    {
        CheckPiece(piece);
        if (PeerHas is null)
        {
            if (earlyHaves.Count < EarlyHavesMax) earlyHaves.Add(piece);
            return;
        }
        if (!PeerHas.Set(piece)) return;
        download?.OnHave(piece);
        LeaveSeed();
    }

    private void OnBitfield(ReadOnlySpan<byte> bits)
    {
        if (PeerHas is null)
        {
            (earlyBits, earlyAll) = (bits.ToArray(), null);
            return;
        }
        if (!PeerHas.TryLoad(bits)) throw PeerCodec.Bad($"a bitfield that has not {PeerHas.PieceCount} pieces");
        download?.OnPieces();
        LeaveSeed();
    }

    private void OnHaveAll(bool all)
    {
        if (PeerHas is null)
        {
            (earlyBits, earlyAll) = (null, all);
            return;
        }
        if (all) PeerHas.SetAll();
        else PeerHas = new Bitfield(PeerHas.PieceCount);
        download?.OnPieces();
        LeaveSeed();
    }

    /// <summary>The info dict is known now; the peer's pieces are understood on another thread.</summary>
    internal void LearnInfo() => ThreadPool.UnsafeQueueUserWorkItem(
        static session =>
        {
            try
            {
                lock (session.handling)
                {
                    if (session.isRunning) session.PrepareBits();
                }
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                session.Fail(e);
            }
        }, this, preferLocal: false);

    private void PrepareBits()
    {
        if (PeerHas is not null || swarm.Layout is not { } layout) return;
        var bits = new Bitfield(layout.PieceCount);
        var isSaid = earlyBits is not null || earlyAll is not null || earlyHaves.Count > 0;
        if (earlyBits is not null && !bits.TryLoad(earlyBits))
            throw PeerCodec.Bad($"a bitfield that has not {layout.PieceCount} pieces");
        if (earlyAll == true) bits.SetAll();
        PeerHas = bits;
        foreach (var piece in earlyHaves) bits.Set(CheckPiece(piece));
        (earlyBits, earlyHaves) = (null, []);
        if (isSaid) download?.OnPieces();
    }

    /// <summary>Two seeds of one torrent have nothing for each other.</summary>
    private void LeaveSeed()
    {
        if (PeerHas is { IsWhole: true } has && swarm.Upload is { } upload && upload.HeldPieces == has.PieceCount)
            End(PeerEndReason.NothingToDo, "both have everything");
    }

    private void OnBlock(in PeerMessage message)
    {
        bool isAsked;
        lock (gate)
        {
            isAsked = outstanding.Remove(Key(message.Piece, message.Begin), out var length);
            if (isAsked && length != message.Length)
                throw PeerCodec.Bad($"a block of {message.Length} bytes where {length} were asked for");
        }
        if (!isAsked)
        {
            if (++unaskedBlocks > WireLimits.UnaskedBlocksMax) throw PeerCodec.Bad("blocks that nobody asked for");
            return;
        }
        Interlocked.Add(ref receivedBytes, message.Length);
        swarm.Progress.AddDownloaded(message.Length);
        download?.OnBlock(message.Piece, message.Begin, message.Payload);
    }

    private void OnReject(int piece, int begin, int length)
    {
        bool isAsked;
        lock (gate) isAsked = outstanding.Remove(Key(piece, begin));
        if (isAsked) download?.OnRejected(piece, begin, length);
    }

    private void DropOutstanding()
    {
        KeyValuePair<long, int>[] dropped;
        lock (gate)
        {
            dropped = [.. outstanding];
            outstanding.Clear();
        }
        foreach (var (key, length) in dropped) download?.OnRejected((int)(key >> 32), (int)key, length);
    }

    private void OnExtended(int extension, ReadOnlyMemory<byte> payload)
    {
        switch (extension)
        {
            case ExtensionHandshake.Id:
                Extensions = ExtensionHandshake.Parse(payload.Span);
                download?.OnExtensions();
                break;
            case ExtensionHandshake.OurMetadataId:
                OnMetadata(MetadataMessage.Parse(payload));
                break;
            case ExtensionHandshake.OurPexId when HasPex:
                var peers = PexMessage.Parse(payload.Span).Added;
                if (peers.Count > 0) download?.OnPeers(peers);
                break;
        }
    }

    private void OnMetadata(in MetadataMessage message)
    {
        switch (message.Kind)
        {
            case MetadataKind.Request:
                OnMetadataRequest(message.Piece);
                break;
            case MetadataKind.Data or MetadataKind.Reject:
                bool isAsked;
                lock (gate) isAsked = outstandingMetadata.Remove(message.Piece);
                // No conditional: null would become an empty memory.
                ReadOnlyMemory<byte>? data = null;
                if (message.Kind == MetadataKind.Data) data = message.Data;
                if (isAsked) download?.OnMetadata(message.Piece, data);
                break;
        }
    }

    private void OnHashes(HashRequest request, ReadOnlyMemory<byte>? hashes)
    {
        bool isAsked;
        lock (gate) isAsked = outstandingHashes.Remove(request);
        if (isAsked) download?.OnHashes(request, hashes);
    }
}
