using System.Buffers;
using Virga.Accounts;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Core.Age;
using Virga.Core.Bencoding;

namespace Virga.Content.Snapshots;

/// <summary>
/// All that an owner keeps of a share: what it hands out (info, layers, sealed manifest) and what it needs to produce
/// the blobs. Encoded as bencode; at rest it is sealed, since it holds the file keys. Immutable.
/// </summary>
public sealed class OwnerIndex
{
    private const int Version = 1;
    internal static readonly BencodeLimits Limits = new(int.MaxValue, 4, 32_000_000);

    private readonly Dictionary<Hash256, OwnedBlob> byRoot = [];
    private readonly Lazy<Manifest> manifest;
    private BlobName? manifestBlob;

    /// <param name="blobs">One for each file with content; two files of equal content may share a root.</param>
    public OwnerIndex(TorrentInfo info, PieceLayers layers, EntryPath sharedPath, Manifest manifest,
        byte[]? sealedManifest,
        IReadOnlyList<OwnedBlob> blobs)
        : this(
            info, layers, sharedPath, new Lazy<Manifest>(manifest),
            // Not an implicit conversion: null would become an empty memory.
            sealedManifest is null ? default(ReadOnlyMemory<byte>?) : sealedManifest.AsMemory(), blobs)
    {
    }

    private OwnerIndex(
        TorrentInfo info, PieceLayers layers, EntryPath sharedPath, Lazy<Manifest> manifest,
        ReadOnlyMemory<byte>? sealedManifest, IReadOnlyList<OwnedBlob> blobs)
    {
        Info = info;
        Layers = layers;
        SharedPath = sharedPath;
        this.manifest = manifest;
        SealedManifest = sealedManifest;
        Blobs = blobs;
        if (blobs is StoredBlobs) return;
        byRoot.EnsureCapacity(blobs.Count);
        foreach (var blob in blobs) byRoot.TryAdd(blob.Blob.Root, blob);
    }

    public TorrentInfo Info { get; }

    public Hash256 InfoHash => Info.InfoHashV2!.Value;

    public PieceLayers Layers { get; }

    public bool IsPrivate => SealedManifest is not null;

    /// <summary>Where the shared entry lies in its account.</summary>
    public EntryPath SharedPath { get; }

    public Manifest Manifest => manifest.Value;

    /// <summary>The blob 00000000 of a private share; null in public ones.</summary>
    public ReadOnlyMemory<byte>? SealedManifest { get; }

    public IReadOnlyList<OwnedBlob> Blobs { get; }

    /// <summary>Of the files without content, what the account's listing said of them.</summary>
    public IReadOnlyList<EmptyFile> Empties { get; init; } = [];

    /// <summary>The blob with that root, or null; the sealed manifest is none of them.</summary>
    public OwnedBlob? Find(Hash256 root) =>
        Blobs is StoredBlobs stored ? stored.Find(root) : byRoot.GetValueOrDefault(root);

    /// <summary>Root and length of the sealed manifest; null in public shares.</summary>
    public BlobName? ManifestBlob => IsPrivate ? manifestBlob ??= ShareContent.ManifestBlob(Info, Layers).Blob : null;

    public byte[] Encode() => BencodeWriter.EncodeLarge(Write);

    /// <summary>The same, written as it is made.</summary>
    public void Encode(IBufferWriter<byte> output) => Write(new BencodeWriter(output));

    private void Write(BencodeWriter writer)
    {
        writer.StartDictionary().Key("blobs").StartList();
        foreach (var blob in Blobs) Write(writer, blob);
        writer.End();
        if (Empties.Count > 0)
        {
            writer.Key("empty").StartList();
            foreach (var file in Empties) Write(writer, file);
            writer.End();
        }
        writer.Key("info").Bytes(Info.Raw.Span).Key("layers").Nested(Layers.Write)
            .Key("manifest").Nested(Manifest.Write).Key("path").Text(SharedPath.Value);
        if (SealedManifest is { } sealedBytes) writer.Key("sealed").Bytes(sealedBytes.Span);
        writer.Key("v").Integer(Version).End();
    }

    /// <summary>Corrupt when it isn't what <see cref="Encode()"/> wrote; Unsupported for another version.</summary>
    /// <param name="data">What is parsed is slices of it: it must not be changed any more.</param>
    public static OwnerIndex Parse(ReadOnlyMemory<byte> data)
    {
        var index = Checked(() => Read(data, isServed: false));
        _ = index.Manifest;
        return index;
    }

    /// <summary>
    /// The same of a share that is only to be read by others: the manifest, and what is known of each private file, is
    /// parsed when it is asked for, so that a share of many files takes little more than its index.
    /// </summary>
    public static OwnerIndex ParseToServe(ReadOnlyMemory<byte> data) => Checked(() => Read(data, isServed: true));

    private static T Checked<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (VirgaException failure) when (failure.Kind == FailureKind.BadInput)
        {
            throw new VirgaException(FailureKind.Corrupt, $"the index of a share is damaged ({failure.Message})",
                "Share the folder again; agents that have the share are not affected.", failure);
        }
    }

    private static void Write(BencodeWriter writer, EmptyFile file)
    {
        writer.StartDictionary();
        if (file.Listed.ModifiedNs is { } modified) writer.Key("listed-mtime").Integer(modified);
        if (file.Listed.IsExecutable) writer.Key("listed-x").Integer(1);
        writer.Key("path").Text(file.Path.Value);
        if (file.Version is { } version) writer.Key("version").Text(version.Value);
        writer.End();
    }

    private static void Write(BencodeWriter writer, OwnedBlob blob)
    {
        Span<byte> bytes = stackalloc byte[Hash256.ByteCount];
        writer.StartDictionary();
        if (blob.FileKey is { } key)
        {
            key.CopyTo(bytes);
            writer.Key("key").Bytes(bytes[..AgeFileKey.ByteCount]);
        }
        writer.Key("length").Integer(blob.Blob.Length);
        if (blob.Listed.ModifiedNs is { } modified) writer.Key("listed-mtime").Integer(modified);
        if (blob.Listed.IsExecutable) writer.Key("listed-x").Integer(1);
        if (blob.Nonce is not null) writer.Key("nonce").Bytes(blob.Nonce);
        writer.Key("path").Text(blob.Path.Value).Key("plain").Integer(blob.PlainLength);
        if (blob.IsRacy) writer.Key("racy").Integer(1);
        blob.Blob.Root.CopyTo(bytes);
        writer.Key("root").Bytes(bytes).Key("tags").Bytes(blob.Tags);
        if (blob.V1Pieces is { } pieces) writer.Key("v1").Bytes(pieces);
        writer.Key("version").Text(blob.Version.Value).End();
    }

    private static OwnerIndex Read(ReadOnlyMemory<byte> data, bool isServed)
    {
        var reader = new BencodeReader(data.Span, Limits);
        reader.Read();
        ManifestReader.Expect(ref reader, BencodeToken.DictionaryStart, "it is no dictionary");
        IReadOnlyList<OwnedBlob> blobs = [];
        var empties = new List<EmptyFile>();
        TorrentInfo? info = null;
        ReadOnlyMemory<byte> layers = default, manifest = default;
        ReadOnlyMemory<byte>? sealedManifest = null;
        string? path = null;
        while (ManifestReader.NextKey(ref reader, out var key))
        {
            if (key.SequenceEqual("blobs"u8)) blobs = ReadBlobs(data, ref reader, isServed);
            else if (key.SequenceEqual("empty"u8)) ReadEmpties(ref reader, empties);
            else if (key.SequenceEqual("info"u8))
                info = TorrentInfo.ParseShare(Slice(data, ref reader, "info"));
            else if (key.SequenceEqual("layers"u8)) layers = Slice(data, ref reader, "layers");
            else if (key.SequenceEqual("manifest"u8)) manifest = Slice(data, ref reader, "manifest");
            else if (key.SequenceEqual("path"u8)) path = Text(ref reader, "path");
            else if (key.SequenceEqual("sealed"u8)) sealedManifest = Slice(data, ref reader, "sealed");
            else if (key.SequenceEqual("v"u8)) CheckVersion(ManifestReader.Integer(ref reader, "v"));
            else throw ManifestRules.Bad("it has an unknown field");
        }
        if (info is null || manifest.IsEmpty || path is null || layers.IsEmpty)
            throw ManifestRules.Bad("it lacks a field");
        return new OwnerIndex(
            info, PieceLayers.Parse(layers, info), EntryPath.Parse(path),
            new Lazy<Manifest>(() => Checked(() => Manifest.Parse(manifest))), sealedManifest, blobs)
        {
            Empties = empties,
        };
    }

    private static ReadOnlyMemory<byte> Slice(ReadOnlyMemory<byte> data, ref BencodeReader reader, string field)
    {
        var length = ManifestReader.Bytes(ref reader, -1, field).Length;
        return data.Slice(reader.Position - length, length);
    }

    private static void CheckVersion(long version)
    {
        if (version != Version)
            throw new VirgaException(FailureKind.Unsupported, $"the index of a share is of version {version}",
                "Get a newer Virga.");
    }

    /// <summary>
    /// Checks all of them. Those of public files stay as they are: what was seen of one is known by the object.
    /// </summary>
    private static IReadOnlyList<OwnedBlob> ReadBlobs(
        ReadOnlyMemory<byte> data, ref BencodeReader reader, bool isServed)
    {
        reader.Read();
        ManifestReader.Expect(ref reader, BencodeToken.ListStart, "'blobs' is no list");
        var blobs = new List<OwnedBlob>();
        var places = new List<(int Start, int Length)>();
        var numbers = new Dictionary<Hash256, int>();
        while (reader.Read() && reader.Token != BencodeToken.End)
        {
            ManifestReader.Expect(ref reader, BencodeToken.DictionaryStart, "a blob is no dictionary");
            var start = reader.TokenStart;
            var blob = StoredBlobs.Read(ref reader);
            if (!isServed || blob.FileKey is null)
            {
                blobs.Add(blob);
                continue;
            }
            numbers.TryAdd(blob.Blob.Root, places.Count);
            places.Add((start, reader.Position - start));
        }
        if (blobs.Count > 0 && places.Count > 0) throw ManifestRules.Bad("some of its blobs are sealed and some not");
        return places.Count > 0 ? new StoredBlobs(data, places, numbers) : blobs;
    }

    private static void ReadEmpties(ref BencodeReader reader, List<EmptyFile> empties)
    {
        reader.Read();
        ManifestReader.Expect(ref reader, BencodeToken.ListStart, "'empty' is no list");
        while (reader.Read() && reader.Token != BencodeToken.End)
        {
            ManifestReader.Expect(ref reader, BencodeToken.DictionaryStart, "an empty file is no dictionary");
            string? path = null, version = null;
            long? modified = null;
            var isExecutable = false;
            while (ManifestReader.NextKey(ref reader, out var key))
            {
                if (key.SequenceEqual("listed-mtime"u8))
                    modified = ManifestReader.Integer(ref reader, "listed-mtime");
                else if (key.SequenceEqual("listed-x"u8))
                    isExecutable = ManifestReader.Integer(ref reader, "listed-x") == 1;
                else if (key.SequenceEqual("path"u8)) path = Text(ref reader, "path");
                else if (key.SequenceEqual("version"u8)) version = Text(ref reader, "version");
                else throw ManifestRules.Bad("an empty file has an unknown field");
            }
            if (path is null) throw ManifestRules.Bad("an empty file has no path");
            empties.Add(new EmptyFile(
                EntryPath.Parse(path), version is null ? null : new EntryVersion(version),
                new ListedAs(modified, isExecutable)));
        }
    }

    internal static string Text(ref BencodeReader reader, string field)
    {
        ManifestReader.Bytes(ref reader, -1, field);
        return reader.Text;
    }
}
