using System.Buffers;
using Virga.Core;

namespace Virga.BitTorrent.Seeding;

/// <summary>
/// Pieces, or runs of large ones, as they were read for peers: accounts are read in large goes, each once for all peers
/// that ask at about the same time, and blocks leave straight from here. Bounded; shared by all swarms. Thread-safe.
/// </summary>
/// <param name="bytesMax">
/// What is kept. Above that only what is being sent right now stays, which the number of unchoked peers bounds.
/// </param>
public sealed class SeedCache(long bytesMax)
{
    /// <summary>For an agent: more than two reads of 1 MiB for each of the peers that are served at once.</summary>
    public const long BytesMaxDefault = 24 << 20;

    /// <summary>Reads that were begun before a block of theirs was due.</summary>
    private const int ExpectedMax = 16;

    private readonly Lock gate = new();
    private readonly Dictionary<(object Owner, long Unit), Entry> entries = [];
    private readonly LinkedList<Entry> byUse = [];
    private long bytes;
    private int expected;

    /// <summary>Reads a unit; called once for all who wait for it.</summary>
    public delegate ValueTask Load(long unit, Memory<byte> destination, CancellationToken cancellationToken);

    /// <summary>A unit that is in use; disposing gives it back once.</summary>
    public sealed class Entry : IDisposable
    {
        private readonly SeedCache cache;
        internal readonly (object Owner, long Unit) Key;
        internal readonly int Length;
        internal readonly LinkedListNode<Entry> Node;
        internal Task Loading = Task.CompletedTask;
        internal int Users = 1;
        internal bool IsGone;

        internal Entry(SeedCache cache, (object, long) key, int length)
        {
            this.cache = cache;
            Key = key;
            Length = length;
            Node = new LinkedListNode<Entry>(this);
            Data = ArrayPool<byte>.Shared.Rent(length);
        }

        public byte[] Data { get; private set; }

        public void Dispose() => cache.Release(this);

        internal void Free()
        {
            ArrayPool<byte>.Shared.Return(Data);
            Data = [];
        }
    }

    /// <summary>Bytes that are kept or in use.</summary>
    public long Bytes
    {
        get
        {
            lock (gate) return bytes;
        }
    }

    /// <summary>The unit's bytes; completes at once where they are here.</summary>
    public ValueTask<Entry> GetAsync(
        object owner, long unit, int length, Load load, CancellationToken cancellationToken)
    {
        Entry entry;
        lock (gate)
        {
            entry = Find(owner, unit) ?? Begin(owner, unit, length, load);
            entry.Users++;
            if (entry.Loading.IsCompletedSuccessfully) return new ValueTask<Entry>(entry);
        }
        return WaitAsync(entry, cancellationToken);
    }

    /// <summary>Begins to read a unit that will be asked for soon, unless enough are read already.</summary>
    public void Expect(object owner, long unit, int length, Load load)
    {
        lock (gate)
        {
            if (expected >= ExpectedMax || entries.ContainsKey((owner, unit))) return;
            expected++;
            _ = CountAsync(Begin(owner, unit, length, load).Loading);
        }
    }

    /// <summary>Forgets what was read for an owner that is no more.</summary>
    public void Forget(object owner)
    {
        lock (gate)
        {
            foreach (var entry in entries.Values.Where(e => e.Key.Owner == owner).ToList()) Remove(entry);
        }
    }

    private async Task CountAsync(Task loading)
    {
        await loading.ContinueWith(
            static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
        lock (gate) expected--;
    }

    private static async ValueTask<Entry> WaitAsync(Entry entry, CancellationToken cancellationToken)
    {
        try
        {
            await entry.Loading.WaitAsync(cancellationToken);
            return entry;
        }
        catch
        {
            entry.Dispose();
            throw;
        }
    }

    private Entry? Find(object owner, long unit)
    {
        if (!entries.TryGetValue((owner, unit), out var entry)) return null;
        if (byUse.Last != entry.Node)
        {
            byUse.Remove(entry.Node);
            byUse.AddLast(entry.Node);
        }
        return entry;
    }

    /// <summary>Its first user is the reading itself.</summary>
    private Entry Begin(object owner, long unit, int length, Load load)
    {
        MakeRoom(length);
        var entry = new Entry(this, (owner, unit), length);
        entries.Add(entry.Key, entry);
        byUse.AddLast(entry.Node);
        bytes += length;
        entry.Loading = Task.Run(() => LoadAsync(entry, load), CancellationToken.None);
        return entry;
    }

    private async Task LoadAsync(Entry entry, Load load)
    {
        try
        {
            // Others wait for it, too: it is not one peer's to cancel. Accounts have time limits of their own.
            await load(entry.Key.Unit, entry.Data.AsMemory(0, entry.Length), CancellationToken.None);
        }
        catch (Exception e)
        {
            lock (gate) Remove(entry);
            if (e is VirgaException) throw;
            throw new VirgaException(FailureKind.Unavailable, "a piece can't be read", null, e);
        }
        finally
        {
            entry.Dispose();
        }
    }

    private void MakeRoom(int length)
    {
        for (var node = byUse.First; node is not null && bytes + length > bytesMax;)
        {
            var next = node.Next;
            if (node.Value.Users == 0) Remove(node.Value);
            node = next;
        }
    }

    private void Remove(Entry entry)
    {
        if (entry.IsGone) return;
        entry.IsGone = true;
        entries.Remove(entry.Key);
        byUse.Remove(entry.Node);
        if (entry.Users == 0) Free(entry);
    }

    private void Release(Entry entry)
    {
        lock (gate)
        {
            if (--entry.Users > 0) return;
            if (entry.IsGone) Free(entry);
            else if (bytes > bytesMax) Remove(entry);
        }
    }

    private void Free(Entry entry)
    {
        bytes -= entry.Length;
        entry.Free();
    }
}
