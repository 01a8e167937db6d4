using System.Net;
using System.Net.Http.Headers;
using Virga.Agent.Control;
using Virga.Core;

namespace Virga.Web.Tests;

public sealed class FileTests
{
    private static readonly Dictionary<string, string> Nothing = [];

    [Fact]
    public async Task Files_are_served_by_ranges_and_run_nothing()
    {
        await using var fixture = await Fixture.StartAsync();
        var (browser, _) = await fixture.SetUpAsync();
        using (browser)
        {
            var folder = await AddAsync(fixture);
            await File.WriteAllTextAsync(Path.Combine(folder, "page.html"), "<script>alert(1)</script>");
            await File.WriteAllTextAsync(Path.Combine(folder, "a.txt"), "0123456789");
            using var html = await browser.GetAsync("/raw/nas?path=page.html");
            Assert.Equal("application/octet-stream", html.Content.Headers.ContentType?.MediaType);
            Assert.Equal("attachment", html.Content.Headers.ContentDisposition?.DispositionType);
            var policy = Assert.Single(html.Headers.GetValues("Content-Security-Policy"));
            Assert.StartsWith("sandbox;", policy);
            using var request = new HttpRequestMessage(HttpMethod.Get, "/raw/nas?path=a.txt");
            request.Headers.Range = new RangeHeaderValue(2, 4);
            using var part = await browser.SendAsync(request);
            Assert.Equal(HttpStatusCode.PartialContent, part.StatusCode);
            Assert.Equal("bytes 2-4/10", part.Content.Headers.ContentRange?.ToString());
            Assert.Equal("234", await part.Content.ReadAsStringAsync());
            using var beyond = new HttpRequestMessage(HttpMethod.Get, "/raw/nas?path=a.txt");
            beyond.Headers.Range = new RangeHeaderValue(10, null);
            using var refused = await browser.SendAsync(beyond);
            Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, refused.StatusCode);
            using var tail = new HttpRequestMessage(HttpMethod.Get, "/raw/nas?path=a.txt");
            tail.Headers.Range = new RangeHeaderValue(null, 3);
            using var last = await browser.SendAsync(tail);
            Assert.Equal("789", await last.Content.ReadAsStringAsync());
            using var missing = await browser.GetAsync("/raw/nas?path=none.txt");
            Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
            using var outside = await browser.GetAsync("/raw/nas?path=..%2Fdata%2Fagent.db");
            Assert.Equal(HttpStatusCode.BadRequest, outside.StatusCode);
        }
    }

    [Fact]
    public async Task Uploads_of_any_size_are_whole_and_replace_nothing()
    {
        await using var fixture = await Fixture.StartAsync();
        var (browser, _) = await fixture.SetUpAsync();
        using (browser)
        {
            var folder = await AddAsync(fixture);
            foreach (var length in new[] { 0, 5, (20 << 20) + 3 })
            {
                var content = new byte[length];
                new Random(length).NextBytes(content);
                using var body = new ByteArrayContent(content);
                using var put = await browser.PutAsync($"/raw/nas?path=new%2F{length}.bin", body);
                Assert.Equal(HttpStatusCode.OK, put.StatusCode);
                Assert.Equal(content, await File.ReadAllBytesAsync(Path.Combine(folder, "new", $"{length}.bin")));
            }
            using var other = new ByteArrayContent("other"u8.ToArray());
            using var again = await browser.PutAsync("/raw/nas?path=new%2F5.bin", other);
            Assert.Equal(HttpStatusCode.Conflict, again.StatusCode);
            Assert.Contains("already", await again.Content.ReadAsStringAsync());
        }
    }

    [Fact]
    public async Task The_control_api_makes_moves_and_deletes()
    {
        await using var fixture = await Fixture.StartAsync();
        var folder = await AddAsync(fixture);
        using var agent = new ControlClient(fixture.DataFolder);
        await agent.MakeFolderAsync("nas", "a/b", default);
        await File.WriteAllTextAsync(Path.Combine(folder, "a", "b", "x.txt"), "x");
        await agent.MoveAsync("nas", "a/b", "a/c", default);
        Assert.True(File.Exists(Path.Combine(folder, "a", "c", "x.txt")));
        await FailsAsync(FailureKind.Conflict, () => agent.MakeFolderAsync("nas", "a", default));
        await FailsAsync(FailureKind.BadInput, () => agent.MoveAsync("nas", "a", "a/c/a", default));
        await FailsAsync(FailureKind.NotFound, () => agent.MoveAsync("nas", "none", "some", default));
        await FailsAsync(FailureKind.Conflict, () => agent.DeleteEntryAsync("nas", "a", false, default));
        await agent.DeleteEntryAsync("nas", "a", true, default);
        Assert.False(Directory.Exists(Path.Combine(folder, "a")));
    }

    [Theory]
    [InlineData("plain name.txt", "plain name.txt")]
    [InlineData("cod\u202eexe.doc", "cod[U+202E]exe.doc")]
    [InlineData("zero\u200bwidth", "zero[U+200B]width")]
    [InlineData("line\nbreak", "line[U+000A]break")]
    [InlineData("żółw 🐢", "żółw 🐢")]
    public void Names_are_shown_as_what_they_are(string name, string shown) =>
        Assert.Equal(shown, Texts.Shown.Name(name));

    [Fact]
    public void Every_language_says_the_same_things()
    {
        var english = Texts.Words.TextsOf("en");
        var dutch = Texts.Words.TextsOf("nl");
        Assert.Equal(english.Keys.Order(), dutch.Keys.Order());
        foreach (var (key, text) in english)
            Assert.Equal(Places(text), Places(dutch[key]));

        static string Places(string text) => string.Join(' ', Enumerable.Range(0, 4).Where(
            i => text.Contains($"{{{i}}}", StringComparison.Ordinal)));
    }

    private static async Task<string> AddAsync(Fixture fixture)
    {
        var folder = fixture.Folder("nas");
        using var agent = new ControlClient(fixture.DataFolder);
        await agent.AddAccountAsync(new AccountAddRequest("nas", "disk:" + folder, Nothing, Nothing), default);
        return folder;
    }

    private static async Task FailsAsync(FailureKind kind, Func<Task> act) =>
        Assert.Equal(kind, (await Assert.ThrowsAsync<VirgaException>(act)).Kind);
}
