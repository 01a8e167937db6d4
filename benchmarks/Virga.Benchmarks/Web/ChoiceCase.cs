using Virga.Benchmarks.Transfer;

namespace Virga.Benchmarks.Web;

/// <summary>What is in a share of very many files, looked into and chosen from.</summary>
internal static class ChoiceCase
{
    private const int Files = 100_000;
    private const int Folders = 100;
    private const int Opened = 8;

    /// <summary>Milliseconds until the share's files are there; of letters, of folders that open, of ticks.</summary>
    public static async Task<(double Looked, List<double> Letters, List<double> Opens, List<double> Ticks)> RunAsync(
        BrowserPage page, string home, string link, CancellationToken token)
    {
        await page.NavigateAsync($"{home}/get?link={Uri.EscapeDataString(link)}", token);
        // The account's folders come after the button, and move it down.
        await page.UntilAsync("document.querySelector('[aria-labelledby=target-folder] button')", token);
        var watch = new InputWatch(page);
        await watch.BeginAsync(token);
        var looked = await watch.ClickAsync(
            ".columns form button.wide", "() => document.querySelector('.tree-row')", token);
        // The first plan is for all of it, and is not waited for by who chooses; here it must not be in the way.
        await page.UntilAsync("document.querySelector('section[aria-labelledby=plan][aria-busy=false]')", token);
        await page.EvaluateAsync(
            """
            window.rows_ = () => document.querySelectorAll('.tree-row').length
              + (document.querySelector('.tree').textContent ?? '');
            window.sum_ = () => document.querySelector('.tree-sum').textContent;
            window.next_ = (kind, number) => {
              for (const old of document.querySelectorAll('[data-next]')) old.removeAttribute('data-next');
              const all = [...document.querySelectorAll(kind)];
              all[number % all.length].setAttribute('data-next', '');
            }; true
            """, token);
        const string rows = "(before => () => document.querySelector('.tree-row') && rows_() !== before)(rows_())";
        const string sum = "(before => () => sum_() !== before)(sum_())";
        var (letters, opens, ticks) = (new List<double>(), new List<double>(), new List<double>());
        await page.EvaluateAsync("document.querySelector('#content-filter').focus()", token);
        for (var round = 0; round < 2; round++)
        {
            foreach (var letter in "713".Select(c => c.ToString()))
                letters.Add(await watch.TypeAsync(letter, rows, token));
            for (var i = 0; i < 3; i++) letters.Add(await watch.BackspaceAsync(rows, token));
        }
        for (var i = 0; i < Opened; i++)
        {
            // Open, a tick in it, and closed again.
            await page.EvaluateAsync($"next_('.tree button[aria-expanded]', {i})", token);
            opens.Add(await watch.ClickAsync("[data-next]", rows, token));
            await page.EvaluateAsync($"next_('.tree-pick', {i + 2})", token);
            ticks.Add(await watch.ClickAsync("[data-next]", sum, token));
            await page.EvaluateAsync($"next_('.tree button[aria-expanded]', {i})", token);
            opens.Add(await watch.ClickAsync("[data-next]", rows, token));
        }
        foreach (var button in new[] { 2, 1, 2, 1 })
            ticks.Add(await watch.ClickAsync($".search ~ button:nth-of-type({button})", sum, token));
        return (looked, letters, opens, ticks);
    }

    /// <summary>Shares a folder of the account at <paramref name="shared"/> with as many small files.</summary>
    public static async Task<string> ShareAsync(
        AgentProcess agent, string account, string shared, CancellationToken token)
    {
        for (var folder = 0; folder < Folders; folder++)
        {
            var path = Directory.CreateDirectory($"{shared}/choice/box-{folder:00}").FullName;
            for (var file = 0; file < Files / Folders; file++)
            {
                await File.WriteAllTextAsync(
                    $"{path}/photo-{(folder * (Files / Folders)) + file:000000}.txt", $"rain {folder} {file}", token);
            }
        }
        return await agent.ShareAsync(account, "choice", token);
    }
}
