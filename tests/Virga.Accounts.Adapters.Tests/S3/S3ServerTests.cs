using System.Diagnostics;
using System.Globalization;
using Amazon.S3.Model;
using Virga.Accounts.Adapters.S3;
using Virga.Core;

namespace Virga.Accounts.Adapters.Tests.S3;

/// <summary>What is particular to S3, against the real server.</summary>
[Trait("Needs", "server")]
public sealed class S3ServerTests : IAsyncLifetime
{
    private static readonly DateTimeOffset SomeTime = new DateTimeOffset(
        2021, 3, 4, 5, 6, 7, TimeSpan.Zero).AddTicks(1_234_567);
    private S3Scratch scratch = null!;
    private IAccount account = null!;

    public async Task InitializeAsync()
    {
        scratch = await S3Scratch.CreateAsync();
        account = await scratch.OpenAsync();
    }

    public async Task DisposeAsync()
    {
        await account.DisposeAsync();
        await scratch.DisposeAsync();
    }

    [Fact]
    public async Task Keys_that_are_no_paths_are_left_out_and_named()
    {
        string[] bad = ["/leading", "a//b", "a/../b", "a/./b", ".."];
        foreach (var key in bad) await CurlAsync("PUT", key);
        foreach (var key in new[] { "good", "a/good" }) await scratch.PutPlainAsync(key);
        var skipped = new List<SkippedEntry>();
        var names = (await Failing.ListAsync(account, "", skipped.Add)).Select(e => e.Path.Value);
        Assert.Equal(["a", "good"], names.Order(StringComparer.Ordinal));
        Assert.Equal(["", ".."], skipped.Select(s => s.ShownName).Order(StringComparer.Ordinal));
        skipped.Clear();
        Assert.Equal(["a/good"], (await Failing.ListAsync(account, "a", skipped.Add)).Select(e => e.Path.Value));
        Assert.Equal(["", ".", ".."], skipped.Select(s => s.ShownName).Order(StringComparer.Ordinal));
        var all = new List<string>();
        await foreach (var entry in account.WalkAsync(EntryPath.Root)) all.Add(entry.Path.Value);
        Assert.Equal(["a", "a/good", "good"], all.Order(StringComparer.Ordinal));
        foreach (var key in bad) await CurlAsync("DELETE", key);
    }

    [Fact]
    public async Task A_prefix_is_a_root_of_its_own()
    {
        await using var inner = await scratch.OpenAsync("deep/er%20é");
        await inner.WriteAsync(EntryPath.Parse("x/y"), new byte[3], WriteOptions.Default, default);
        await scratch.PutPlainAsync("deep/er élsewhere");
        Assert.Equal("x", Assert.Single(await Failing.ListAsync(inner)).Path.Value);
        Assert.Equal(3, (await account.StatAsync(EntryPath.Parse("deep/er é/x/y"), default))!.Length);
        var everything = new List<string>();
        await foreach (var entry in inner.WalkAsync(EntryPath.Root)) everything.Add(entry.Path.Value);
        Assert.Equal(["x", "x/y"], everything);
    }

    [Fact]
    public async Task Times_and_marks_are_those_that_rclone_reads_and_writes()
    {
        await account.WriteAsync(
            EntryPath.Parse("ours"), new byte[3], new WriteOptions(SomeTime, IsExecutable: true), default);
        var ours = await scratch.Plain.GetObjectMetadataAsync(scratch.Bucket, "ours");
        Assert.Equal("1614834367.1234567", ours.Metadata["mtime"]);
        Assert.Equal("0100755", ours.Metadata["mode"]);
        var shown = await RcloneAsync("lsf", "--format", "tp", $":s3:{scratch.Bucket}");
        Assert.Equal("2021-03-04 05:06:07;ours", shown.Trim());

        var folder = Directory.CreateTempSubdirectory("virga-rclone-");
        try
        {
            var file = Path.Combine(folder.FullName, "theirs");
            await File.WriteAllTextAsync(file, "hello");
            File.SetLastWriteTimeUtc(file, SomeTime.UtcDateTime);
            await RcloneAsync("copy", file, $":s3:{scratch.Bucket}");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
        var theirs = await account.StatAsync(EntryPath.Parse("theirs"), default);
        Assert.Equal(SomeTime, theirs!.Modified);
        await using var reader = await account.ReadAsync(
            theirs.Path, new Core.ByteRange(0, 5), theirs.Version, default);
        Assert.Equal(SomeTime, reader.Entry.Modified);
    }

    [Fact]
    public async Task A_long_file_is_moved_in_parts_with_its_time_and_mark()
    {
        var settings = S3Settings.From(scratch.Config());
        using var bucket = new Adapters.S3.S3Bucket(settings, TestServices.Real);
        var content = new byte[(12 << 20) + 5];
        new Random(7).NextBytes(content);
        await using (var upload = await account.BeginUploadAsync(
            EntryPath.Parse("from"), content.Length, 8 << 20, new WriteOptions(SomeTime, IsExecutable: true), default))
        {
            PartReceipt[] parts =
            [
                await upload.WritePartAsync(0, content.AsMemory(0, 8 << 20), default),
                await upload.WritePartAsync(1, content.AsMemory(8 << 20), default),
            ];
            await upload.CompleteAsync(parts, default);
        }
        await new S3Copier(bucket, copyBytesMax: 5 << 20).MoveAsync(
            "move", EntryPath.Parse("from"), EntryPath.Parse("to"), default);
        Assert.Null(await account.StatAsync(EntryPath.Parse("from"), default));
        var moved = await account.StatAsync(EntryPath.Parse("to"), default);
        Assert.Equal((content.Length, SomeTime, true), (moved!.Length, moved.Modified, moved.IsExecutable));
        await using var reader = await account.ReadAsync(
            moved.Path, new Core.ByteRange(0, content.Length), moved.Version, default);
        using var read = new MemoryStream();
        await reader.Content.CopyToAsync(read);
        Assert.True(content.AsSpan().SequenceEqual(read.ToArray()));
    }

    [Fact]
    public async Task A_completion_whose_answer_was_lost_is_found_to_be_done()
    {
        var path = EntryPath.Parse("file");
        var uploads = account.Find<IResumableUploads>()!;
        await using var upload = await account.BeginUploadAsync(path, 100, 5 << 20, WriteOptions.Default, default);
        var receipt = await upload.WritePartAsync(0, new byte[100], default);
        var first = await upload.CompleteAsync([receipt], default);
        var again = await upload.CompleteAsync([receipt], default);
        Assert.Equal(first.Version, again.Version);
        await using var resumed = await uploads.ResumeUploadAsync(
            path, 100, 5 << 20, WriteOptions.Default, upload.Token!, default);
        Assert.Equal(first.Version, (await resumed.CompleteAsync([receipt], default)).Version);

        await account.WriteAsync(path, new byte[100], WriteOptions.Default, default);
        await Failing.WithAsync(FailureKind.NotFound, () => resumed.CompleteAsync([receipt], default), "upload");
    }

    [Fact]
    public async Task A_versioned_bucket_is_read_at_the_pinned_version_or_not_at_all()
    {
        await scratch.Plain.PutBucketVersioningAsync(new PutBucketVersioningRequest
        {
            BucketName = scratch.Bucket,
            VersioningConfig = new S3BucketVersioningConfig { Status = Amazon.S3.VersionStatus.Enabled },
        });
        var path = EntryPath.Parse("file");
        var old = await account.WriteAsync(path, new byte[] { 1 }, WriteOptions.Default, default);
        await account.WriteAsync(path, new byte[] { 2 }, WriteOptions.Default, default);
        await Failing.WithAsync(
            FailureKind.Changed,
            () => account.ReadAsync(path, new Core.ByteRange(0, 1), old.Version, default),
            "version",
            hasAdvice: false);
        foreach (var version in (await scratch.Plain.ListVersionsAsync(scratch.Bucket)).Versions)
            await scratch.Plain.DeleteObjectAsync(scratch.Bucket, version.Key, version.VersionId);
    }

    // Amazon's client can't sign such keys; other programs can, and so they occur.
    private Task<string> CurlAsync(string method, string key)
    {
        var secrets = scratch.Config().Secrets;
        return ToolAsync(
            new ProcessStartInfo("curl"),
            [
                "--silent", "--fail", "--noproxy", "*", "--path-as-is", "--aws-sigv4", "aws:amz:us-east-1:s3",
                "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", "--data-binary", "x", "-X", method,
                "--user", $"{secrets["accessKey"]}:{secrets["secretKey"]}",
                $"{scratch.Endpoint}/{scratch.Bucket}/{key}",
            ]);
    }

    private Task<string> RcloneAsync(params string[] arguments)
    {
        var secrets = scratch.Config().Secrets;
        var start = new ProcessStartInfo("rclone");
        start.Environment.Remove("AWS_CA_BUNDLE");
        start.Environment["RCLONE_CONFIG"] = "/dev/null";
        start.Environment["TZ"] = "UTC";
        start.Environment["RCLONE_S3_PROVIDER"] = "Ceph";
        start.Environment["RCLONE_S3_ENDPOINT"] = scratch.Endpoint;
        start.Environment["RCLONE_S3_ACCESS_KEY_ID"] = secrets["accessKey"];
        start.Environment["RCLONE_S3_SECRET_ACCESS_KEY"] = secrets["secretKey"];
        return ToolAsync(start, arguments);
    }

    private static async Task<string> ToolAsync(ProcessStartInfo start, string[] arguments)
    {
        start.RedirectStandardOutput = true;
        start.UseShellExecute = false;
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(
            process.ExitCode == 0,
            string.Create(CultureInfo.InvariantCulture, $"{start.FileName} ended with {process.ExitCode}"));
        return output;
    }
}
