using System.Globalization;
using System.Text;

namespace Virga.Cli.Demo;

/// <summary>A folder as people have them: odd names, empty files and folders, a symlink, many small files.</summary>
internal static class DemoFolder
{
    private const int SmallFiles = 320;
    private const int LargeBytes = 24 << 20;

    private static readonly string[] OddNames =
    [
        "naïve café ☕.txt", "日本語のファイル.txt", " leading and trailing ", "trailing dot.", "it's \"quoted\".txt",
        "new\nline in it.txt", "-rf looks like an option", "100% & $HOME `id`.txt", "tab\there.txt", "back\\slash.txt",
        "gnp.\u202Eeerf.exe",
    ];

    /// <summary>Names worth showing to a person.</summary>
    public static IReadOnlyList<string> Shown =>
        ["naïve café ☕.txt", "日本語のファイル.txt", "new\nline in it.txt", "gnp.\u202Eeerf.exe"];

    /// <summary>Fills a new folder. The same bytes each time; about 26 MiB in 340 files.</summary>
    public static void Make(string root)
    {
        var began = new DateTime(2025, 7, 14, 9, 30, 0, DateTimeKind.Utc);
        Directory.CreateDirectory(Path.Combine(root, "an empty folder", "and one inside"));
        for (var i = 0; i < SmallFiles; i++)
        {
            var folder = Path.Combine(root, string.Create(CultureInfo.InvariantCulture, $"diary of {2020 + (i / 60)}"));
            Directory.CreateDirectory(folder);
            var file = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"entry number {i:000}.txt"));
            File.WriteAllText(file, Prose($"{Path.GetFileName(folder)}, entry {i}", 40 + (i * 37 % 4000)));
            File.SetLastWriteTimeUtc(file, began.AddHours(-i));
        }
        var odd = Directory.CreateDirectory(Path.Combine(root, "odd names"));
        foreach (var name in OddNames)
            File.WriteAllText(Path.Combine(odd.FullName, name), Prose("the file called " + name, 700));
        File.WriteAllText(Path.Combine(root, "an empty file"), "");
        var longName = new string('n', 200) + " long name.txt";
        File.WriteAllText(Path.Combine(odd.FullName, longName), Prose("a long name", 300));
        WriteLarge(Path.Combine(root, "the whole film.video"));
        File.CreateSymbolicLink(Path.Combine(root, "newest entry"), "diary of 2020/entry number 000.txt");
        if (OperatingSystem.IsWindows()) return;
        var script = Path.Combine(root, "play the film.sh");
        File.WriteAllText(script, "#!/bin/sh\nexec cat 'the whole film.video'\n");
        File.SetUnixFileMode(script, File.GetUnixFileMode(script) | UnixFileMode.UserExecute);
    }

    private static void WriteLarge(string file)
    {
        using var stream = new FileStream(file, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16);
        for (long scene = 0; stream.Length < LargeBytes; scene++)
            stream.Write(Encoding.UTF8.GetBytes(Prose($"scene {scene} of the film", 4000)));
    }

    /// <summary>Readable text of about that many bytes, in which no two lines are alike.</summary>
    private static string Prose(string about, int bytes)
    {
        var text = new StringBuilder(bytes + 100);
        for (var line = 1; text.Length < bytes; line++)
            text.Append(
                CultureInfo.InvariantCulture, $"This is line {line} of {about}; nobody else is meant to read it.\n");
        return text.ToString();
    }
}
