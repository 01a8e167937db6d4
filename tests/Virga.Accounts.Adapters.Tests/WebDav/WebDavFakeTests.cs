using System.Text;
using Microsoft.AspNetCore.Http;
using Virga.Accounts.Adapters.WebDav;
using Virga.Core;

namespace Virga.Accounts.Adapters.Tests.WebDav;

/// <summary>Other servers' ways, and answers that no honest server gives.</summary>
public sealed class WebDavFakeTests
{
    private static string Multistatus(params string[] responses) =>
        $"<?xml version=\"1.0\"?><d:multistatus xmlns:d=\"DAV:\">{string.Concat(responses)}</d:multistatus>";

    private static string Folder(string href) => Response(href, "<d:resourcetype><d:collection/></d:resourcetype>");

    private static string File(string href) =>
        Response(href, "<d:resourcetype/><d:getcontentlength>5</d:getcontentlength><d:getetag>\"e\"</d:getetag>");

    private static string Response(string href, string props) =>
        $"<d:response><d:href>{href}</d:href><d:propstat><d:prop>{props}</d:prop><d:status>HTTP/1.1 200 "
            + "OK</d:status></d:propstat>"
        + "<d:propstat><d:prop><d:getlastmodified/></d:prop><d:status>HTTP/1.1 404 Not "
            + "Found</d:status></d:propstat></d:response>";

    private static async Task<List<Entry>> ListAsync(
        string xml, string path = "/dav", Action<SkippedEntry>? onSkipped = null)
    {
        await using var server = await FakeServer.StartAsync(context => FakeServer.MultistatusAsync(context, xml));
        await using var account = await server.OpenAsync(path: path);
        return await Failing.ListAsync(account, "", onSkipped);
    }

    [Theory]
    [InlineData("/dav/", "/dav/a%20b")]
    [InlineData("/dav", "/dav/a b")]
    [InlineData("http://127.0.0.1:1/dav/", "http://other.host/dav/a%20b")]
    [InlineData("/%64av/", "/%64%61v/%61%20b/")]
    [InlineData("/behind/a/proxy/dav/", "/behind/a/proxy/dav/a%20b")]
    public async Task Hrefs_are_read_in_every_form_that_servers_write(string self, string child) =>
        Assert.Equal("a b", Assert.Single(await ListAsync(Multistatus(Folder(self), File(child)))).Path.Value);

    [Fact]
    public async Task Children_may_come_before_their_folder_and_strangers_are_left_out() => Assert.Equal(
        ["ünï", "sub"],
        (
            await ListAsync(
                Multistatus(
                    File("/dav/%C3%BCn%c3%af"), Folder("/dav/"), Folder("/dav/sub/"), File("/dav/sub/deep"),
                    File("/other"))))
            .Select(e => e.Path.Value));

    [Fact]
    public async Task Hrefs_can_not_lead_out_of_the_folder()
    {
        var skipped = new List<SkippedEntry>();
        var xml = Multistatus(
            Folder("/dav/"), File("/dav/.."), File("/dav/%2e%2e"), File("/dav/a%2Fb"), File("/dav/a%00b"),
            File("/dav/good"));
        Assert.Equal("good", Assert.Single(await ListAsync(xml, onSkipped: skipped.Add)).Path.Value);
        Assert.Equal(4, skipped.Count);
    }

    [Fact]
    public async Task A_listing_with_a_dtd_is_refused() => await Failing.WithAsync(
        FailureKind.Unavailable,
        async () => await ListAsync("<!DOCTYPE d [<!ENTITY a \"aaaaaaaa\">]>" + Multistatus(Folder("/dav/"))[21..]),
        "is no XML",
        hasAdvice: false);

    [Fact]
    public async Task A_listing_that_breaks_off_is_unavailable_and_never_taken_for_whole() => await Failing.WithAsync(
        FailureKind.Unavailable,
        async () => await ListAsync(Multistatus(Folder("/dav/"), File("/dav/a"))[..^20]),
        "breaks off",
        hasAdvice: false);

    [Fact]
    public async Task A_text_of_absurd_length_is_refused() => await Failing.WithAsync(
        FailureKind.Unavailable,
        async () => await ListAsync(Multistatus(Folder("/dav/"), File("/dav/" + new string('a', 1 << 20)))),
        "absurd length",
        hasAdvice: false);

    [Theory]
    [InlineData(423, FailureKind.Conflict, "locked")]
    [InlineData(507, FailureKind.Full, "full")]
    [InlineData(413, FailureKind.BadInput, "size")]
    [InlineData(405, FailureKind.ReadOnly, "writes")]
    [InlineData(301, FailureKind.BadInput, "elsewhere")]
    [InlineData(500, FailureKind.Unavailable, "500")]
    [InlineData(503, FailureKind.Unavailable, "not available")]
    public async Task Refusals_of_a_write_have_their_kind(int status, FailureKind kind, string messageHolds)
    {
        await using var server = await FakeServer.StartAsync(context =>
        {
            context.Response.StatusCode = context.Request.Method == "PUT" ? status : 404;
            return Task.CompletedTask;
        });
        await using var account = await server.OpenAsync();
        await Failing.WithAsync(
            kind,
            () => account.WriteAsync(EntryPath.Parse("x"), new byte[1], WriteOptions.Default, default),
            messageHolds,
            hasAdvice: status < 500 && status != 503);
    }

    [Theory]
    [InlineData(503)]
    [InlineData(429)]
    public async Task A_server_that_wants_us_to_wait_says_how_long(int status)
    {
        await using var server = await FakeServer.StartAsync(context =>
        {
            context.Response.StatusCode = status;
            context.Response.Headers.RetryAfter = "7";
            return Task.CompletedTask;
        });
        await using var account = await server.OpenAsync();
        var failure = await Failing.WithAsync(
            FailureKind.Throttled,
            () => account.StatAsync(EntryPath.Parse("x"), default),
            "look at 'x'",
            hasAdvice: false);
        Assert.Equal(TimeSpan.FromSeconds(7), failure.RetryAfter);
    }

    [Fact]
    public async Task A_web_server_without_webdav_is_said_to_be_one()
    {
        await using var server = await FakeServer.StartAsync(_ => Task.CompletedTask, classes: "");
        await Failing.WithAsync(FailureKind.Unsupported, () => server.OpenAsync(), "does not speak WebDAV");
    }

    [Fact]
    public async Task A_server_that_wants_digest_is_named()
    {
        await using var server = await FakeServer.StartAsync(context =>
        {
            context.Response.StatusCode = 401;
            context.Response.Headers.WWWAuthenticate = "Digest realm=\"x\", nonce=\"y\"";
            return Task.CompletedTask;
        });
        var adapter = new WebDavAdapter(TestServices.Real);
        var config = adapter.ParseAddress(
            server.Url.Replace("http:", "webdav:", StringComparison.Ordinal),
            TestServices.Map(("user", "u")),
            TestServices.Map(("password", "hunter2")));
        await using var account = await adapter.OpenAsync(config, default);
        await Failing.WithAsync(
            FailureKind.Unauthenticated, () => account.StatAsync(EntryPath.Root, default), "takes only Digest");
    }

    [Fact]
    public async Task A_server_that_ignores_ranges_is_found_out()
    {
        await using var server = await FakeServer.StartAsync(
            context => context.Response.Body.WriteAsync("hello"u8.ToArray()).AsTask());
        await using var account = await server.OpenAsync();
        await Failing.WithAsync(
            FailureKind.Unsupported,
            () => account.ReadAsync(EntryPath.Parse("x"), new ByteRange(1, 2), null, default),
            "range");
    }

    [Fact]
    public async Task An_answer_that_breaks_off_is_unavailable()
    {
        var arrived = new TaskCompletionSource();
        await using var server = await FakeServer.StartAsync(async context =>
        {
            context.Response.StatusCode = 206;
            context.Response.Headers.ContentRange = "bytes 0-99/100";
            context.Response.ContentLength = 100;
            await context.Response.Body.WriteAsync(new byte[50]);
            await context.Response.Body.FlushAsync();
            await arrived.Task;
            context.Abort();
        });
        await using var account = await server.OpenAsync();
        await Failing.WithAsync(
            FailureKind.Unavailable,
            async () =>
            {
                await using var reader = await account.ReadAsync(
                    EntryPath.Parse("x"), new ByteRange(0, 100), null, default);
                await reader.Content.ReadExactlyAsync(new byte[50]);
                arrived.SetResult();
                await reader.Content.CopyToAsync(Stream.Null);
            },
            "50 bytes still to come",
            hasAdvice: false);
    }

    [Fact]
    public async Task A_server_that_falls_silent_times_out()
    {
        var silence = new TaskCompletionSource();
        await using var server = await FakeServer.StartAsync(context => silence.Task.WaitAsync(context.RequestAborted));
        await using var account = await server.OpenAsync(
            TestServices.Real with { StallTimeout = TimeSpan.FromMilliseconds(50) });
        await Failing.WithAsync(
            FailureKind.Timeout, () => account.StatAsync(EntryPath.Parse("x"), default), "no byte moved",
            hasAdvice: false);
        silence.SetResult();
    }

    [Fact]
    public async Task A_server_that_ignores_content_range_can_not_truncate_a_file_unseen()
    {
        var files = new Dictionary<string, byte[]>(StringComparer.Ordinal) { ["/dav/x"] = "old"u8.ToArray() };
        await using var server = await FakeServer.StartAsync(context => SimpleFilesAsync(context, files));
        await using var account = await server.OpenAsync(settings: ("partialPut", "true"));
        await using var upload = await account.BeginUploadAsync(
            EntryPath.Parse("x"), 20, 10, WriteOptions.Default, default);
        PartReceipt[] receipts = [
            await upload.WritePartAsync(0, new byte[10], default),
            await upload.WritePartAsync(1, new byte[10], default)];
        await Failing.WithAsync(
            FailureKind.Unavailable, () => upload.CompleteAsync(receipts, default), "kept 10 of 20 bytes");
        await upload.AbortAsync(default);
        Assert.Equal("/dav/x", Assert.Single(files.Keys));
        Assert.Equal("old", Encoding.UTF8.GetString(files["/dav/x"]));
    }

    [Fact]
    public async Task A_small_write_to_a_server_that_may_truncate_goes_by_a_temporary_file()
    {
        var files = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        var log = new List<string>();
        await using var server = await FakeServer.StartAsync(context =>
        {
            log.Add($"{context.Request.Method} {context.Request.Path}");
            return SimpleFilesAsync(context, files);
        });
        await using var account = await server.OpenAsync();
        await account.WriteAsync(EntryPath.Parse("x"), "hello"u8.ToArray(), WriteOptions.Default, default);
        Assert.Equal("hello", Encoding.UTF8.GetString(Assert.Single(files).Value));
        Assert.StartsWith("PUT /dav/.virga-", log[0], StringComparison.Ordinal);
        Assert.Contains(log, line => line.StartsWith("MOVE /dav/.virga-", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Nextcloud_is_given_the_time()
    {
        var files = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        var times = new List<string>();
        await using var server = await FakeServer.StartAsync(
            context =>
            {
                if (context.Request.Method == "PUT") times.Add(context.Request.Headers["X-OC-Mtime"].ToString());
                return SimpleFilesAsync(context, files);
            },
            classes: "1, 3, extended-mkcol, access-control, oc-resource-sharing, nextcloud-checksum-update");
        await using var account = await server.OpenAsync();
        Assert.True(account.Traits.KeepsModified);
        var time = DateTimeOffset.FromUnixTimeSeconds(1_600_000_000);
        var entry = await account.WriteAsync(EntryPath.Parse("x"), new byte[3], new WriteOptions(time), default);
        Assert.Equal(("1600000000", time), (Assert.Single(times), entry.Modified));
    }

    private static async Task SimpleFilesAsync(HttpContext context, Dictionary<string, byte[]> files)
    {
        var path = context.Request.Path.Value!;
        switch (context.Request.Method)
        {
            case "PUT":
                using (var body = new MemoryStream())
                {
                    await context.Request.Body.CopyToAsync(body);
                    files[path] = body.ToArray();
                }
                context.Response.StatusCode = 201;
                break;
            case "DELETE":
                context.Response.StatusCode = files.Remove(path) ? 204 : 404;
                break;
            case "MOVE":
                files.Remove(path, out var moved);
                files[new Uri(context.Request.Headers["Destination"].ToString()).AbsolutePath] = moved!;
                context.Response.StatusCode = 201;
                break;
            case "HEAD" when files.TryGetValue(path, out var file):
                context.Response.Headers.ETag = "\"x\"";
                context.Response.ContentLength = file.Length;
                break;
            case "PROPFIND" when files.ContainsKey(path):
                await FakeServer.MultistatusAsync(context, Multistatus(File(path)));
                break;
            default:
                context.Response.StatusCode = 404;
                break;
        }
    }
}
