using System.Text.RegularExpressions;
using Virga.EndToEnd.Harness;

namespace Virga.EndToEnd.StockClients;

/// <summary>An unmodified BitTorrent client: how it is started, what it is to do, and why it doesn't do the rest.
/// </summary>
/// <param name="Program">What is run; short, and without spaces.</param>
internal sealed partial record StockClient(string Name, string Program, Func<StockJob, string[]> Command)
{
    /// <summary>How it tells its version.</summary>
    public string[] VersionOf { get; init; } = [Program, "--version"];

    /// <summary>It refuses magnet links that name a v2 hash beside the v1 one.</summary>
    public bool NeedsV1Alone { get; init; }

    /// <summary>Files that it must find in a folder of its own.</summary>
    public Func<StockJob, (string Path, string Text)[]> Settings { get; init; } = _ => [];

    /// <summary>Else pad files are files to it, of zeros.</summary>
    public bool KnowsPads { get; init; }

    /// <summary>It makes no files without content.</summary>
    public bool LeavesOutEmpty { get; init; }

    /// <summary>What it is to do, as "v1 magnet dht".</summary>
    public string[] FromUs { get; init; } = [];

    /// <summary>The same, of what it seeds.</summary>
    public string[] ToUs { get; init; } = [];

    /// <summary>Why it is not tried: by words of a row, such as "v2", or "ToUs pex"; the first that fits.</summary>
    public (string Words, string Why)[] Not { get; init; } = [];

    public static string Script(string name) => Path.Combine(AppContext.BaseDirectory, "StockClients", name);

    public static string Root()
    {
        var at = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(at.FullName, "Virga.slnx"))) at = at.Parent!;
        return at.FullName;
    }

    public IEnumerable<StockRow> Rows() =>
        FromUs.Select(words => Parse(Course.FromUs, words)).Concat(ToUs.Select(words => Parse(Course.ToUs, words)));

    public string Why(params string[] words) =>
        Not.FirstOrDefault(not => not.Words.Split(' ').All(words.Contains)).Why
            ?? throw new InvalidOperationException($"{Name} is not tried with {string.Join(' ', words)}: say why");

    public async Task<string> VersionAsync()
    {
        var said = await Executable.ToolAsync(VersionOf[0], VersionOf[1..]);
        var version = Numbers().Match(said.Out + said.Error).Value;
        Assert.True(said.Exit == 0 && version.Length > 0, $"{Name} does not run; ./test installs it: {said}");
        return version;
    }

    private StockRow Parse(Course course, string text)
    {
        var words = text.Split(' ');
        return new StockRow(
            this, course, Enum.Parse<Kind>(words[0], ignoreCase: true), Enum.Parse<Given>(words[1], ignoreCase: true),
            Enum.Parse<Way>(words[2], ignoreCase: true), words is [_, _, _, "single"]);
    }

    [GeneratedRegex(@"\d+\.\d+(\.\d+)?", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Numbers();
}
