using Virga.Accounts.Adapters.Tests.Drive;
using Virga.Accounts.Adapters.Tests.Dropbox;
using Virga.Accounts.Adapters.Tests.OneDrive;
using Virga.Testing;
using Virga.Testing.Fakes;

namespace Virga.Accounts.Adapters.Tests.Feeds;

/// <summary>A cloud that tells changes, and somebody's full account in it.</summary>
internal sealed class FullCloud : IAsyncDisposable
{
    public const string Folder = "shared";

    private readonly IAsyncDisposable scratch;
    private readonly FakeService fake;

    private FullCloud(IAsyncDisposable scratch, FakeService fake, Func<IAccount> open)
    {
        (this.scratch, this.fake) = (scratch, fake);
        Open = open;
        Account = open();
    }

    public IAccount Account { get; }

    public Func<IAccount> Open { get; }

    /// <summary>That the service has been asked so far.</summary>
    public int Requests => fake.Faults.Counts.Values.Sum();

    public string Asked => string.Join(", ", fake.Faults.Counts.Select(c => $"{c.Key} {c.Value}"));

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
                return new FullCloud(dropbox, dropbox.Fake, () => dropbox.Open());
            case "drive":
                var drive = await DriveScratch.CreateAsync();
                drive.User.AddFiles(Folder, tree);
                return new FullCloud(drive, drive.Fake, () => drive.Open());
            default:
                var oneDrive = await OneDriveScratch.CreateAsync();
                oneDrive.User.AddFiles(Folder, tree);
                return new FullCloud(oneDrive, oneDrive.Fake, () => oneDrive.Open());
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Account.DisposeAsync();
        await scratch.DisposeAsync();
    }
}
