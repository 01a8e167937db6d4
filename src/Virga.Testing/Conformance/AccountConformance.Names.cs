using System.Text;
using Virga.Accounts;
using Virga.Core;
using Xunit;

namespace Virga.Testing.Conformance;

/// <summary>Every kind of name that has broken some tool or service.</summary>
public abstract partial class AccountConformance
{
    /// <summary>Names that have broken some tool or service before.</summary>
    private static readonly string[] Odd =
    [
        "plain.txt", "two words", " leading space", "trailing space ", "trailing dot.", "...", ".hidden", "..almost",
        "-dash", "--flag=1", "~tilde", "~",
        "quote's", "double\"quote", "back`tick", "back\\slash", "per%cent", "%41", "%2F", "%2e%2e", "100%", "ha#sh",
        "what?", "a+b", "a b+c%20d", "a&b", "a;b=c",
        "a,b", "a:b", "C:", "a|b", "a<b>c", "st*r", "[brackets]", "{braces}", "(round)", "$HOME", "$(id)", "@at",
        "!bang", "^caret", "=equals", "nul", "CON", "aux.txt", "a\u00A0b", "\u00A0",
        "tab\there", "new\nline", "cr\rreturn", "bell\a", "del\u007f", "c1\u0085x", "line\u2028sep", "esc\u001b[31m",
        "ünïcödé", "日本語.txt", "עברית", "\u202Eevil.txt", "\u200Bzero",
        "emoji 😀👩‍👩‍👧", "🏳️‍🌈", "\U0001F9FF\U00010348", "\uFFFD", "\uFEFFbom", "\uE000", "a\u0301\u0323", "İıſK",
        "index.html", "thumbs.db", ".DS_Store", "a.b.c.d", ".a.", "&amp;", "<&>\"'",
    ];

    public static TheoryData<string> OddNames => [.. Odd];

    [Theory]
    [MemberData(nameof(OddNames))]
    public async Task Every_name_that_the_rules_allow_is_kept_exactly(string name)
    {
        foreach (var path in new[] { name, $"{name}/{name}", $"plain/{name}" })
        {
            if (Traits.Names.WhyNot(Path(path)) is { } why)
            {
                Assert.Contains(NameRules.Show(name), why, StringComparison.Ordinal);
                await FailsAsync(() => WriteAsync("x/" + path, Bytes(3)), FailureKind.BadInput);
                await FailsAsync(() => UploadAsync("x/" + path, Bytes(3)), FailureKind.BadInput);
                await FailsAsync(
                    async () => await Account.CreateFolderAsync(Path("x/" + path), default), FailureKind.BadInput);
                continue;
            }
            var place = $"x/{path}";
            var content = Encoding.UTF8.GetBytes(path);
            await WriteAsync(place, content);
            await AssertContentAsync(place, content);
            Assert.Equal(Path(place), Assert.Single(await ListAsync(Path(place).Parent)).Path);
            await UploadAsync(place, Bytes(10));
            await AssertContentAsync(place, Bytes(10));
            await Account.MoveAsync(Path(place), Path("moved"), CancellationToken.None);
            await Account.MoveAsync(Path("moved"), Path(place), CancellationToken.None);
            await Account.DeleteAsync(Path(place), CancellationToken.None);
            await AssertNothingAsync(place);
            if (Path(path).Names.Length > 1) await Account.DeleteAsync(Path(place).Parent, CancellationToken.None);
        }
    }

    [Fact]
    public async Task All_odd_names_live_together_in_one_folder()
    {
        var names = Odd.Where(name => Traits.Names.WhyNot(Path($"odd/{name}")) is null)
            .DistinctBy(name => Traits.Names.IsCaseSensitive ? name : name.ToUpperInvariant()).ToList();
        foreach (var name in names) await WriteAsync($"odd/{name}", Encoding.UTF8.GetBytes(name));
        Assert.Equal(names.Select(n => $"odd/{n}").Order(StringComparer.Ordinal), await NamesAsync("odd"));
        foreach (var name in names) await AssertContentAsync($"odd/{name}", Encoding.UTF8.GetBytes(name));
        Assert.Equal(names.Count, (await WalkAllAsync(Path("odd"))).Count);
    }

    [Fact]
    public async Task Names_that_differ_in_case_are_two_where_the_rules_say_so()
    {
        await WriteAsync("Case", Bytes(1, seed: 1));
        await WriteAsync("case", Bytes(2, seed: 2));
        await AssertContentAsync("case", Bytes(2, seed: 2));
        Assert.Equal(Traits.Names.IsCaseSensitive ? 2 : 1, (await ListAsync(EntryPath.Root)).Count);
        if (Traits.Names.IsCaseSensitive) await AssertContentAsync("Case", Bytes(1, seed: 1));
    }

    [Fact]
    public async Task Names_that_differ_in_normalisation_are_two_where_the_rules_say_so()
    {
        var (composed, decomposed) = ("\u00E9", "e\u0301");
        await WriteAsync(composed, Bytes(1, seed: 1));
        await WriteAsync(decomposed, Bytes(2, seed: 2));
        await AssertContentAsync(decomposed, Bytes(2, seed: 2));
        if (!Traits.Names.KeepsNormalization)
        {
            Assert.Single(await ListAsync(EntryPath.Root));
            return;
        }
        await AssertContentAsync(composed, Bytes(1, seed: 1));
        Assert.Equal(new[] { composed, decomposed }.Order(StringComparer.Ordinal), await NamesAsync(""));
    }

    [Fact]
    public async Task The_longest_name_is_kept_and_a_longer_one_refused()
    {
        foreach (var unit in new[] { "x", "é", "語", "😀" })
        {
            var count = Math.Min(Traits.Names.MaxNameBytes, 1000) / Encoding.UTF8.GetByteCount(unit);
            var name = string.Concat(Enumerable.Repeat(unit, count));
            await WriteAsync($"long/{name}", Bytes(5));
            await AssertContentAsync($"long/{name}", Bytes(5));
            await UploadAsync($"long/{name}", Bytes(6));
            await AssertContentAsync($"long/{name}", Bytes(6));
            Assert.Equal(Path($"long/{name}"), Assert.Single(await ListAsync("long")).Path);
            await Account.DeleteAsync(Path($"long/{name}"), CancellationToken.None);
        }
        if (Traits.Names.MaxNameBytes >= Traits.Names.MaxPathBytes) return;
        var tooLong = new string('x', Traits.Names.MaxNameBytes + 1);
        await FailsAsync(() => WriteAsync(tooLong, Bytes(5)), FailureKind.BadInput);
        await FailsAsync(() => UploadAsync(tooLong, Bytes(5)), FailureKind.BadInput);
        Assert.Null(await StatAsync(tooLong));
    }

    [Fact]
    public async Task Deep_paths_are_kept_as_long_as_the_rules_allow()
    {
        var path = new StringBuilder("d");
        var limit = Math.Min(Traits.Names.MaxPathBytes, 900);
        while (path.Length + 12 <= limit) path.Append("/level ").Append(path.Length);
        await WriteAsync(path.ToString(), Bytes(5));
        await AssertContentAsync(path.ToString(), Bytes(5));
        Assert.Equal(Path(path.ToString()).Names.Length, (await WalkAllAsync(EntryPath.Root)).Count);
    }

    [Fact]
    public async Task Names_that_start_alike_are_not_confused()
    {
        await WriteAsync("a/x", Bytes(1));
        await WriteAsync("a b/x", Bytes(2));
        await WriteAsync("a-b", Bytes(3));
        await WriteAsync("a.b/x", Bytes(4));
        await WriteAsync("ab/x", Bytes(5));
        Assert.Equal(["a", "a b", "a-b", "a.b", "ab"], await NamesAsync(""));
        Assert.Equal(["a/x"], await NamesAsync("a"));
        Assert.Equal(["a/x"], await WalkNamesAsync(Path("a")));
        await Account.MoveAsync(Path("a"), Path("moved"), CancellationToken.None);
        Assert.Equal(["a b", "a-b", "a.b", "ab", "moved"], await NamesAsync(""));
    }
}
