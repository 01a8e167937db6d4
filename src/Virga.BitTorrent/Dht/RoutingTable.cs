using System.Net;

namespace Virga.BitTorrent.Dht;

/// <summary>A node that is spoken to.</summary>
public readonly record struct DhtContact(NodeId Id, IPEndPoint Place);

/// <summary>
/// The nodes that have answered us, in buckets by how many bits their ids share with ours (BEP 5), 8 in each: many that
/// are near, few that are far. Only who answered a question of ours gets in; where rules are strict, one node of an
/// address, and a node whose id fits its address (BEP 42) before one whose id doesn't. Not safe for several threads.
/// </summary>
internal sealed class RoutingTable(NodeId own, bool isStrict, TimeProvider time)
{
    private const int FailuresMax = 2;

    private readonly List<Entry>[] buckets = NewBuckets();
    private readonly Dictionary<IPAddress, int> addresses = [];

    public int Count { get; private set; }

    public IEnumerable<DhtContact> All => buckets.SelectMany(bucket => bucket).Select(entry => entry.Contact);

    public bool Contains(DhtContact contact) =>
        BucketOf(contact.Id).Exists(
            entry => entry.Contact.Id == contact.Id && entry.Contact.Place.Equals(contact.Place));

    /// <summary>Whether there is room for one more of these, or somebody who would give way.</summary>
    public bool HasRoomFor(DhtContact contact)
    {
        var bucket = BucketOf(contact.Id);
        return contact.Id != own && !bucket.Exists(entry => entry.Contact.Id == contact.Id)
            && !(isStrict && addresses.ContainsKey(contact.Place.Address))
            && (bucket.Count < DhtLimits.BucketNodes || Worst(bucket, contact) >= 0);
    }

    /// <summary>A node has answered a question of ours.</summary>
    public void Answered(DhtContact contact)
    {
        var bucket = BucketOf(contact.Id);
        var known = bucket.Find(entry => entry.Contact.Id == contact.Id);
        if (known is not null)
        {
            // An id does not move while its old place still answers.
            if (!known.Contact.Place.Equals(contact.Place)) return;
            known.Failures = 0;
            known.Seen = time.GetTimestamp();
            return;
        }

        if (!HasRoomFor(contact)) return;
        if (bucket.Count >= DhtLimits.BucketNodes) Remove(bucket, Worst(bucket, contact));
        bucket.Add(new Entry { Contact = contact, Seen = time.GetTimestamp() });
        addresses[contact.Place.Address] = addresses.GetValueOrDefault(contact.Place.Address) + 1;
        Count++;
    }

    /// <summary>A node has not answered a question of ours.</summary>
    public void Failed(DhtContact contact)
    {
        var bucket = BucketOf(contact.Id);
        var index = bucket.FindIndex(
            entry => entry.Contact.Id == contact.Id && entry.Contact.Place.Equals(contact.Place));
        if (index >= 0 && ++bucket[index].Failures >= FailuresMax) Remove(bucket, index);
    }

    public List<DhtContact> Closest(NodeId target, int count)
    {
        var all = All.ToList();
        all.Sort((x, y) => target.CompareDistance(x.Id, y.Id));
        if (all.Count > count) all.RemoveRange(count, all.Count - count);
        return all;
    }

    /// <summary>Those that were not heard of for long, the longest first.</summary>
    public List<DhtContact> Questionable(int count) =>
    [
        .. buckets.SelectMany(bucket => bucket)
            .Where(entry => time.GetElapsedTime(entry.Seen) >= DhtLimits.Questionable)
            .OrderBy(entry => entry.Seen).Take(count).Select(entry => entry.Contact),
    ];

    private List<Entry> BucketOf(NodeId id) => buckets[Math.Min(own.CommonBits(id), buckets.Length - 1)];

    /// <summary>Who gives way to a newcomer: one that failed, or one whose id fits less; -1 for nobody.</summary>
    private int Worst(List<Entry> bucket, DhtContact newcomer)
    {
        var index = bucket.FindIndex(entry => entry.Failures > 0);
        if (index >= 0 || !isStrict || !newcomer.Id.Fits(newcomer.Place.Address)) return index;
        return bucket.FindIndex(entry => !entry.Contact.Id.Fits(entry.Contact.Place.Address));
    }

    private void Remove(List<Entry> bucket, int index)
    {
        var address = bucket[index].Contact.Place.Address;
        bucket.RemoveAt(index);
        if (--addresses[address] == 0) addresses.Remove(address);
        Count--;
    }

    private static List<Entry>[] NewBuckets()
    {
        var buckets = new List<Entry>[8 * NodeId.ByteCount];
        for (var i = 0; i < buckets.Length; i++) buckets[i] = [];
        return buckets;
    }

    private sealed class Entry
    {
        public DhtContact Contact { get; init; }

        public long Seen { get; set; }

        public int Failures { get; set; }
    }
}
