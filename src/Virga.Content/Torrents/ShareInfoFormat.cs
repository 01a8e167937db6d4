using System.Text;
using Virga.Accounts;
using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Merkle;

namespace Virga.Content.Torrents;

/// <summary>
/// The info dict of shares, written and read (spec/v1/content.md, Torrent). It has one form only, so a share that is
/// read and written again has the same info-hash.
/// </summary>
internal static class ShareInfoFormat
{
    private const int MetaVersion = 2;

    /// <summary>
    /// Names of a path. libtorrent takes 99 levels of bencode in a torrent; a link needs five that are not names.
    /// </summary>
    public const int NamesMax = 94;

    public static TorrentInfo Create(string name, int pieceBytes, IReadOnlyList<TorrentFile> files, bool isSingleFile)
    {
        if (isSingleFile && (files.Count != 1 || files[0].Path.Count != 1 || files[0].Path[0] != name))
            throw new ArgumentException("a single file stands at the top under the torrent's own name", nameof(files));
        if (!MerkleTree.IsPieceLength(pieceBytes)) throw new ArgumentOutOfRangeException(nameof(pieceBytes));
        var sorted = files.ToArray();
        if (!IsSorted(sorted)) Array.Sort(sorted, static (a, b) => ComparePaths(a.Path, b.Path));
        var raw = BencodeWriter.EncodeLarge(writer =>
        {
            writer.StartDictionary().Key("file tree").StartDictionary();
            WriteTree(writer, sorted);
            writer.End().Key("meta version").Integer(MetaVersion).Key("name").Text(name).Key("piece length")
                .Integer(pieceBytes).End();
        });
        if (raw.Length > ContentLimits.InfoBytesMax)
            throw new VirgaException(FailureKind.BadInput, "the share has too many files for one torrent",
                "Share parts of the folder.");
        var info = new TorrentInfo(name, pieceBytes, sorted, raw)
        {
            InfoHashV2 = TorrentInfo.HashV2(raw),
            IsSingleFile = files.Count == 1 && files[0].Path.Count == 1 && files[0].Path[0] == name,
        };
        info.MarkAsShare();
        return info;
    }

    public static TorrentInfo Read(ReadOnlyMemory<byte> raw)
    {
        var reader = new BencodeReader(raw.Span, ContentLimits.Info);
        reader.Read();
        Expect(ref reader, BencodeToken.DictionaryStart, "the info is no dictionary");
        List<TorrentFile>? files = null;
        string? name = null;
        long? version = null, pieceBytes = null;
        while (reader.Read() && reader.Token != BencodeToken.End)
        {
            var key = reader.Bytes;
            reader.Read();
            if (key.SequenceEqual("file tree"u8)) files = new TreeReader(raw.Length).Read(ref reader);
            else if (key.SequenceEqual("meta version"u8)) version = Integer(ref reader, "meta version");
            else if (key.SequenceEqual("name"u8)) name = Name(ref reader);
            else if (key.SequenceEqual("piece length"u8)) pieceBytes = Integer(ref reader, "piece length");
            else throw TorrentInfo.Bad($"it is no share: field '{Show(key)}' has no place there");
        }
        if (files is null || name is null) throw TorrentInfo.Bad("it is no share: 'file tree' or 'name' is missing");
        if (version != MetaVersion) throw TorrentInfo.Bad("it is no share: 'meta version' is not 2");
        if (pieceBytes is not (>= ContentLimits.PieceBytesMin and <= ContentLimits.PieceBytesMax)
            || !MerkleTree.IsPieceLength(pieceBytes.Value))
            throw TorrentInfo.Bad("it is no share: 'piece length' must be a power of two from 64 KiB to 8 MiB");
        if (files.Count == 0) throw TorrentInfo.Bad("it has no files");
        var info = new TorrentInfo(name, (int)pieceBytes.Value, files, raw)
        {
            InfoHashV2 = TorrentInfo.HashV2(raw.Span),
            IsSingleFile = files.Count == 1 && files[0].Path.Count == 1 && files[0].Path[0] == name,
        };
        info.MarkAsShare();
        return info;
    }

    /// <summary>Name by name, as a tree of sorted dictionaries has them.</summary>
    public static int ComparePaths(IReadOnlyList<string> a, IReadOnlyList<string> b)
    {
        for (var i = 0; i < a.Count && i < b.Count; i++)
        {
            if (Utf8Order.Compare(a[i], b[i]) is var order and not 0) return order;
        }
        return a.Count.CompareTo(b.Count);
    }

    private static bool IsSorted(TorrentFile[] files)
    {
        for (var i = 1; i < files.Length; i++)
        {
            if (ComparePaths(files[i - 1].Path, files[i].Path) > 0) return false;
        }
        return true;
    }

    private static void WriteTree(BencodeWriter writer, TorrentFile[] sorted)
    {
        IReadOnlyList<string> open = [];
        foreach (var file in sorted)
        {
            var common = 0;
            var folders = file.Path.Count - 1;
            while (common < open.Count && common < folders && open[common] == file.Path[common]) common++;
            for (var i = common; i < open.Count; i++) writer.End();
            for (var i = common; i < folders; i++) writer.Key(file.Path[i]).StartDictionary();
            open = folders == 0 ? [] : file.Path.Take(folders).ToArray();
            writer.Key(file.Path[folders]).StartDictionary().Key("").StartDictionary();
            WriteFile(writer, file);
            writer.End().End();
        }
        for (var i = 0; i < open.Count; i++) writer.End();
    }

    /// <summary>
    /// The keys that libtorrent writes for the same file: a link has no length, and is executable as links are on
    /// Linux.
    /// </summary>
    private static void WriteFile(BencodeWriter writer, TorrentFile file)
    {
        if (file.SymlinkTarget is { } target)
        {
            writer.Key("attr").Bytes("xl"u8).Key("symlink path").StartList();
            foreach (var name in target) writer.Text(name);
            writer.End();
            return;
        }
        if (file.IsExecutable) writer.Key("attr").Bytes("x"u8);
        writer.Key("length").Integer(file.Length);
        if (file.Root is not { } root) return;
        Span<byte> bytes = stackalloc byte[Hash256.ByteCount];
        root.CopyTo(bytes);
        writer.Key("pieces root").Bytes(bytes);
    }

    private static string Show(ReadOnlySpan<byte> key) =>
        ManifestRules.Show(Encoding.Latin1.GetString(key[..Math.Min(key.Length, 32)]));

    private static void Expect(ref BencodeReader reader, BencodeToken token, string otherwise)
    {
        if (reader.Token != token) throw TorrentInfo.Bad(otherwise);
    }

    private static long Integer(ref BencodeReader reader, string field)
    {
        Expect(ref reader, BencodeToken.Integer, $"'{field}' is no integer");
        return reader.Integer;
    }

    /// <summary>A name that an entry of an account can have, as it is.</summary>
    private static string Name(ref BencodeReader reader)
    {
        Expect(ref reader, BencodeToken.Bytes, "a name is no string");
        if (reader.Bytes.Length > EntryPath.MaxBytes)
            throw TorrentInfo.Bad($"a name is longer than {EntryPath.MaxBytes} bytes");
        var name = reader.Text;
        if (name.Length == 0 || name.Contains('/') || !EntryPath.TryParse(name, out _))
            throw TorrentInfo.Bad($"'{ManifestRules.Show(name)}' is no name of an entry");
        return name;
    }

    private sealed class TreeReader(int inputBytes)
    {
        private readonly PathBudget budget = new(inputBytes);
        private readonly List<TorrentFile> files = [];
        private readonly List<string> names = [];

        public List<TorrentFile> Read(ref BencodeReader reader)
        {
            Expect(ref reader, BencodeToken.DictionaryStart, "'file tree' is no dictionary");
            while (reader.Read() && reader.Token != BencodeToken.End) ReadNode(ref reader);
            return files;
        }

        /// <summary>The current token is the node's name.</summary>
        private void ReadNode(ref BencodeReader reader)
        {
            names.Add(Name(ref reader));
            if (names.Count > NamesMax) throw TorrentInfo.Bad($"folders are nested deeper than {NamesMax}");
            reader.Read();
            Expect(ref reader, BencodeToken.DictionaryStart, "a node of the file tree is no dictionary");
            reader.Read();
            Expect(ref reader, BencodeToken.Bytes, "a folder of the file tree is empty");
            if (reader.Bytes.IsEmpty)
            {
                reader.Read();
                files.Add(ReadFile(ref reader, budget.Take(names)));
                reader.Read();
                Expect(ref reader, BencodeToken.End, "a node of the file tree is both file and folder");
            }
            else
            {
                do ReadNode(ref reader);
                while (reader.Read() && reader.Token != BencodeToken.End);
            }
            names.RemoveAt(names.Count - 1);
        }

        private static TorrentFile ReadFile(ref BencodeReader reader, string[] path)
        {
            Expect(ref reader, BencodeToken.DictionaryStart, "a file is no dictionary");
            var attributes = "";
            long? length = null;
            Hash256? root = null;
            List<string>? target = null;
            while (reader.Read() && reader.Token != BencodeToken.End)
            {
                var key = reader.Bytes;
                reader.Read();
                if (key.SequenceEqual("attr"u8)) attributes = Attributes(ref reader);
                else if (key.SequenceEqual("length"u8)) length = Integer(ref reader, "length");
                else if (key.SequenceEqual("pieces root"u8)) root = Root(ref reader);
                else if (key.SequenceEqual("symlink path"u8)) target = Target(ref reader);
                else throw TorrentInfo.Bad("it is no share: a file has an unknown field");
            }
            if ((attributes == "xl") != target is not null)
                throw TorrentInfo.Bad("a link must have the attributes 'xl' and a target");
            if (target is not null)
            {
                if (length is not null || root is not null) throw TorrentInfo.Bad("a link has content");
                return new TorrentFile(path, 0, null, SymlinkTarget: target);
            }
            if (length is not (>= 0 and <= ContentLimits.BlobBytesMax))
                throw TorrentInfo.Bad("a file has no possible length");
            if ((length > 0) != root is not null || root is { IsZero: true })
                throw TorrentInfo.Bad("a file must have a root if it has content, and only then");
            return new TorrentFile(path, length.Value, root, IsExecutable: attributes == "x");
        }

        private static string Attributes(ref BencodeReader reader)
        {
            Expect(ref reader, BencodeToken.Bytes, "'attr' is no string");
            if (reader.Bytes.SequenceEqual("x"u8)) return "x";
            return reader.Bytes.SequenceEqual("xl"u8)
                ? "xl"
                : throw TorrentInfo.Bad("it is no share: a file has unknown attributes");
        }

        private static Hash256 Root(ref BencodeReader reader)
        {
            Expect(ref reader, BencodeToken.Bytes, "'pieces root' is no string");
            return reader.Bytes.Length == Hash256.ByteCount
                ? new Hash256(reader.Bytes) : throw TorrentInfo.Bad("'pieces root' has not 32 bytes");
        }

        private static List<string> Target(ref BencodeReader reader)
        {
            Expect(ref reader, BencodeToken.ListStart, "'symlink path' is no list");
            var target = new List<string>();
            var bytes = 0;
            while (reader.Read() && reader.Token != BencodeToken.End)
            {
                Expect(ref reader, BencodeToken.Bytes, "'symlink path' holds something else than names");
                bytes += reader.Bytes.Length + 1;
                if (bytes > EntryPath.MaxBytes)
                    throw TorrentInfo.Bad($"the target of a link is longer than {EntryPath.MaxBytes} bytes");
                var name = reader.Text;
                if (name.Length == 0 || name.Contains('/') || name.Contains('\0'))
                    throw TorrentInfo.Bad("the target of a link has an impossible name");
                target.Add(name);
            }
            return target.Count > 0 ? target : throw TorrentInfo.Bad("a link has an empty target");
        }
    }
}
