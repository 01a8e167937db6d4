using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Merkle;

namespace Virga.Content.Torrents;

/// <summary>The piece layers of a share: for each blob longer than one piece, 32 bytes a piece. Immutable.</summary>
public sealed class PieceLayers
{
    public static readonly PieceLayers Empty = new([]);

    private readonly Dictionary<Hash256, ReadOnlyMemory<byte>> byRoot;

    private PieceLayers(Dictionary<Hash256, ReadOnlyMemory<byte>> byRoot) => this.byRoot = byRoot;

    /// <summary>
    /// Checks each layer against its root and the info dict; a layer that is missing, foreign or wrong is Corrupt.
    /// </summary>
    /// <param name="bencoded">
    /// A dictionary from root to layer. The layers are slices of it: it must not be changed any more.
    /// </param>
    public static PieceLayers Parse(ReadOnlyMemory<byte> bencoded, TorrentInfo info)
    {
        var layers = Read(bencoded, ContentLimits.Layers);
        var needed = new HashSet<Hash256>();
        var seen = new HashSet<BlobName>();
        foreach (var file in info.Files)
        {
            if (file.Root is not { } root || file.Length <= info.PieceBytes
                || !seen.Add(new BlobName(root, file.Length))) continue;
            needed.Add(root);
            if (!layers.TryGetValue(root, out var layer)) throw Corrupt($"the layer of {root} is missing");
            if (!Matches(layer.Span, root, file.Length, info.PieceBytes))
                throw Corrupt($"the layer of {root} does not match it");
        }
        foreach (var root in layers.Keys)
        {
            if (!needed.Contains(root)) throw Corrupt($"there is a layer of {root}, which no file needs");
        }
        return new PieceLayers(layers);
    }

    /// <summary>The layers need not be sorted; equal roots must have equal layers. Empty ones are left out.</summary>
    public static PieceLayers Create(IEnumerable<KeyValuePair<Hash256, byte[]>> layers)
    {
        var all = new Dictionary<Hash256, ReadOnlyMemory<byte>>();
        foreach (var (root, layer) in layers)
        {
            if (layer.Length > 0) all[root] = layer;
        }
        return new PieceLayers(all);
    }

    /// <summary>Empty for a blob of at most one piece.</summary>
    public ReadOnlyMemory<byte> this[Hash256 root] => byRoot.GetValueOrDefault(root);

    public bool Contains(Hash256 root) => byRoot.ContainsKey(root);

    public byte[] Encode() => BencodeWriter.EncodeLarge(Write);

    internal void Write(BencodeWriter writer)
    {
        writer.StartDictionary();
        Span<byte> key = stackalloc byte[Hash256.ByteCount];
        foreach (var (root, layer) in byRoot.OrderBy(static pair => pair.Key))
        {
            root.CopyTo(key);
            writer.Key(key).Bytes(layer.Span);
        }
        writer.End();
    }

    /// <summary>
    /// Of anybody's torrent, as libtorrent takes them: what no file needs is left out, what is missing is missing, what
    /// is wrong is BadInput.
    /// </summary>
    public static PieceLayers ParseForeign(ReadOnlyMemory<byte> bencoded, TorrentInfo info)
    {
        var layers = Read(bencoded, ContentLimits.ForeignInfo);
        var kept = new Dictionary<Hash256, ReadOnlyMemory<byte>>();
        var seen = new HashSet<BlobName>();
        foreach (var file in info.Files)
        {
            if (file.Root is not { } root || file.Length <= info.PieceBytes
                || !seen.Add(new BlobName(root, file.Length))) continue;
            if (!layers.TryGetValue(root, out var layer)) continue;
            if (!Matches(layer.Span, root, file.Length, info.PieceBytes))
                throw TorrentInfo.Bad($"the piece layer of {root} does not match it");
            kept[root] = layer;
        }
        return new PieceLayers(kept);
    }

    private static bool Matches(ReadOnlySpan<byte> layer, Hash256 root, long length, int pieceBytes) =>
        layer.Length == (long)MerkleTree.PieceCount(length, pieceBytes) * Hash256.ByteCount
        && MerkleTree.RootFromPieceLayer(layer, pieceBytes) == root;

    private static Dictionary<Hash256, ReadOnlyMemory<byte>> Read(ReadOnlyMemory<byte> bencoded, BencodeLimits limits)
    {
        var layers = new Dictionary<Hash256, ReadOnlyMemory<byte>>();
        var reader = new BencodeReader(bencoded.Span, limits);
        reader.Read();
        if (reader.Token != BencodeToken.DictionaryStart) throw TorrentInfo.Bad("the piece layers are no dictionary");
        while (reader.Read() && reader.Token != BencodeToken.End)
        {
            var key = reader.Bytes;
            reader.Read();
            if (key.Length == Hash256.ByteCount && reader.Token == BencodeToken.Bytes)
                layers[new Hash256(key)] = bencoded.Slice(reader.Position - reader.Bytes.Length, reader.Bytes.Length);
            else throw TorrentInfo.Bad("the piece layers hold something else than roots and layers");
        }
        return layers;
    }

    private static VirgaException Corrupt(string what) => new(FailureKind.Corrupt, $"piece layers: {what}",
        "Get the share from another agent, or ask its owner to share it again.");
}
