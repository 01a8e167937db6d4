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
    private static readonly BencodeLimits Limits = new(int.MaxValue, 4, 32_000_000);

    private readonly Dictionary<Hash256, OwnedBlob> byRoot = [];
    private BlobName? manifestBlob;

    /// <param name="blobs">One for each file with content; two files of equal content may share a root.</param>
    public OwnerIndex(TorrentInfo info, PieceLayers layers, EntryPath sharedPath, Manifest manifest,
        byte[]? sealedManifest,
        IReadOnlyList<OwnedBlob> blobs)
    {
        Info = info;
        Layers = layers;
        SharedPath = sharedPath;
        Manifest = manifest;
        // Not a conditional: null would become an empty memory.
        if (sealedManifest is not null) SealedManifest = sealedManifest.AsMemory();
        Blobs = blobs;
        foreach (var blob in blobs) byRoot.TryAdd(blob.Blob.Root, blob);
    }

    public TorrentInfo Info { get; }

    public Hash256 InfoHash => Info.InfoHashV2!.Value;

    public PieceLayers Layers { get; }

    public bool IsPrivate => SealedManifest is not null;

    /// <summary>Where the shared entry lies in its account.</summary>
    public EntryPath SharedPath { get; }

    public Manifest Manifest { get; }

    /// <summary>The blob 00000000 of a private share; null in public ones.</summary>
    public ReadOnlyMemory<byte>? SealedManifest { get; }

    public IReadOnlyList<OwnedBlob> Blobs { get; }

    /// <summary>Of the files without content, what the account's listing said of them.</summary>
    public IReadOnlyList<EmptyFile> Empties { get; init; } = [];

    /// <summary>The blob with that root, or null; the sealed manifest is none of them.</summary>
    public OwnedBlob? Find(Hash256 root) => byRoot.GetValueOrDefault(root);

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

    /// <summary>Corrupt when it isn't what <see cref="Encode"/> wrote; Unsupported for another version.</summary>
    public static OwnerIndex Parse(ReadOnlyMemory<byte> data)
    {
        try
        {
            return Read(data);
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

    private static OwnerIndex Read(ReadOnlyMemory<byte> data)
    {
        var reader = new BencodeReader(data.Span, Limits);
        reader.Read();
        ManifestReader.Expect(ref reader, BencodeToken.DictionaryStart, "it is no dictionary");
        var (blobs, empties) = (new List<OwnedBlob>(), new List<EmptyFile>());
        TorrentInfo? info = null;
        ReadOnlyMemory<byte> layers = default;
        Manifest? manifest = null;
        byte[]? sealedManifest = null;
        string? path = null;
        while (ManifestReader.NextKey(ref reader, out var key))
        {
            if (key.SequenceEqual("blobs"u8)) ReadBlobs(ref reader, blobs);
            else if (key.SequenceEqual("empty"u8)) ReadEmpties(ref reader, empties);
            else if (key.SequenceEqual("info"u8))
                info = TorrentInfo.ParseShare(ManifestReader.Bytes(ref reader, -1, "info").ToArray());
            else if (key.SequenceEqual("layers"u8)) layers = ManifestReader.Bytes(ref reader, -1, "layers").ToArray();
            else if (key.SequenceEqual("manifest"u8)) manifest = ReadManifest(data, ref reader);
            else if (key.SequenceEqual("path"u8)) path = Text(ref reader, "path");
            else if (key.SequenceEqual("sealed"u8))
                sealedManifest = ManifestReader.Bytes(ref reader, -1, "sealed").ToArray();
            else if (key.SequenceEqual("v"u8)) CheckVersion(ManifestReader.Integer(ref reader, "v"));
            else throw ManifestRules.Bad("it has an unknown field");
        }
        if (info is null || manifest is null || path is null || layers.IsEmpty)
            throw ManifestRules.Bad("it lacks a field");
        return new OwnerIndex(info, PieceLayers.Parse(layers, info), EntryPath.Parse(path), manifest, sealedManifest,
            blobs) { Empties = empties };
    }

    private static Manifest ReadManifest(ReadOnlyMemory<byte> data, ref BencodeReader reader)
    {
        var length = ManifestReader.Bytes(ref reader, -1, "manifest").Length;
        return Manifest.Parse(data.Slice(reader.Position - length, length));
    }

    private static void CheckVersion(long version)
    {
        if (version != Version)
            throw new VirgaException(FailureKind.Unsupported, $"the index of a share is of version {version}",
                "Get a newer Virga.");
    }

    private static void ReadBlobs(ref BencodeReader reader, List<OwnedBlob> blobs)
    {
        reader.Read();
        ManifestReader.Expect(ref reader, BencodeToken.ListStart, "'blobs' is no list");
        while (reader.Read() && reader.Token != BencodeToken.End)
        {
            ManifestReader.Expect(ref reader, BencodeToken.DictionaryStart, "a blob is no dictionary");
            blobs.Add(ReadBlob(ref reader));
        }
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

    private static OwnedBlob ReadBlob(ref BencodeReader reader)
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
            else if (key.SequenceEqual("path"u8)) path = Text(ref reader, "path");
            else if (key.SequenceEqual("plain"u8)) plain = ManifestReader.Integer(ref reader, "plain");
            else if (key.SequenceEqual("racy"u8)) isRacy = ManifestReader.Integer(ref reader, "racy") == 1;
            else if (key.SequenceEqual("root"u8))
                root = new Hash256(ManifestReader.Bytes(ref reader, Hash256.ByteCount, "root"));
            else if (key.SequenceEqual("tags"u8)) tags = ManifestReader.Bytes(ref reader, -1, "tags").ToArray();
            else if (key.SequenceEqual("v1"u8)) v1 = ManifestReader.Bytes(ref reader, -1, "v1").ToArray();
            else if (key.SequenceEqual("version"u8)) version = Text(ref reader, "version");
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

    private static string Text(ref BencodeReader reader, string field)
    {
        ManifestReader.Bytes(ref reader, -1, field);
        return reader.Text;
    }
}
