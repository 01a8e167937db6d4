using Virga.Accounts;
using Virga.Core;
using Xunit;

namespace Virga.Testing.Conformance;

/// <summary>Looking up and reading: ranges, pins, and files that change meanwhile.</summary>
public abstract partial class AccountConformance
{
    [Fact]
    public async Task The_root_is_an_empty_folder_at_first()
    {
        var root = await Account.StatAsync(EntryPath.Root, CancellationToken.None);
        Assert.NotNull(root);
        Assert.Equal(EntryKind.Folder, root.Kind);
        Assert.True(root.Path.IsRoot);
        Assert.Empty(await ListAsync(EntryPath.Root));
    }

    [Fact]
    public void Traits_are_sane()
    {
        Assert.NotEmpty(Traits.Adapter);
        Assert.True(Traits.MaxConcurrency >= 1);
        Assert.True(Traits.SingleWriteBytesMax >= 0);
        Assert.True(Traits.PartBytesMin >= 0 && Traits.PartBytesMin <= Traits.PartBytesMax);
        Assert.True(Traits.PartMultipleBytes >= 1);
        var part = Traits.PartBytesFor(Traits.SingleWriteBytesMax + 1);
        Assert.Equal(part, PartLayout.Checked(Traits, Traits.SingleWriteBytesMax + 1, part).PartBytes);
        Assert.Equal(Traits.UploadResume == UploadResume.Parts, Account.Find<IResumableUploads>() is not null);
    }

    [Fact]
    public async Task A_path_with_nothing_at_it_has_no_entry()
    {
        Assert.Null(await StatAsync("nothing"));
        Assert.Null(await StatAsync("no folder/nothing"));
        await WriteAsync("file", Bytes(3));
        Assert.Null(await StatAsync("fil"));
        Assert.Null(await StatAsync("file2"));
        Assert.Null(await StatAsync("file/below"));
    }

    [Fact]
    public async Task A_file_is_described_alike_by_write_stat_list_and_read()
    {
        var written = await WriteAsync("folder/file.bin", Bytes(1000));
        Assert.Equal(Path("folder/file.bin"), written.Path);
        Assert.Equal(EntryKind.File, written.Kind);
        Assert.Equal(1000, written.Length);
        Assert.NotNull(written.Version);
        AssertSame(written, await StatExistingAsync("folder/file.bin"));
        AssertSame(written, Assert.Single(await ListAsync("folder")));
        await using var reader = await Account.ReadAsync(
            written.Path, new ByteRange(0, 1), written.Version, CancellationToken.None);
        AssertSame(written, reader.Entry);
    }

    [Fact]
    public async Task Every_range_of_a_file_can_be_read()
    {
        var content = Bytes(200_003);
        var version = (await WriteAsync("file", content)).Version;
        foreach (var (offset, length) in new (int, int)[] {
            (0, 200_003), (0, 1), (200_002, 1), (0, 16384), (16384, 16384), (1, 200_001), (131_071, 2), (100, 0),
            (200_003, 0), (0, 0) })
        {
            var expected = content.AsSpan(offset, length).ToArray();
            Assert.Equal(expected, await ReadAsync("file", offset, length));
            Assert.Equal(expected, await ReadAsync("file", offset, length, version));
        }
    }

    [Fact]
    public async Task A_range_beyond_the_end_is_bad_input()
    {
        await WriteAsync("file", Bytes(100));
        foreach (var (offset, length) in new (long, long)[] { (0, 101), (99, 2), (100, 1), (101, 1), (1L << 40, 10) })
            await FailsAsync(() => ReadAsync("file", offset, length), FailureKind.BadInput);
    }

    [Fact]
    public async Task An_empty_file_is_kept_and_read()
    {
        var written = await WriteAsync("empty", default);
        Assert.Equal(0, written.Length);
        Assert.Equal(EntryKind.File, (await StatExistingAsync("empty")).Kind);
        Assert.Empty(await ReadAsync("empty", 0, 0));
        Assert.Empty(await ReadAsync("empty", 0, 0, written.Version));
        await FailsAsync(() => ReadAsync("empty", 0, 1), FailureKind.BadInput);
    }

    [Fact]
    public async Task Reading_what_is_not_there_is_not_found()
    {
        await FailsAsync(() => ReadAsync("nothing", 0, 1), FailureKind.NotFound);
        await FailsAsync(() => ReadAsync("no folder/nothing", 0, 0), FailureKind.NotFound);
        await FailsAsync(
            () => ReadAsync("nothing", 0, 1, new EntryVersion("x")), FailureKind.NotFound, FailureKind.Changed);
    }

    [Fact]
    public async Task A_folder_has_no_bytes_to_read()
    {
        await WriteAsync("folder/file", Bytes(3));
        await FailsAsync(() => ReadAsync("folder", 0, 1), FailureKind.NotFound, FailureKind.BadInput);
        await FailsAsync(
            () => ReadAsync(Account, EntryPath.Root, new ByteRange(0, 1)), FailureKind.NotFound, FailureKind.BadInput);
    }

    [Fact]
    public async Task A_pin_to_a_version_that_never_was_is_changed()
    {
        await WriteAsync("file", Bytes(100));
        await FailsAsync(() => ReadAsync("file", 0, 100, new EntryVersion("never")), FailureKind.Changed);
    }

    [Theory]
    [InlineData(300_000)]
    [InlineData(300_001)]
    [InlineData(10)]
    public async Task A_file_that_changes_between_stat_and_read_is_never_read_as_the_old_version(int newLength)
    {
        var old = Bytes(300_000, seed: 1);
        var version = (await WriteAsync("file", old)).Version;
        var changed = await WriteAsync("file", Bytes(newLength, seed: 2));
        Assert.NotEqual(version, changed.Version);
        await AssertOldOrChangedAsync(old, () => ReadAsync("file", 0, 300_000, version));
        await AssertContentAsync("file", Bytes(newLength, seed: 2));
    }

    [Fact]
    public async Task A_deleted_file_is_never_read_as_the_old_version()
    {
        var old = Bytes(1000);
        var version = (await WriteAsync("file", old)).Version;
        await Account.DeleteAsync(Path("file"), CancellationToken.None);
        await FailsAsync(() => ReadAsync("file", 0, 1000, version), FailureKind.NotFound, FailureKind.Changed);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_file_that_changes_during_a_read_is_never_mixed(bool pinned)
    {
        var size = (int)Math.Min(Traits.SingleWriteBytesMax, 6 << 20);
        var old = Bytes(size, seed: 1);
        var version = (await WriteAsync("file", old)).Version;
        await using var reader = await Account.ReadAsync(
            Path("file"), new ByteRange(0, size), pinned ? version : null, CancellationToken.None);
        Assert.Equal(version, reader.Entry.Version);
        var first = new byte[1000];
        await reader.Content.ReadExactlyAsync(first);
        Assert.Equal(old[..1000], first);
        await WriteAsync("file", Bytes(size, seed: 2));
        await AssertOldOrChangedAsync(old[1000..], () => ReadToEndAsync(reader.Content));
    }

    [Fact]
    public async Task Many_ranges_are_read_at_once()
    {
        var content = Bytes(Math.Min(Traits.SingleWriteBytesMax, 1_000_000));
        var length = content.Length / 50;
        var version = (await WriteAsync("file", content)).Version;
        await Parallel.ForEachAsync(
            Enumerable.Range(0, 50),
            new ParallelOptions { MaxDegreeOfParallelism = Traits.MaxConcurrency },
            async (i, _) =>
            {
                var bytes = await ReadAsync("file", i * length, length, version);
                Assert.True(content.AsSpan(i * length, length).SequenceEqual(bytes), $"range {i} differs");
            });
    }

    [Fact]
    public async Task A_reader_may_be_closed_before_its_end()
    {
        var content = Bytes(Math.Min(Traits.SingleWriteBytesMax, 4 << 20));
        await WriteAsync("file", content);
        for (var i = 0; i < Traits.MaxConcurrency * 2; i++)
        {
            await using var reader = await Account.ReadAsync(
                Path("file"), new ByteRange(0, content.Length), null, CancellationToken.None);
            Assert.Equal(content[0], await ReadByteAsync(reader.Content));
        }
        await AssertContentAsync("file", content);
    }

    private static async Task<byte> ReadByteAsync(Stream stream)
    {
        var one = new byte[1];
        await stream.ReadExactlyAsync(one);
        return one[0];
    }

    private static async Task AssertOldOrChangedAsync(byte[] old, Func<Task<byte[]>> read)
    {
        try
        {
            var bytes = await read();
            Assert.True(old.AsSpan().SequenceEqual(bytes), "bytes came under a version that they don't belong to");
        }
        catch (VirgaException e)
        {
            Assert.Equal(FailureKind.Changed, e.Kind);
        }
    }
}
