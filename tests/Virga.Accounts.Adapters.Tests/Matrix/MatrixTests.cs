using Virga.Agent.Control;
using Virga.Core;

namespace Virga.Accounts.Adapters.Tests.Matrix;

/// <summary>
/// The places of all kinds, once as one agent's and once as another's: a share of each goes into each. Made once for
/// all the pairs.
/// </summary>
public sealed class MatrixFixture : IAsyncLifetime
{
    internal const string Easy = "easy", Hard = "hard";

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("virga-matrix-");
    private readonly List<Place> made = [];

    internal Dictionary<string, Place> From { get; } = new(StringComparer.Ordinal);

    internal Dictionary<string, Place> To { get; } = new(StringComparer.Ordinal);

    internal MatrixAgent Owner { get; private set; } = null!;

    internal MatrixAgent Receiver { get; private set; } = null!;

    /// <summary>Links by kind and tree.</summary>
    internal Dictionary<(string Kind, string Tree), string> Links { get; } = [];

    internal Dictionary<string, IReadOnlyList<(string Path, byte[] Content)>> HardFiles { get; } =
        new(StringComparer.Ordinal);

    public async Task InitializeAsync()
    {
        foreach (var kind in Place.Kinds)
        {
            made.Add(From[kind] = await Place.CreateAsync(kind));
            made.Add(To[kind] = await Place.CreateAsync(kind));
        }
        Owner = await MatrixAgent.StartAsync(Path.Combine(folder.FullName, "owner"), new PlaceAdapter(From));
        Receiver = await MatrixAgent.StartAsync(Path.Combine(folder.FullName, "receiver"), new PlaceAdapter(To));
        foreach (var kind in Place.Kinds)
        {
            await using (var account = await From[kind].OpenAsync())
            {
                HardFiles[kind] = AwkwardTree.HardFor(account.Traits.Names);
                await AwkwardTree.WriteAsync(account, Easy, AwkwardTree.Easy);
                await AwkwardTree.WriteAsync(account, Hard, HardFiles[kind]);
            }
            await Owner.AddAsync(kind);
            await Receiver.AddAsync(kind);
            foreach (var tree in new[] { Easy, Hard }) Links[(kind, tree)] = await Owner.ShareAsync(kind, tree);
        }
    }

    public async Task DisposeAsync()
    {
        if (Receiver is not null) await Receiver.DisposeAsync();
        if (Owner is not null) await Owner.DisposeAsync();
        foreach (var place in made) await place.RemoveAsync();
        folder.Delete(recursive: true);
    }
}

/// <summary>Awkward files between every two adapters: they arrive equal, or are named before anything moves.</summary>
[Trait("Needs", "server")]
public sealed class MatrixTests(MatrixFixture matrix) : IClassFixture<MatrixFixture>
{
    public static TheoryData<string, string> Pairs
    {
        get
        {
            var pairs = new TheoryData<string, string>();
            foreach (var from in Place.Kinds)
                foreach (var to in Place.Kinds) pairs.Add(from, to);
            return pairs;
        }
    }

    public static TheoryData<string> Kinds => [.. Place.Kinds];

    [Theory]
    [MemberData(nameof(Pairs))]
    public async Task What_all_can_hold_arrives_equal(string from, string to) =>
        await ArrivesAsync(from, to, MatrixFixture.Easy, AwkwardTree.Easy);

    [Theory]
    [MemberData(nameof(Pairs))]
    public async Task What_only_some_can_hold_arrives_equal_or_is_named_before_anything_moves(string from, string to)
    {
        var files = matrix.HardFiles[from];
        await using var target = await matrix.To[to].OpenAsync();
        var refused = Refused(target.Traits.Names, files);
        if (refused.Count == 0)
        {
            await ArrivesAsync(from, to, MatrixFixture.Hard, files);
            return;
        }
        var folder = $"hard from {from}";
        var got = await matrix.Receiver.GetAsync(matrix.Links[(from, MatrixFixture.Hard)], to, folder);
        Assert.Equal(TransferState.Failed, got.State);
        Assert.Contains($"can't hold {refused.Count} of the share's names, nothing was moved", got.Error!.Message,
            StringComparison.Ordinal);
        // Each by its name, as far as a message goes.
        Assert.Contains(refused, name => got.Error.Message.Contains(name, StringComparison.OrdinalIgnoreCase));
        Assert.Contains("Choose an account that can hold them", got.Error.Advice, StringComparison.Ordinal);
        Assert.Equal((0, 0L), (got.FilesDone, got.BytesFetched));
        Assert.Null(await target.StatAsync(EntryPath.Parse(folder), default));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Names_that_differ_in_normalisation_alone_arrive_or_are_told_before_anything_moves(string kind)
    {
        (string Path, byte[] Content)[] files =
            [("caf\u00E9.txt", [1]), ("cafe\u0301.txt", [2]), ("\uD55C", [3]), ("\u1112\u1161\u11AB", [4])];
        var tree = $"forms for {kind}";
        await using (var source = await matrix.From["disk"].OpenAsync())
            await AwkwardTree.WriteAsync(source, tree, files);
        var link = await matrix.Owner.ShareAsync("disk", tree);
        await using var target = await matrix.To[kind].OpenAsync();
        var got = await matrix.Receiver.GetAsync(link, kind, tree);
        if (target.Traits.Names.KeepsNormalization)
        {
            Assert.True(got.State == TransferState.Completed, $"{got.State}: {got.Error?.Message ?? got.Status}");
            Assert.Empty(await AwkwardTree.DifferencesAsync(target, tree, files));
            return;
        }
        Assert.Equal(TransferState.Failed, got.State);
        Assert.Contains("can't hold 2 of the share's names, nothing was moved", got.Error!.Message,
            StringComparison.Ordinal);
        Assert.Contains("Unicode normalisation", got.Error.Message, StringComparison.Ordinal);
        foreach (var (path, _) in files) Assert.Contains(path, got.Error.Message, StringComparison.Ordinal);
        Assert.Contains("Choose an account that can hold them", got.Error.Advice, StringComparison.Ordinal);
        Assert.Null(await target.StatAsync(EntryPath.Parse(tree), default));
    }

    [Theory]
    [InlineData("disk")]
    [InlineData("sftp")]
    public async Task A_file_of_exactly_10001_parts_is_written_where_so_many_are_allowed(string kind)
    {
        const int parts = 10_001;
        await using var account = await matrix.To[kind].OpenAsync();
        Assert.True(account.Traits is { PartBytesMin: 1, PartsMax: > parts });
        var content = Testing.Seeded.Bytes((parts * 3) - 1, 1);
        var path = EntryPath.Parse("parts/10001");
        await using var upload = await account.BeginUploadAsync(path, content.Length, 3, WriteOptions.Default, default);
        var receipts = new PartReceipt[parts];
        await Parallel.ForAsync(
            0, parts, new ParallelOptions { MaxDegreeOfParallelism = account.Traits.MaxConcurrency },
            async (i, token) => receipts[i] = await upload.WritePartAsync(
                i, content.AsMemory(i * 3, Math.Min(3, content.Length - (i * 3))), token));
        var entry = await upload.CompleteAsync(receipts, default);
        await using var reader = await account.ReadAsync(
            path, new ByteRange(0, content.Length), entry.Version, default);
        using var all = new MemoryStream();
        await reader.Content.CopyToAsync(all);
        Assert.Equal(content, all.ToArray());
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Thousands_of_files_in_one_folder_arrive(string kind)
    {
        // Where each small file takes tens of milliseconds, a thousand will do.
        var files = AwkwardTree.Many(kind is "rclone" ? 1_000 : 5_000);
        var tree = $"many of {kind}";
        await using (var source = await matrix.From["disk"].OpenAsync())
            await AwkwardTree.WriteAsync(source, tree, files);
        var link = await matrix.Owner.ShareAsync("disk", tree);
        var got = await matrix.Receiver.GetAsync(link, kind, tree);
        Assert.True(got.State == TransferState.Completed, $"{got.State}: {got.Error?.Message ?? got.Status}");
        Assert.Equal(files.Count, got.FilesDone);
        await using var target = await matrix.To[kind].OpenAsync();
        var there = await Failing.ListAsync(target, tree + "/many");
        Assert.Equal(
            files.Select(f => (tree + "/" + f.Path, (long)f.Content.Length)),
            there.Select(e => (e.Path.Value, e.Length)).OrderBy(e => e.Value, StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_file_of_one_part_more_than_the_smallest_allow_gets_larger_parts(string kind)
    {
        await using var account = await matrix.To[kind].OpenAsync();
        var traits = account.Traits;
        foreach (var (parts, more) in new (long, int)[] { (10_000, 1), (10_001, 0), (10_001, 1), (50_001, 1) })
        {
            var length = Math.Max(traits.PartBytesMin, traits.PartMultipleBytes) * parts + more;
            if (length > traits.FileBytesMax)
            {
                Failing.With(FailureKind.BadInput, () => traits.PartBytesFor(length), "longer than");
                continue;
            }
            var layout = PartLayout.Checked(traits, length, traits.PartBytesFor(length));
            Assert.InRange(layout.Count, 1, traits.PartsMax);
        }
    }

    private async Task ArrivesAsync(
        string from, string to, string tree, IReadOnlyList<(string Path, byte[] Content)> files)
    {
        var folder = $"{tree} from {from}";
        var got = await matrix.Receiver.GetAsync(matrix.Links[(from, tree)], to, folder);
        Assert.True(got.State == TransferState.Completed, $"{got.State}: {got.Error?.Message ?? got.Status}");
        await using var target = await matrix.To[to].OpenAsync();
        Assert.Empty((await AwkwardTree.DifferencesAsync(target, folder, files)).Take(20));
        Assert.Equal(files.Count, got.FilesDone);
        if (target.Find<IResumableUploads>() is not { } uploads) return;
        await foreach (var left in uploads.ListUploadsAsync(EntryPath.Parse(folder), default))
            Assert.Fail($"an upload of '{left.Path}' is left");
    }

    /// <summary>The names that rules refuse, or that are one with another.</summary>
    private static List<string> Refused(NameRules rules, IReadOnlyList<(string Path, byte[] Content)> files)
    {
        var folded = new HashSet<string>(rules.Comparer);
        return
        [
            .. files.Select(f => f.Path).Order(StringComparer.Ordinal).Where(
                path => rules.WhyNot(EntryPath.Parse("hard from x/" + path)) is not null
                    || !folded.Add(path))
                .Select(NameRules.Show),
        ];
    }
}
