using Virga.Cli.Import;
using Virga.Core;

namespace Virga.Cli.Tests;

public sealed class RcloneMappingTests
{
    private const string Obscured = "aOfXZ3ILeDPi6u5mE7BE4e8OZOi-G8-hjExuhZvla0Z_";
    private const string Revealed = "planted-pass \u00e4\u00f6";

    private const string Token =
        "{\"access_token\":\"planted\",\"refresh_token\":\"planted-refresh\",\"expiry\":\"2026-01-01T00:00:00Z\"}";

    private static readonly RcloneRemote[] All =
    [
        Remote("work", "s3", ("provider", "Ceph"), ("endpoint", "s3.example.org"), ("access_key_id", "AK"),
            ("secret_access_key", "SK"), ("region", "eu")),
        Remote("aws", "s3", ("provider", "AWS"), ("region", "eu-central-1"), ("access_key_id", "AK"),
            ("secret_access_key", "SK")),
        Remote("sse", "s3", ("endpoint", "https://s3.example.org"), ("server_side_encryption", "aws:kms")),
        Remote("role", "s3", ("env_auth", "true"), ("endpoint", "https://s3.example.org")),
        Remote("next", "webdav", ("url", "https://cloud.example.org/dav/ann/"), ("vendor", "nextcloud"),
            ("user", "ann"), ("pass", Obscured)),
        Remote("broken", "webdav", ("url", "https://cloud.example.org/dav"), ("user", "ann"), ("pass", "!")),
        Remote("share", "webdav", ("url", "https://x.sharepoint.com/dav"), ("vendor", "sharepoint")),
        Remote("here", "local"),
        Remote("music", "alias", ("remote", "/srv/music")),
        Remote("photos", "alias", ("remote", "work:bucket/photos")),
        Remote("loop", "alias", ("remote", "loop:x")),
        Remote("gdrive", "drive", ("token", "{\"access_token\":\"planted\"}")),
        Remote("mydrive", "drive", ("client_id", "me"), ("client_secret", "planted"), ("token", Token),
            ("scope", "drive.readonly"), ("root_folder_id", "0AB")),
        Remote("team", "drive", ("client_id", "me"), ("token", Token), ("team_drive", "0AC")),
        Remote("export", "drive", ("client_id", "me"), ("token", Token), ("export_formats", "pdf")),
        Remote("untoken", "drive", ("client_id", "me"), ("token", "{\"access_token\":\"planted\"}")),
        Remote("drop", "dropbox", ("client_id", "me"), ("token", Token)),
        Remote("one", "onedrive", ("client_id", "me"), ("token", Token), ("drive_id", "b!x"),
            ("drive_type", "business")),
        Remote("china", "onedrive", ("client_id", "me"), ("token", Token), ("region", "cn")),
        Remote("back", "b2", ("account", "0012"), ("key", "planted")),
        Remote("blob", "azureblob", ("account", "acme"),
            ("key", Convert.ToBase64String(new byte[64]))),
        Remote("msi", "azureblob", ("account", "acme"), ("use_msi", "true")),
        Remote("cloud", "google cloud storage", ("client_id", "me"), ("token", Token), ("project_number", "7")),
        Remote("keyed", "google cloud storage", ("service_account_file", "/home/ann/key.json")),
        Remote("box", "sftp", ("host", "box.example.org"), ("user", "ann"), ("port", "2222"), ("pass", Obscured)),
        Remote("keybox", "sftp", ("host", "box.example.org"), ("key_file", "/home/ann/.ssh/id"),
            ("key_file_pass", Obscured), ("shell_type", "unix")),
        Remote("agentbox", "sftp", ("host", "box.example.org"), ("key_use_agent", "true")),
        Remote("safe", "crypt", ("remote", "gdrive:x"), ("password", Obscured)),
    ];

    private static RcloneRemote Remote(string name, string type, params (string Name, string Value)[] values) =>
        new(name, type, values.Append(("type", type)).ToDictionary(v => v.Item1, v => v.Item2));

    private static MappedRemote Map(string name, string path = "", string? password = null) =>
        new RcloneMapping(All, "/home/ann/rclone.conf", password).Map(All.Single(r => r.Name == name), path);

    [Theory]
    [InlineData("work", "bucket", "s3:https://s3.example.org/bucket")]
    [InlineData("work", "bucket/a b", "s3:https://s3.example.org/bucket/a%20b")]
    [InlineData("aws", "bucket", "s3:https://s3.eu-central-1.amazonaws.com/bucket")]
    [InlineData("photos", "", "s3:https://s3.example.org/bucket/photos")]
    [InlineData("photos", "2025", "s3:https://s3.example.org/bucket/photos/2025")]
    [InlineData("next", "", "webdavs://cloud.example.org/dav/ann")]
    [InlineData("next", "Photos", "webdavs://cloud.example.org/dav/ann/Photos")]
    [InlineData("music", "", "disk:/srv/music")]
    [InlineData("music", "jazz", "disk:/srv/music/jazz")]
    [InlineData("here", "/srv/data", "disk:/srv/data")]
    [InlineData("mydrive", "Photos/2025", "drive:Photos/2025")]
    [InlineData("drop", "", "dropbox:")]
    [InlineData("one", "a b", "onedrive:a b")]
    [InlineData("back", "bucket-1/photos", "b2:bucket-1/photos")]
    [InlineData("blob", "photos/2025", "azure:https://acme.blob.core.windows.net/photos/2025")]
    [InlineData("cloud", "my-bucket/x", "gcs:my-bucket/x")]
    [InlineData("box", "", "sftp://ann@box.example.org:2222/~")]
    [InlineData("box", "photos", "sftp://ann@box.example.org:2222/~/photos")]
    [InlineData("keybox", "/srv/photos", "sftp://box.example.org/srv/photos")]
    public void What_carries_over_becomes_an_account_of_our_own(string name, string path, string address)
    {
        var mapped = Map(name, path);
        Assert.Equal((address, null), (mapped.Address, mapped.Why));
        // The adapter takes it as it is.
        Assert.Equal(
            address,
            Adapters.Of(address).Describe(Adapters.Of(address).ParseAddress(address, mapped.Settings, mapped.Secrets)));
    }

    [Theory]
    [InlineData("work", "no bucket")]
    [InlineData("sse", "server_side_encryption")]
    [InlineData("role", "env_auth")]
    [InlineData("share", "SharePoint")]
    [InlineData("here", "no folder")]
    [InlineData("gdrive", "rclone's own client")]
    [InlineData("untoken", "no refresh token")]
    [InlineData("team", "shared drive of a team")]
    [InlineData("export", "export_formats")]
    [InlineData("china", "national cloud")]
    [InlineData("back", "no bucket")]
    [InlineData("blob", "no bucket")]
    [InlineData("cloud", "no bucket")]
    [InlineData("msi", "use_msi")]
    [InlineData("agentbox", "key_use_agent")]
    [InlineData("safe", null)]
    public void Everything_else_goes_through_rclone_and_says_why(string name, string? why)
    {
        var mapped = Map(name, password: "planted");
        Assert.Equal($"rclone:{name}:", mapped.Address);
        Assert.Equal("/home/ann/rclone.conf", mapped.Settings["config"]);
        Assert.Equal("planted", Assert.Single(mapped.Secrets).Value);
        if (why is null) Assert.Null(mapped.Why);
        else Assert.Contains(why, mapped.Why, StringComparison.Ordinal);
        Adapters.Of(mapped.Address).ParseAddress(mapped.Address, mapped.Settings, mapped.Secrets);
    }

    [Fact]
    public void Tokens_and_clients_of_linked_remotes_carry_over()
    {
        var drive = Map("mydrive");
        Assert.Equal(("me", "read-only", "0AB"),
            (drive.Settings["clientId"], drive.Settings["access"], drive.Settings["rootId"]));
        Assert.Equal(("planted-refresh", "planted"), (drive.Secrets["refreshToken"], drive.Secrets["clientSecret"]));
        var one = Map("one");
        Assert.Equal(("b!x", "business"), (one.Settings["driveId"], one.Settings["driveType"]));
        Assert.Equal("planted-refresh", Assert.Single(one.Secrets).Value);
        Assert.Equal(("0012", "planted"), (Map("back", "bucket-1").Secrets["keyId"],
            Map("back", "bucket-1").Secrets["applicationKey"]));
        Assert.Equal(Revealed, Map("box").Secrets["password"]);
        Assert.Equal(("/home/ann/.ssh/id", Revealed),
            (Map("keybox").Settings["key"], Map("keybox").Secrets["passphrase"]));
        Assert.Contains("service_account_file", Map("keyed", "bucket").Why, StringComparison.Ordinal);
        foreach (var name in new[] { "mydrive", "one", "box" })
            Assert.DoesNotContain("planted", Map(name).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Secrets_go_where_they_belong_and_nowhere_else()
    {
        var s3 = Map("work", "bucket");
        Assert.Equal(("AK", "SK", "eu"), (s3.Secrets["accessKey"], s3.Secrets["secretKey"], s3.Settings["region"]));
        var dav = Map("next");
        Assert.Equal(("ann", Revealed), (dav.Settings["user"], dav.Secrets["password"]));
        Assert.DoesNotContain("planted", dav.ToString() + All[4], StringComparison.Ordinal);
    }

    [Fact]
    public void What_rclone_did_not_write_is_refused_without_showing_it()
    {
        var refused = Assert.Throws<VirgaException>(() => Map("broken"));
        Assert.Equal(FailureKind.BadInput, refused.Kind);
        Assert.Contains("'broken'", refused.Message, StringComparison.Ordinal);
        Assert.Contains("an alias of itself", Assert.Throws<VirgaException>(() => Map("loop")).Message,
            StringComparison.Ordinal);
    }
}
