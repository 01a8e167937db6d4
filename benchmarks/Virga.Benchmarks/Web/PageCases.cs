using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Virga.Agent.Control;
using Virga.Benchmarks.Transfer;

namespace Virga.Benchmarks.Web;

/// <summary>The agent's own page in a browser: how soon it answers, what it weighs, what it costs the agent.</summary>
internal sealed class PageCases(string root, IReadOnlySet<string> wanted)
{
    public const string List = "list-100k-ms";
    public const string Transfers = "transfers-500-ms";
    public const string Graph = "graph-5k-ms";
    public const string FirstPage = "first-page-kb";
    public const string Memory = "page-mib";
    public const string Choice = "choose-100k-ms";

    private const int Entries = 100_000;
    private const int TransferCount = 500;
    private const int OpenPages = 20;
    private const double FirstPageKbMax = 300;
    private const double PageMiBMax = 1;
    private const string Password = "rain that never lands";

    public static readonly string[] Names = [List, Choice, Transfers, Graph, FirstPage, Memory];

    public async IAsyncEnumerable<BenchLine> RunAsync([EnumeratorCancellation] CancellationToken token)
    {
        var shared = Directory.CreateDirectory(root + "/page-in").FullName;
        await using var agent = await AgentProcess.StartAsync(
            root + "/page-agent", token, null, ["--no-repository", "--page", "127.0.0.1:0"]);
        using var control = new ControlClient(root + "/page-agent");
        await agent.AddAccountAsync("a", shared, token);
        await using var browser = await HeadlessBrowser.StartAsync(root + "/page-browser", token);
        var page = await BrowserPage.OpenAsync(browser, token);
        var home = await SignInAsync(page, control, token);
        if (wanted.Contains(FirstPage)) yield return await FirstPageAsync(browser, home, token);
        if (wanted.Contains(Memory)) yield return await MemoryAsync(agent, browser, home, token);
        if (wanted.Contains(List))
        {
            Fill(shared + "/many");
            var nothing = Median(await EmptyAsync(page, token));
            await foreach (var line in ListAsync(page, home, nothing, token)) yield return line;
        }
        if (wanted.Contains(Choice))
        {
            var link = await ChoiceCase.ShareAsync(agent, "a", shared, token);
            var nothing = Median(await EmptyAsync(page, token));
            var (looked, letters, opens, ticks) = await ChoiceCase.RunAsync(page, home, link, token);
            yield return Against("choose-100k-find-ms", letters, nothing);
            yield return Against("choose-100k-open-ms", opens, nothing);
            yield return Against("choose-100k-tick-ms", ticks, nothing);
            yield return Against(Choice, [.. letters, .. opens, .. ticks], nothing);
            yield return new BenchLine(
                "web", "choose-100k-look-ms", looked, "ms", "two seconds for 100,000 files", looked / 2000);
        }
        if (wanted.Contains(Transfers))
        {
            await TransferAsync(control, agent, shared, token);
            var nothing = Median(await EmptyAsync(page, token));
            yield return Against(Transfers, await TransfersAsync(page, home, token), nothing);
        }
        if (wanted.Contains(Graph)) await foreach (var line in GraphAsync(browser, token)) yield return line;
    }

    private async IAsyncEnumerable<BenchLine> GraphAsync(
        HeadlessBrowser browser, [EnumeratorCancellation] CancellationToken token)
    {
        var graph = new GraphCase(root);
        var (agent, crowd, control) = await graph.StartAsync(token);
        await using (crowd)
        await using (agent)
        using (control)
        {
            var page = await BrowserPage.OpenAsync(browser, token);
            var home = await SignInAsync(page, control, token);
            var nothing = Median(await EmptyAsync(page, token));
            var (walks, finds) = await graph.RunAsync(page, home, token);
            yield return Against(Graph, walks, nothing);
            yield return Against("graph-5k-find-ms", finds, nothing);
        }
    }

    private static double Median(List<double> values)
    {
        values.Sort();
        return values[values.Count / 2];
    }

    private static BenchLine Against(string name, List<double> times, double nothing)
    {
        var median = Median(times);
        return new BenchLine(
            "web", name, median, "ms", FormattableString.Invariant($"an empty page: {nothing:0.0} ms"),
            median / nothing);
    }

    private static async Task<string> SignInAsync(BrowserPage page, ControlClient control, CancellationToken token)
    {
        var link = (await control.PageLinkAsync(token)).Url;
        await page.NavigateAsync(link, token);
        await page.UntilAsync("document.querySelector('#again')", token);
        await page.EvaluateAsync(
            $$"""
            for (const id of ['password', 'again']) document.getElementById(id).value = '{{Password}}';
            document.getElementById('again').form.requestSubmit()
            """, token);
        await page.UntilAsync("document.querySelector('#recovery-code')", token);
        return new Uri(link).GetLeftPart(UriPartial.Authority);
    }

    /// <summary>Bytes over the wire until the first page is there, with nothing kept from before.</summary>
    private static async Task<BenchLine> FirstPageAsync(
        HeadlessBrowser browser, string home, CancellationToken token)
    {
        var page = await BrowserPage.OpenAsync(browser, token);
        long bytes = 0;
        browser.Happened = (method, what) => Interlocked.Add(ref bytes, method switch
        {
            "Network.loadingFinished" => (long)what["encodedDataLength"]!.GetValue<double>(),
            "Network.webSocketFrameReceived" => what["response"]!["payloadData"]!.GetValue<string>().Length * 3 / 4,
            _ => 0,
        });
        await page.SendAsync("Network.enable", [], token);
        await page.SendAsync("Network.setCacheDisabled", new JsonObject { ["cacheDisabled"] = true }, token);
        await page.NavigateAsync(home + "/files", token);
        await page.UntilAsync("document.querySelector('.list a.name')", token);
        browser.Happened = null;
        await page.CloseAsync(token);
        var kb = bytes / 1000.0;
        return new BenchLine("web", FirstPage, kb, "kB", "limit of 300 kB", kb / FirstPageKbMax);
    }

    /// <summary>What the agent holds more for each page that is open, once it has served as many before.</summary>
    private static async Task<BenchLine> MemoryAsync(
        AgentProcess agent, HeadlessBrowser browser, string home, CancellationToken token)
    {
        var growth = 0.0;
        // The first round is for what is loaded and compiled once.
        for (var round = 0; round < 2; round++)
        {
            var before = agent.MiB("VmRSS");
            var pages = new List<BrowserPage>();
            for (var i = 0; i < OpenPages; i++)
            {
                var page = await BrowserPage.OpenAsync(browser, token);
                await page.NavigateAsync(home + (i % 2 == 0 ? "/files/a" : "/transfers"), token);
                await page.UntilAsync("document.querySelector('h1') && !document.querySelector('.waiting')", token);
                pages.Add(page);
            }
            growth = (agent.MiB("VmRSS") - before) / OpenPages;
            foreach (var page in pages) await page.CloseAsync(token);
        }
        return new BenchLine("web", Memory, growth, "MiB", "limit of 1 MiB for each open page", growth / PageMiBMax);
    }

    private static void Fill(string folder)
    {
        Directory.CreateDirectory(folder);
        var random = new Random(1);
        var begin = new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        for (var i = 0; i < Entries; i++)
        {
            var path = $"{folder}/file-{i:000000}.bin";
            using (var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write))
                RandomAccess.SetLength(file, random.Next(1 << 24));
            File.SetLastWriteTimeUtc(path, begin.AddSeconds(random.Next(1 << 24)));
        }
    }

    /// <summary>A page that writes down what is typed, with no agent behind it.</summary>
    private static async Task<List<double>> EmptyAsync(BrowserPage page, CancellationToken token)
    {
        await page.NavigateAsync("about:blank", token);
        await page.UntilAsync("location.href === 'about:blank' && document.body", token);
        await page.EvaluateAsync(
            """
            document.body.innerHTML = '<input><p></p>';
            const input = document.querySelector('input');
            input.oninput = () => { document.querySelector('p').textContent = input.value; };
            input.focus()
            """, token);
        var watch = new InputWatch(page);
        await watch.BeginAsync(token);
        var times = new List<double>();
        for (var i = 1; i <= 20; i++)
        {
            times.Add(await watch.TypeAsync(
                "x", $"() => document.querySelector('p').textContent.length === {i}", token));
        }
        return times;
    }

    private static async IAsyncEnumerable<BenchLine> ListAsync(
        BrowserPage page, string home, double nothing, [EnumeratorCancellation] CancellationToken token)
    {
        await page.NavigateAsync(home + "/files/a/many", token);
        await page.UntilAsync("document.querySelector('.entries .open')", token);
        var opened = await page.NumberAsync("performance.now()", token);
        var watch = new InputWatch(page);
        await watch.BeginAsync(token);
        await page.EvaluateAsync(
            """
            window.frame = document.querySelector('.entries-frame');
            window.status_ = () => document.querySelector('p[role=status]').textContent;
            window.top_ = () => document.querySelector('.entries .open')?.textContent;
            window.middle = () => {
              const box = frame.getBoundingClientRect();
              return !!document.elementFromPoint(box.x + 60, Math.min(innerHeight, box.y + box.height) - 120)
                ?.closest('tr')?.querySelector('.open');
            };
            document.querySelector('input[type=search]').focus()
            """, token);
        var (searches, sorts, scrolls) = (new List<double>(), new List<double>(), new List<double>());
        for (var round = 0; round < 2; round++)
        {
            const string changed = "(before => () => status_() !== before)(status_())";
            foreach (var letter in "713".Select(c => c.ToString()))
                searches.Add(await watch.TypeAsync(letter, changed, token));
            for (var i = 0; i < 3; i++) searches.Add(await watch.BackspaceAsync(changed, token));
        }
        foreach (var column in new[] { 2, 2, 3, 3, 1, 1, 2, 2, 3, 3, 1, 1 })
        {
            sorts.Add(await watch.ClickAsync(
                $".entries th:nth-child({column}) button",
                "(before => () => top_() && top_() !== before)(top_())", token));
        }
        foreach (var pixels in new[] { 400, 3_000, 30_000, 300_000, 3_000_000, -1_000_000, -100_000, -10_000, -700 })
        {
            scrolls.Add(await watch.ScrollAsync(
                ".entries-frame", pixels, "(before => () => frame.scrollTop !== before && middle())(frame.scrollTop)",
                token));
        }
        yield return Against("list-100k-search-ms", searches, nothing);
        yield return Against("list-100k-sort-ms", sorts, nothing);
        yield return Against("list-100k-scroll-ms", scrolls, nothing);
        yield return Against(List, [.. searches, .. sorts, .. scrolls], nothing);
        yield return new BenchLine(
            "web", "list-100k-open-ms", opened, "ms", "one second for 100,000 entries", opened / 1000);
    }

    private static async Task TransferAsync(
        ControlClient control, AgentProcess agent, string shared, CancellationToken token)
    {
        await File.WriteAllTextAsync(shared + "/small.txt", "rain", token);
        var link = await agent.ShareAsync("a", "small.txt", token);
        for (var i = 0; i < TransferCount; i++)
            await control.StartTransferAsync(new TransferRequest(link, "a", $"taken-{i}"), token);
        while ((await control.TransfersAsync(token)).Any(IsOpen)) await Task.Delay(200, token);

        static bool IsOpen(TransferInfo t) => t.State is TransferState.Running or TransferState.Waiting;
    }

    private static async Task<List<double>> TransfersAsync(BrowserPage page, string home, CancellationToken token)
    {
        await page.NavigateAsync(home + "/transfers", token);
        await page.UntilAsync("document.querySelector('article.transfer')", token);
        var watch = new InputWatch(page);
        await watch.BeginAsync(token);
        await page.EvaluateAsync("window.shown = () => document.querySelectorAll('article.transfer').length", token);
        var times = new List<double>();
        while (await page.IsAsync("document.querySelector('div.transfer button')", token))
        {
            times.Add(await watch.ClickAsync(
                "div.transfer button", "(before => () => shown() > before)(shown())", token));
        }
        return times;
    }
}
