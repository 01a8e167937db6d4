using Virga.Testing.Fakes;
using Virga.Testing.Fakes.Dropbox;

namespace Virga.Accounts.Adapters.Tests.Fakes;

/// <summary>The fake of Dropbox by rclone's own dropbox backend.</summary>
public sealed class DropboxCertification : RcloneCertification
{
    private readonly FakeDropbox fake = new(TimeProvider.System);
    private readonly DropboxUser user;
    private readonly string token;

    public DropboxCertification() => (user, token) = fake.AddUser();

    protected override FakeService Service => fake;

    protected override IReadOnlyDictionary<string, string> Remote => new Dictionary<string, string>
    {
        ["type"] = "dropbox",
        ["client_id"] = "virga-test",
        ["client_secret"] = "none",
        ["token"] = $$"""{"access_token":"{{token}}","token_type":"bearer","expiry":"0001-01-01T00:00:00Z"}""",
    };

    protected override int ChunkBytes => 4 << 20;

    protected override string[] Arguments => ["--dropbox-chunk-size", "4Mi", "--dropbox-batch-timeout", "100ms"];

    [Theory]
    [InlineData("off")]
    [InlineData("sync")]
    public async Task Big_files_go_in_sessions_and_none_is_left_open(string batch)
    {
        WriteFile("big", 5 * ChunkBytes + 1);
        await SucceedsAsync("copy", "--dropbox-batch-mode", batch, Local("big"), "cloud:");
        await SucceedsAsync("check", "--download", Client.Folder, "cloud:", "--include", "/big");
        Assert.Equal(6, fake.Faults.Count("files/upload_session/append_v2"));
        Assert.Equal(0, user.OpenSessions);
    }

    [Fact]
    public async Task A_part_whose_answer_was_lost_is_at_another_offset_and_rclone_goes_on_from_there()
    {
        fake.Faults.Add(new Fault(FaultKind.LoseAnswer, "files/upload_session/append_v2", Skip: 1));
        WriteFile("big", 4 * ChunkBytes + 1);
        await SucceedsAsync("copy", Local("big"), "cloud:");
        await SucceedsAsync("check", "--download", Client.Folder, "cloud:", "--include", "/big");
        Assert.True(fake.Faults.Count("files/upload_session/append_v2") >= 6);
    }

    [Fact]
    public async Task Requests_that_are_too_many_are_tried_again_by_rclone()
    {
        fake.Faults.Add(new Fault(FaultKind.Throttled, Times: 2, RetryAfter: TimeSpan.FromSeconds(1)));
        fake.Faults.Add(new Fault(FaultKind.ServerError, "files/upload_session/append_v2"));
        user.WritesRefused = 1;
        WriteFile("file", 2 * ChunkBytes);
        // In its batches rclone 1.60 gives a file up that is refused so; alone it tries again.
        await SucceedsAsync("copy", "--dropbox-batch-mode", "off", Local("file"), "cloud:");
        Assert.Equal(["/file"], user.FilePaths());
    }

    [Fact]
    public async Task Names_are_one_whatever_their_case()
    {
        WriteFile("one/Name.TXT", 10);
        WriteFile("two/name.txt", 20);
        await SucceedsAsync("copy", Local("one"), "cloud:f");
        await SucceedsAsync("copy", Local("two"), "cloud:F");
        Assert.Equal(["/f/name.txt"], user.FilePaths());
        var sizes = await SucceedsAsync("lsf", "--format", "s", "cloud:f");
        Assert.Contains("20", sizes.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rclone_is_refused_what_the_service_refuses()
    {
        WriteFile("file", 1000);
        user.QuotaBytes = 500;
        await RefusedAsync("insufficient_space", "copy", Local("file"), "cloud:");
        user.QuotaBytes = null;
        user.ReadOnlyFolder = "/theirs";
        await RefusedAsync("no_write_permission", "copy", Local("file"), "cloud:theirs");
        await RefusedAsync("disallowed_name", "copyto", Local("file"), "cloud:~$draft");
        await RefusedAsync(
            "malformed_path", "copyto", "--dropbox-encoding", "None", Local("file"), @"cloud:back\slash");
        Assert.Empty(user.FilePaths());
        fake.Expire(token);
        await RefusedAsync("expired_access_token", "lsf", "cloud:");
        fake.Revoke(token);
        await RefusedAsync("invalid_access_token", "lsf", "cloud:");
    }

    private async Task RefusedAsync(string reason, params string[] arguments)
    {
        var run = await RunAsync(arguments);
        Assert.NotEqual(0, run.ExitCode);
        Assert.Contains(reason, run.Errors, StringComparison.Ordinal);
    }
}
