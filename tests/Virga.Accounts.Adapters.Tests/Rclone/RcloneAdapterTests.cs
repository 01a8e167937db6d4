using System.Text;
using Virga.Accounts.Adapters.Http;
using Virga.Accounts.Adapters.Rclone;
using Virga.Core;

namespace Virga.Accounts.Adapters.Tests.Rclone;

public sealed class RcloneAdapterTests
{
    private static readonly RcloneAdapter Adapter = new(TestServices.Real);

    private static AccountConfig Parse(string address) =>
        Adapter.ParseAddress(address, TestServices.None, TestServices.None);

    [Theory]
    [InlineData("rclone:drive:photos/2020", "drive:photos/2020")]
    [InlineData("rclone:drive:", "drive:")]
    [InlineData("RCLONE:drive:a:b/", "drive:a:b")]
    [InlineData("rclone:/srv/data/", "/srv/data")]
    [InlineData("rclone:/", "/")]
    public void Addresses_are_read_and_described(string address, string remote)
    {
        Assert.Equal(remote, RcloneSettings.From(Parse(address)).Remote);
        Assert.Equal("rclone:" + remote, Adapter.Describe(Parse(address)));
    }

    [Theory]
    [InlineData("rclone:")]
    [InlineData("rclone:drive")]
    [InlineData("rclone:drive:a/../b")]
    [InlineData("rclone:drive:a//b")]
    [InlineData("drive:photos")]
    public void Other_texts_are_refused_with_the_form_that_is_expected(string address)
    {
        var failure = Failing.With(FailureKind.BadInput, () => Parse(address), "");
        Assert.Contains("rclone:remote:folder", failure.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_in_the_remote_are_refused_and_not_repeated()
    {
        var failure = Failing.With(FailureKind.BadInput, () => Parse("rclone:sftp,pass=hunter2:folder"), "options");
        Assert.DoesNotContain("hunter2", failure.Message + failure.Advice, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("a\tb\u007f", "a\u2409b\u2421")]
    [InlineData("a\u2409", "a\u201B\u2409")]
    [InlineData("a\uFF0Fb", "a\u201B\uFF0Fb")]
    [InlineData("\u201B", "\u201B\u201B")]
    [InlineData("\uFF0E\uFF0E", "\u201B\uFF0E\u201B\uFF0E")]
    [InlineData("😀", "😀")]
    public void Names_have_rclones_standard_form(string name, string standard)
    {
        Assert.Equal(standard, RcloneNames.ToStandard(name));
        Assert.Equal(name, RcloneNames.FromStandard(standard));
    }

    [Theory]
    [InlineData("didn't find section in config file", 500, FailureKind.NotFound)]
    [InlineData(
        "googleapi: Error 403: The user's Drive storage quota has been exceeded., storageQuotaExceeded", 500,
        FailureKind.Full)]
    [InlineData("write /x: no space left on device", 500, FailureKind.Full)]
    [InlineData("open /x: permission denied", 500, FailureKind.Denied)]
    [InlineData("open /x: read-only file system", 500, FailureKind.ReadOnly)]
    [InlineData(
        "couldn't fetch token - maybe it has expired? - refresh with \"rclone config reconnect drive:\": invalid_grant",
        500, FailureKind.Unauthenticated)]
    [InlineData(
        "ssh: handshake failed: ssh: unable to authenticate, attempted methods [none password]", 500,
        FailureKind.Unauthenticated)]
    [InlineData("googleapi: Error 429: Rate Limit Exceeded", 500, FailureKind.Throttled)]
    [InlineData("dial tcp 127.0.0.1:1: connect: connection refused", 500, FailureKind.Unavailable)]
    [InlineData("directory not found", 404, FailureKind.NotFound)]
    [InlineData("remove /x: directory not empty", 500, FailureKind.Conflict)]
    [InlineData(
        "open /quota exceeded/403 forbidden/unauthorized: no such file or directory", 500, FailureKind.NotFound)]
    [InlineData(
        "Propfind \"http://127.0.0.1:35401/\": dial tcp 127.0.0.1:35401: connect: connection refused", 500,
        FailureKind.Unavailable)]
    [InlineData("googleapi: Error 403: Insufficient Permission", 500, FailureKind.Denied)]
    [InlineData("something new", 500, FailureKind.Unavailable)]
    public void What_rclone_says_has_its_kind(string said, int status, FailureKind kind) =>
        Assert.Equal(kind, RcloneFailures.Map("x", said, status).Kind);

    [Fact]
    public void Passwords_in_urls_that_rclone_quotes_are_not_shown() => Assert.DoesNotContain(
        "hunter2",
        RcloneFailures.Map("x", "Propfind \"https://ann:hunter2@host/\": EOF", 500).Message,
        StringComparison.Ordinal);

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(100_000)]
    public async Task Listings_are_read_whole_however_they_are_cut(int pieceBytes)
    {
        static string Item(int i) => $$"""
            {"Path":"x/{{i}}","Name":"{{i}} \u2409é","Size":{{i}},
            "ModTime":"2020-01-02T03:04:05.123456789Z","IsDir":false}
            """;
        var items = Enumerable.Range(0, 50).Select(Item);
        var json = "{\n\t\"list\": [\n" + string.Join(",\n", items) + "\n]\n}\n";
        var found = await ReadAsync(json, pieceBytes);
        Assert.Equal(
            Enumerable.Range(0, 50).Select(i => ($"{i} 	é", (long)i)), found.Select(item => (item.Name, item.Length)));
        Assert.Empty(await ReadAsync("{\"list\": []}", pieceBytes));
        Assert.Empty(await ReadAsync("{\"list\": null}", pieceBytes));
        foreach (var cut in new[] { 5, 20, 300, json.Length - 6 })
            await Assert.ThrowsAsync<VirgaException>(() => ReadAsync(json[..cut], pieceBytes));
        await Assert.ThrowsAsync<VirgaException>(() => ReadAsync("{\"list\": [{\"Name\": 3}]}", pieceBytes));
        await Assert.ThrowsAsync<VirgaException>(
            () => ReadAsync("{\"list\": [{\"Name\": \"" + new string('x', 2 << 20) + "\"}]}", pieceBytes * 4096));
    }

    private static async Task<List<RcloneItem>> ReadAsync(string json, int pieceBytes)
    {
        using var guard = new StallGuard(TestServices.Real, default);
        var items = new List<RcloneItem>();
        await foreach (
            var item in RcloneListing.ReadAsync(
                new Dripping(Encoding.UTF8.GetBytes(json), pieceBytes), guard, "list", default)) items.Add(item);
        return items;
    }

    /// <summary>Gives at most so many bytes at once.</summary>
    private sealed class Dripping(byte[] content, int pieceBytes) : MemoryStream(content)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(pieceBytes, buffer.Length)], cancellationToken);
    }
}
