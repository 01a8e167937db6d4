namespace Virga.BitTorrent.Downloads;

/// <summary>
/// Verified pieces that more than one read needs: those that lie across files, and those longer than a read. Each stays
/// until all of it was read, as every byte is read once; of those that are not, as many as fit the bound, and the
/// oldest give way. Guarded by the scheduler's lock.
/// </summary>
internal sealed class PieceCache(int pieceBytes)
{
    /// <summary>Enough for the pieces at the ends of all ranges under way.</summary>
    private const long BytesMax = 24 << 20;
    private const int CountLeast = 2;
    private const int CountMost = 256;

    /// <summary>Buffers that wait for the next piece.</summary>
    private const long FreeBytesMax = 8 << 20;

    private readonly int most = (int)Math.Clamp(BytesMax / pieceBytes, CountLeast, CountMost);
    private readonly Dictionary<int, LinkedListNode<Slot>> byPiece = [];
    private readonly LinkedList<Slot> order = [];
    private readonly Stack<byte[]> free = [];

    public sealed class Slot(int piece, byte[] data, int bytes)
    {
        public readonly int Piece = piece;
        public readonly byte[] Data = data;

        /// <summary>Bytes that nobody has read yet.</summary>
        public int Unread = bytes;
        public int Pins;
        public bool IsOut;
    }

    public byte[] Rent() => free.TryPop(out var buffer) ? buffer : GC.AllocateUninitializedArray<byte>(pieceBytes);

    public void Return(byte[] buffer)
    {
        if (free.Count < Math.Max(1, FreeBytesMax / pieceBytes)) free.Push(buffer);
    }

    /// <summary>Nothing will be fetched any more: what is kept for it is let go.</summary>
    public void Clear()
    {
        while (order.First is { } node) Drop(node);
        free.Clear();
    }

    public bool Contains(int piece) => byPiece.ContainsKey(piece);

    /// <summary>Stays where it is until it is released; null where the piece is not here.</summary>
    public Slot? Take(int piece)
    {
        if (!byPiece.TryGetValue(piece, out var node)) return null;
        order.Remove(node);
        order.AddLast(node);
        node.Value.Pins++;
        return node.Value;
    }

    /// <summary>Keeps a buffer that was rented; pinned once.</summary>
    public Slot Put(int piece, byte[] data, int bytes)
    {
        var slot = new Slot(piece, data, bytes) { Pins = 1 };
        byPiece[piece] = order.AddLast(slot);
        while (order.Count > most) Drop(order.First!);
        return slot;
    }

    /// <param name="read">Bytes that were read of it meanwhile.</param>
    public void Release(Slot slot, int read)
    {
        slot.Pins--;
        slot.Unread -= read;
        if (slot.IsOut && slot.Pins == 0) Return(slot.Data);
        else if (!slot.IsOut && slot.Unread <= 0) Drop(byPiece[slot.Piece]);
    }

    private void Drop(LinkedListNode<Slot> node)
    {
        order.Remove(node);
        byPiece.Remove(node.Value.Piece);
        node.Value.IsOut = true;
        if (node.Value.Pins == 0) Return(node.Value.Data);
    }
}
