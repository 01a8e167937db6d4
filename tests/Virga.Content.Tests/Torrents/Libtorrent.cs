using System.Diagnostics;

namespace Virga.Content.Tests.Torrents;

/// <summary>Debian's python3-libtorrent, asked one question a line.</summary>
internal static class Libtorrent
{
    private const string Python = "/usr/bin/python3";

    /// <summary>
    /// "make PATH PIECE-LENGTH" answers info dict and piece layers as libtorrent makes them of a file or folder; "load
    /// FILE" answers the info-hash and the number of files of a torrent, or "refused" and why. All in hexadecimal.
    /// </summary>
    private const string Script = """
        import os, sys
        import libtorrent as lt
        for line in sys.stdin:
            verb, path, *rest = line.rstrip('\n').split('\t')
            if verb == 'make':
                fs = lt.file_storage()
                lt.add_files(fs, path, lambda p: True, lt.create_torrent.symlinks)
                torrent = lt.create_torrent(fs, int(rest[0]), lt.create_torrent.v2_only | lt.create_torrent.symlinks)
                lt.set_piece_hashes(torrent, os.path.dirname(path))
                made = torrent.generate()
                print(lt.bencode(made[b'info']).hex(), lt.bencode(made.get(b'piece layers', {})).hex())
            else:
                try:
                    info = lt.torrent_info(open(path, 'rb').read())
                    files = info.files()
                    padding = lt.file_flags_t.flag_pad_file
                    count = sum(1 for i in range(files.num_files()) if not files.file_flags(i) & padding)
                    print(info.info_hashes().v2, count)
                except RuntimeError as e:
                    print('refused:', e)
            sys.stdout.flush()
        """;

    public static async Task<string[]> AskAsync(params string[] questions)
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
            foreach (var question in questions) await python.StandardInput.WriteLineAsync(question);
            python.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended before it read: what it wrote to stderr, below, says why.
        }
        await python.WaitForExitAsync();
        Assert.True(python.ExitCode == 0,
            $"libtorrent's Python module failed (./test installs python3-libtorrent):\n{await errors}");
        var answers = (await output).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(questions.Length, answers.Length);
        return answers;
    }
}
