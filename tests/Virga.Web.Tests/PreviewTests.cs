using System.Net;
using Virga.Agent.Control;
using Virga.Core;
using Virga.Web.Live;

namespace Virga.Web.Tests;

/// <summary>What the page shows of files: documents, small pictures, and what a search finds.</summary>
public sealed class PreviewTests
{
    private static readonly Dictionary<string, string> Nothing = [];

    [Theory]
    [InlineData("<script>alert(1)</script>", "<script")]
    [InlineData("<img src=x onerror=alert(1)>", "<img")]
    [InlineData("a <b onclick=alert(1)>b</b>", "<b ")]
    [InlineData("[x](javascript:alert(1))", "href")]
    [InlineData("[x](JaVaScRiPt:alert(1))", "href")]
    [InlineData("[x](java\tscript:alert(1))", "href")]
    [InlineData("[x](data:text/html,<script>alert(1)</script>)", "href")]
    [InlineData("[x](vbscript:msgbox)", "href")]
    [InlineData("[x](/sign-out)", "href")]
    [InlineData("[x](//evil.example/)", "href")]
    [InlineData("[x][y]\n\n[y]: javascript:alert(1)", "href")]
    [InlineData("<javascript:alert(1)>", "href")]
    [InlineData("![x](https://evil.example/pixel.png)", "src=")]
    [InlineData("![x](//evil.example/pixel.png)", "src=")]
    [InlineData("![x](data:image/svg+xml,<svg/>)", "src=")]
    [InlineData("![x][y]\n\n[y]: https://evil.example/a.png", "src=")]
    [InlineData("![x](/settings)", "src=")]
    [InlineData("![x](../../../../a.png)", "src=")]
    [InlineData("[x](https://e.example \"a\\\" onmouseover=\\\"alert(1)\")", " onmouseover=\"")]
    [InlineData("```\" onload=\"alert(1)\ncode\n```", " onload=\"")]
    public void Documents_of_others_run_nothing_and_ask_no_other_host(string text, string without)
    {
        var html = SafeMarkdown.Render(text, path => path.StartsWith("..", StringComparison.Ordinal) ? null : path);
        Assert.DoesNotContain(without, html.Value, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void Documents_look_like_documents()
    {
        const string text = """
            # Title
            Some *words*, `code` and a [link](https://example.org/a?b=1&c=2).

            - [x] done

            | a | b |
            |---|---|
            | 1 | 2 |

            ![picture](pictures/a%20b.png) <https://example.org>
            """;
        var html = SafeMarkdown.Render(text, path => "/raw/x?path=" + Uri.EscapeDataString(path)).Value;
        Assert.Contains("<h1>Title</h1>", html);
        Assert.Contains("<em>words</em>", html);
        Assert.Contains("href=\"https://example.org/a?b=1&amp;c=2\" target=\"_blank\" rel=\"noopener noreferrer", html);
        Assert.Contains("<td>1</td>", html);
        Assert.Contains("\u2611 done", html);
        Assert.Contains("src=\"/raw/x?path=pictures%2Fa%20b.png\"", html);
        Assert.Contains("href=\"https://example.org\"", html);
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(true, 6)]
    [InlineData(false, 8)]
    public void The_small_picture_of_a_photograph_is_found_with_how_it_was_held(bool isBig, byte turned)
    {
        byte[] small = [0xff, 0xd8, 0xff, 0xdb, 1, 2, 3, 4, 0xff, 0xd9];
        var photo = Photo(isBig, turned, small);
        var found = ExifThumbnail.Find(photo)!;
        Assert.Equal(small[2..], found[^8..]);
        Assert.Equal(turned > 1, found.Length > small.Length);
        if (turned > 1) Assert.Equal(turned, found[2 + 2 + 2 + 6 + 8 + 2 + 8 + 1]);
    }

    [Fact]
    public void Broken_photographs_have_none()
    {
        var photo = Photo(true, 1, [0xff, 0xd8, 0xff, 0xdb, 0xff, 0xd9]);
        for (var length = 0; length < photo.Length; length++) ExifThumbnail.Find(photo.AsSpan(0, length));
        // Whatever one byte says, nothing is read beyond what is there.
        for (var i = 0; i < photo.Length; i++)
        {
            foreach (var value in new byte[] { 0, 1, 0x7f, 0xff })
            {
                var other = photo.ToArray();
                other[i] = value;
                ExifThumbnail.Find(other);
            }
        }
        Assert.Null(ExifThumbnail.Find("no picture at all"u8));
        Assert.Null(ExifThumbnail.Find([0xff, 0xd8, 0xff, 0xda, 0, 2]));
    }

    [Fact]
    public async Task Lists_show_what_photographs_carry_and_never_read_large_files_whole()
    {
        await using var fixture = await Fixture.StartAsync();
        var (browser, _) = await fixture.SetUpAsync();
        using (browser)
        {
            var folder = await AddAsync(fixture);
            byte[] small = [0xff, 0xd8, 0xff, 0xdb, 9, 9, 0xff, 0xd9];
            await File.WriteAllBytesAsync(
                Path.Combine(folder, "a.jpg"), [.. Photo(true, 1, small), .. new byte[1 << 20]]);
            await File.WriteAllBytesAsync(Path.Combine(folder, "plain.jpg"), new byte[1 << 20]);
            using var answer = await browser.GetAsync("/thumb/nas?path=a.jpg");
            Assert.Equal("image/jpeg", answer.Content.Headers.ContentType?.MediaType);
            Assert.StartsWith("sandbox", Assert.Single(answer.Headers.GetValues("Content-Security-Policy")));
            Assert.Equal(small, await answer.Content.ReadAsByteArrayAsync());
            using var none = await browser.GetAsync("/thumb/nas?path=plain.jpg");
            Assert.Equal(HttpStatusCode.NoContent, none.StatusCode);
            using var missing = await browser.GetAsync("/thumb/nas?path=missing.jpg");
            Assert.Equal(HttpStatusCode.NoContent, missing.StatusCode);
        }
        var modified = DateTimeOffset.UnixEpoch;
        Assert.StartsWith("/raw/", Url("x.png", 1000));
        Assert.Null(Url("x.png", 20 << 20));
        Assert.StartsWith("/thumb/", Url("x.JPG", 20 << 20));
        Assert.Null(Url("x.mp4", 10));

        string? Url(string path, long length) =>
            Serving.ThumbEndpoints.Url("nas", new EntryInfo(path, "file", length, modified, null));
    }

    [Fact]
    public async Task A_search_finds_names_below_a_folder_as_far_as_it_is_let()
    {
        await using var fixture = await Fixture.StartAsync();
        var folder = await AddAsync(fixture);
        for (var i = 0; i < 30; i++)
        {
            var place = Directory.CreateDirectory(Path.Combine(folder, "in", $"{i}", "deeper")).FullName;
            await File.WriteAllTextAsync(Path.Combine(place, $"Holiday {i}.txt"), "x");
            await File.WriteAllTextAsync(Path.Combine(place, "other.txt"), "x");
        }
        await File.WriteAllTextAsync(Path.Combine(folder, "holiday outside.txt"), "x");
        using var agent = new ControlClient(fixture.DataFolder);
        var (found, last) = await SearchAsync(agent, "in", "hOLIDAY");
        Assert.Equal(30, found.Count);
        Assert.All(found, e => Assert.StartsWith("in/", e.Path));
        Assert.Equal((120, false), (last.Looked, last.IsCut));
        Assert.Equal(31, (await SearchAsync(agent, "", "holiday")).Found.Count);
        Assert.Contains((await SearchAsync(agent, "", "deeper")).Found, e => e.Kind == "folder");
        var failure = await Assert.ThrowsAsync<VirgaException>(() => SearchAsync(agent, "in", " "));
        Assert.Equal(FailureKind.BadInput, failure.Kind);
        (_, last) = await SearchAsync(agent, "missing", "x");
        Assert.Equal("NotFound", last.Error?.Kind);
    }

    private static async Task<(List<EntryInfo> Found, SearchEvent Last)> SearchAsync(
        ControlClient agent, string path, string text)
    {
        var found = new List<EntryInfo>();
        SearchEvent? last = null;
        await foreach (var step in agent.SearchAsync("nas", path, text, default))
        {
            found.AddRange(step.Found);
            last = step;
        }
        Assert.True(last!.IsDone);
        return (found, last);
    }

    private static async Task<string> AddAsync(Fixture fixture)
    {
        var folder = fixture.Folder("nas");
        using var agent = new ControlClient(fixture.DataFolder);
        await agent.AddAccountAsync(new AccountAddRequest("nas", "disk:" + folder, Nothing, Nothing), default);
        return folder;
    }

    /// <summary>The first bytes of a JPEG with Exif: the orientation in IFD0, the small picture in IFD1.</summary>
    private static byte[] Photo(bool isBig, byte turned, byte[] small)
    {
        byte[] tiff =
        [
            .. isBig ? "MM"u8 : "II"u8, .. Two(42), .. Four(8),
            .. Two(1), .. Two(0x0112), .. Two(3), .. Four(1), .. Two(turned), .. Two(0), .. Four(26),
            .. Two(2), .. Two(0x0201), .. Two(4), .. Four(1), .. Four(56),
            .. Two(0x0202), .. Two(4), .. Four(1), .. Four((uint)small.Length), .. Four(0), .. small,
        ];
        var length = tiff.Length + 8;
        return
        [
            0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xe1, (byte)(length >> 8), (byte)length, .. "Exif\0\0"u8, .. tiff,
            0xff, 0xda, 0, 2,
        ];

        byte[] Two(int value) => isBig ? [(byte)(value >> 8), (byte)value] : [(byte)value, (byte)(value >> 8)];

        byte[] Four(uint value) => isBig
            ? [.. Two((int)(value >> 16)), .. Two((int)value)] : [.. Two((int)value), .. Two((int)(value >> 16))];
    }
}
