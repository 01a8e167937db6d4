using System.Buffers;
using System.Net;
using System.Runtime.InteropServices;
using Virga.BitTorrent.Wire.Extensions;
using Virga.Core;

namespace Virga.BitTorrent.Wire;

/// <summary>What goes to the peer.</summary>
public sealed partial class PeerSession
{
    /// <summary>
    /// Payload of one go: large enough that the call costs nothing beside the bytes, small enough that a choke or a
    /// request of ours need not wait long.
    /// </summary>
    private const int GoBytes = 256 << 10;

    /// <summary>Blocks of one go.</summary>
    private const int GoBlocks = 64;

    /// <summary>Metadata is given while less than this waits to be sent.</summary>
    private const int MetadataBelowBytes = 64 << 10;

    private const int HashRequestsMax = 256;

    private readonly Signal signal = new();
    private readonly Queue<(int Piece, int Begin, int Length)> requests = new();
    private readonly Queue<int> metadataRequests = new();
    private readonly Queue<HashRequest> hashRequests = new();
    private readonly List<ArraySegment<byte>> go = new(1 + (2 * GoBlocks));
    private readonly List<IDisposable> leases = new(GoBlocks);
    private readonly byte[] headers = new byte[GoBlocks * PeerCodec.PieceHeaderBytes];
    private ArrayBufferWriter<byte> control = new();
    private ArrayBufferWriter<byte> leaving = new();
    private Task<UploadBlock>? reading;
    private (int Piece, int Begin, int Length) readingFor;
    private Task paying = Task.CompletedTask;
    private Task hashing = Task.CompletedTask;
    private int expected = -1;
    private bool isGreeted;
    private long lastSent;
    private long sendBegan;
    private long sentBytes;

    /// <summary>Blocks that the peer waits for.</summary>
    public int Waiting
    {
        get
        {
            lock (gate) return requests.Count;
        }
    }

    /// <summary>Whether the peer may ask for blocks. What waits is dropped, and told so, when it no longer may.
    /// </summary>
    public void SetChoking(bool isChoking)
    {
        lock (gate)
        {
            if (IsChoking == isChoking || ending.IsCancellationRequested) return;
            IsChoking = isChoking;
            PeerCodec.Write(control, isChoking ? PeerMessageKind.Choke : PeerMessageKind.Unchoke);
            while (isChoking && requests.TryDequeue(out var request)) Reject(request);
        }
        signal.Set();
    }

    /// <summary>Extensions first, then what we have: so others do, and some clients rely on it.</summary>
    private void Greet() => Control(output =>
    {
        isGreeted = true;
        var layout = swarm.Layout;
        var held = layout is null ? 0 : swarm.Upload?.HeldPieces ?? 0;
        if (theirs.HasExtensions)
        {
            var infoBytes = layout is not null && layout.Info.Raw.Length <= WireLimits.MetadataBytesMax
                ? layout.Info.Raw.Length : 0;
            PeerCodec.WriteExtended(output, ExtensionHandshake.Id, ExtensionHandshake.Write(
                settings.Client, infoBytes, settings.ListenPort, layout is not null && held == layout.PieceCount,
                HasPex, Remote.Address));
        }
        if (HasFast && layout is not null && held == layout.PieceCount)
            PeerCodec.Write(output, PeerMessageKind.HaveAll);
        else if (held > 0) PeerCodec.WriteBitfield(output, Held(layout!).Bytes);
        else if (HasFast) PeerCodec.Write(output, PeerMessageKind.HaveNone);
    });

    private Bitfield Held(PieceLayout layout)
    {
        var bits = new Bitfield(layout.PieceCount);
        for (var piece = 0; piece < layout.PieceCount; piece++)
            if (swarm.Upload!.Has(piece)) bits.Set(piece);
        return bits;
    }

    private void OnRequest(int piece, int begin, int length)
    {
        var layout = swarm.Layout ?? throw PeerCodec.Bad("a request before there were pieces");
        CheckPiece(piece);
        if (length is <= 0 or > WireLimits.RequestBytesMax || begin > layout.RequestableLength(piece) - length)
            throw PeerCodec.Bad($"a request for {length} bytes at {begin} of piece {piece}");
        var isTaken = swarm.Upload?.Has(piece) ?? false;
        lock (gate)
        {
            isTaken = isTaken && !IsChoking && requests.Count < WireLimits.RequestsMax;
            if (isTaken) requests.Enqueue((piece, begin, length));
            else Reject((piece, begin, length));
        }
        if (isTaken && piece != expected) swarm.Upload!.Expect(piece);
        if (isTaken) expected = piece;
        signal.Set();
    }

    /// <summary>The block or a reject answers it (BEP 6); which of both, the peer can't know anyway.</summary>
    private void OnCancel(int piece, int begin, int length)
    {
        lock (gate)
        {
            for (var left = requests.Count; left > 0; left--)
            {
                var request = requests.Dequeue();
                if (request == (piece, begin, length)) Reject(request);
                else requests.Enqueue(request);
            }
        }
        signal.Set();
    }

    /// <summary>Called inside of the gate. Without the fast extension silence says the same.</summary>
    private void Reject((int Piece, int Begin, int Length) request)
    {
        if (!HasFast) return;
        PeerCodec.Write(control, PeerMessageKind.Reject, request.Piece, request.Begin, request.Length);
        if (control.WrittenCount <= WireLimits.ControlBytesMax) return;
        end ??= new PeerEnd(PeerEndReason.TimedOut, "it does not read what it made us answer");
        ending.Cancel();
    }

    private void OnMetadataRequest(int piece)
    {
        lock (gate)
        {
            if (metadataRequests.Count < WireLimits.MetadataRequestsMax) metadataRequests.Enqueue(piece);
        }
        signal.Set();
    }

    private void OnHashRequest(HashRequest request)
    {
        lock (gate)
        {
            if (!request.IsPossible || swarm.Upload is null || hashRequests.Count >= HashRequestsMax)
            {
                PeerCodec.WriteHashes(control, PeerMessageKind.HashReject, request);
                if (control.WrittenCount > WireLimits.ControlBytesMax)
                    throw PeerCodec.Bad("more requests for hashes than it reads answers");
            }
            else
            {
                hashRequests.Enqueue(request);
                if (hashing.IsCompleted) hashing = Task.Run(AnswerHashesAsync, CancellationToken.None);
            }
        }
        signal.Set();
    }

    private async Task AnswerHashesAsync()
    {
        while (true)
        {
            HashRequest request;
            lock (gate)
            {
                // Completed inside of the gate, so that nobody counts on an answer that has just been given.
                if (ending.IsCancellationRequested || !hashRequests.TryDequeue(out request))
                {
                    hashing = Task.CompletedTask;
                    return;
                }
            }
            ReadOnlyMemory<byte>? hashes = null;
            try
            {
                hashes = await swarm.Upload!.HashesAsync(request, ending.Token);
            }
            catch (Exception e) when (e is VirgaException or OperationCanceledException)
            {
                // It gets a no.
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                Fail(e);
            }
            Control(output =>
            {
                if (hashes is { } found)
                    PeerCodec.WriteHashes(output, PeerMessageKind.Hashes, request, found.Span);
                else PeerCodec.WriteHashes(output, PeerMessageKind.HashReject, request);
            });
        }
    }

    private async Task SendLoopAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            await signal.WaitAsync();
            cancellationToken.ThrowIfCancellationRequested();
            while (Collect(cancellationToken) is var payload && go.Count > 0)
            {
                Volatile.Write(ref sendBegan, settings.Time.GetTimestamp());
                await link.SendAsync(go, cancellationToken);
                Volatile.Write(ref sendBegan, 0);
                Volatile.Write(ref lastSent, settings.Time.GetTimestamp());
                Release();
                if (payload > 0) Account(payload, cancellationToken);
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
    }

    private void Account(int payload, CancellationToken cancellationToken)
    {
        Interlocked.Add(ref sentBytes, payload);
        swarm.Progress.AddUploaded(payload);
        var pay = settings.Pace.PayAsync(payload, cancellationToken);
        if (!pay.IsCompletedSuccessfully) paying = ThenSignalAsync(pay.AsTask());
    }

    private async Task ThenSignalAsync(Task task)
    {
        try
        {
            await task;
        }
        catch (OperationCanceledException)
        {
            // The loop sees for itself that it is over.
        }
        signal.Set();
    }

    /// <summary>
    /// Fills <see cref="go"/>: first what was said, then metadata, then blocks as far as they are at hand. A block that
    /// must be waited for holds up nothing but the blocks behind it.
    /// </summary>
    /// <returns>Bytes of blocks.</returns>
    private int Collect(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            AddMetadata();
            if (control.WrittenCount > 0)
            {
                (control, leaving) = (leaving, control);
                MemoryMarshal.TryGetArray(leaving.WrittenMemory, out var said);
                go.Add(said);
            }
        }
        var payload = 0;
        var most = Math.Min(GoBytes, settings.Pace.SliceBytes);
        while (payload < most && leases.Count < GoBlocks && paying.IsCompleted
            && Next(cancellationToken) is { } block)
        {
            var header = headers.AsSpan(leases.Count * PeerCodec.PieceHeaderBytes, PeerCodec.PieceHeaderBytes);
            PeerCodec.WritePieceHeader(header, readingFor.Piece, readingFor.Begin, block.Data.Count);
            go.Add(new ArraySegment<byte>(
                headers, leases.Count * PeerCodec.PieceHeaderBytes, PeerCodec.PieceHeaderBytes));
            go.Add(block.Data);
            leases.Add(block.Lease ?? NoLease.Instance);
            payload += block.Data.Count;
        }
        return payload;
    }

    /// <summary>The next block where it is at hand; else null, and the signal is set when it is.</summary>
    private UploadBlock? Next(CancellationToken cancellationToken)
    {
        while (true)
        {
            if (reading is null)
            {
                lock (gate)
                {
                    if (!requests.TryDequeue(out readingFor)) return null;
                }
                var read = swarm.Upload!.ReadAsync(
                    readingFor.Piece, readingFor.Begin, readingFor.Length, cancellationToken);
                if (read.IsCompletedSuccessfully) return read.Result;
                reading = read.AsTask();
                if (!reading.IsCompleted) _ = SignalAfterAsync(reading);
            }
            if (!reading.IsCompleted) return null;
            var done = reading;
            reading = null;
            if (done.IsCompletedSuccessfully) return done.Result;
            if (done.Exception?.InnerException is { } fault and not VirgaException)
                throw new InvalidOperationException("a block could not be read", fault);
            lock (gate) Reject(readingFor);
            signal.Set();
        }
    }

    private async Task SignalAfterAsync(Task task)
    {
        await task.ContinueWith(
            static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
        signal.Set();
    }

    private void AddMetadata()
    {
        while (control.WrittenCount < MetadataBelowBytes && metadataRequests.TryDequeue(out var piece))
        {
            var id = Extensions.MetadataId;
            if (id == 0) continue;
            var info = swarm.Layout?.Info.Raw ?? default;
            var start = (long)piece * MetadataMessage.PieceBytes;
            if (start >= info.Length)
            {
                PeerCodec.WriteExtended(control, id, MetadataMessage.Write(MetadataKind.Reject, piece));
                continue;
            }
            var data = info.Slice((int)start, (int)Math.Min(MetadataMessage.PieceBytes, info.Length - start));
            PeerCodec.WriteExtended(
                control, id, MetadataMessage.Write(MetadataKind.Data, piece, info.Length), data.Span);
        }
    }

    private void Release()
    {
        foreach (var lease in leases) lease.Dispose();
        leases.Clear();
        go.Clear();
        leaving.ResetWrittenCount();
    }

    /// <summary>After the loops have ended: gives back what was on its way out.</summary>
    private async Task ReleaseAsync()
    {
        Release();
        try
        {
            if (reading is { } read) (await read).Lease?.Dispose();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // Nothing to give back.
        }
        await hashing;
    }

    private sealed class NoLease : IDisposable
    {
        public static readonly NoLease Instance = new();

        public void Dispose()
        {
        }
    }
}
