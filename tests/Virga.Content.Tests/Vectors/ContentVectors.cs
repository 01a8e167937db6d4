using System.Text;
using Virga.Accounts;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Core.Age;
using Virga.Core.Keys;
using Virga.Core.Merkle;
using Virga.Protocol;
using Virga.Testing;
using Virga.Testing.Vectors;

namespace Virga.Content.Tests.Vectors;

/// <summary>
/// Makes the vectors of spec/v1/content.md, always the same: keys, nonces and content follow from small numbers.
/// </summary>
internal static class ContentVectors
{
    private const int Piece = 65_536;

    public static readonly string[] Types =
        ["manifest", "share-info", "piece-layers", "extras", "sealing", "private-share", "symlink-target"];

    private static readonly AgeIdentity Lineage = new(Sample.Array(1, 32));
    private static readonly AgeIdentity Reader = new(Sample.Array(2, 32));
    private static readonly AgentId Owner = new(Sample.Hash(3));

    public static IReadOnlyList<VectorFile> All() =>
        [.. Manifests(), .. Infos(), .. Layers(), .. Extras(), .. Sealings(), .. PrivateShares(), .. Symlinks()];

    /// <summary>The content that vectors are about: byte i is i mod 251.</summary>
    public static byte[] Plain(int length)
    {
        var bytes = new byte[length];
        for (var i = 0; i < length; i++) bytes[i] = (byte)(i % 251);
        return bytes;
    }

    /// <summary>The start and the end of a blob, or all of a short one.</summary>
    public static byte[] Ends(byte[] blob) => blob.Length <= 128 ? blob : [.. blob[..64], .. blob[^64..]];

    private static IEnumerable<VectorFile> Manifests()
    {
        yield return Manifest("private", "ok", "all kinds of entries of a private share", Private().Encode());
        yield return Manifest("public", "ok", "as extras hold them: no identity, no headers",
            new Manifest(null, PublicEntries()).Encode());
        yield return Manifest("empty", "ok", "an empty folder", new Manifest(Lineage, []).Encode());
        yield return Refused("version-2", "version", "of another version", "d7:entriesle1:vi2ee");
        yield return Refused("no-version", "fields", "no version", "d7:entriesle1:ze");
        yield return Refused("unknown-field", "fields", "a field that no page names", "d7:entriesle1:vi1e1:zi1ee");
        yield return Refused("unsorted-keys", "bencode", "keys out of order", "d1:vi1e7:entrieslee");
        yield return Refused("trailing", "bencode", "a byte behind the end", "d7:entriesle1:vi1eee");
        yield return Entry("no-kind", "an entry without a kind", "d4:path1:ae");
        yield return Entry("unknown-kind", "an entry of unknown kind", "d4:kind1:s4:path1:ae");
        yield return Entry("dots", "a path that leads up", "d4:kind1:d4:path5:a/../e");
        yield return Entry("absolute", "an absolute path", "d4:kind1:d4:path2:/ae");
        yield return Entry("empty-name", "an empty name in a path", "d4:kind1:d4:path4:a//be");
        yield return Entry("nul", "a NUL in a path", "d4:kind1:d4:path3:a\0be");
        yield return Refused("not-utf8", "bencode", "a path that is not UTF-8",
            "d7:entriesld4:kind1:d4:path1:\u00ffee1:vi1ee");
        yield return Entry("out-of-order", "paths out of order", "d4:kind1:d4:path1:bed4:kind1:d4:path1:ae");
        yield return Entry("twice", "one path twice", "d4:kind1:d4:path1:aed4:kind1:d4:path1:ae");
        yield return Entry("below-file", "an entry below a file, not next to it in the list",
            "d4:kind1:f4:path1:a4:sizei0eed4:kind1:d4:path3:a.bed4:kind1:d4:path3:a/be");
        yield return Entry("below-link", "an entry below a link", "d4:kind1:l4:path1:a2:to1:bed4:kind1:d4:path3:a/be");
        yield return Entry("no-root", "content without a root", "d4:kind1:f4:path1:a4:sizei1ee");
        yield return Entry("negative-size", "a negative size", "d4:kind1:f4:path1:a4:sizei-1ee");
        yield return Entry("too-large", "more than 8 TiB",
            "d4:kind1:f4:path1:a4:root32:" + new string('r', 32) + "4:sizei8796093022209ee");
        yield return Entry("link-without-target", "a link without a target", "d4:kind1:l4:path1:ae");
        yield return Entry("folder-with-size", "a folder with a size", "d4:kind1:d4:path1:a4:sizei0ee");
        yield return Entry("executable-0", "'x' is 1 or absent", "d4:kind1:f4:path1:a4:sizei0e1:xi0ee");
        var noNonce = Encoding.Latin1.GetString(Private().Encode());
        var at = noNonce.IndexOf("5:nonce16:", StringComparison.Ordinal);
        yield return Refused("header-without-nonce", "fields", "a header without a nonce",
            noNonce.Remove(at, "5:nonce16:".Length + 16));
    }

    private static IEnumerable<VectorFile> Infos()
    {
        var folder = FolderInfo();
        yield return Info("folder", "ok", "a folder: files, an empty one, an executable, a link", folder.Raw.ToArray(),
            folder);
        var single = TorrentInfo.Create("a", Piece, [new(["a"], 5, Sample.Hash(9))], isSingleFile: true);
        yield return Info("single-file", "ok", "a single file", single.Raw.ToArray(), single);
        var sealedOnes = TorrentInfo.Create("virga", Piece,
            [new(["00000000"], 500, Sample.Hash(1)), new(["00000001"], 66_000, Sample.Hash(2))], isSingleFile: false);
        yield return Info("private", "ok", "a private share: manifest and one blob", sealedOnes.Raw.ToArray(),
            sealedOnes);
        var good = Encoding.Latin1.GetString(folder.Raw.Span);
        foreach (var (name, layer, comment, from, to) in ((string, string, string, string, string)[])
        [
            ("more", "fields", "a field more", "4:name1:f", "4:name1:f6:pieces0:"),
            ("v1-too", "fields", "hybrid: a list of files, too", "12:meta version", "5:filesle12:meta version"),
            ("meta-version-1", "fields", "of meta version 1", "versioni2e", "versioni1e"),
            ("short-pieces", "fields", "pieces shorter than 64 KiB", "lengthi65536ee", "lengthi32768ee"),
            ("long-pieces", "fields", "pieces longer than 8 MiB", "lengthi65536ee", "lengthi16777216ee"),
            ("odd-pieces", "fields", "a piece length that is no power of two", "lengthi65536ee", "lengthi65537ee"),
            ("name-with-slash", "fields", "a name with a slash", "5:empty", "5:e/pty"),
            ("name-up", "fields", "a name that leads up", "1:xd0:", "2:..d0:"),
            ("link-attr-l", "fields", "a link without the x", "4:attr2:xl", "4:attr1:l"),
            ("unknown-attr", "fields", "a hidden file", "4:attr1:x", "4:attr1:h"),
            ("file-and-folder", "fields", "a node that is both file and folder", "d6:lengthi0eee",
                "d6:lengthi0ee1:adee"),
            ("empty-folder", "fields", "an empty folder in the tree", "d0:d6:lengthi0eee", "de"),
            ("root-of-nothing", "fields", "a root without content", "lengthi0e",
                "lengthi0e11:pieces root32:" + new string('r', 32)),
            ("unsorted", "bencode", "keys out of order", "4:name1:f12:piece lengthi65536e",
                "12:piece lengthi65536e4:name1:f"),
        ])
        {
            if (!good.Contains(from, StringComparison.Ordinal))
                throw new InvalidDataException($"'{from}' is not in the info");
            yield return Info(name, layer, comment,
                Encoding.Latin1.GetBytes(good.Replace(from, to, StringComparison.Ordinal)), null);
        }
    }

    private static IEnumerable<VectorFile> Layers()
    {
        var (info, root, layer) = LayeredInfo();
        var raw = ("info", Convert.ToHexStringLower(info.Raw.Span));
        foreach (var (name, expect, comment, layers) in ((string, string, string, KeyValuePair<Hash256, byte[]>[])[])
        [
            ("good", "ok", "the layer of a blob of three pieces", [new(root, layer)]),
            ("missing", "layers", "no layer", []),
            ("short", "layers", "a hash too few", [new(root, layer[..64])]),
            ("altered", "layers", "a bit altered", [new(root, [.. layer[..^1], (byte)(layer[^1] ^ 1)])]),
            ("foreign", "layers", "a layer that no file needs", [new(root, layer), new(Sample.Hash(5), new byte[64])]),
        ])
            yield return VectorFile.OfBytes("piece-layers-" + name, expect, "piece-layers", comment,
                PieceLayers.Create(layers).Encode(), raw);
    }

    private static IEnumerable<VectorFile> Extras()
    {
        using var key = SigningKey.FromSeed(Sample.Array(21, 32));
        var share = Sample.Hash(7);
        var body = ShareExtras.Encode(Owner, share, new Manifest(null, PublicEntries()));
        var good = SignedEnvelope.Sign(key, ShareExtras.SignatureType, body);
        yield return Extra("good", "ok", "times and an empty folder", good.Encode());
        yield return Extra("altered", "signature", "a byte of the body altered",
            (good with { Body = [.. body[..^2], (byte)'2', (byte)'e'] }).Encode());
        yield return Extra("other-type", "signature", "signed as something else",
            SignedEnvelope.Sign(key, "grant", body).Encode());
        yield return Extra("other-share", "fields", "of another share",
            SignedEnvelope.Sign(key, ShareExtras.SignatureType,
            ShareExtras.Encode(Owner, Sample.Hash(8), new Manifest(null, PublicEntries()))).Encode());

        VectorFile Extra(string name, string expect, string comment, byte[] data) =>
            VectorFile.OfBytes("extras-" + name, expect, "extras",
            comment, data, ("key", key.PublicKey.Bytes.ToString()), ("share", share.ToString()));
    }

    private static IEnumerable<VectorFile> Sealings()
    {
        foreach (var length in (int[])[1, 100, Piece - 1, Piece, Piece + 1, (3 * Piece) + 5])
        {
            var (key, nonce) = (new AgeFileKey(Sample.Array(length, 16)), Sample.Array(length + 1, 16));
            var header = AgeHeader.Create(key, [Lineage.Recipient], Sample.Random(length));
            var blob = Sealing.Seal(Plain(length), key, nonce);
            Span<byte> secret = stackalloc byte[32];
            Lineage.CopySecret(secret);
            yield return VectorFile.OfBytes($"sealing-{length}", "ok", "sealing",
                $"{length} bytes, of which byte i is i mod 251", Ends(blob),
                ("identity", Convert.ToHexStringLower(secret)), ("head", Convert.ToHexStringLower(header)),
                ("nonce", Convert.ToHexStringLower(nonce)),
                ("size", length.ToString()), ("length", blob.Length.ToString()),
                ("root", MerkleTree.Root(blob).ToString()));
        }
    }

    private static IEnumerable<VectorFile> PrivateShares()
    {
        var manifest = Private();
        var blobs = manifest.Entries.Where(entry => entry.Root is not null)
            .Select(entry => new BlobName(entry.Root!.Value, AgePayload.SealedLength(entry.Size))).ToArray();
        yield return Share("good", "ok", "opens for its reader", manifest, blobs, Reader);
        yield return Share("stranger", "denied", "is not sealed to this reader", manifest, blobs,
            new AgeIdentity(Sample.Array(40, 32)));
        yield return Share("missing-blob", "fields", "a blob of the manifest is not in the torrent", manifest,
            blobs[..^1], Reader);
        yield return Share("one-more-blob", "fields", "a blob that the manifest doesn't name", manifest,
            [.. blobs, new(Sample.Hash(60), 40)], Reader);
        yield return Share("other-order", "fields", "blobs in another order than the manifest names them", manifest,
            [.. blobs.Reverse()], Reader);
        yield return Share("other-length", "fields", "a blob of another length than the size gives", manifest,
            [blobs[0] with { Length = blobs[0].Length + 1 }, .. blobs[1..]], Reader);
        yield return Share("no-identity", "fields", "a manifest without an identity", new Manifest(null, []), [],
            Reader);
    }

    private static IEnumerable<VectorFile> Symlinks()
    {
        var number = 0;
        foreach (var (path, target, expect, comment) in ((string, string, string, string)[])
        [
            ("a", "b", "ok", "a sibling"), ("a", "./b//c/", "ok", "dots and empty names mean nothing"),
                ("d/a", "../b", "ok", "up to the top"),
            ("a", "../b", "outside", "above the top"), ("d/a", "../../b", "outside", "above the top from a folder"),
            ("d/a", "x/../b", "outside", "up behind a name, which may be a link"), ("a", "/etc", "outside", "absolute"),
            ("a", "\\\\host\\x", "outside", "absolute on Windows"), ("a", "C:/x", "outside", "a drive"),
            ("a", "..", "outside", "the folder above"),
        ])
            yield return VectorFile.OfText($"symlink-{++number:d2}", expect, "symlink-target", comment, target,
                ("path", path));
    }

    private static Manifest Private()
    {
        ManifestEntry Sealed(string path, int size, bool isExecutable)
        {
            var (key, nonce) = (new AgeFileKey(Sample.Array(size, 16)), Sample.Array(size + 1, 16));
            return new(EntryPath.Parse(path), EntryKind.File, size, 981173106123456789, isExecutable,
                MerkleTree.Root(Sealing.Seal(Plain(size), key, nonce)),
                AgeHeader.Create(key, [Lineage.Recipient], Sample.Random(size)), null)
            {
                Nonce = nonce,
            };
        }
        return new Manifest(Lineage,
        [
            Sealed("a", 100, false), Sealed("a.sh", 7, true),
                new(EntryPath.Parse("d/empty"), EntryKind.File, 0, null, false, null, null, null),
            new(EntryPath.Parse("hollow"), EntryKind.Folder, 0, -1, false, null, null, null),
            new(EntryPath.Parse("out"), EntryKind.Symlink, 0, null, false, null, null, "../elsewhere"),
            new(EntryPath.Parse("\u00e9 \U0001f327"), EntryKind.Symlink, 0, null, false, null, null, "a"),
        ]);
    }

    private static List<ManifestEntry> PublicEntries() =>
    [
        new(EntryPath.Parse("a"), EntryKind.File, 5, 1_000_000_001, true, Sample.Hash(1), null, null),
        new(EntryPath.Parse("hollow"), EntryKind.Folder, 0, 5, false, null, null, null),
        new(EntryPath.Parse("link"), EntryKind.Symlink, 0, null, false, null, null, "./a"),
    ];

    private static TorrentInfo FolderInfo() => TorrentInfo.Create("f", Piece,
    [
        new(["a.txt"], 70_000, Sample.Hash(1)), new(["a", "x"], 5, Sample.Hash(2), IsExecutable: true),
            new(["empty"], 0, null),
        new(["link"], 0, null, SymlinkTarget: [".", "a.txt"]),
    ], isSingleFile: false);

    private static (TorrentInfo Info, Hash256 Root, byte[] Layer) LayeredInfo()
    {
        var hasher = new BlobHasher(Piece);
        hasher.Append(Plain((2 * Piece) + 1));
        var (blob, layer) = hasher.Finish();
        return (TorrentInfo.Create("a", Piece, [new(["a"], blob.Length, blob.Root)], isSingleFile: true), blob.Root,
            layer);
    }

    private static VectorFile Manifest(string name, string expect, string comment, byte[] data) =>
        VectorFile.OfBytes("manifest-" + name, expect, "manifest", comment, data);

    private static VectorFile Refused(string name, string layer, string comment, string text) =>
        Manifest(name, layer, comment, Encoding.Latin1.GetBytes(text));

    private static VectorFile Entry(string name, string comment, string entries) =>
        Refused(name, "fields", comment, $"d7:entriesl{entries}e1:vi1ee");

    private static VectorFile Info(string name, string expect, string comment, byte[] data, TorrentInfo? info) =>
        VectorFile.OfBytes("share-info-" + name, expect, "share-info", comment, data,
            ("info-hash", info?.InfoHashV2?.ToString() ?? "-"));

    private static VectorFile Share(string name, string expect, string comment, Manifest manifest, BlobName[] blobs,
        AgeIdentity reader)
    {
        var file = AgeFile.Seal(manifest.Encode(), [Reader.Recipient], Sample.Random(50));
        var info = TorrentInfo.Create(ShareContent.PrivateName, Piece,
        [
            new([ShareContent.BlobFileName(0)], file.Length, MerkleTree.Root(file)),
            .. blobs.Select((blob, i) => new TorrentFile([ShareContent.BlobFileName(i + 1)], blob.Length, blob.Root)),
        ], isSingleFile: false);
        Span<byte> secret = stackalloc byte[32];
        reader.CopySecret(secret);
        return VectorFile.OfBytes("private-share-" + name, expect, "private-share", comment, file,
            ("info", Convert.ToHexStringLower(info.Raw.Span)), ("identity", Convert.ToHexStringLower(secret)));
    }
}
