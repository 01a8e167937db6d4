using System.Security.Cryptography;
using Virga.Core;
using Virga.Testing;

namespace Virga.Accounts.Adapters.Tests.Matrix;

/// <summary>Files that have broken some tool or service: by their names, their lengths, their number.</summary>
internal static class AwkwardTree
{
    private const int Part = (int)AccountTraits.PreferredPartBytes;

    /// <summary>Names that every service takes, as far as is known: letters of many scripts, signs that need
    /// escaping.</summary>
    private static readonly string[] Common =
    [
        "plain.txt", "two words", "quote's", "per%cent", "%41", "%2F", "%2e%2e", "100%", "ha#sh", "a+b",
        "a b+c%20d", "a&b", "a;b=c", "a,b", "[brackets]", "{braces}", "(round)", "$HOME", "$(id)", "@at", "!bang",
        "^caret", "=equals", "-dash", "--flag=1", ".hidden", "..almost", "ünïcödé", "日本語.txt", "עברית",
        "emoji 😀👩‍👩‍👧", "a.b.c.d", "&amp;", "index.html", "back`tick",
    ];

    /// <summary>Names that some services refuse, change, or take for others.</summary>
    private static readonly string[] Hard =
    [
        " leading space", "~tilde", "trailing space ", "trailing dot.", "double\"quote", "back\\slash", "what?",
        "a:b", "a|b", "a<b>c", "st*r", "CON", "aux.txt", "tab\there", "new\nline", "cr\rreturn", "bell\a",
        "del\u007f", "c1\u0086x", "line\u2028sep",
        "\u00A0", "\u202Eevil.txt", "\uFFFD", "\uE000", "Case.txt", "case.txt", "\u00E9.txt", "e\u0301.txt",
        ".DS_Store",
            "~$draft",
    ];

    /// <summary>What every adapter can hold.</summary>
    public static IReadOnlyList<(string Path, byte[] Content)> Easy { get; } =
    [
        .. Common.Select((name, i) => (name, Seeded.Bytes(i, (ulong)i))),
        .. Common.Take(12).Select((name, i) => ($"folder {name}/{name}/x", Seeded.Bytes(100 + i, (ulong)i))),
        ("sizes/empty", []), ("sizes/one", Seeded.Bytes(1, 1)), ("sizes/leaf", Seeded.Bytes(16_384, 2)),
        ("sizes/chunk", Seeded.Bytes(65_536, 3)), ("sizes/part", Seeded.Bytes(Part, 4)),
        ("sizes/part and a byte", Seeded.Bytes(Part + 1, 5)), ("sizes/same", Seeded.Bytes(65_536, 3)),
        (string.Join('/', Enumerable.Range(0, 40).Select(i => $"deep {i}")), Seeded.Bytes(10, 6)),
    ];

    /// <summary>What only some can hold, as far as the place where it begins can.</summary>
    public static IReadOnlyList<(string Path, byte[] Content)> HardFor(NameRules rules)
    {
        var seen = new HashSet<string>(
            rules.IsCaseSensitive ? StringComparer.Ordinal : StringComparer.OrdinalIgnoreCase);
        return
        [
            .. Hard.Where(name => rules.WhyNot(EntryPath.Parse("x/" + name)) is null)
                .Where(name => seen.Add(rules.KeepsNormalization ? name : Composed(name)))
                .Select((name, i) => (name, Seeded.Bytes(10 + i, (ulong)i))),
        ];
    }

    // The framework normalises nothing without ICU; there is one such name.
    private static string Composed(string name) => name.Replace("e\u0301", "\u00E9", StringComparison.Ordinal);

    /// <summary>A folder with many entries.</summary>
    public static IReadOnlyList<(string Path, byte[] Content)> Many(int count) =>
        [.. Enumerable.Range(0, count).Select(i => ($"many/file {i:d5}", Seeded.Bytes(i % 7, (ulong)i)))];

    public static async Task WriteAsync(
        IAccount account, string folder, IReadOnlyList<(string Path, byte[] Content)> files)
    {
        // The folders first, one by one: not every service makes them well at once.
        foreach (var parent in files.Select(f => EntryPath.Parse($"{folder}/{f.Path}").Parent).Distinct())
            await account.CreateFolderAsync(parent, default);
        await Parallel.ForEachAsync(
            files, new ParallelOptions { MaxDegreeOfParallelism = account.Traits.MaxConcurrency },
            async (file, token) =>
                await WriteAsync(account, EntryPath.Parse($"{folder}/{file.Path}"), file.Content, token));
    }

    /// <summary>What differs from what should be there, a line each.</summary>
    public static async Task<List<string>> DifferencesAsync(
        IAccount account, string folder, IReadOnlyList<(string Path, byte[] Content)> files)
    {
        var root = EntryPath.Parse(folder);
        var there = new Dictionary<string, Entry>(StringComparer.Ordinal);
        await foreach (var entry in account.WalkAsync(root))
            if (entry.Kind == EntryKind.File) there[entry.Path.Value[(folder.Length + 1)..]] = entry;
        var lines = new System.Collections.Concurrent.ConcurrentBag<string>();
        await Parallel.ForEachAsync(
            files, new ParallelOptions { MaxDegreeOfParallelism = account.Traits.MaxConcurrency },
            async (file, token) =>
            {
                if (!there.TryGetValue(file.Path, out var entry)) lines.Add($"missing: {NameRules.Show(file.Path)}");
                else if (entry.Length != file.Content.Length || !await IsAsync(account, entry, file.Content, token))
                    lines.Add($"different: {NameRules.Show(file.Path)}");
            });
        var expected = files.Select(f => f.Path).ToHashSet(StringComparer.Ordinal);
        foreach (var name in there.Keys.Where(n => !expected.Contains(n))) lines.Add(
            $"too much: {NameRules.Show(name)}");
        return [.. lines.Order(StringComparer.Ordinal)];
    }

    private static async Task<bool> IsAsync(
        IAccount account, Entry entry, byte[] content, CancellationToken cancellationToken)
    {
        await using var reader = await account.ReadAsync(
            entry.Path, new ByteRange(0, entry.Length), null, cancellationToken);
        return (await SHA256.HashDataAsync(reader.Content, cancellationToken)).AsSpan()
            .SequenceEqual(SHA256.HashData(content));
    }

    private static async Task WriteAsync(
        IAccount account, EntryPath path, byte[] content, CancellationToken cancellationToken)
    {
        if (content.Length <= account.Traits.SingleWriteBytesMax)
        {
            await account.WriteAsync(path, content, WriteOptions.Default, cancellationToken);
            return;
        }
        var layout = new PartLayout(content.Length, account.Traits.PartBytesFor(content.Length));
        await using var upload = await account.BeginUploadAsync(
            path, layout.Length, layout.PartBytes, WriteOptions.Default, cancellationToken);
        var receipts = new List<PartReceipt>();
        for (long i = 0; i < layout.Count; i++)
        {
            var range = layout.RangeOf(i);
            receipts.Add(await upload.WritePartAsync(
                i, content.AsMemory((int)range.Offset, (int)range.Length), cancellationToken));
        }
        await upload.CompleteAsync(receipts, cancellationToken);
    }
}
