using System.Text;
using Virga.Accounts;
using Virga.Core;
using Virga.Core.Age;
using Virga.Testing;

namespace Virga.Content.Tests;

public class ManifestTests
{
    private static readonly AgeIdentity Identity = new(Sample.Array(1, 32));

    [Fact]
    public void What_is_written_is_read_the_same()
    {
        var manifest = Example(isPrivate: true);
        var bytes = manifest.Encode();
        var read = Manifest.Parse(bytes);
        Assert.Equal(Identity.Recipient, read.ShareIdentity!.Recipient);
        Assert.Equal(manifest.Entries.Select(Describe), read.Entries.Select(Describe));
        Assert.Equal(bytes, read.Encode());
    }

    [Fact]
    public void Mutations_end_in_a_value_or_a_refusal()
    {
        Assert.True(Torture.Parse(Example(isPrivate: true).Encode(), bytes => Manifest.Parse(bytes), 4) > 1000);
        Assert.True(Torture.Parse(Example(isPrivate: false).Encode(), bytes => Manifest.Parse(bytes), 5) > 1000);
    }

    /// <summary>Each line breaks one rule of spec/v1/content.md.</summary>
    [Theory]
    [InlineData("d1:vi1ee", "entries")]
    [InlineData("d7:entrieslee", "'v'")]
    [InlineData("d7:entriesle1:vi2ee", "version 2")]
    [InlineData("d7:entriesle1:vi1e1:zi1ee", "unknown field")]
    [InlineData("d7:entriesle8:identity3:abc1:vi1ee", "identity")]
    [InlineData("d7:entriesd1:vi1eee", "list")]
    [InlineData("d7:entriesli1ee1:vi1ee", "dictionary")]
    [InlineData("[d4:kind1:de]", "no path")]
    [InlineData("[d4:path1:ae]", "no kind")]
    [InlineData("[d4:kind1:q4:path1:ae]", "kind")]
    [InlineData("[d4:kind2:dd4:path1:ae]", "kind")]
    [InlineData("[d4:kind1:d4:path0:e]", "no path")]
    [InlineData("[d4:kind1:d4:path2:..e]", "no path of an entry")]
    [InlineData("[d4:kind1:d4:path4:a//be]", "no path of an entry")]
    [InlineData("[d4:kind1:d4:path2:/ae]", "no path of an entry")]
    [InlineData("[d4:kind1:d4:path3:a/.e]", "no path of an entry")]
    [InlineData("[d4:kind1:d4:path1:\u0000e]", "no path of an entry")]
    [InlineData("[d4:kind1:d4:path1:\u00ffe]", "UTF-8")]
    [InlineData("[d4:kind1:d4:path1:bed4:kind1:d4:path1:ae]", "not behind")]
    [InlineData("[d4:kind1:d4:path1:aed4:kind1:d4:path1:ae]", "not behind")]
    [InlineData("[d4:kind1:f4:path1:a4:sizei0eed4:kind1:d4:path3:a-bed4:kind1:d4:path3:a/be]", "below 'a'")]
    [InlineData("[d4:kind1:l4:path1:a2:to1:bed4:kind1:d4:path5:a/b/ce]", "below 'a'")]
    [InlineData("[d4:kind1:f4:path1:ae]", "size")]
    [InlineData("[d4:kind1:f4:path1:a4:sizei-1ee]", "size")]
    [InlineData("[d4:kind1:f4:path1:a4:sizei17592186044417ee]", "size")]
    [InlineData("[d4:kind1:f4:path1:a4:sizei1ee]", "no root")]
    [InlineData("[d4:kind1:d4:path1:a4:sizei1ee]", "size")]
    [InlineData("[d4:kind1:d4:path1:a1:xi1ee]", "executable")]
    [InlineData("[d4:kind1:f4:path1:a4:sizei0e1:xi0ee]", "'x'")]
    [InlineData("[d4:kind1:l4:path1:ae]", "target")]
    [InlineData("[d4:kind1:l4:path1:a2:to0:e]", "target")]
    [InlineData("[d4:kind1:d4:path1:a2:to1:be]", "target")]
    [InlineData("[d4:kind1:l5:mtimei1e4:path1:a2:to1:be]", "time")]
    [InlineData("[d4:head1:h4:kind1:d4:path1:ae]", "header")]
    [InlineData("[d4:kind1:d5:nonce3:abc4:path1:ae]", "'nonce'")]
    [InlineData("[d4:kind1:d4:path1:a4:root3:abce]", "'root'")]
    [InlineData("[d4:kind1:d4:path1:a1:yi1ee]", "unknown field")]
    public void Every_rule_is_kept(string text, string named)
    {
        if (text[0] == '[') text = $"d7:entriesl{text[1..^1]}e1:vi1ee";
        var failure = Assert.Throws<VirgaException>(() => Manifest.Parse(Encoding.Latin1.GetBytes(text)));
        Assert.True(failure.Kind is FailureKind.BadInput or FailureKind.Unsupported);
        Assert.Contains(named, failure.Message, StringComparison.Ordinal);
        Assert.NotNull(failure.Advice);
    }

    [Fact]
    public void Private_files_have_header_nonce_and_root_and_public_ones_a_root_alone()
    {
        var path = EntryPath.Parse("a");
        var whole = new ManifestEntry(path, EntryKind.File, 5, null, false, Sample.Hash(1), [1],
            null) { Nonce = new byte[16] };
        _ = new Manifest(Identity, [whole]);
        _ = new Manifest(null, [whole with { Header = null, Nonce = null }]);
        Assert.Throws<VirgaException>(() => new Manifest(null, [whole]));
        Assert.Throws<VirgaException>(() => new Manifest(Identity, [whole with { Header = null, Nonce = null }]));
        Assert.Throws<VirgaException>(() => new Manifest(Identity, [whole with { Nonce = null }]));
        Assert.Throws<VirgaException>(() => new Manifest(Identity, [whole with { Root = null }]));
        Assert.Throws<VirgaException>(() => new Manifest(Identity, [whole with { Size = 0 }]));
        Assert.Throws<VirgaException>(() => new Manifest(Identity, [whole with { Header = new byte[65_537] }]));
    }

    [Fact]
    public void The_order_is_that_of_the_UTF8_bytes()
    {
        string[] names = ["a", "a!", "a/b", "a/b/c", "a0", "B", "b", "e\u0301", "\u00e9", "\u0800", "\ud7ff", "\ue000",
            "\uffff", "\U00010000", "\U0010ffff", "z", "a/\U0001f327", "a/\uffee"];
        var byBytes = names.OrderBy(name => Convert.ToHexString(Encoding.UTF8.GetBytes(name)), StringComparer.Ordinal)
            .ToArray();
        Assert.Equal(byBytes, names.Order(Comparer<string>.Create((a, b) => Utf8Order.Compare(a, b))));
        var byNames = names.OrderBy(name => string.Join("00", name.Split('/')
            .Select(part => Convert.ToHexString(Encoding.UTF8.GetBytes(part)))), StringComparer.Ordinal).ToArray();
        Assert.Equal(byNames, names.Order(Comparer<string>.Create((a, b) => Utf8Order.CompareNames(a, b))));
    }

    [Fact]
    public void Nested_beginnings_are_checked_in_linear_time()
    {
        // Each path is a beginning of the next: the worst case of the check for entries below files.
        var entries = Enumerable.Range(1, 4000).Select(length => Folderless(new string('a', length)))
            .Concat(Enumerable.Range(0, 20_000).Select(i => Folderless(new string('a', 4000) + i.ToString("d5"))))
                .ToList();
        var began = System.Diagnostics.Stopwatch.GetTimestamp();
        _ = new Manifest(null, entries);
        Assert.True(System.Diagnostics.Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(10));
        static ManifestEntry Folderless(string path) =>
            new(EntryPath.Parse(path), EntryKind.File, 0, null, false, null, null, null);
    }

    [Fact]
    public void A_large_manifest_costs_a_small_multiple_of_itself()
    {
        var entries = Enumerable.Range(0, 50_000)
            .Select(i => new ManifestEntry(EntryPath.Parse($"folder/{i:d8}"), EntryKind.File, 5, i, false,
            Sample.Hash(i), Sample.Array(i, 168), null) { Nonce = Sample.Array(i, 16) }).ToList();
        var bytes = new Manifest(Identity, entries).Encode();
        _ = Manifest.Parse(bytes);
        var before = GC.GetAllocatedBytesForCurrentThread();
        _ = Manifest.Parse(bytes);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocated < 5L * bytes.Length, $"{allocated} bytes for {bytes.Length}");
    }

    private static Manifest Example(bool isPrivate)
    {
        var header = isPrivate ? AgeHeader.Create(new AgeFileKey(7), [Identity.Recipient], Sample.Random(3)) : null;
        var nonce = isPrivate ? Sample.Array(9, 16) : null;
        return new Manifest(isPrivate ? Identity : null,
        [
            new(EntryPath.Parse("a"), EntryKind.File, 5, -1, true, Sample.Hash(1), header, null) { Nonce = nonce },
            new(EntryPath.Parse("a.b"), EntryKind.File, 0, null, false, null, null, null),
            new(EntryPath.Parse("d/e"), EntryKind.Folder, 0, long.MaxValue, false, null, null, null),
            new(EntryPath.Parse("d/l\u00e9"), EntryKind.Symlink, 0, null, false, null, null, "../\u00e9"),
        ]);
    }

    private static string Describe(ManifestEntry entry) =>
        $"{entry with { Header = null, Nonce = null }} {Hex(entry.Header)} {Hex(entry.Nonce)}";

    private static string Hex(byte[]? bytes) => bytes is null ? "-" : Convert.ToHexString(bytes);
}
