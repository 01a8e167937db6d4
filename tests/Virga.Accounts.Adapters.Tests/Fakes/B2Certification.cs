using Virga.Testing.Fakes;
using Virga.Testing.Fakes.B2;

namespace Virga.Accounts.Adapters.Tests.Fakes;

/// <summary>The fake of Backblaze B2 by rclone's own b2 backend.</summary>
public sealed class B2Certification : RcloneCertification
{
    private const string Bucket = "virga-bucket";
    private readonly FakeB2 fake = new(TimeProvider.System);
    private (string Id, string Secret) key;

    public B2Certification()
    {
        fake.AddBucket(Bucket);
        key = fake.AddKey();
    }

    protected override FakeService Service => fake;

    protected override bool KeepsFolders => false;

    protected override IReadOnlyDictionary<string, string> Remote { get; } = new Dictionary<string, string>
    {
        ["type"] = "alias", ["remote"] = $":b2:{Bucket}",
    };

    protected override int ChunkBytes => 8 << 20;

    protected override string[] Arguments =>
    [
        "--b2-account", key.Id, "--b2-key", key.Secret, "--b2-chunk-size", "8Mi", "--b2-upload-cutoff", "8Mi",
    ];

    [Fact]
    public async Task Big_files_go_as_large_ones_and_none_is_left_open()
    {
        WriteFile("big", 2 * ChunkBytes + 1);
        await SucceedsAsync("copy", Local("big"), "cloud:");
        await SucceedsAsync("check", "--download", Client.Folder, "cloud:", "--include", "/big");
        Assert.Equal(3, fake.Faults.Count("upload_part"));
        Assert.Equal(0, fake.OpenSessions);
    }

    [Fact]
    public async Task What_is_busy_is_tried_again_by_rclone_at_another_URL()
    {
        fake.Faults.Add(new Fault(FaultKind.ServerError, "upload_part"));
        fake.Faults.Add(new Fault(FaultKind.Throttled, "b2_list_file_names"));
        WriteFile("big", 2 * ChunkBytes + 1);
        await SucceedsAsync("copy", Local("big"), "cloud:");
        await SucceedsAsync("check", "--download", Client.Folder, "cloud:", "--include", "/big");
        Assert.Equal(4, fake.Faults.Count("upload_part"));
    }

    [Fact]
    public async Task Rclone_is_refused_what_the_service_refuses()
    {
        WriteFile("file", 1000);
        await SucceedsAsync("copy", Local("file"), "cloud:");
        key = fake.AddKey("listBuckets", "listFiles", "readFiles");
        await SucceedsAsync("lsf", "cloud:");
        await RefusedAsync("not entitled", "copy", Local("file"), "cloud:sub");
        key.Secret = "K001other";
        await RefusedAsync("bad_auth_token", "lsf", "cloud:");
        Assert.Equal(["file"], fake.NamesIn(Bucket));
    }

    private async Task RefusedAsync(string reason, params string[] arguments)
    {
        var run = await RunAsync(arguments);
        Assert.NotEqual(0, run.ExitCode);
        Assert.Contains(reason, run.Errors + run.Output, StringComparison.Ordinal);
    }
}
