using Virga.Accounts.Adapters.Tests.Drive;
using Virga.Accounts.Adapters.Tests.Dropbox;
using Virga.Accounts.Adapters.Tests.OneDrive;
using Virga.Accounts.Adapters.Tests.WebDav;
using Virga.Testing;
using Virga.Testing.Fakes;
using Virga.Testing.Fakes.WebDav;

namespace Virga.Accounts.Adapters.Tests.Feeds;

/// <summary>A cloud that tells changes, and somebody's full account in it.</summary>
internal sealed class FullCloud : IAsyncDisposable
{
    public const string Folder = "shared";

    private readonly IAsyncDisposable scratch;
    private readonly FaultPlan counted;

    private FullCloud(IAsyncDisposable scratch, FaultPlan counted, Func<IAccount> open, IAccount? account = null)
    {
        (this.scratch, this.counted) = (scratch, counted);
        Open = open;
        Account = account ?? open();
    }

    public IAccount Account { get; }

    public Func<IAccount> Open { get; }

    public FaultPlan Faults => counted;

    /// <summary>That the service has been asked so far.</summary>
    public int Requests => counted.Counts.Values.Sum();

    public string Asked => string.Join(", ", counted.Counts.Select(c => $"{c.Key} {c.Value}"));

    /// <param name="files">In folders of a hundred; one in a folder has content, the others have none.</param>
    public static async Task<FullCloud> CreateAsync(string kind, int files)
    {
        var tree = Enumerable.Range(0, files).Select(i => (
            Folder: $"folder {i / 100}", Name: $"file {i}",
            Content: i % 100 == 0 ? Seeded.Bytes(20_000, (ulong)i) : []));
        switch (kind)
        {
            case "dropbox":
                var dropbox = await DropboxScratch.CreateAsync();
                foreach (var file in tree) dropbox.User.AddFile($"/{Folder}/{file.Folder}/{file.Name}", file.Content);
                return new FullCloud(dropbox, dropbox.Fake.Faults, () => dropbox.Open());
            case "nextcloud" or "webdav":
                var server = await FakeWebDavConformance.StartAsync(
                    kind == "webdav" ? DavFlavour.Sync : DavFlavour.Nextcloud);
                foreach (var file in tree) server.AddFile($"{Folder}/{file.Folder}/{file.Name}", file.Content);
                var account = await FakeWebDavConformance.OpenAsync(server);
                return new FullCloud(server, server.Faults, () => account, account);
            case "drive":
                var drive = await DriveScratch.CreateAsync();
                drive.User.AddFiles(Folder, tree);
                return new FullCloud(drive, drive.Fake.Faults, () => drive.Open());
            default:
                var oneDrive = await OneDriveScratch.CreateAsync();
                oneDrive.User.AddFiles(Folder, tree);
                return new FullCloud(oneDrive, oneDrive.Fake.Faults, () => oneDrive.Open());
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Account.DisposeAsync();
        await scratch.DisposeAsync();
    }
}
