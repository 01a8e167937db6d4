using System.IO.Compression;
using System.Net;
using System.Security.Cryptography;
using Microsoft.Playwright;
using Virga.Agent.Control;
using Virga.Hosting;
using Virga.Testing;

namespace Virga.Agent.Tests.Pages;

/// <summary>What people without an agent open, in a real browser, from a real agent.</summary>
[Trait("Needs", "server")]
public sealed class SharePageTests : IAsyncLifetime
{
    private const int FiveMiB = 5 << 20;

    private readonly Dictionary<string, byte[]> content = [];
    private Network network = null!;
    private TestAgent agent = null!;
    private Front front = null!;
    private Browser browser = null!;

    public async Task InitializeAsync()
    {
        network = await Network.StartAsync();
        agent = await network.AgentAsync(
            "a",
            options => options with { SharePage = new GuestListener(new IPEndPoint(IPAddress.Loopback, 0), null) });
        await agent.AddAccountAsync("disk", network.Folder("disk"));
        front = await Front.StartAsync(agent.Host.PageUrl!);
        browser = await Browser.StartAsync();
    }

    public async Task DisposeAsync()
    {
        await browser.DisposeAsync();
        await front.DisposeAsync();
        await network.DisposeAsync();
    }

    [Fact]
    public async Task A_link_share_is_downloaded_verified_and_decrypted_in_the_page()
    {
        Write("in/empty.bin", 0);
        Write("in/one.bin", 1);
        Write("in/chunk.bin", 65_536);
        Write("in/chunk and one.bin", 65_537);
        Write("in/sub/five.bin", FiveMiB + 3);
        var share = await agent.ShareAsync("disk", "in", "link");
        var page = await OpenAsync(share);
        Assert.Contains("5 files", await page.InnerTextAsync("h1"), StringComparison.Ordinal);
        Assert.Contains(agent.Id, await page.InnerTextAsync("main"), StringComparison.Ordinal);
        Assert.Equal(share.Link, await page.InputValueAsync("#link"));
        foreach (var (name, bytes) in content) Assert.Equal(bytes, await SaveAsync(page, name));
        var zipped = await DownloadAsync(page, page.Locator("#save-all"));
        using var zip = new ZipArchive(new MemoryStream(zipped));
        Assert.Equal(content.Keys.Order(), zip.Entries.Select(e => e.FullName).Order());
        foreach (var entry in zip.Entries)
        {
            using var bytes = new MemoryStream();
            await using var stream = entry.Open();
            await stream.CopyToAsync(bytes);
            Assert.Equal(content[entry.FullName], bytes.ToArray());
        }
        AssertQuiet();
        var secret = share.WebAddress![(share.WebAddress!.IndexOf('#') + 1)..^9];
        Assert.Equal(43, secret.Length);
        Assert.DoesNotContain(front.Asked, asked => asked.Contains(secret, StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_was_changed_on_the_way_is_refused_and_a_cut_connection_goes_on()
    {
        Write("in/five.bin", FiveMiB);
        var share = await agent.ShareAsync("disk", "in/five.bin", "link");
        // A browser that has no ChaCha20-Poly1305 of its own, and a clock that is an hour off.
        var page = await OpenAsync(share, """
            const own = SubtleCrypto.prototype.importKey;
            SubtleCrypto.prototype.importKey = function (format, ...rest) {
                return format === 'raw-secret' ? Promise.reject(new Error()) : own.call(this, format, ...rest);
            };
            const now = Date.now;
            Date.now = () => now() + 3600000;
            """);
        front.Garbles = true;
        var refused = page.WaitForDownloadAsync();
        await Row(page, "five.bin").Locator("button").ClickAsync();
        Assert.NotNull(await (await refused).FailureAsync());
        await Assertions.Expect(Row(page, "five.bin")).ToContainTextAsync(
            "What came is not what was shared", new() { Timeout = 60_000 });
        front.Garbles = false;
        front.Cuts = 4;
        Assert.Equal(content["five.bin"], await SaveAsync(page, "five.bin"));
        Assert.InRange(front.Cuts, -100, 0);
        File.AppendAllText(Path.Combine(network.PathOf("disk"), "in/five.bin"), "more");
        await Row(page, "five.bin").Locator("button").ClickAsync();
        await Assertions.Expect(Row(page, "five.bin")).ToContainTextAsync(
            "no longer as it was shared", new() { Timeout = 60_000 });
    }

    [Fact]
    public async Task Addresses_that_lost_something_say_what()
    {
        Write("in/a.txt", 100);
        var link = (await agent.ShareAsync("disk", "in", "link")).WebAddress!;
        var hash = link.IndexOf('#');
        await SaysAsync(link[..^1], "cut short");
        await SaysAsync(link[..(hash + 20)], "cut short");
        await SaysAsync(link[..hash], "that part was lost");
        await SaysAsync(link[..(hash + 5)] + (link[hash + 5] == 'x' ? 'y' : 'x') + link[(hash + 6)..], "mistyped");
        var named = await agent.ShareAsync("disk", "in", "agents", agent.Address);
        await SaysAsync(named.WebAddress!, "for named people");
        await SaysAsync(named.WebAddress![..^9], "that part was lost");
        await agent.UnshareAsync((await agent.SharesAsync()).Single(s => s.Audience == "link").InfoHash);
        await SaysAsync(link, "withdrawn");
        await SaysAsync(link, "deelt dit niet meer", "nl-NL");
    }

    [Fact]
    public async Task Names_that_mislead_are_shown_and_saved_harmlessly_and_files_run_nothing()
    {
        const string script = "<script>document.title='run'</script>";
        File.WriteAllText(
            Path.Combine(network.Folder("disk/in"), "<img src=x onerror=document.title='run'>.txt"), script);
        File.WriteAllText(Path.Combine(network.Folder("disk/in"), "gnp.\u202Eeerf.exe"), "x");
        File.WriteAllText(Path.Combine(network.Folder("disk/in"), "a\u200Bb.svg"),
            "<svg xmlns='http://www.w3.org/2000/svg'><script>document.title='run'</script></svg>");
        var page = await OpenAsync(await agent.ShareAsync("disk", "in", "link"));
        var names = await page.Locator("li .name").AllInnerTextsAsync();
        Assert.Contains(@"gnp.\u{202E}eerf.exe", names);
        Assert.Contains(@"a\u{200B}b.svg", names);
        var row = Row(page, "onerror");
        await row.GetByText("Show", new() { Exact = true }).ClickAsync();
        await Assertions.Expect(row.Locator("pre")).ToHaveTextAsync(script);
        var saved = page.WaitForDownloadAsync();
        await Row(page, "eerf").Locator("button").ClickAsync();
        Assert.Equal("gnp._eerf.exe", (await saved).SuggestedFilename);
        await Row(page, "svg").GetByText("Show", new() { Exact = true }).ClickAsync();
        var picture = await Row(page, "svg").Locator("img").GetAttributeAsync("src");
        // Opened by itself, it stands in a sandbox.
        var frame = await page.EvaluateAsync<string>(
            "async url => (await fetch(url)).headers.get('Content-Security-Policy')", picture);
        Assert.StartsWith("sandbox;", frame, StringComparison.Ordinal);
        Assert.EndsWith("Virga", await page.TitleAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_public_share_plays_with_seeking_and_has_its_torrent_and_magnet_link()
    {
        const int seconds = 600;
        Directory.CreateDirectory(network.PathOf("disk/in"));
        File.WriteAllBytes(network.PathOf("disk/in/long.wav"), Wave(seconds));
        var share = await agent.ShareAsync("disk", "in", "public");
        Assert.DoesNotContain('#', share.WebAddress!);
        var page = await OpenAsync(share);
        Assert.Equal(share.Magnet, await page.GetAttributeAsync("#magnet", "href"));
        var torrent = await DownloadAsync(page, page.Locator("#torrent"));
        Assert.Equal(await agent.TorrentAsync(share.InfoHash), torrent);
        await Row(page, "long.wav").GetByText("Play", new() { Exact = true }).ClickAsync();
        var at = await page.Locator("audio").EvaluateAsync<double[]>("""
            async audio => {
                const happened = name => new Promise(done => audio.addEventListener(name, done, { once: true }));
                if (audio.readyState === 0) await happened('loadedmetadata');
                audio.currentTime = 570;
                await happened('seeked');
                return [audio.duration, audio.currentTime];
            }
            """);
        Assert.Equal([seconds, 570.0], at);
        var saved = await SaveAsync(page, "long.wav", isNamed: false);
        Assert.Equal(SHA256.HashData(Wave(seconds)), SHA256.HashData(saved));
        AssertQuiet();
    }

    private void AssertQuiet()
    {
        Assert.Empty(browser.Errors);
        Assert.Equal([front.Url.Authority], browser.Hosts);
    }

    private async Task SaysAsync(string address, string words, string locale = "en-GB")
    {
        var page = await browser.PageAsync(locale: locale);
        await page.GotoAsync(At(address));
        await Assertions.Expect(page.Locator("#problem")).ToContainTextAsync(words, new() { Timeout = 60_000 });
        await page.Context.CloseAsync();
    }

    private async Task<IPage> OpenAsync(ShareInfo share, string? script = null)
    {
        var page = await browser.PageAsync(script);
        await page.GotoAsync(At(share.WebAddress!));
        await page.WaitForSelectorAsync("#files");
        return page;
    }

    private string At(string address) =>
        front.Url.GetLeftPart(UriPartial.Authority) + address[address.IndexOf("/s/", StringComparison.Ordinal)..];

    private static ILocator Row(IPage page, string name) => page.Locator("#files li").Filter(new() { HasText = name });

    private async Task<byte[]> SaveAsync(IPage page, string name, bool isNamed = true)
    {
        var row = isNamed ? page.Locator($"#files li:has(bdi:text-is('{name}'))") : Row(page, name);
        var bytes = await DownloadAsync(page, row.GetByText("Download", new() { Exact = true }));
        await Assertions.Expect(row).ToContainTextAsync("Downloaded and verified", new() { Timeout = 60_000 });
        return bytes;
    }

    private static async Task<byte[]> DownloadAsync(IPage page, ILocator button)
    {
        var download = await page.RunAndWaitForDownloadAsync(() => button.ClickAsync());
        Assert.Null(await download.FailureAsync());
        return await File.ReadAllBytesAsync(await download.PathAsync());
    }

    private void Write(string path, int length)
    {
        var bytes = new byte[length];
        new Seeded((ulong)length).RandomBytes(bytes);
        var file = Path.Combine(network.PathOf("disk"), path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllBytes(file, bytes);
        content[path["in/".Length..]] = bytes;
    }

    /// <summary>Silence, 8 bits, 8 kHz.</summary>
    private static byte[] Wave(int seconds)
    {
        var data = new byte[seconds * 8000];
        Array.Fill(data, (byte)128);
        using var file = new MemoryStream();
        using var writer = new BinaryWriter(file);
        writer.Write("RIFF"u8);
        writer.Write(36 + data.Length);
        writer.Write("WAVEfmt "u8);
        writer.Write(16);
        writer.Write((short)1);
        writer.Write((short)1);
        writer.Write(8000);
        writer.Write(8000);
        writer.Write((short)1);
        writer.Write((short)8);
        writer.Write("data"u8);
        writer.Write(data.Length);
        writer.Write(data);
        writer.Flush();
        return file.ToArray();
    }
}
