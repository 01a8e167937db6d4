using Virga.Core;
using Virga.Core.Bencoding;

namespace Virga.Content.Torrents;

/// <summary>The <c>file tree</c> of anybody's torrent (BEP 52).</summary>
/// <param name="hasList">The torrent has a v1 list of files, too, so it is a folder even if it holds one file.</param>
internal sealed class FileTreeReader(PathBudget budget, bool hasList)
{
    private readonly List<TorrentFile> files = [];
    private readonly List<string> names = [];
    private bool isNameless;
    private int othersAbove;

    public bool IsSingleFile { get; private set; }

    public List<TorrentFile> Read(ReadOnlySpan<byte> raw)
    {
        var reader = new BencodeReader(raw, ContentLimits.ForeignInfo);
        reader.Read();
        var nodes = 0;
        var isLeaf = false;
        for (; reader.Read() && reader.Token != BencodeToken.End; nodes++) isLeaf = ReadNode(ref reader);
        IsSingleFile = nodes == 1 && isLeaf && !hasList;
        if (IsSingleFile && isNameless) throw TorrentInfo.Bad("its one file has no name");
        return files;
    }

    /// <summary>The current token is the node's name. True for a file.</summary>
    private bool ReadNode(ref BencodeReader reader)
    {
        var key = reader.Bytes;
        if (key.IsEmpty) throw TorrentInfo.Bad("a node of the file tree has an empty name");
        var name = SafeNames.Clean(key.TrimStart((byte)'/'));
        if (name is not null) names.Add(name);
        var isOther = SafeNames.IsOther(key, name);
        if (isOther) othersAbove++;
        reader.Read();
        if (reader.Token != BencodeToken.DictionaryStart)
            throw TorrentInfo.Bad("a node of the file tree is no dictionary");
        var isFile = false;
        for (var count = 0; reader.Read() && reader.Token != BencodeToken.End; count++)
        {
            if (isFile) throw TorrentInfo.Bad("a node of the file tree is both file and folder");
            if (count == 0 && reader.Bytes.IsEmpty)
            {
                isFile = true;
                reader.Read();
                isNameless = name is null;
                ReadFile(ref reader);
            }
            else
            {
                ReadNode(ref reader);
            }
        }
        if (name is not null) names.RemoveAt(names.Count - 1);
        if (isOther) othersAbove--;
        return isFile;
    }

    private void ReadFile(ref BencodeReader reader)
    {
        if (reader.Token != BencodeToken.DictionaryStart)
            throw TorrentInfo.Bad("a file of the file tree is no dictionary");
        var fields = FileFields.Cut(ref reader);
        var attributes = new Attributes(fields.Attr.Text);
        if (attributes.IsPadding) throw TorrentInfo.Bad("a file of the file tree is padding");
        var length = ForeignInfoReader.Length(fields.Length, attributes);
        var target = attributes.IsLink ? ForeignInfoReader.Target(fields.SymlinkPath) : null;
        Hash256? root = fields.Root.Text.Length == Hash256.ByteCount ? new Hash256(fields.Root.Text) : null;
        if (target is null && length > 0 && root is null or { IsZero: true })
            throw TorrentInfo.Bad("a file of the file tree has no root");
        if (isNameless) names.Add("_");
        if (length == 0) root = null;
        files.Add(new TorrentFile(budget.Take(names), length, root, attributes.IsExecutable, false, attributes.IsHidden,
            target, othersAbove > 0));
        if (isNameless) names.RemoveAt(names.Count - 1);
    }
}
