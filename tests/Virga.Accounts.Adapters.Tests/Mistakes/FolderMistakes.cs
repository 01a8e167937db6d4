using System.Globalization;
using Microsoft.AspNetCore.Http;
using Virga.Accounts.Adapters.Disk;
using Virga.Accounts.Adapters.Rclone;
using Virga.Accounts.Adapters.Sftp;
using Virga.Accounts.Adapters.Tests.Drive;
using Virga.Accounts.Adapters.Tests.Dropbox;
using Virga.Accounts.Adapters.Tests.Fakes;
using Virga.Accounts.Adapters.Tests.OAuth;
using Virga.Accounts.Adapters.Tests.OneDrive;
using Virga.Accounts.Adapters.Tests.Sftp;
using Virga.Accounts.Adapters.Tests.WebDav;
using Virga.Accounts.Adapters.WebDav;
using Virga.Core;
using Virga.Testing.Fakes.OAuth;
using static Virga.Accounts.Adapters.Tests.Mistakes.MistakeTests;

namespace Virga.Accounts.Adapters.Tests.Mistakes;

/// <summary>Mistakes with servers and services that keep files in folders.</summary>
internal static class FolderMistakes
{
    public static IReadOnlyList<Mistake> WebDav(WebDavScratch scratch) =>
    [
        new("webdav", "a wrong password, or an app password that was taken back", FailureKind.Unauthenticated,
            "refuses user and password", "app password",
            () => DavAsync(scratch.Config(password: "typo"))),
        new("webdav", "a path that is not the WebDAV one (Nextcloud's web page)", FailureKind.Unsupported,
            "does not speak WebDAV at /index.php", "remote.php/dav/files", async () =>
            {
                await using var server = await FakeServer.StartAsync(_ => Task.CompletedTask, classes: "");
                await ListAsync(await server.OpenAsync(path: "/index.php"));
            }),
        new("webdav", "a folder that isn't there", FailureKind.NotFound, "there is no folder /files/no-such-folder",
            "make the folder", () => DavAsync(scratch.Config(at: "/files/no-such-folder"))),
        new("webdav", "an address that the server has moved", FailureKind.BadInput, "sends us elsewhere (301)",
            "where its WebDAV folder really is", async () =>
            {
                await using var server = await FakeServer.StartAsync(context =>
                {
                    context.Response.StatusCode = 301;
                    context.Response.Headers.Location = "/remote.php/dav/files/ann/";
                    return Task.CompletedTask;
                });
                await ListAsync(await server.OpenAsync());
            }),
        new("webdav", "a folder that somebody else shares for reading", FailureKind.Denied, "doesn't allow it",
            "read-only for this user", async () =>
            {
                await using var server = await FakeServer.StartAsync(context =>
                {
                    context.Response.StatusCode = context.Request.Method == "PUT" ? 403 : 404;
                    return Task.CompletedTask;
                });
                await WriteAsync(await server.OpenAsync(settings: ("partialPut", "false")));
            }),
        new("webdav", "http where the server speaks https", FailureKind.Unavailable, "broke", "use https",
            () => DavAsync(scratch.Config(
                url: scratch.Url.Replace("https", "http", StringComparison.Ordinal), cert: ""))),
        new("webdav", "the same at a server that answers it", FailureKind.BadInput, "doesn't take plain HTTP",
            "webdavs://", async () =>
            {
                await using var server = await FakeServer.StartAsync(context =>
                {
                    context.Response.StatusCode = 400;
                    return Task.CompletedTask;
                });
                await ListAsync(await server.OpenAsync());
            }),
        new("webdav", "https where the server speaks http", FailureKind.Unavailable, "no TLS connection", "plain HTTP",
            async () =>
            {
                await using var server = await FakeServer.StartAsync(_ => Task.CompletedTask);
                await DavAsync(scratch.Config(
                    url: server.Url.Replace("http:", "https:", StringComparison.Ordinal), cert: ""));
            }),
        new("webdav", "a self-signed certificate", FailureKind.Unauthenticated, "is not trusted", "set certSha256",
            () => DavAsync(scratch.Config(cert: ""))),
        new("webdav", "another certificate than the pinned one", FailureKind.Unauthenticated, "not the pinned",
            "somebody sits in between", () => DavAsync(scratch.Config(cert: new string('0', 64)))),
        new("webdav", "a host that doesn't resolve", FailureKind.Unavailable, "'nowhere.invalid' can't be resolved",
            "DNS", () => DavAsync(scratch.Config(url: "https://nowhere.invalid", cert: ""))),
        new("webdav", "a wrong port, or a server that is down", FailureKind.Unavailable, "nothing answers at",
            "host and port", () => DavAsync(scratch.Config(
                url: $"https://127.0.0.1:{Failing.ClosedPort()}", cert: ""))),
    ];

    private static async Task DavAsync(AccountConfig config)
    {
        await using var account = await new WebDavAdapter(TestServices.Real).OpenAsync(config, default);
        await ListAsync(account);
    }

    public static IReadOnlyList<Mistake> Sftp(SftpScratch scratch) =>
    [
        new("sftp", "a key that the server doesn't know, or a wrong passphrase", FailureKind.Unauthenticated,
            "refuses the login", "user, key and passphrase", () => SftpAsync(scratch.Config(
                key: scratch.Server["SFTP_LOCKED_KEY"], secrets: ("passphrase", "typo")))),
        new("sftp", "a key file that isn't there", FailureKind.BadInput, "there is no private key",
            "where it is", () => SftpAsync(scratch.Config(key: "/nowhere/id"))),
        new("sftp", "a server whose key has changed", FailureKind.Denied, "shows another key",
            "somebody may be in the middle", () => SftpAsync(scratch.Config(
                hostKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"))),
        new("sftp", "a server whose key is not known yet", FailureKind.Denied, "is not known yet", "ssh-keyscan",
            () => SftpAsync(scratch.Config(hostKey: ""))),
        new("sftp", "a folder that isn't there", FailureKind.NotFound, "there is no folder",
            "correct the account's address",
            () => SftpAsync(scratch.Config(scratch.Server["SFTP_ADDRESS"] + "/no/such/folder"))),
        // Not even root may make files in the kernel's own folders.
        new("sftp", "a folder in which this user may not write", FailureKind.Denied,
            "the server's permissions don't allow it", "the right to it on the server",
            async () => await WriteAsync(await new SftpAdapter(TestServices.Real).OpenAsync(
                scratch.Config(scratch.Server["SFTP_ADDRESS"] + "/sys/kernel"), default), "file")),
        new("sftp", "a host that doesn't resolve", FailureKind.Unavailable, "the name no-such-host.invalid can't",
            "name server", () => SftpAsync(scratch.Config("sftp://no-such-host.invalid/x"))),
        new("sftp", "a wrong port, or a server that is down", FailureKind.Unavailable, "can't be reached", "the port",
            () => SftpAsync(scratch.Config(string.Create(
                CultureInfo.InvariantCulture, $"sftp://127.0.0.1:{Failing.ClosedPort()}/x")))),
    ];

    private static async Task SftpAsync(AccountConfig config)
    {
        await using var account = await new SftpAdapter(TestServices.Real).OpenAsync(config, default);
        await ListAsync(account);
    }

    public static IReadOnlyList<Mistake> Dropbox(DropboxScratch scratch) =>
    [
        new("dropbox", "a permission that was taken back", FailureKind.Unauthenticated, "taken back",
            "virga account link", async () =>
            {
                var token = scratch.Fake.AddToken(scratch.User);
                scratch.Fake.Revoke(token);
                await ListAsync(scratch.Open(tokens: new TestTokens(token)));
            }),
        new("dropbox", "a link for reading alone", FailureKind.Denied, "'files.content.write'", "link",
            async () => await WriteAsync(scratch.Open(tokens: new TestTokens(scratch.Fake.AddToken(
                scratch.User, "files.metadata.read", "files.content.read"))))),
        new("dropbox", "a folder that somebody else shares for reading", FailureKind.Denied, "for reading only",
            "owner", async () =>
            {
                scratch.User.ReadOnlyFolder = "/theirs";
                await WriteAsync(scratch.Open(), "theirs/file");
            }),
        new("dropbox", "a folder that isn't there", FailureKind.NotFound, "there is no folder 'no/such'",
            "folder setting",
            async () => await ListAsync(scratch.Open("no/such"))),
    ];

    public static IReadOnlyList<Mistake> Drive(DriveScratch scratch) =>
    [
        new("drive", "a permission that was taken back", FailureKind.Unauthenticated, "no longer takes",
            "virga account link", async () =>
            {
                var token = scratch.Fake.AddToken(scratch.User);
                scratch.Fake.Expire(token);
                await ListAsync(scratch.Open(tokens: new TestTokens(token)));
            }),
        new("drive", "a link for reading alone", FailureKind.Denied, "without the right", "full access",
            async () => await WriteAsync(scratch.Open(
                tokens: new TestTokens(scratch.Fake.AddToken(scratch.User, "drive.readonly"))))),
        new("drive", "a file that somebody else shares for reading", FailureKind.Denied, "not change it", "owner",
            async () =>
            {
                scratch.User.MakeReadOnly(scratch.User.AddItem("theirs", "text/plain", 10));
                await WriteAsync(scratch.Open(), "theirs");
            }),
        new("drive", "a folder that isn't there", FailureKind.NotFound, "there is no folder 'no/such'",
            "folder setting",
            async () => await ListAsync(scratch.Open("no/such"))),
    ];

    public static IReadOnlyList<Mistake> OneDrive(OneDriveScratch scratch) =>
    [
        new("onedrive", "a permission that was taken back", FailureKind.Unauthenticated, "no longer takes",
            "virga account link", async () =>
            {
                var token = scratch.Fake.AddToken(scratch.User);
                scratch.Fake.Expire(token);
                await ListAsync(scratch.Open(tokens: new TestTokens(token)));
            }),
        new("onedrive", "a link for reading alone, or a folder that somebody else shares for reading",
            FailureKind.Denied, "doesn't allow it", "full access",
            async () => await WriteAsync(scratch.Open(
                tokens: new TestTokens(scratch.Fake.AddToken(scratch.User, "Files.Read"))))),
        new("onedrive", "a folder that isn't there", FailureKind.NotFound, "there is no folder 'no/such'",
            "folder setting",
            async () => await ListAsync(scratch.Open("no/such"))),
    ];

    /// <summary>The same at every service that is linked.</summary>
    public static IReadOnlyList<Mistake> Linked(OAuthScene scene, DriveScratch drive) =>
    [
        new("drive, dropbox, onedrive", "an account that was never linked", FailureKind.Unauthenticated,
            "is not linked", "virga account link",
            async () => await new Adapters.Drive.DriveAdapter(TestServices.Real).OpenAsync(
                new AccountConfig("drive", TestServices.Map(("clientId", "x")), TestServices.None), default)),
        new("drive, dropbox, onedrive", "a link that its owner ended, or that was not used for too long",
            FailureKind.Unauthenticated, "no longer takes this link", "Link it again", async () =>
            {
                var refresh = scene.Server.GiveRefreshToken(OAuthScene.ClientId, "files");
                scene.Server.RevokeEverything();
                await ListAsync(drive.Open(tokens: scene.Tokens(refresh)));
            }),
        new("drive, dropbox, onedrive", "a wrong client id or secret", FailureKind.Unauthenticated,
            "refuses the client", "client", async () =>
            {
                await using var other = await OAuthScene.StartAsync(secret: "another");
                await ListAsync(drive.Open(tokens: other.Tokens()));
            }),
        new("drive, dropbox, onedrive", "an authorisation server that is none", FailureKind.BadInput,
            "is no authorisation server's origin", "without a path",
            () => Task.FromResult(Adapters.OAuth.OAuthSettings.At(
                Adapters.OAuth.OAuthProviders.OneDrive, "http://example.org/path"))),
    ];

    public static IReadOnlyList<Mistake> Local(string folder) =>
    [
        new("disk", "a folder that isn't there", FailureKind.NotFound, "of the disk account isn't there",
            "mkdir -p", async () =>
            {
                var adapter = new DiskAdapter(TestServices.Real.Random);
                await ListAsync(await adapter.OpenAsync(
                    adapter.ParseAddress($"disk:{folder}/none", TestServices.None, TestServices.None), default));
            }),
        new("disk", "a folder in which the agent's user may not write", FailureKind.Denied, "Permission denied",
            "the user that runs the agent", async () =>
            {
                var adapter = new DiskAdapter(TestServices.Real.Random);
                await WriteAsync(
                    await adapter.OpenAsync(
                        adapter.ParseAddress("disk:/sys/kernel", TestServices.None, TestServices.None), default),
                    "file");
            }),
        new("disk", "a path that isn't absolute", FailureKind.BadInput, "is not an absolute path", "disk:/",
            () => Task.FromResult(new DiskAdapter(TestServices.Real.Random).ParseAddress(
                "disk:photos", TestServices.None, TestServices.None))),
        new("rclone", "a remote that rclone doesn't know", FailureKind.NotFound, "didn't find section",
            "rclone listremotes", async () =>
            {
                var adapter = new RcloneAdapter(TestServices.Real);
                await ListAsync(await adapter.OpenAsync(
                    adapter.ParseAddress("rclone:nosuchremote:x", TestServices.None, TestServices.None), default));
            }),
        new("rclone", "a remote's password that is wrong, or a token that has ended", FailureKind.Unauthenticated,
            "401 Unauthorized", "rclone config reconnect", () => RemoteAsync(folder, 401)),
        new("rclone", "a remote that may only be read, or that others share", FailureKind.Denied, "403 Forbidden",
            "Ask the account's owner for the right", () => RemoteAsync(folder, 403)),
        new("rclone", "no rclone on this machine", FailureKind.Unsupported, "there is no program",
            "Install rclone", async () =>
            {
                var adapter = new RcloneAdapter(TestServices.Real);
                await ListAsync(await adapter.OpenAsync(
                    adapter.ParseAddress(
                        $"rclone:{folder}", TestServices.Map(("binary", "/nowhere/rclone")), TestServices.None),
                    default));
            }),
    ];

    /// <summary>A remote whose server answers everything with that status.</summary>
    private static async Task RemoteAsync(string folder, int status)
    {
        await using var server = await FakeServer.StartAsync(context =>
        {
            context.Response.StatusCode = status;
            return Task.CompletedTask;
        });
        var path = Path.Combine(folder, $"rclone-{status}.conf");
        await File.WriteAllTextAsync(path, $"[r]\ntype = webdav\nurl = {server.Url}\nvendor = other\n");
        var adapter = new RcloneAdapter(TestServices.Real);
        await ListAsync(await adapter.OpenAsync(
            adapter.ParseAddress("rclone:r:x", TestServices.Map(("config", path)), TestServices.None), default));
    }
}
