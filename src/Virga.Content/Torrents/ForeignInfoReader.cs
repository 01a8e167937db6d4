using System.Security.Cryptography;
using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Merkle;

namespace Virga.Content.Torrents;

/// <summary>
/// Reads anybody's info dict (BEP 3, 47, 52) and takes or refuses what libtorrent 2.0.8 takes or refuses. One pass over
/// the top cuts it into its fields, a second one reads the files; nothing but the list of files is built.
/// </summary>
internal static class ForeignInfoReader
{
    private const long PiecesMax = 0x200000;
    private const long TotalBytesMax = (1L << 48) - 1;
    private const string PaddingMark = "_____padding_file_";

    public static TorrentInfo Read(ReadOnlyMemory<byte> raw)
    {
        var fields = InfoFields.Cut(raw.Span);
        var version = fields.MetaVersion.Integer ?? -1;
        if (version > 2)
            throw new VirgaException(FailureKind.Unsupported, $"torrent: it is of meta version {version}",
                "Get a newer Virga.");
        var isV2 = version == 2;
        if (version > 0) CheckSorted(raw.Span);
        if (isV2 && !fields.FileTree.IsDictionary) throw TorrentInfo.Bad("'file tree' is missing");
        if (!isV2 && fields.FileTree.IsDictionary) throw TorrentInfo.Bad("it has a 'file tree' and no 'meta version'");
        var isV1 = !isV2 || fields.Files.IsList || fields.Length.IsPresent;
        var pieceBytes = PieceBytes(fields, isV2);
        var budget = new PathBudget(raw.Length);
        var hash = isV1 ? SHA1.HashData(raw.Span) : SHA256.HashData(raw.Span);
        var name = Name(fields, hash);

        List<TorrentFile> files = [];
        var isSingle = false;
        if (isV2)
        {
            var tree = new FileTreeReader(budget, fields.Files.IsList);
            files = tree.Read(fields.FileTree.Raw);
            isSingle = tree.IsSingleFile;
        }
        if (isV1)
        {
            var list = fields.Files.IsList ? FileList(fields.Files.Raw, budget) : [SingleFile(fields, budget)];
            if (isV2) CheckSame(files, list, pieceBytes);
            else files = list;
            isSingle |= !isV2 && !fields.Files.IsList;
        }
        CheckPieces(fields, files, pieceBytes, isV2);
        SafeNames.TellDoublesApart(files);
        return new TorrentInfo(isSingle ? files[0].Path[0] : name, pieceBytes, files, raw)
        {
            InfoHashV1 = isV1 ? hash : null,
            InfoHashV2 = isV2 ? TorrentInfo.HashV2(raw.Span) : null,
            PieceHashesV1 = isV1 && raw.Span.Overlaps(fields.Pieces.Text, out var at)
                ? raw.Slice(at, fields.Pieces.Text.Length) : default,
            IsSingleFile = isSingle,
            IsTrackerOnly = fields.Private.Integer is not (null or 0),
        };
    }

    /// <summary>Only torrents from before v2 may have their keys out of order.</summary>
    private static void CheckSorted(ReadOnlySpan<byte> raw)
    {
        var reader = new BencodeReader(raw, ContentLimits.Info);
        while (reader.Read())
        {
        }
    }

    private static int PieceBytes(InfoFields fields, bool isV2)
    {
        var length = fields.PieceLength.Integer ?? 0;
        if (length is <= 0 or > int.MaxValue / 2)
            throw TorrentInfo.Bad($"'piece length' is missing or impossible: {length}");
        if (isV2 && !MerkleTree.IsPieceLength(length))
            throw TorrentInfo.Bad($"'piece length' is {length}, no power of two from 16 KiB");
        return (int)length;
    }

    /// <summary>A name of which nothing is left gives way to the info-hash.</summary>
    private static string Name(InfoFields fields, byte[] hash)
    {
        var name = fields.NameUtf8.IsText ? fields.NameUtf8 : fields.Name;
        if (!name.IsText) throw TorrentInfo.Bad("'name' is missing");
        return SafeNames.Clean(name.Text) ?? Convert.ToHexStringLower(hash);
    }

    private static TorrentFile SingleFile(InfoFields fields, PathBudget budget)
    {
        var name = fields.NameUtf8.IsText ? fields.NameUtf8 : fields.Name;
        if (name.Text.IsEmpty || SafeNames.Clean(name.Text) is not { } safe)
            throw TorrentInfo.Bad("'name' names no file");
        var attributes = new Attributes(fields.Attr.Text);
        var path = budget.Take([safe]);
        var target = attributes.IsLink ? Target(fields.SymlinkPath) : null;
        return new TorrentFile(path, Length(fields.Length, attributes), null, attributes.IsExecutable,
            attributes.IsPadding || safe.Contains(PaddingMark, StringComparison.Ordinal), attributes.IsHidden, target,
            SafeNames.IsOther(name.Text, safe));
    }

    private static List<TorrentFile> FileList(ReadOnlySpan<byte> raw, PathBudget budget)
    {
        var files = new List<TorrentFile>();
        var names = new List<string>();
        var reader = new BencodeReader(raw, ContentLimits.ForeignInfo);
        reader.Read();
        while (reader.Read() && reader.Token != BencodeToken.End)
        {
            if (reader.Token != BencodeToken.DictionaryStart)
                throw TorrentInfo.Bad("a file of 'files' is no dictionary");
            var fields = FileFields.Cut(ref reader);
            var attributes = new Attributes(fields.Attr.Text);
            var length = Length(fields.Length, attributes);
            names.Clear();
            var isRenamed = AddPath(
                names, fields.PathUtf8.IsList ? fields.PathUtf8 : fields.Path, attributes.IsPadding, length);
            var isPadding = attributes.IsPadding
                || names.Exists(static name => name.Contains(PaddingMark, StringComparison.Ordinal));
            files.Add(new TorrentFile(budget.Take(names), length, null, attributes.IsExecutable, isPadding,
                attributes.IsHidden, attributes.IsLink ? Target(fields.SymlinkPath) : null, isRenamed));
        }
        return files;
    }

    /// <returns>Whether it is another path than the torrent's.</returns>
    private static bool AddPath(List<string> names, RawValue path, bool isPadding, long length)
    {
        var count = 0;
        var isOther = false;
        if (path.IsList)
        {
            var reader = new BencodeReader(path.Raw, ContentLimits.ForeignInfo);
            for (reader.Read(); reader.Read() && reader.Token != BencodeToken.End; count++)
            {
                if (reader.Token != BencodeToken.Bytes)
                    throw TorrentInfo.Bad("the path of a file holds something else than names");
                var name = SafeNames.Clean(reader.Bytes);
                isOther |= SafeNames.IsOther(reader.Bytes, name);
                if (name is not null) names.Add(name);
            }
        }
        if (count == 0 && !isPadding) throw TorrentInfo.Bad("a file has no path");
        if (count == 0) names.AddRange([".pad", length.ToString()]);
        else if (names.Count == 0) names.Add("_");
        return isOther;
    }

    internal static long Length(RawValue length, Attributes attributes)
    {
        if (attributes.IsLink) return 0;
        // The bound of libtorrent's tree indices, just below 16 TiB.
        if (length.Integer is >= 0 and var bytes && bytes / LeafHasher.LeafBytes < int.MaxValue / 2) return bytes;
        throw TorrentInfo.Bad("the length of a file is missing or impossible");
    }

    /// <summary>Null where there is none or nothing of it is left: then the link is taken for an empty file.</summary>
    internal static string[]? Target(RawValue path)
    {
        if (!path.IsList) return null;
        var names = new List<string>();
        var reader = new BencodeReader(path.Raw, ContentLimits.ForeignInfo);
        for (reader.Read(); reader.Read() && reader.Token != BencodeToken.End;)
        {
            if (reader.Token != BencodeToken.Bytes)
                throw TorrentInfo.Bad("the target of a link holds something else than names");
            if (SafeNames.Clean(reader.Bytes) is { } name) names.Add(name);
        }
        return names.Count == 0 ? null : [.. names];
    }

    /// <summary>
    /// In a hybrid torrent, the files with content must have the same paths, lengths and places in both lists.
    /// </summary>
    private static void CheckSame(List<TorrentFile> tree, List<TorrentFile> list, int pieceBytes)
    {
        var at = 0;
        long treeOffset = 0, listOffset = 0;
        foreach (var file in tree)
        {
            if (file.Length == 0) continue;
            while (at < list.Count && (list[at].IsPadding || list[at].Length == 0)) listOffset += list[at++].Length;
            treeOffset = (treeOffset + pieceBytes - 1) / pieceBytes * pieceBytes;
            if (at == list.Count || treeOffset != listOffset || file.Length != list[at].Length
                || !file.Path.SequenceEqual(list[at].Path))
                throw TorrentInfo.Bad(
                    $"'{ManifestRules.Show(string.Join('/', file.Path))}' is not the same in its v1 and its v2 part");
            treeOffset += file.Length;
            listOffset += list[at++].Length;
        }
        var isTailPadded = treeOffset % pieceBytes != 0;
        var padding = tree.Count(file => file.Length % pieceBytes != 0);
        var counts = tree.Count + padding - list.Count;
        // Older programs left out the padding behind the last file.
        if (counts != 0 && !(counts == 1 && isTailPadded))
            throw TorrentInfo.Bad("its v1 part has not the files of its v2 part");
        if (list.Skip(at).Any(static file => !file.IsPadding && file.Length > 0))
            throw TorrentInfo.Bad("its v1 part has more files than its v2 part");
    }

    private static void CheckPieces(InfoFields fields, List<TorrentFile> files, int pieceBytes, bool isV2)
    {
        if (files.Count == 0) throw TorrentInfo.Bad("it has no files");
        long total = 0;
        foreach (var file in files)
        {
            if (isV2 && file.Length > 0) total = (total + pieceBytes - 1) / pieceBytes * pieceBytes;
            total += file.Length;
            if (total > TotalBytesMax) throw TorrentInfo.Bad("its files are longer than any storage");
        }
        if (total == 0) throw TorrentInfo.Bad("its files are all empty");
        var pieces = (total + pieceBytes - 1) / pieceBytes;
        if (pieces > PiecesMax) throw TorrentInfo.Bad($"it has {pieces} pieces, {PiecesMax} are the most");
        if (!isV2 && !fields.Pieces.IsText) throw TorrentInfo.Bad("'pieces' is missing");
        if (fields.Pieces.IsText && fields.Pieces.Text.Length != pieces * SHA1.HashSizeInBytes)
            throw TorrentInfo.Bad($"it has {pieces} pieces and {fields.Pieces.Text.Length} bytes of hashes for them");
    }

    private ref struct InfoFields
    {
        public RawValue MetaVersion, PieceLength, Name, NameUtf8, Files, FileTree, Length, Pieces, Private, Attr,
            SymlinkPath;

        public static InfoFields Cut(ReadOnlySpan<byte> raw)
        {
            var fields = new InfoFields();
            var reader = new BencodeReader(raw, ContentLimits.ForeignInfo);
            reader.Read();
            if (reader.Token != BencodeToken.DictionaryStart) throw TorrentInfo.Bad("'info' is no dictionary");
            while (reader.Read() && reader.Token != BencodeToken.End)
            {
                var key = reader.Bytes;
                reader.Read();
                var value = new RawValue(reader.SkipValue());
                if (key.SequenceEqual("meta version"u8)) fields.MetaVersion = value;
                else if (key.SequenceEqual("piece length"u8)) fields.PieceLength = value;
                else if (key.SequenceEqual("name"u8)) fields.Name = value;
                else if (key.SequenceEqual("name.utf-8"u8)) fields.NameUtf8 = value;
                else if (key.SequenceEqual("files"u8)) fields.Files = value;
                else if (key.SequenceEqual("file tree"u8)) fields.FileTree = value;
                else if (key.SequenceEqual("length"u8)) fields.Length = value;
                else if (key.SequenceEqual("pieces"u8)) fields.Pieces = value;
                else if (key.SequenceEqual("private"u8)) fields.Private = value;
                else if (key.SequenceEqual("attr"u8)) fields.Attr = value;
                else if (key.SequenceEqual("symlink path"u8)) fields.SymlinkPath = value;
            }
            return fields;
        }
    }
}

/// <summary>The fields of one file, in a v1 list or a v2 tree.</summary>
internal ref struct FileFields
{
    public RawValue Attr, Length, Path, PathUtf8, Root, SymlinkPath;

    /// <summary>The reader stands at the dictionary's start and is left at its end.</summary>
    public static FileFields Cut(ref BencodeReader reader)
    {
        var fields = new FileFields();
        while (reader.Read() && reader.Token != BencodeToken.End)
        {
            var key = reader.Bytes;
            reader.Read();
            var value = new RawValue(reader.SkipValue());
            if (key.SequenceEqual("attr"u8)) fields.Attr = value;
            else if (key.SequenceEqual("length"u8)) fields.Length = value;
            else if (key.SequenceEqual("path"u8)) fields.Path = value;
            else if (key.SequenceEqual("path.utf-8"u8)) fields.PathUtf8 = value;
            else if (key.SequenceEqual("pieces root"u8)) fields.Root = value;
            else if (key.SequenceEqual("symlink path"u8)) fields.SymlinkPath = value;
        }
        return fields;
    }
}

/// <summary>The letters of <c>attr</c> (BEP 47).</summary>
internal readonly struct Attributes(ReadOnlySpan<byte> letters)
{
    public bool IsLink { get; } = letters.Contains((byte)'l');

    public bool IsExecutable { get; } = letters.Contains((byte)'x');

    public bool IsHidden { get; } = letters.Contains((byte)'h');

    public bool IsPadding { get; } = letters.Contains((byte)'p');
}
