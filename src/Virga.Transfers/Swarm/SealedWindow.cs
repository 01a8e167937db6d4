using Virga.Transfers.Engine;

namespace Virga.Transfers.Swarm;

/// <summary>
/// Verified pieces in memory, of all shares that an agent passes on; the oldest go first. What is in use by a reader
/// stays until that reader is done with it.
/// </summary>
public sealed class SealedWindow(long bytesMax)
{
    private readonly BufferPool buffers = new();
    private readonly Lock gate = new();
    private readonly Dictionary<(HeldShare Share, int Piece), LinkedListNode<Slot>> byPiece = [];
    private readonly LinkedList<Slot> slots = new();
    private long bytes;

    /// <summary>A piece that is held while it is used: <see cref="Release"/> it.</summary>
    internal sealed class Slot(HeldShare share, int piece, Memory<byte> buffer, int length)
    {
        public readonly HeldShare Share = share;
        public readonly int Piece = piece;
        public readonly Memory<byte> Buffer = buffer;
        public readonly int Length = length;
        public int Users = 1;

        public ReadOnlyMemory<byte> Data => Buffer[..Length];
    }

    internal Slot? Take(HeldShare share, int piece)
    {
        lock (gate)
        {
            if (!byPiece.TryGetValue((share, piece), out var node)) return null;
            node.Value.Users++;
            return node.Value;
        }
    }

    internal void Release(Slot slot)
    {
        lock (gate)
        {
            if (--slot.Users == 0) buffers.Return(slot.Buffer);
        }
    }

    /// <summary>Copies a piece in; returns those that had to make room, for their shares to know.</summary>
    internal List<Slot> Put(HeldShare share, int piece, ReadOnlySpan<byte> data)
    {
        var gone = new List<Slot>();
        if (data.Length > bytesMax / 4) return gone;
        lock (gate)
        {
            if (byPiece.ContainsKey((share, piece))) return gone;
            var buffer = buffers.Rent(data.Length);
            data.CopyTo(buffer.Span);
            byPiece.Add((share, piece), slots.AddLast(new Slot(share, piece, buffer, data.Length)));
            bytes += buffer.Length;
            while (bytes > bytesMax) gone.Add(RemoveFirst());
        }
        return gone;
    }

    internal bool Contains(HeldShare share, int piece)
    {
        lock (gate) return byPiece.ContainsKey((share, piece));
    }

    internal void Remove(HeldShare share)
    {
        lock (gate)
        {
            for (var node = slots.First; node is not null;)
            {
                var next = node.Next;
                if (node.Value.Share == share) Remove(node);
                node = next;
            }
            if (slots.Count == 0) buffers.Trim();
        }
    }

    private Slot RemoveFirst()
    {
        var node = slots.First!;
        Remove(node);
        return node.Value;
    }

    private void Remove(LinkedListNode<Slot> node)
    {
        var slot = node.Value;
        slots.Remove(node);
        byPiece.Remove((slot.Share, slot.Piece));
        bytes -= slot.Buffer.Length;
        if (--slot.Users == 0) buffers.Return(slot.Buffer);
    }
}
