using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Virga.Accounts.Adapters.Disk;
using Virga.Core;

namespace Virga.Accounts.Adapters.Tests.Disk;

public sealed class DiskTests : IDisposable
{
    private static readonly EntryPath Target = EntryPath.Parse("file");

    private readonly ScratchFolder scratch = new();

    public void Dispose() => scratch.Dispose();

    private DiskAccount Open(
        DiskDurability durability = DiskDurability.Uploads,
        string? bootId = "boot-1",
        bool walksByHand = false,
        string? root = null) =>
        new(root ?? scratch.Path, RandomNumberGenerator.Fill, durability, bootId, walksByHand);

    private static async Task<VirgaException> FailsAsync(FailureKind kind, Func<Task> action)
    {
        var failure = await Assert.ThrowsAsync<VirgaException>(action);
        Assert.Equal(kind, failure.Kind);
        return failure;
    }

    private static async Task<byte[]> ReadAsync(IAccount account, EntryPath path, long length, EntryVersion? pin = null)
    {
        await using var reader = await account.ReadAsync(path, new ByteRange(0, length), pin, default);
        using var all = new MemoryStream();
        await reader.Content.CopyToAsync(all);
        return all.ToArray();
    }

    private static async Task<List<Entry>> ListAsync(IAccount account, EntryPath folder)
    {
        var entries = new List<Entry>();
        await foreach (var entry in account.ListAsync(folder, default)) entries.Add(entry);
        return entries;
    }

    private static async Task<List<PendingUpload>> PendingAsync(DiskAccount account)
    {
        var uploads = new List<PendingUpload>();
        await foreach (var upload in account.ListUploadsAsync(EntryPath.Root, default)) uploads.Add(upload);
        return uploads;
    }

    private static void Run(string command, params string[] arguments)
    {
        using var process = Process.Start(
            new ProcessStartInfo(command, arguments) { RedirectStandardError = true, UseShellExecute = false })!;
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(
            process.ExitCode == 0,
            $"{command} failed ({errors.Trim()}): run ./test as root, which installs what the tests need");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_planted_symlink_leads_nobody_out_of_the_root(bool walksByHand)
    {
        using var outside = new ScratchFolder();
        await File.WriteAllTextAsync(outside.In("secret"), "secret");
        Directory.CreateDirectory(outside.In("folder"));
        Directory.CreateSymbolicLink(scratch.In("out"), outside.Path);
        Directory.CreateDirectory(scratch.In("real"));
        Directory.CreateSymbolicLink(scratch.In("real/up"), "../..");
        File.CreateSymbolicLink(scratch.In("to-secret"), outside.In("secret"));
        await using var account = Open(walksByHand: walksByHand);

        var tempName = System.IO.Path.GetFileName(outside.Path);
        foreach (var text in new[] { "out/secret", $"real/up/{tempName}/secret", "out/folder", "out/new" })
        {
            var path = EntryPath.Parse(text);
            Assert.Null(await account.StatAsync(path, default));
            await FailsAsync(FailureKind.NotFound, () => ReadAsync(account, path, 1));
            await FailsAsync(FailureKind.NotFound, () => ListAsync(account, path));
            await FailsAsync(
                FailureKind.Conflict,
                async () => await account.WriteAsync(path, new byte[1], WriteOptions.Default, default));
            await FailsAsync(
                FailureKind.Conflict,
                async () => await account.BeginUploadAsync(path, 1, 1, WriteOptions.Default, default));
            await FailsAsync(FailureKind.Conflict, async () => await account.CreateFolderAsync(path, default));
            await FailsAsync(FailureKind.Conflict, async () => await account.CreateSymlinkAsync(path, "x", default));
            await FailsAsync(FailureKind.NotFound, async () => await account.MoveAsync(path, Target, default));
            await account.DeleteAsync(path, default);
        }
        await FailsAsync(FailureKind.BadInput, () => ReadAsync(account, EntryPath.Parse("to-secret"), 1));
        await FailsAsync(FailureKind.NotFound, () => ListAsync(account, EntryPath.Parse("out")));
        await account.WriteAsync(EntryPath.Parse("to-secret"), "mine"u8.ToArray(), WriteOptions.Default, default);
        await account.WriteAsync(EntryPath.Parse("real/file"), "mine"u8.ToArray(), WriteOptions.Default, default);
        await account.DeleteAsync(EntryPath.Parse("out"), default);

        Assert.Equal("secret", await File.ReadAllTextAsync(outside.In("secret")));
        Assert.Equal(
            ["folder", "secret"],
            Directory.GetFileSystemEntries(outside.Path).Select(System.IO.Path.GetFileName).Order());
        Assert.Equal("mine", await File.ReadAllTextAsync(scratch.In("real/file")));
    }

    [Fact]
    public async Task A_walk_lists_links_and_never_goes_through_them()
    {
        Directory.CreateDirectory(scratch.In("a"));
        Directory.CreateSymbolicLink(scratch.In("a/loop"), "..");
        Directory.CreateSymbolicLink(scratch.In("etc"), "/etc");
        await using var account = Open();
        var entries = new List<Entry>();
        await foreach (var entry in account.WalkAsync(EntryPath.Root)) entries.Add(entry);
        Assert.Equal(["a", "a/loop", "etc"], entries.Select(entry => entry.Path.Value).Order(StringComparer.Ordinal));
        Assert.Equal("/etc", entries.Single(entry => entry.Path.Value == "etc").LinkTarget);
    }

    [Fact]
    public async Task What_is_no_entry_is_skipped_and_named()
    {
        Run("mkfifo", scratch.In("pipe"));
        Run("bash", "-c", $"cd {scratch.Path}; touch $'bad\\xff name' good; ln -s $'to\\xfe' badlink");
        using (var socket = new System.Net.Sockets.Socket(
            System.Net.Sockets.AddressFamily.Unix,
            System.Net.Sockets.SocketType.Stream,
            System.Net.Sockets.ProtocolType.Unspecified))
        {
            socket.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(scratch.In("socket")));
        }
        await using var account = Open();
        Assert.Equal("good", Assert.Single(await ListAsync(account, EntryPath.Root)).Path.Value);
        var skipped = new List<SkippedEntry>();
        await foreach (var _ in account.WalkAsync(EntryPath.Root, skipped.Add)) Assert.NotNull(_.Version);
        var expected = new List<string>
        {
            "bad\\xff name has a name that is not UTF-8", "badlink is a symbolic link whose target is not UTF-8",
            "pipe is a named pipe",
        };
        if (File.Exists(scratch.In("socket"))) expected.Add("socket is a socket");
        Assert.Equal(expected, skipped.Select(skip => $"{skip.ShownName} {skip.Reason}").Order(StringComparer.Ordinal));
        Assert.Null(await account.StatAsync(EntryPath.Parse("pipe"), default));
        await FailsAsync(FailureKind.BadInput, () => ReadAsync(account, EntryPath.Parse("pipe"), 0));
        // .NET can't delete names that aren't text.
        Run("bash", "-c", $"rm {scratch.Path}/bad*");
    }

    [Fact]
    public async Task A_change_in_place_during_a_read_is_found_before_the_last_bytes()
    {
        await File.WriteAllBytesAsync(scratch.In("file"), new byte[100_000]);
        var modified = File.GetLastWriteTimeUtc(scratch.In("file"));
        await using var account = Open();
        await using var reader = await account.ReadAsync(Target, new ByteRange(0, 100_000), null, default);
        var got = new byte[99_999];
        await reader.Content.ReadExactlyAsync(got);
        await using (var file = File.OpenWrite(scratch.In("file"))) file.Write("changed"u8);
        // Whoever changes content may set the time back, but not that of the inode.
        File.SetLastWriteTimeUtc(scratch.In("file"), modified);
        await FailsAsync(FailureKind.Changed, async () => await reader.Content.ReadExactlyAsync(new byte[1]));
        await FailsAsync(FailureKind.Changed, () => ReadAsync(account, Target, 100_000, reader.Entry.Version));
    }

    [Fact]
    public async Task A_file_that_shrinks_or_grows_during_a_read_is_changed()
    {
        await using var account = Open();
        foreach (var newLength in new[] { 10, 200_000 })
        {
            await File.WriteAllBytesAsync(scratch.In("file"), new byte[100_000]);
            await using var reader = await account.ReadAsync(Target, new ByteRange(0, 100_000), null, default);
            await reader.Content.ReadExactlyAsync(new byte[5]);
            await using (var file = File.OpenWrite(scratch.In("file"))) file.SetLength(newLength);
            await FailsAsync(FailureKind.Changed, () => reader.Content.CopyToAsync(Stream.Null));
        }
    }

    [Fact]
    public async Task Times_are_kept_to_100_ns_and_modes_follow_the_mark()
    {
        await using var account = Open();
        foreach (var time in new[] {
            new DateTimeOffset(1965, 2, 3, 4, 5, 6, TimeSpan.Zero).AddTicks(-1), DateTimeOffset.UnixEpoch,
            new(2040, 1, 1, 0, 0, 0, TimeSpan.Zero) })
        {
            var modified = time.AddTicks(1_234_567);
            Assert.Equal(
                modified, (await account.WriteAsync(Target, default, new WriteOptions(modified), default)).Modified);
            Assert.Equal(modified.UtcDateTime, File.GetLastWriteTimeUtc(scratch.In("file")));
        }
        await account.WriteAsync(Target, default, new WriteOptions(IsExecutable: true), default);
        Assert.True(File.GetUnixFileMode(scratch.In("file")).HasFlag(UnixFileMode.UserExecute));
    }

    [Theory]
    [InlineData(2047, false)]
    [InlineData(300, true)]
    public async Task The_longest_path_can_be_written_and_walked_without_running_out_of_descriptors(
        int levels, bool walksByHand)
    {
        var path = EntryPath.Parse(string.Join('/', Enumerable.Repeat("d", levels)) + "/ff");
        Assert.Equal(walksByHand ? 602 : EntryPath.MaxBytes, Encoding.UTF8.GetByteCount(path.Value));
        await using (File.Create(scratch.In("held"))) Assert.Equal(1, OpenBelow(scratch.Path));
        File.Delete(scratch.In("held"));
        await using var account = Open(walksByHand: walksByHand);
        await account.WriteAsync(path, "deep"u8.ToArray(), WriteOptions.Default, default);
        Assert.Equal("deep"u8.ToArray(), await ReadAsync(account, path, 4));
        var (count, most) = (0, 0);
        await foreach (var _ in account.WalkAsync(EntryPath.Root))
        {
            count++;
            if (count % 100 == 0) most = Math.Max(most, OpenBelow(scratch.Path));
        }
        Assert.Equal(levels + 1, count);
        Assert.True(most < 150, $"{most} descriptors");
        for (var folder = path; !folder.IsRoot; folder = folder.Parent) await account.DeleteAsync(folder, default);
    }

    /// <summary>Descriptors of this process in that folder; other tests hold others at the same time.</summary>
    private static int OpenBelow(string folder) => Directory.GetFiles("/proc/self/fd").Count(
        descriptor => IsBelow(descriptor, folder));

    private static bool IsBelow(string descriptor, string folder)
    {
        try
        {
            var target = new FileInfo(descriptor).LinkTarget;
            return target is not null && target.StartsWith(folder, StringComparison.Ordinal);
        }
        catch (Exception e) when (e is PathTooLongException or FileNotFoundException or DirectoryNotFoundException)
        {
            // Closed meanwhile by its owner, or so deep that its name can't be told: one of this test's.
            return e is PathTooLongException;
        }
    }

    [Fact]
    public async Task Temporary_names_are_nobody_else_s()
    {
        await using var account = Open();
        var name = DiskTemporary.NewName(RandomNumberGenerator.Fill);
        var path = EntryPath.Parse("folder").Append(name);
        var failure = await FailsAsync(
            FailureKind.BadInput, async () => await account.WriteAsync(path, default, WriteOptions.Default, default));
        Assert.Contains(name, failure.Message, StringComparison.Ordinal);
        await account.WriteAsync(EntryPath.Parse("folder/.virga-notes.part"), default, WriteOptions.Default, default);
        Assert.Single(await ListAsync(account, EntryPath.Parse("folder")));
        await File.WriteAllTextAsync(scratch.In($"folder/{name}"), "left by a killed process");
        Assert.Single(await ListAsync(account, EntryPath.Parse("folder")));
        Assert.Null(await account.StatAsync(path, default));
    }

    [Fact]
    public async Task What_a_killed_write_left_is_listed_and_ended_and_a_live_one_is_not()
    {
        await using var account = Open();
        var dead = DiskTemporary.NewName(RandomNumberGenerator.Fill);
        await File.WriteAllTextAsync(scratch.In(dead), "half");
        var live = DiskTemporary.NewName(RandomNumberGenerator.Fill);
        await using (var file = new FileStream(scratch.In(live), FileMode.CreateNew, FileAccess.Write, FileShare.None))
        {
            // .NET locks what it opens alone as the adapter does, with flock.
            var pending = Assert.Single(await PendingAsync(account));
            Assert.Equal((dead, DiskTemporary.TokenOf(dead)), (pending.Path.Value, pending.Token));
            await account.AbortUploadAsync(pending, default);
        }
        Assert.Equal(live, System.IO.Path.GetFileName(Assert.Single(Directory.GetFiles(scratch.Path))));
    }

    [Fact]
    public async Task After_a_restart_of_the_machine_only_settled_uploads_go_on()
    {
        var content = RandomNumberGenerator.GetBytes(300_000);
        await using var before = Open(bootId: "boot-1");
        var settled = await before.BeginUploadAsync(Target, content.Length, 100_000, WriteOptions.Default, default);
        var first = await settled.WritePartAsync(0, content.AsMemory(0, 100_000), default);
        await settled.DisposeAsync();
        var lost = await before.BeginUploadAsync(
            EntryPath.Parse("lost"), content.Length, 100_000, WriteOptions.Default, default);
        await lost.WritePartAsync(0, content.AsMemory(0, 100_000), default);

        await using var after = Open(bootId: "boot-2");
        var failure = await FailsAsync(
            FailureKind.NotFound,
            async () => await after.ResumeUploadAsync(
                EntryPath.Parse("lost"), content.Length, 100_000, WriteOptions.Default, lost.Token!, default));
        Assert.Contains("restarted", failure.Message, StringComparison.Ordinal);
        await using var resumed = await after.ResumeUploadAsync(
            Target, content.Length, 100_000, WriteOptions.Default, settled.Token!, default);
        PartReceipt[] receipts =
        [
            first,
            await resumed.WritePartAsync(1, content.AsMemory(100_000, 100_000), default),
            await resumed.WritePartAsync(2, content.AsMemory(200_000, 100_000), default),
        ];
        await resumed.CompleteAsync(receipts, default);
        Assert.Equal(content, await File.ReadAllBytesAsync(scratch.In("file")));
        Assert.Empty(await PendingAsync(after));
        await lost.DisposeAsync();
        Assert.Single(Directory.GetFiles(scratch.Path));
    }

    [Fact]
    public async Task A_resumed_upload_counts_as_unsettled_again()
    {
        await using var account = Open(bootId: "boot-1");
        var upload = await account.BeginUploadAsync(Target, 20, 10, WriteOptions.Default, default);
        await upload.DisposeAsync();
        await account.ResumeUploadAsync(Target, 20, 10, WriteOptions.Default, upload.Token!, default);
        await FailsAsync(
            FailureKind.NotFound,
            async () => await Open(bootId: "boot-2").ResumeUploadAsync(
                Target, 20, 10, WriteOptions.Default, upload.Token!, default));
    }

    [Fact]
    public async Task An_upload_that_was_killed_while_it_completed_is_completed_again()
    {
        await using var account = Open();
        var upload = await account.BeginUploadAsync(Target, 20, 10, WriteOptions.Default, default);
        PartReceipt[] receipts = [
            await upload.WritePartAsync(0, new byte[10], default),
            await upload.WritePartAsync(1, new byte[10], default)];
        // The trailer is cut off, the file not yet renamed.
        var temporary = scratch.In(DiskTemporary.NameOf(upload.Token!));
        await using (var file = File.OpenWrite(temporary)) file.SetLength(20);
        await using var resumed = await Open().ResumeUploadAsync(
            Target, 20, 10, WriteOptions.Default, upload.Token!, default);
        Assert.Equal(20, (await resumed.CompleteAsync(receipts, default)).Length);
        Assert.Equal([scratch.In("file")], Directory.GetFiles(scratch.Path));
    }

    [Fact]
    public async Task A_token_goes_only_with_its_own_upload_and_can_not_name_another_file()
    {
        await using var account = Open();
        await using var upload = await account.BeginUploadAsync(Target, 20, 10, WriteOptions.Default, default);
        foreach (var (path, length, part) in new[] {
            ("other", 20, 10), ("file", 21, 10), ("file", 20, 5), ("folder/file", 20, 10) })
        {
            await FailsAsync(
                FailureKind.NotFound,
                async () => await account.ResumeUploadAsync(
                    EntryPath.Parse(path), length, part, WriteOptions.Default, upload.Token!, default));
        }
        foreach (var token in new[] { "", "x", "../../../etc/passwd", upload.Token!.ToUpperInvariant() + "A" })
        {
            await FailsAsync(
                FailureKind.BadInput, async () => await account.ResumeUploadAsync(
                    Target, 20, 10, WriteOptions.Default, token, default));
            await FailsAsync(
                FailureKind.BadInput,
                async () => await account.AbortUploadAsync(new PendingUpload(Target, token, null), default));
        }
    }

    [Fact]
    public async Task A_folder_that_is_not_there_is_told_and_never_made()
    {
        await using var account = Open(root: scratch.In("not mounted"));
        foreach (var action in new Func<Task>[]
        {
            async () => await account.StatAsync(Target, default),
            async () => await account.StatAsync(EntryPath.Root, default),
            () => ListAsync(account, EntryPath.Root),
            () => ReadAsync(account, Target, 1),
            async () => await account.WriteAsync(Target, default, WriteOptions.Default, default),
            async () => await account.CreateFolderAsync(Target, default),
            async () => await account.GetSpaceAsync(default),
        })
        {
            var failure = await FailsAsync(FailureKind.NotFound, action);
            Assert.Contains("not mounted", failure.Message, StringComparison.Ordinal);
            Assert.Contains("Mount", failure.Advice, StringComparison.Ordinal);
        }
        Assert.Empty(Directory.GetFileSystemEntries(scratch.Path));
    }

    [Fact]
    public async Task A_place_that_may_not_be_written_is_denied()
    {
        // Even root may not make files in sysfs.
        await using var account = Open(root: "/sys/kernel");
        var failure = await FailsAsync(
            FailureKind.Denied, async () => await account.WriteAsync(Target, default, WriteOptions.Default, default));
        Assert.NotNull(failure.Advice);
    }

    [Fact]
    public async Task A_file_longer_than_the_free_room_is_refused_before_it_begins()
    {
        await using var account = Open();
        var space = await account.GetSpaceAsync(default);
        Assert.True(space.FreeBytes > 0);
        await FailsAsync(
            FailureKind.Full,
            async () => await account.BeginUploadAsync(
                Target, space.FreeBytes!.Value * 2, 4 << 20, WriteOptions.Default, default));
        Assert.Empty(Directory.GetFiles(scratch.Path));
    }

    [Theory]
    [InlineData("disk:relative")]
    [InlineData("disk:")]
    [InlineData("disk:/a/../b")]
    [InlineData("/srv/data")]
    [InlineData("s3:/srv/data")]
    public void Addresses_that_name_no_folder_are_bad_input_that_shows_the_form(string address)
    {
        var adapter = new DiskAdapter(RandomNumberGenerator.Fill);
        var none = new Dictionary<string, string>();
        var failure = Assert.Throws<VirgaException>(() => adapter.ParseAddress(address, none, none));
        Assert.Equal(FailureKind.BadInput, failure.Kind);
        Assert.Contains("disk:/srv/data", failure.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public void Addresses_and_settings_are_read_and_described()
    {
        var adapter = new DiskAdapter(RandomNumberGenerator.Fill);
        var none = new Dictionary<string, string>();
        Assert.Equal("disk:/srv/my data", adapter.Describe(adapter.ParseAddress("disk:/srv/my data/", none, none)));
        Assert.Equal("disk:/", adapter.Describe(adapter.ParseAddress("disk://", none, none)));
        Assert.Throws<VirgaException>(
            () => adapter.ParseAddress("disk:/a", new Dictionary<string, string> { ["durable"] = "maybe" }, none));
        Assert.Throws<VirgaException>(
            () => adapter.ParseAddress("disk:/a", new Dictionary<string, string> { ["colour"] = "red" }, none));
        Assert.Throws<VirgaException>(
            () => adapter.ParseAddress("disk:/a", none, new Dictionary<string, string> { ["password"] = "p" }));
    }

    [Fact]
    [Trait("Needs", "server")]
    public async Task A_full_disk_is_full_and_keeps_what_it_has()
    {
        var mount = scratch.In("small");
        Directory.CreateDirectory(mount);
        Run("mount", "-t", "tmpfs", "-o", "size=2m", "virga-test", mount);
        try
        {
            await using var account = Open(root: mount);
            await account.WriteAsync(Target, new byte[500_000], WriteOptions.Default, default);
            await FailsAsync(
                FailureKind.Full,
                async () => await account.WriteAsync(Target, new byte[4 << 20], WriteOptions.Default, default));
            Assert.Equal(500_000, (await account.StatAsync(Target, default))!.Length);
            Assert.Single(Directory.GetFileSystemEntries(mount));
            await using var upload = await account.BeginUploadAsync(
                EntryPath.Parse("up"), 1_400_000, 1_400_000, WriteOptions.Default, default);
            await account.WriteAsync(EntryPath.Parse("other"), new byte[1_000_000], WriteOptions.Default, default);
            var failure = await FailsAsync(
                FailureKind.Full, async () => await upload.WritePartAsync(0, new byte[1_400_000], default));
            Assert.NotNull(failure.Advice);
            await upload.AbortAsync(default);
            Assert.Equal(2, Directory.GetFileSystemEntries(mount).Length);
        }
        finally
        {
            Run("umount", "-l", mount);
        }
    }

    [Fact]
    [Trait("Needs", "server")]
    public async Task A_disk_mounted_read_only_is_read_only()
    {
        var mount = scratch.In("read only");
        Directory.CreateDirectory(mount);
        Run("mount", "-t", "tmpfs", "virga-test", mount);
        try
        {
            await File.WriteAllTextAsync(System.IO.Path.Combine(mount, "file"), "kept");
            Run("mount", "-o", "remount,ro", mount);
            await using var account = Open(root: mount);
            Assert.True(account.Traits.IsReadOnly);
            await FailsAsync(
                FailureKind.ReadOnly,
                async () => await account.WriteAsync(Target, default, WriteOptions.Default, default));
            await FailsAsync(
                FailureKind.ReadOnly,
                async () => await account.BeginUploadAsync(Target, 1, 1, WriteOptions.Default, default));
            await FailsAsync(
                FailureKind.ReadOnly, async () => await account.CreateFolderAsync(EntryPath.Parse("new"), default));
            await FailsAsync(FailureKind.ReadOnly, async () => await account.DeleteAsync(Target, default));
            await FailsAsync(
                FailureKind.ReadOnly, async () => await account.MoveAsync(Target, EntryPath.Parse("b"), default));
            Assert.Equal("kept"u8.ToArray(), await ReadAsync(account, Target, 4));
        }
        finally
        {
            Run("umount", "-l", mount);
        }
    }
}
