using Virga.Accounts.Adapters.Rclone;
using Virga.Accounts.Adapters.Tests.Azure;
using Virga.Accounts.Adapters.Tests.B2;
using Virga.Accounts.Adapters.Tests.Disk;
using Virga.Accounts.Adapters.Tests.Drive;
using Virga.Accounts.Adapters.Tests.Dropbox;
using Virga.Accounts.Adapters.Tests.Gcs;
using Virga.Accounts.Adapters.Tests.OneDrive;
using Virga.Accounts.Adapters.Tests.S3;
using Virga.Accounts.Adapters.Tests.Sftp;
using Virga.Accounts.Adapters.Tests.WebDav;

namespace Virga.Accounts.Adapters.Tests.Matrix;

/// <summary>An empty place of one kind, on a real server or a fake.</summary>
internal sealed record Place(string Name, Func<ValueTask<IAccount>> OpenAsync, Func<ValueTask> RemoveAsync)
{
    /// <summary>One of each kind that there is.</summary>
    public static readonly IReadOnlyList<string> Kinds =
        ["disk", "s3", "azure", "gcs", "b2", "webdav", "sftp", "dropbox", "drive", "onedrive", "rclone"];

    public static async Task<Place> CreateAsync(string kind)
    {
        switch (kind)
        {
            case "disk":
                var disk = new ScratchFolder();
                return new Place(kind, () => disk.OpenAsync("none"), () => Done(disk.Dispose));
            case "s3":
                var s3 = await S3Scratch.CreateAsync();
                return new Place(kind, () => s3.OpenAsync(), s3.DisposeAsync);
            case "azure":
                var azure = await AzureScratch.CreateAsync();
                return new Place(kind, () => azure.OpenAsync(), azure.DisposeAsync);
            case "gcs":
                var gcs = await GcsScratch.CreateAsync();
                return new Place(kind, () => gcs.OpenAsync(), gcs.DisposeAsync);
            case "b2":
                var b2 = await B2Scratch.CreateAsync();
                return new Place(kind, () => b2.OpenAsync(), b2.DisposeAsync);
            case "webdav":
                var dav = await WebDavScratch.CreateAsync();
                return new Place(kind, () => dav.OpenAsync(), dav.DisposeAsync);
            case "sftp":
                var sftp = await SftpScratch.CreateAsync();
                return new Place(kind, () => sftp.OpenAsync(), sftp.DisposeAsync);
            case "dropbox":
                var dropbox = await DropboxScratch.CreateAsync();
                return new Place(kind, () => ValueTask.FromResult(dropbox.Open()), dropbox.DisposeAsync);
            case "drive":
                var drive = await DriveScratch.CreateAsync();
                return new Place(kind, () => ValueTask.FromResult(drive.Open()), drive.DisposeAsync);
            case "onedrive":
                var oneDrive = await OneDriveScratch.CreateAsync();
                return new Place(kind, () => ValueTask.FromResult(oneDrive.Open()), oneDrive.DisposeAsync);
            case "rclone":
                var folder = new ScratchFolder();
                var adapter = new RcloneAdapter(TestServices.Real);
                var config = adapter.ParseAddress($"rclone:{folder.Path}", TestServices.None, TestServices.None);
                return new Place(kind, () => adapter.OpenAsync(config, default), () => Done(folder.Dispose));
            default:
                throw new ArgumentException($"no place of the kind '{kind}'", nameof(kind));
        }
    }

    private static ValueTask Done(Action action)
    {
        action();
        return ValueTask.CompletedTask;
    }
}

/// <summary>Opens places by their names, for agents that know nothing of scratch buckets.</summary>
internal sealed class PlaceAdapter(IReadOnlyDictionary<string, Place> places) : IAccountAdapter
{
    public string Name => "place";

    public IReadOnlyList<AccountSetting> Settings => [new("name", "Which place", IsRequired: true)];

    public AccountConfig ParseAddress(
        string address, IReadOnlyDictionary<string, string> settings, IReadOnlyDictionary<string, string> secrets) =>
        new(Name, TestServices.Map(("name", address["place:".Length..])), secrets);

    public string Describe(AccountConfig config) => "place:" + config.Settings["name"];

    public ValueTask<IAccount> OpenAsync(AccountConfig config, CancellationToken cancellationToken) =>
        places[config.Settings["name"]].OpenAsync();
}
