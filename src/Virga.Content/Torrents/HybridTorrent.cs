using System.Buffers;
using System.Security.Cryptography;
using Virga.Content.Snapshots;
using Virga.Core;
using Virga.Core.Bencoding;

namespace Virga.Content.Torrents;

/// <summary>
/// The hybrid torrent of a public share (BEP 52): the same file tree, and beside it a v1 list with padding behind each
/// file (BEP 47), for clients that know no v2. Byte for byte what libtorrent 2.0 makes of the same files. It has
/// info-hashes of its own; the share keeps its name.
/// </summary>
public static class HybridTorrent
{
    /// <summary>Of a share that was made with <see cref="SnapshotOptions.HasV1"/>.</summary>
    public static TorrentInfo Create(OwnerIndex index) => Create(index, isHybrid: true);

    /// <summary>
    /// The same without its v2 part, for clients that stumble over one: its file tree has empty keys, which aria2 1.36
    /// loses and Transmission 3.00 refuses.
    /// </summary>
    public static TorrentInfo CreateV1(OwnerIndex index) => Create(index, isHybrid: false);

    private static TorrentInfo Create(OwnerIndex index, bool isHybrid)
    {
        var share = index.Info;
        var tree = new BencodeReader(share.Raw.Span, ContentLimits.Info);
        var output = new ArrayBufferWriter<byte>(share.Raw.Length * 2);
        var writer = new BencodeWriter(output);
        writer.StartDictionary();
        if (isHybrid) writer.Key("file tree").Raw(FileTree(ref tree));
        if (share.IsSingleFile) writer.Key("length").Integer(share.Files[0].Length);
        else WriteList(writer, share);
        if (isHybrid) writer.Key("meta version").Integer(2);
        writer.Key("name").Text(share.Name).Key("piece length")
            .Integer(share.PieceBytes).Key("pieces").Bytes(Pieces(index)).End();
        return TorrentInfo.Parse(output.WrittenSpan.ToArray());
    }

    private static ReadOnlySpan<byte> FileTree(ref BencodeReader reader)
    {
        reader.Read();
        while (reader.Read() && reader.Token != BencodeToken.End)
        {
            var isTree = reader.Bytes.SequenceEqual("file tree"u8);
            reader.Read();
            var value = reader.SkipValue();
            if (isTree) return value;
        }
        throw new InvalidOperationException("a share without file tree");
    }

    private static void WriteList(BencodeWriter writer, TorrentInfo share)
    {
        writer.Key("files").StartList();
        foreach (var file in share.Files)
        {
            writer.StartDictionary();
            if (file.SymlinkTarget is not null) writer.Key("attr").Bytes("xl"u8);
            else if (file.IsExecutable) writer.Key("attr").Bytes("x"u8);
            writer.Key("length").Integer(file.Length).Key("path");
            WriteNames(writer, file.Path);
            if (file.SymlinkTarget is { } target)
            {
                writer.Key("symlink path");
                WriteNames(writer, target);
            }
            writer.End();
            if (file.Length % share.PieceBytes == 0) continue;
            var padding = share.PieceBytes - (file.Length % share.PieceBytes);
            writer.StartDictionary().Key("attr").Bytes("p"u8).Key("length").Integer(padding).Key("path");
            WriteNames(writer, [".pad", padding.ToString()]);
            writer.End();
        }
        writer.End();
    }

    private static void WriteNames(BencodeWriter writer, IReadOnlyList<string> names)
    {
        writer.StartList();
        foreach (var name in names) writer.Text(name);
        writer.End();
    }

    private static byte[] Pieces(OwnerIndex index)
    {
        var pieces = new MemoryStream();
        foreach (var file in index.Info.Files)
        {
            if (file.Root is not { } root) continue;
            var own = index.Find(root)?.V1Pieces;
            var count = ((file.Length - 1) / index.Info.PieceBytes) + 1;
            if (own is null || own.Length != count * SHA1.HashSizeInBytes)
                throw new VirgaException(
                    FailureKind.Conflict, "the share was made without what a hybrid torrent needs",
                    "Share it again with --hybrid.");
            pieces.Write(own);
        }
        return pieces.ToArray();
    }
}
