using Virga.Testing.Fakes;
using Virga.Testing.Fakes.OneDrive;

namespace Virga.Accounts.Adapters.Tests.Fakes;

/// <summary>The fake of OneDrive by rclone's own onedrive backend.</summary>
public class OneDriveCertification : RcloneCertification
{
    private readonly FakeOneDrive fake = new(TimeProvider.System);
    private readonly OneDriveUser user;
    private readonly string token;

    public OneDriveCertification() : this(isBusiness: false)
    {
    }

    protected OneDriveCertification(bool isBusiness) => (user, token) = fake.AddUser(isBusiness: isBusiness);

    protected override FakeService Service => fake;

    protected override IReadOnlyDictionary<string, string> Remote => new Dictionary<string, string>
    {
        ["type"] = "onedrive",
        ["client_id"] = "virga-test",
        ["drive_id"] = user.DriveId,
        ["drive_type"] = user.IsBusiness ? "business" : "personal",
        ["token"] = $$"""{"access_token":"{{token}}","token_type":"Bearer","expiry":"0001-01-01T00:00:00Z"}""",
    };

    protected override int ChunkBytes => 320 << 10;

    protected override string[] Arguments => ["--onedrive-chunk-size", "320Ki"];

    [Fact]
    public async Task Big_files_go_in_sessions_and_none_is_left_open()
    {
        WriteFile("big", 5 * ChunkBytes + 1);
        await SucceedsAsync("copy", Local("big"), "cloud:");
        await SucceedsAsync("check", "--download", Client.Folder, "cloud:", "--include", "/big");
        Assert.Equal(6, fake.Faults.Count("fragment"));
        Assert.Equal(0, user.OpenSessions);
    }

    [Fact]
    public async Task Requests_that_are_too_many_and_answers_that_got_lost_are_tried_again_by_rclone()
    {
        fake.Faults.Add(new Fault(FaultKind.Throttled, Times: 2, RetryAfter: TimeSpan.FromSeconds(1)));
        fake.Faults.Add(new Fault(FaultKind.LoseAnswer, "fragment", Skip: 1));
        WriteFile("file", 4 * ChunkBytes);
        await SucceedsAsync("copy", Local("file"), "cloud:");
        await SucceedsAsync("check", "--download", Client.Folder, "cloud:", "--include", "/file");
        Assert.Equal(["file"], user.FilePaths());
    }

    [Fact]
    public async Task Names_are_one_whatever_their_case_and_notebooks_are_no_folders()
    {
        user.AddNotebook("Notes");
        WriteFile("one/Name.TXT", 10);
        WriteFile("two/name.txt", 20);
        await SucceedsAsync("copy", Local("one"), "cloud:f");
        await SucceedsAsync("copy", Local("two"), "cloud:F");
        Assert.Single(user.FilePaths());
        Assert.Equal(["f/"], Lines(await SucceedsAsync("lsf", "cloud:")));
    }

    [Fact]
    public async Task Rclone_is_refused_what_the_service_refuses()
    {
        WriteFile("file", 1000);
        user.QuotaBytes = 500;
        await RefusedAsync("quotaLimitReached", "copy", Local("file"), "cloud:");
        user.QuotaBytes = 1 << 30;
        await SucceedsAsync("mkdir", "cloud:theirs");
        user.ReadOnlyFolder = "theirs";
        await RefusedAsync("accessDenied", "copy", Local("file"), "cloud:theirs");
        await RefusedAsync("cannot contain", "copyto", "--onedrive-encoding", "None", Local("file"), "cloud:que?stion");
        Assert.Empty(user.FilePaths());
        fake.Expire(token);
        await RefusedAsync("InvalidAuthenticationToken", "lsf", "cloud:");
    }

    private async Task RefusedAsync(string reason, params string[] arguments)
    {
        var run = await RunAsync(arguments);
        Assert.NotEqual(0, run.ExitCode);
        Assert.True(run.Errors.Contains(reason, StringComparison.Ordinal), $"no '{reason}' in: {run}");
    }
}

/// <summary>The fake of OneDrive for business, whose hash rclone compares after every file.</summary>
public sealed class OneDriveBusinessCertification() : OneDriveCertification(isBusiness: true);
