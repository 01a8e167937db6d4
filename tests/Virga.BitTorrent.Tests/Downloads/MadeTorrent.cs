using System.Security.Cryptography;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Merkle;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Downloads;

/// <summary>A torrent of made-up files, with its content as it lies in the row of all pieces.</summary>
internal sealed record MadeTorrent(TorrentInfo Info, PieceLayers Layers, byte[] Row, byte[][] Files)
{
    public PieceLayout Layout { get; } = new(Info);

    /// <summary>As BEP 3 has it: files end to end.</summary>
    public static MadeTorrent V1(int pieceBytes, params int[] lengths)
    {
        var files = Contents(lengths);
        var row = files.SelectMany(f => f).ToArray();
        var hashes = row.Chunk(pieceBytes).SelectMany(SHA1.HashData).ToArray();
        var info = BencodeWriter.Encode(writer =>
        {
            writer.StartDictionary().Key("files").StartList();
            for (var i = 0; i < lengths.Length; i++)
            {
                writer.StartDictionary().Key("length").Integer(lengths[i]).Key("path").StartList().Text($"file{i}")
                    .End().End();
            }
            writer.End().Key("name").Text("made").Key("piece length").Integer(pieceBytes).Key("pieces").Bytes(hashes)
                .End();
        });
        return new MadeTorrent(TorrentInfo.Parse(info), PieceLayers.Empty, row, files);
    }

    /// <summary>As BEP 52 has it: each file from the start of a piece.</summary>
    public static MadeTorrent V2(int pieceBytes, params int[] lengths)
    {
        var contents = Contents(lengths);
        var layers = new Dictionary<Hash256, byte[]>();
        var files = new List<TorrentFile>();
        for (var i = 0; i < lengths.Length; i++)
        {
            Hash256? root = lengths[i] == 0 ? null : MerkleTree.Root(contents[i]);
            files.Add(new TorrentFile([$"file{i}"], lengths[i], root));
            if (lengths[i] <= pieceBytes) continue;
            var layer = new byte[MerkleTree.PieceCount(lengths[i], pieceBytes) * Hash256.ByteCount];
            MerkleTree.PieceHashes(contents[i], pieceBytes, layer);
            layers[root!.Value] = layer;
        }
        var info = TorrentInfo.Create("made", pieceBytes, files, isSingleFile: false);
        var layout = new PieceLayout(info);
        var row = new byte[layout.TotalBytes];
        for (var i = 0; i < lengths.Length; i++) contents[i].CopyTo(row.AsSpan((int)layout.StartOf(i)));
        return new MadeTorrent(info, PieceLayers.Create(layers), row, contents);
    }

    public ReadOnlySpan<byte> Block(int piece, int begin, int length) =>
        Row.AsSpan((int)((long)piece * Info.PieceBytes) + begin, length);

    private static byte[][] Contents(int[] lengths) =>
        [.. lengths.Select((length, i) => Seeded.Bytes(length, (ulong)i + 1))];
}
