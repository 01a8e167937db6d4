using System.Collections;
using System.Collections.Concurrent;
using Virga.Accounts;
using Virga.Core;
using Virga.Core.Age;
using Virga.Core.Bencoding;

namespace Virga.Content.Snapshots;

/// <summary>
/// The blobs of an index as they stand in it, each read when it is asked for: of a share of many files few are asked
/// for at a time, and as objects they take several times the room. Safe for several threads at once.
/// </summary>
/// <param name="data">The whole index, which must not be changed any more.</param>
/// <param name="places">Where each blob begins, and how long it is.</param>
/// <param name="numbers">The first blob with a root.</param>
internal sealed class StoredBlobs(
    ReadOnlyMemory<byte> data, List<(int Start, int Length)> places, Dictionary<Hash256, int> numbers)
    : IReadOnlyList<OwnedBlob>
{
    /// <summary>
    /// Larger files have so many tags that they are not to be copied for each range that is read: the object stays.
    /// </summary>
    private const int KeptFromBytes = 2 << 10;

    private readonly ConcurrentDictionary<int, OwnedBlob> kept = [];

    public int Count => places.Count;

    public OwnedBlob this[int number] => places[number].Length < KeptFromBytes ? ReadAt(number)
        : kept.GetOrAdd(number, static (number, blobs) => blobs.ReadAt(number), this);

    public OwnedBlob? Find(Hash256 root) => numbers.TryGetValue(root, out var number) ? this[number] : null;

    public IEnumerator<OwnedBlob> GetEnumerator() => Enumerable.Range(0, Count).Select(i => this[i]).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private OwnedBlob ReadAt(int number)
    {
        var (start, length) = places[number];
        var reader = new BencodeReader(data.Span.Slice(start, length), OwnerIndex.Limits);
        reader.Read();
        return Read(ref reader);
    }

    /// <summary>The reader stands at the start of the blob.</summary>
    public static OwnedBlob Read(ref BencodeReader reader)
    {
        AgeFileKey? fileKey = null;
        byte[]? nonce = null, tags = null, v1 = null;
        string? path = null, version = null;
        Hash256? root = null;
        long? length = null, plain = null, modified = null;
        bool isExecutable = false, isRacy = false;
        while (ManifestReader.NextKey(ref reader, out var key))
        {
            if (key.SequenceEqual("key"u8))
                fileKey = new AgeFileKey(ManifestReader.Bytes(ref reader, AgeFileKey.ByteCount, "key"));
            else if (key.SequenceEqual("length"u8)) length = ManifestReader.Integer(ref reader, "length");
            else if (key.SequenceEqual("listed-mtime"u8)) modified = ManifestReader.Integer(ref reader, "listed-mtime");
            else if (key.SequenceEqual("listed-x"u8))
                isExecutable = ManifestReader.Integer(ref reader, "listed-x") == 1;
            else if (key.SequenceEqual("nonce"u8))
                nonce = ManifestReader.Bytes(ref reader, AgePayload.NonceBytes, "nonce").ToArray();
            else if (key.SequenceEqual("path"u8)) path = OwnerIndex.Text(ref reader, "path");
            else if (key.SequenceEqual("plain"u8)) plain = ManifestReader.Integer(ref reader, "plain");
            else if (key.SequenceEqual("racy"u8)) isRacy = ManifestReader.Integer(ref reader, "racy") == 1;
            else if (key.SequenceEqual("root"u8))
                root = new Hash256(ManifestReader.Bytes(ref reader, Hash256.ByteCount, "root"));
            else if (key.SequenceEqual("tags"u8)) tags = ManifestReader.Bytes(ref reader, -1, "tags").ToArray();
            else if (key.SequenceEqual("v1"u8)) v1 = ManifestReader.Bytes(ref reader, -1, "v1").ToArray();
            else if (key.SequenceEqual("version"u8)) version = OwnerIndex.Text(ref reader, "version");
            else throw ManifestRules.Bad("a blob has an unknown field");
        }
        var isWhole = path is not null && version is not null && root is not null && length > 0
            && plain is > 0 and <= ContentLimits.BlobBytesMax && tags is not null
            && tags.Length == AgePayload.ChunkCount(plain.Value) * OwnedBlob.TagBytes
                && (fileKey is null) == (nonce is null)
            && length == (fileKey is null ? plain : AgePayload.SealedLength(plain.Value));
        if (!isWhole) throw ManifestRules.Bad("a blob lacks a field, or its fields contradict each other");
        return new OwnedBlob(new BlobName(root!.Value, length!.Value), EntryPath.Parse(path!),
            new EntryVersion(version!), plain!.Value,
            fileKey, nonce, tags!)
        {
            Listed = new ListedAs(modified, isExecutable),
            IsRacy = isRacy,
            V1Pieces = v1,
        };
    }
}
