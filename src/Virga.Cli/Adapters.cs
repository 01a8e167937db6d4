using System.Security.Cryptography;
using Virga.Accounts;
using Virga.Accounts.Adapters;
using Virga.Accounts.Adapters.Azure;
using Virga.Accounts.Adapters.B2;
using Virga.Accounts.Adapters.Disk;
using Virga.Accounts.Adapters.Drive;
using Virga.Accounts.Adapters.Dropbox;
using Virga.Accounts.Adapters.Gcs;
using Virga.Accounts.Adapters.OneDrive;
using Virga.Accounts.Adapters.Rclone;
using Virga.Accounts.Adapters.S3;
using Virga.Accounts.Adapters.Sftp;
using Virga.Accounts.Adapters.WebDav;
using Virga.Core;

namespace Virga.Cli;

/// <summary>The adapters that this executable ships.</summary>
internal static class Adapters
{
    public static readonly RandomBytes SystemRandom = RandomNumberGenerator.Fill;

    public static IReadOnlyList<IAccountAdapter> All { get; } = Create(
        new AdapterServices(TimeProvider.System, SystemRandom));

    /// <summary>The adapter that an address is for: <c>s3:...</c>, <c>webdavs://...</c>.</summary>
    public static IAccountAdapter Of(string address)
    {
        var colon = address.IndexOf(':');
        var scheme = colon < 0 ? "" : address[..colon].ToLowerInvariant();
        return All.FirstOrDefault(a => a.Name == scheme || a.Name + "s" == scheme) ?? throw new VirgaException(
            FailureKind.BadInput, $"'{address}' is no account's address",
            "Addresses look like disk:/srv/data, s3:https://host/bucket, "
                + "azure:https://account.blob.core.windows.net/container, gcs:bucket/folder, b2:bucket/folder, "
                + "webdavs://host/path, sftp://user@host/folder, drive:folder, dropbox:folder, onedrive:folder, "
                + "rclone:remote:path.");
    }

    private static IReadOnlyList<IAccountAdapter> Create(AdapterServices services) =>
    [
        new DiskAdapter(services.Random),
        new S3Adapter(services),
        new AzureAdapter(services),
        new GcsAdapter(services),
        new B2Adapter(services),
        new WebDavAdapter(services),
        new SftpAdapter(services),
        new DropboxAdapter(services),
        new DriveAdapter(services),
        new OneDriveAdapter(services),
        new RcloneAdapter(services),
    ];
}
