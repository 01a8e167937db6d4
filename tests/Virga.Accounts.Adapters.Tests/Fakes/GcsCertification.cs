using Virga.Testing.Fakes;
using Virga.Testing.Fakes.Gcs;

namespace Virga.Accounts.Adapters.Tests.Fakes;

/// <summary>The fake of Google Cloud Storage by rclone's own gcs backend, with a service account.</summary>
public sealed class GcsCertification : RcloneCertification
{
    private const string Bucket = "virga-bucket";
    private readonly FakeGcs fake = new(TimeProvider.System);
    private readonly DirectoryInfo keys = Directory.CreateTempSubdirectory("virga-keys-");

    public GcsCertification() => fake.AddBucket(Bucket);

    protected override FakeService Service => fake;

    protected override bool KeepsFolders => false;

    protected override IReadOnlyDictionary<string, string> Remote { get; } = new Dictionary<string, string>
    {
        // rclone's gcs has buckets for first folders.
        ["type"] = "alias",
        ["remote"] = $":gcs:{Bucket}",
    };

    protected override int ChunkBytes => 16 << 20;

    protected override string[] Arguments =>
        ["--gcs-bucket-policy-only", "--gcs-service-account-file", KeyFile];

    public override async Task InitializeAsync()
    {
        await base.InitializeAsync();
        await File.WriteAllTextAsync(KeyFile, fake.AddServiceAccount());
    }

    private string KeyFile => Path.Combine(keys.FullName, "key.json");

    public override async Task DisposeAsync()
    {
        await base.DisposeAsync();
        keys.Delete(recursive: true);
    }

    [Fact]
    public async Task Big_files_go_in_sessions_and_none_is_left_open()
    {
        WriteFile("big", 2 * ChunkBytes + 1);
        await SucceedsAsync("copy", Local("big"), "cloud:");
        await SucceedsAsync("check", "--download", Client.Folder, "cloud:", "--include", "/big");
        Assert.Equal(1, fake.Faults.Count("upload.resumable"));
        Assert.Equal(3, fake.Faults.Count("upload.chunk"));
        Assert.Equal(0, fake.OpenSessions);
    }

    [Fact]
    public async Task Requests_that_are_too_many_or_break_are_tried_again_by_rclone()
    {
        fake.Faults.Add(new Fault(FaultKind.Throttled, "upload.chunk"));
        fake.Faults.Add(new Fault(FaultKind.ServerError, "upload.chunk", Skip: 1));
        WriteFile("big", 2 * ChunkBytes + 1);
        await SucceedsAsync("copy", Local("big"), "cloud:");
        await SucceedsAsync("check", "--download", Client.Folder, "cloud:", "--include", "/big");
        Assert.Equal(5, fake.Faults.Count("upload.chunk"));
    }

    [Fact]
    public async Task Copies_that_take_several_calls_are_gone_on_with()
    {
        fake.RewriteBytesPerCall = 1000;
        WriteFile("file", 2500);
        await SucceedsAsync("copy", Local("file"), "cloud:");
        await SucceedsAsync("copyto", "cloud:file", "cloud:again");
        Assert.Equal(3, fake.Faults.Count("objects.rewrite"));
        Assert.Equal(["again", "file"], fake.NamesIn(Bucket));
    }

    [Fact]
    public async Task Rclone_is_refused_what_the_service_refuses()
    {
        WriteFile("file", 1000);
        await SucceedsAsync("copy", Local("file"), "cloud:");
        await File.WriteAllTextAsync(KeyFile, fake.AddServiceAccount(isReader: true));
        await SucceedsAsync("lsf", "cloud:");
        await RefusedAsync("does not have storage.objects.create access", "copy", Local("file"), "cloud:sub");
        await RefusedAsync("directory not found", "ls", ":gcs:no-such-bucket");
        fake.RemoveKeys();
        await RefusedAsync("account not found", "lsf", "cloud:");
        Assert.Equal(["file"], fake.NamesIn(Bucket));
    }

    private async Task RefusedAsync(string reason, params string[] arguments)
    {
        var run = await RunAsync(arguments);
        Assert.NotEqual(0, run.ExitCode);
        Assert.Contains(reason, run.Errors + run.Output, StringComparison.Ordinal);
    }
}
