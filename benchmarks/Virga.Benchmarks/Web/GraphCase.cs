using Virga.Agent.Control;
using Virga.Benchmarks.Transfer;

namespace Virga.Benchmarks.Web;

/// <summary>The picture of the graph of vouches, walked from one agent to the next.</summary>
internal sealed class GraphCase(string root)
{
    private const int Agents = 5_000;
    private const int RingsMost = 3;
    private const int ClicksEach = 12;

    /// <summary>Milliseconds of the clicks that walk, at each distance, and of letters of a search.</summary>
    public async Task<(List<double> Walks, List<double> Finds)> RunAsync(
        BrowserPage page, string home, CancellationToken token)
    {
        await page.NavigateAsync(home + "/people", token);
        await page.UntilAsync("document.querySelector('.spot.ring-1')", token);
        var watch = new InputWatch(page);
        await watch.BeginAsync(token);
        await page.EvaluateAsync(
            """
            window.middle_ = () => document.querySelector('.spot.ring-0').getAttribute('aria-label');
            window.spots_ = () => document.querySelectorAll('.spot').length;
            window.next_ = number => {
              for (const old of document.querySelectorAll('[data-next]')) old.removeAttribute('data-next');
              const all = document.querySelectorAll('.spot.ring-1 > circle, .spot.ring--1 > circle');
              all[number * 7 % all.length].setAttribute('data-next', '');
            }; true
            """, token);
        var walks = new List<double>();
        for (var rings = 1; rings <= RingsMost; rings++)
        {
            for (var i = 0; i < ClicksEach; i++)
            {
                await page.EvaluateAsync($"next_({i})", token);
                walks.Add(await watch.ClickAsync(
                    "[data-next]", "(before => () => middle_() !== before)(middle_())", token));
            }
            if (rings == RingsMost) break;
            // Those nearby may stand for all that there are.
            await page.EvaluateAsync("document.querySelector('.graph-card header .icon-button').click()", token);
            await page.UntilAsync($"document.querySelector('.trust-graph.rings-{rings + 1}')", token);
        }
        var finds = new List<double>();
        await page.EvaluateAsync("document.querySelector('.graph-side input').focus()", token);
        const string found = "(before => () => told_() !== before)(told_())";
        await page.EvaluateAsync(
            "window.told_ = () => document.querySelector('.graph-side [role=status]').textContent; true", token);
        for (var round = 0; round < 3; round++)
        {
            foreach (var letter in "qpz".Select(c => c.ToString()))
                finds.Add(await watch.TypeAsync(letter, found, token));
            for (var i = 0; i < 3; i++) finds.Add(await watch.BackspaceAsync(found, token));
        }
        return (walks, finds);
    }

    /// <summary>An agent that admits a crowd, and the repository where that stands.</summary>
    public async Task<(AgentProcess Agent, TrustCrowd Crowd, ControlClient Control)> StartAsync(CancellationToken token)
    {
        var crowd = await TrustCrowd.StartAsync(
            Directory.CreateDirectory(root + "/crowd").FullName, Agents, token);
        var agent = await AgentProcess.StartAsync(
            root + "/crowd-agent", token, null,
            ["--no-repository", "--repository", crowd.Repository.ToText(), "--page", "127.0.0.1:0"]);
        var control = new ControlClient(root + "/crowd-agent");
        for (var i = 0; i < crowd.Friends.Count; i++)
        {
            await control.VouchAsync(
                new VouchRequest($"{crowd.Friends[i]}", ["exchange"], TrustCrowd.Depth, 90, $"friend {i + 1}"), token);
        }
        // This agent itself is admitted, too.
        while ((await control.AdmittedAsync("exchange", token)).Count < Agents + 1) await Task.Delay(500, token);
        return (agent, crowd, control);
    }
}
