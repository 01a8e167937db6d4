using Virga.Testing.Fakes;
using Virga.Testing.Fakes.Drive;

namespace Virga.Accounts.Adapters.Tests.Fakes;

/// <summary>The fake of Google Drive by rclone's own drive backend.</summary>
public sealed class DriveCertification : RcloneCertification
{
    private readonly FakeDrive fake = new(TimeProvider.System);
    private readonly DriveUser user;
    private readonly string token;

    public DriveCertification() => (user, token) = fake.AddUser();

    protected override FakeService Service => fake;

    protected override IReadOnlyDictionary<string, string> Remote => new Dictionary<string, string>
    {
        ["type"] = "drive",
        ["scope"] = "drive",
        ["client_id"] = "virga-test",
        ["client_secret"] = "none",
        ["token"] = $$"""{"access_token":"{{token}}","token_type":"Bearer","expiry":"0001-01-01T00:00:00Z"}""",
    };

    protected override int ChunkBytes => 1 << 20;

    protected override string[] Arguments =>
    [
        "--drive-chunk-size", "1Mi", "--drive-upload-cutoff", "1Mi", "--drive-pacer-min-sleep", "1ms",
        "--drive-pacer-burst", "1000",
    ];

    protected override string[] Names =>
        [.. base.Names, "back\\slash", "trailing space ", "trailing dot.", "Case", "case"];

    [Fact]
    public async Task Big_files_go_in_sessions_and_none_is_left_open()
    {
        WriteFile("big", 5 * ChunkBytes + 1);
        await SucceedsAsync("copy", Local("big"), "cloud:");
        await SucceedsAsync("check", "--download", Client.Folder, "cloud:", "--include", "/big");
        Assert.Equal(6, fake.Faults.Count("upload.chunk"));
        WriteFile("big", 4 * ChunkBytes, seed: 2);
        await SucceedsAsync("copy", "--ignore-times", Local("big"), "cloud:");
        await SucceedsAsync("check", Client.Folder, "cloud:", "--include", "/big");
        Assert.Equal(["big"], user.FilePaths());
        Assert.Equal(0, user.OpenSessions);
    }

    [Fact]
    public async Task Requests_that_are_too_many_are_tried_again_by_rclone()
    {
        fake.Faults.Add(new Fault(FaultKind.Throttled, Times: 2));
        fake.Faults.Add(new Fault(FaultKind.ServerError, "upload.chunk"));
        WriteFile("file", 3 * ChunkBytes);
        await SucceedsAsync("copy", Local("file"), "cloud:");
        Assert.Equal(["file"], user.FilePaths());
    }

    [Fact]
    public async Task Files_of_one_name_are_two_and_rclone_says_so()
    {
        user.AddItem("folder/twin", "text/plain", 10);
        user.AddItem("folder/twin", "text/plain", 20);
        Assert.Equal(["twin", "twin"], Lines(await SucceedsAsync("lsf", "cloud:folder")));
        var run = await RunAsync("copy", "-v", "cloud:folder", Local("there"));
        Assert.Contains("Duplicate object", run.Errors, StringComparison.Ordinal);
        await SucceedsAsync("dedupe", "--dedupe-mode", "rename", "cloud:folder");
        Assert.Equal(2, user.FilePaths().Distinct(StringComparer.Ordinal).Count());
    }

    [Fact]
    public async Task Google_documents_have_no_bytes_and_shortcuts_are_known()
    {
        user.AddItem("folder/Plan", "application/vnd.google-apps.document");
        user.AddItem("folder/real", "text/plain", 10);
        Assert.Equal(["real"], Lines(await SucceedsAsync("lsf", "--drive-skip-gdocs", "cloud:folder")));
        Assert.Contains("Plan", (await SucceedsAsync("lsf", "cloud:folder")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_deleted_is_in_the_bin_and_can_be_cleaned_up()
    {
        WriteFile("file", 10);
        await SucceedsAsync("copy", Local("file"), "cloud:");
        await SucceedsAsync("deletefile", "cloud:file");
        Assert.Empty(user.FilePaths());
        Assert.Equal(["file"], Lines(await SucceedsAsync("lsf", "--drive-trashed-only", "cloud:")));
        await SucceedsAsync("cleanup", "cloud:");
        Assert.Empty(Lines(await SucceedsAsync("lsf", "--drive-trashed-only", "cloud:")));
    }

    [Fact]
    public async Task Rclone_is_refused_what_the_service_refuses()
    {
        WriteFile("file", 1000);
        user.QuotaBytes = 500;
        await RefusedAsync("storageQuotaExceeded", "copy", Local("file"), "cloud:");
        user.QuotaBytes = null;
        user.UploadBytesLeft = 500;
        await RefusedAsync(
            "upload limit", "copy", "--drive-stop-on-upload-limit", Local("file"), "cloud:");
        user.UploadBytesLeft = 1_000_000;
        var id = user.AddItem("theirs", "text/plain", 10);
        user.MakeReadOnly(id);
        await RefusedAsync("insufficientFilePermissions", "copyto", Local("file"), "cloud:theirs");
        user.MakeAbusive(id);
        await RefusedAsync("cannotDownloadAbusiveFile", "copyto", "cloud:theirs", Local("there"));
        fake.Expire(token);
        await RefusedAsync("Invalid Credentials", "lsf", "cloud:");
    }

    private async Task RefusedAsync(string reason, params string[] arguments)
    {
        var run = await RunAsync(arguments);
        Assert.NotEqual(0, run.ExitCode);
        Assert.True(run.Errors.Contains(reason, StringComparison.Ordinal), $"no '{reason}' in: {run}");
    }
}
