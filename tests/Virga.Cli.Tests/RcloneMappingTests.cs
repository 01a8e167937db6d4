using Virga.Cli.Import;
using Virga.Core;

namespace Virga.Cli.Tests;

public sealed class RcloneMappingTests
{
    private const string Obscured = "aOfXZ3ILeDPi6u5mE7BE4e8OZOi-G8-hjExuhZvla0Z_";
    private const string Revealed = "planted-pass \u00e4\u00f6";

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
    [InlineData("gdrive", null)]
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
