using System.Buffers.Binary;
using Virga.Core;

namespace Virga.Protocol;

/// <summary>
/// Remembers nonces until they expire, in bounded memory. Thread-safe. One asker can fill an eighth of it at most, so
/// that nobody can lock the others out.
/// </summary>
/// <param name="capacity">Nonces held at once; about 100 bytes each.</param>
public sealed class ReplayCache(TimeProvider time, int capacity = 100_000)
{
    private const int SharesOfOneAsker = 8;

    private readonly Lock gate = new();
    private readonly Dictionary<(AgentId Asker, UInt128 Nonce), DateTimeOffset> held = [];
    private readonly Dictionary<AgentId, int> perAsker = [];
    private readonly PriorityQueue<(AgentId Asker, UInt128 Nonce), DateTimeOffset> byExpiry = new();

    public int Count
    {
        get
        {
            lock (gate) return held.Count;
        }
    }

    /// <summary>
    /// False when this asker used the nonce before; Throttled when the cache is full of unexpired ones.
    /// </summary>
    /// <param name="nonce">16 bytes.</param>
    public bool TryAdd(AgentId asker, ReadOnlySpan<byte> nonce, DateTimeOffset expires)
    {
        var key = (asker, BinaryPrimitives.ReadUInt128BigEndian(nonce));
        var now = time.GetUtcNow();
        lock (gate)
        {
            DropExpired(now);
            if (held.ContainsKey(key)) return false;
            var own = perAsker.GetValueOrDefault(asker);
            if (held.Count >= capacity || own >= Math.Max(1, capacity / SharesOfOneAsker)) throw Full(now);
            held.Add(key, expires);
            perAsker[asker] = own + 1;
            byExpiry.Enqueue(key, expires);
            return true;
        }
    }

    private void DropExpired(DateTimeOffset now)
    {
        while (byExpiry.TryPeek(out var oldest, out var expires) && expires <= now)
        {
            byExpiry.Dequeue();
            held.Remove(oldest);
            var left = perAsker[oldest.Asker] - 1;
            if (left == 0) perAsker.Remove(oldest.Asker);
            else perAsker[oldest.Asker] = left;
        }
    }

    private VirgaException Full(DateTimeOffset now)
    {
        byExpiry.TryPeek(out _, out var next);
        var wait = next - now;
        return new VirgaException(FailureKind.Throttled, "too many signed requests at once", "Try again later.")
        {
            RetryAfter = wait > TimeSpan.FromSeconds(1) ? wait : TimeSpan.FromSeconds(1),
        };
    }
}
