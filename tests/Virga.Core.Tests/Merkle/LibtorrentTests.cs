using System.Diagnostics;
using Virga.Core.Merkle;

namespace Virga.Core.Tests.Merkle;

/// <summary>The same files in others' eyes: Debian's python3-libtorrent, which knows BitTorrent v2.</summary>
[Trait("Needs", "server")]
public class LibtorrentTests
{
    private const int Leaf = LeafHasher.LeafBytes;
    private const string Python = "/usr/bin/python3";

    /// <summary>Reads "file pieceBytes" lines, answers "root pieceLayer" lines in hexadecimal.</summary>
    private const string Script = """
        import os, sys
        import libtorrent as lt
        for line in sys.stdin:
            name, piece = line.split()
            fs = lt.file_storage()
            fs.add_file(os.path.basename(name), os.path.getsize(name))
            torrent = lt.create_torrent(fs, int(piece), flags=lt.create_torrent.v2_only)
            lt.set_piece_hashes(torrent, os.path.dirname(name))
            made = torrent.generate()
            assert made[b'info'][b'piece length'] == int(piece), made[b'info'][b'piece length']
            root = made[b'info'][b'file tree'][os.path.basename(name).encode()][b''][b'pieces root']
            print(root.hex(), made.get(b'piece layers', {}).get(root, b'').hex() or '-')
        """;

    [Fact]
    public async Task Roots_and_piece_layers_equal_those_of_libtorrent()
    {
        var shapes = new List<(int Length, int PieceBytes)>();
        foreach (var pieceBytes in (int[])[Leaf, 2 * Leaf, 8 * Leaf, 64 * Leaf])
        {
            foreach (var length in (int[])[1, 4096, Leaf - 1, Leaf, Leaf + 1, (3 * Leaf) + 7,
                pieceBytes - 1, pieceBytes, pieceBytes + 1, 2 * pieceBytes, (3 * pieceBytes) + 5,
                (7 * pieceBytes) - Leaf, (33 * Leaf) - 1, 300 * Leaf])
                shapes.Add((length, pieceBytes));
        }

        var folder = Directory.CreateTempSubdirectory("virga-libtorrent-");
        try
        {
            var questions = shapes.Select(shape => $"{FileOf(shape)} {shape.PieceBytes}");
            foreach (var shape in shapes)
                await File.WriteAllBytesAsync(FileOf(shape), MerkleTreeTests.Blob(shape.Length, shape.Length));
            var answers = await AskLibtorrentAsync(string.Join('\n', questions));
            Assert.Equal(shapes.Count, answers.Length);
            foreach (var (shape, answer) in shapes.Zip(answers))
            {
                var hasher = new BlobHasher(shape.PieceBytes);
                hasher.Append(await File.ReadAllBytesAsync(FileOf(shape)));
                var (name, layer) = hasher.Finish();
                var ours = $"{name.Root} {(layer.Length == 0 ? "-" : Convert.ToHexStringLower(layer))}";
                Assert.True(ours == answer, $"{shape}:\nours       {ours}\nlibtorrent {answer}");
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }

        string FileOf((int Length, int PieceBytes) shape) =>
            Path.Combine(folder.FullName, $"{shape.Length}-{shape.PieceBytes}");
    }

    private static async Task<string[]> AskLibtorrentAsync(string questions)
    {
        Assert.True(File.Exists(Python), $"{Python} is missing: run ./test, which installs what the tests need");
        using var python = Process.Start(new ProcessStartInfo(Python, ["-c", Script])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var output = python.StandardOutput.ReadToEndAsync();
        var errors = python.StandardError.ReadToEndAsync();
        try
        {
            await python.StandardInput.WriteLineAsync(questions);
            python.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended before it read: what it wrote to stderr, below, says why.
        }
        await python.WaitForExitAsync();
        var why = await errors;
        Assert.True(python.ExitCode == 0, $"libtorrent for Python failed (./test installs python3-libtorrent):\n{why}");
        return (await output).Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
