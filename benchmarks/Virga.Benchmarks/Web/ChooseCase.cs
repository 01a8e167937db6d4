namespace Virga.Benchmarks.Web;

/// <summary>The tree to tick on Get, with a share of very many files in it.</summary>
internal static class ChooseCase
{
    public const int Files = 100_000;
    private const int FilesEach = 1_000;

    /// <summary>Small files in folders, as a share of pictures has them.</summary>
    public static void Fill(string folder)
    {
        for (var i = 0; i < Files; i++)
        {
            var inside = $"{folder}/set-{i / FilesEach:000}";
            if (i % FilesEach == 0) Directory.CreateDirectory(inside);
            File.WriteAllText($"{inside}/picture-{i:000000}.jpg", $"picture {i}");
        }
    }

    /// <summary>
    /// Milliseconds until what is in the share is there to be ticked; of folders opened and closed, of ticks, of
    /// letters of the filter, and of scrolling.
    /// </summary>
    public static async Task<(double Opened, List<double> Folds, List<double> Ticks, List<double> Letters,
        List<double> Scrolls)> RunAsync(BrowserPage page, string home, string link, CancellationToken token)
    {
        await page.NavigateAsync("about:blank", token);
        await page.NavigateAsync($"{home}/get#{link}", token);
        await page.UntilAsync("document.querySelector('#link')?.value.length > 0", token);
        await page.EvaluateAsync(
            "window.begun_ = performance.now(); document.querySelector('#link').form.requestSubmit()", token);
        await page.UntilAsync("document.querySelector('.tree-row')", token);
        var opened = await page.NumberAsync("performance.now() - begun_", token);
        var watch = new InputWatch(page);
        await watch.BeginAsync(token);
        await page.EvaluateAsync(
            """
            window.tree_ = document.querySelector('.tree');
            window.sum_ = () => document.querySelector('.tree-sum').textContent;
            window.rows_ = () => [...document.querySelectorAll('.tree-name')].map(n => n.textContent).join();
            window.folds_ = () => [...document.querySelectorAll('.tree-row [aria-expanded]')]
              .map(n => n.getAttribute('aria-expanded')).join();
            window.middle_ = () => {
              const box = tree_.getBoundingClientRect();
              return !!document.elementFromPoint(box.x + 90, Math.min(innerHeight, box.y + box.height) - 60)
                ?.closest('.tree-row');
            };
            // The share's own folder stands open above the sets.
            window.mark_ = (selector, number) => {
              for (const old of document.querySelectorAll('[data-next]')) old.removeAttribute('data-next');
              document.querySelectorAll(selector)[number].setAttribute('data-next', '');
            }; true
            """, token);
        const string sumChanged = "(before => () => sum_() !== before)(sum_())";
        const string foldsChanged = "(before => () => folds_() !== before)(folds_())";
        const string rowsChanged = "(before => () => rows_() !== before)(rows_())";
        List<double> folds = [], ticks = [], letters = [], scrolls = [];
        foreach (var folder in new[] { 4, 2, 2, 4, 3, 3, 1, 2 })
        {
            await page.EvaluateAsync($"tree_.scrollTop = 0; mark_('.tree-row [aria-expanded]', {folder})", token);
            folds.Add(await watch.ClickAsync("[data-next]", foldsChanged, token));
        }
        foreach (var row in new[] { 1, 2, 3, 4, 5, 3, 2, 1 })
        {
            await page.EvaluateAsync($"mark_('.tree-pick', {row})", token);
            ticks.Add(await watch.ClickAsync("[data-next]", sumChanged, token));
        }
        foreach (var button in new[] { 1, 0, 1, 0 })
        {
            await page.EvaluateAsync($"mark_('.cluster:has(#content-filter) > .button', {button})", token);
            ticks.Add(await watch.ClickAsync("[data-next]", sumChanged, token));
        }
        foreach (var pixels in new[] { 400, 3_000, 30_000, -2_000, -400 })
        {
            scrolls.Add(await watch.ScrollAsync(
                ".tree", pixels, "(before => () => tree_.scrollTop !== before && middle_())(tree_.scrollTop)", token));
        }
        await page.EvaluateAsync("document.querySelector('#content-filter').focus()", token);
        for (var round = 0; round < 2; round++)
        {
            foreach (var letter in "713".Select(c => c.ToString()))
                letters.Add(await watch.TypeAsync(letter, rowsChanged, token));
            for (var i = 0; i < 3; i++) letters.Add(await watch.BackspaceAsync(rowsChanged, token));
        }
        return (opened, folds, ticks, letters, scrolls);
    }
}
