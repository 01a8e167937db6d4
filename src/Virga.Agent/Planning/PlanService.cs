using Virga.Accounts;
using Virga.Agent.Control;
using Virga.Agent.State;
using Virga.Content;
using Virga.Core;
using Virga.Transfers.Planning;
using Virga.Transfers.Sources;

namespace Virga.Agent.Planning;

/// <summary>
/// Gathers what a plan follows from: prices, rates, what sources and the account can do; asks the planner.
/// </summary>
internal sealed class PlanService(
    string dataFolder, AccountPool accounts, MeasuredRates rates, TimeProvider time)
{
    private const long PriceFileBytesMax = 1 << 20;
    private static readonly TimeSpan PauseMin = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan PauseMax = TimeSpan.FromSeconds(30);

    private readonly SemaphoreSlim changing = new(1, 1);

    private string PricePath => Path.Combine(dataFolder, PriceFile.FileName);

    /// <summary>The prices as they are now: the file is read each time, so that a change counts at once.</summary>
    public async Task<PriceBook> PricesAsync(CancellationToken cancellationToken)
    {
        byte[] bytes;
        try
        {
            if (!File.Exists(PricePath)) return PriceFile.Shipped;
            if (new FileInfo(PricePath).Length > PriceFileBytesMax)
            {
                throw new VirgaException(
                    FailureKind.BadInput, $"{PricePath} is longer than {PriceFileBytesMax:N0} bytes",
                    "Leave out what ships with virga: a file of your own holds what differs.");
            }
            bytes = await File.ReadAllBytesAsync(PricePath, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VirgaException(FailureKind.Denied, $"{PricePath} can't be read: {e.Message}", null, e);
        }
        return PriceFile.Parse(bytes, PricePath, PriceFile.Shipped);
    }

    /// <summary>Says at once what is wrong with a wish.</summary>
    public async Task CheckAsync(TransferPlan plan, CancellationToken cancellationToken)
    {
        if (plan.Prefer == PlanRequest.Balanced && plan.MaxCost is null) return;
        var prices = await PricesAsync(cancellationToken);
        TransferPlan.Wish(plan.Prefer, plan.MaxCost, plan.NoRelay, prices.Currency);
    }

    /// <param name="files">Those that are still to be moved.</param>
    /// <param name="step">Told while it waits for somebody who has the content; null: it does not wait.</param>
    public async Task<(Plan Plan, PlanInfo Info)> MakeAsync(
        PlanRequest request, Hash256 infoHash, IReadOnlyList<SharedFile> files, int pieceBytes, decimal spent,
        ISourceFinder finder, Action<string>? step, CancellationToken cancellationToken)
    {
        var account = await accounts.GetAsync(request.Account, cancellationToken);
        var prices = await PricesAsync(cancellationToken);
        var wish = TransferPlan.Wish(request.Prefer, request.MaxCost, request.NoRelay, prices.Currency);
        var left = wish with
        {
            MaxCost = wish.MaxCost is { } max ? max with { Amount = Math.Max(0, max.Amount - spent) } : null,
        };
        var place = await PlaceAsync(request.Account, account, prices, cancellationToken);
        var copies = account.Find<ICopyFromOthers>();
        var whyNoCopy = !request.Copy ? "you said --no-copy"
            : copies is null ? "the target takes no copies from others"
            : null;
        var probe = new SourceProbe(finder, place, copies?.Service, whyNoCopy, time);
        var source = await AskAsync(probe, files, prices, step, cancellationToken);
        var content = new PlanContent([.. files.Select(f => f.Entry.Size)]);
        var plan = Planner.Make(new PlanQuestion(
            content, source, new TargetSide(request.Account, place, account.Traits, "the target can't pull from URLs"),
            prices, await rates.LoadAsync(cancellationToken), left)
        {
            ReadBackShare = ReadBackShare(request.Check), ReadBackBytesMin = pieceBytes,
        });
        return (plan, Describe(request, infoHash, content, prices.Currency, plan));
    }

    /// <summary>Routes by which content may come: the chosen one, and what it falls back to.</summary>
    public static HashSet<RouteKind> Allowed(PlanInfo plan)
    {
        var allowed = plan.Routes.Where(r => r.Possible).Select(r => RouteNames.Find(r.Route)).OfType<RouteKind>()
            .ToHashSet();
        // Storage comes before agents wherever it is a source: only where the plan says so is it one.
        if (plan.Chosen is "swarm" or "agent") allowed.Remove(RouteKind.Direct);
        // A copy is tried before anything else, too.
        if (plan.Chosen != "provider-copy") allowed.Remove(RouteKind.ProviderCopy);
        return allowed;
    }

    /// <summary>Remembers how fast a run was.</summary>
    public async Task NoteAsync(
        PlannedSources sources, IReadOnlyList<SourceReport> reports, long copied, PlanInfo plan, TimeSpan took,
        CancellationToken cancellationToken)
    {
        var fetched = reports.Sum(r => r.Bytes);
        if (copied > 0)
        {
            // A mixture says nothing of either.
            if (fetched > copied / 20) return;
            var copy = plan.Routes.FirstOrDefault(r => r.Route == RouteNames.NameOf(RouteKind.ProviderCopy))?.Sources;
            if (copy is not { Count: > 0 }) return;
            var route = new RateKey(RouteKind.ProviderCopy, copy[0], plan.Account);
            await rates.NoteAsync(route, copied, took, cancellationToken);
            return;
        }
        var storage = plan.Routes.FirstOrDefault(r => r.Route == RouteNames.NameOf(RouteKind.Direct))?.Sources;
        if (sources.Measured(reports, storage?.Count > 0 ? storage[0] : null, plan.Account) is { } key)
            await rates.NoteAsync(key, fetched, took, cancellationToken);
    }

    /// <summary>Changes the user's own prices, which count from the next plan on.</summary>
    public async Task ChangePricesAsync(IReadOnlyList<PriceChange> changes, CancellationToken cancellationToken)
    {
        await changing.WaitAsync(cancellationToken);
        try
        {
            // A file that can't be read is told as such, and not written over.
            var services = (await PricesAsync(cancellationToken)).Services.Keys.ToList();
            var file = File.Exists(PricePath) ? await File.ReadAllBytesAsync(PricePath, cancellationToken) : [];
            var changed = PriceEdits.Apply(file, changes, PricePath, services);
            if (changed is null)
            {
                File.Delete(PricePath);
                return;
            }
            var beside = PricePath + ".new";
            await File.WriteAllBytesAsync(beside, changed, cancellationToken);
            File.Move(beside, PricePath, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VirgaException(FailureKind.Denied, $"{PricePath} can't be changed: {e.Message}", null, e);
        }
        finally
        {
            changing.Release();
        }
    }

    public async Task<PricesInfo> DescribePricesAsync(CancellationToken cancellationToken)
    {
        var prices = await PricesAsync(cancellationToken);
        var used = new List<(string Account, ServicePrice Service)>();
        foreach (var account in await accounts.ListAsync(cancellationToken))
            used.Add((account.Name, prices.PlaceOf(account.Name, account.Adapter, HostOf(account.Address)).Service));
        return new PricesInfo(
            prices.Currency, PricePath, File.Exists(PricePath),
            [
                Figure("hourIsWorth", prices.HourIsWorth), Figure("yourAgentPerGB", prices.YourAgentPerGB),
                Figure("ownerAgentPerGB", prices.OwnerAgentPerGB),
            ],
            [
                .. prices.Services.Values.Append(PriceBook.Unknown).Select(service => new ServiceInfo(
                    service.Id, service.Name, service.Hosts,
                    [.. used.Where(u => u.Service.Id == service.Id).Select(u => u.Account)],
                    [.. service.Figures.Where(f => f.Figure is not null).Select(f => Figure(f.Name, f.Figure!))],
                    [.. service.Figures.Where(f => f.Figure is null).Select(f => f.Name)])),
            ]);
    }

    private static decimal ReadBackShare(string check) => check switch
    {
        "service" => 0,
        "sample" => 1 / 64m,
        "full" => 1,
        _ => throw new VirgaException(
            FailureKind.BadInput, $"'{check}' is no way to check a copy", "It is service, sample or full."),
    };

    private async Task<SourceSide> AskAsync(
        SourceProbe probe, IReadOnlyList<SharedFile> files, PriceBook prices, Action<string>? step,
        CancellationToken cancellationToken)
    {
        var pause = PauseMin;
        while (true)
        {
            var source = await probe.AskAsync(files, prices, cancellationToken);
            if (source.Agents.Count > 0) return source;
            if (probe.Refusal is { } refusal) throw refusal;
            if (step is null) return source;
            step("nobody who has it answers, trying again: " + probe.Problem);
            await Task.Delay(pause, time, cancellationToken);
            pause = pause * 1.5 < PauseMax ? pause * 1.5 : PauseMax;
        }
    }

    private async Task<StoragePlace> PlaceAsync(
        string name, IAccount account, PriceBook prices, CancellationToken cancellationToken)
    {
        var address = (await accounts.ListAsync(cancellationToken)).FirstOrDefault(a => a.Name == name)?.Address;
        return prices.PlaceOf(name, account.Traits.Adapter, HostOf(address ?? ""));
    }

    /// <summary>
    /// Of <c>s3:https://host/bucket</c>, <c>azure:https://host/container</c> and <c>webdavs://host/path</c>; null where
    /// an address has none.
    /// </summary>
    internal static string? HostOf(string address)
    {
        if (address.StartsWith("gcs:", StringComparison.OrdinalIgnoreCase)) return "storage.googleapis.com";
        if (address.StartsWith("b2:", StringComparison.OrdinalIgnoreCase)) return "api.backblazeb2.com";
        var colon = address.IndexOf(':', StringComparison.Ordinal);
        var url = colon > 0 && address.AsSpan(colon + 1).StartsWith("http", StringComparison.OrdinalIgnoreCase)
            ? address[(colon + 1)..] : address;
        return Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Host.Length > 0 ? uri.Host : null;
    }

    private FigureInfo Figure(string name, PriceFigure figure)
    {
        var per = name.EndsWith("GB", StringComparison.Ordinal) ? "GB"
            : name.EndsWith("1000", StringComparison.Ordinal) ? "1,000 calls"
            : "hour";
        return new FigureInfo(name, figure.Amount, per, figure.Date, figure.Source, figure.Note,
            figure.Source == PricePath);
    }

    private static PlanInfo Describe(
        PlanRequest request, Hash256 infoHash, PlanContent content, string currency, Plan plan)
    {
        ControlError? problem = null;
        try
        {
            plan.Require();
        }
        catch (VirgaException e)
        {
            problem = ControlErrors.From(e);
        }
        return new PlanInfo(
            infoHash.ToString(), request.Account, request.Path, content.Files, content.Bytes, content.LargestBytes,
            request.Prefer, request.MaxCost, request.NoRelay, currency, plan.Chosen?.Name, problem,
            [.. plan.Routes.Select(Describe)]);
    }

    /// <summary>Without the zeros at the end that a product of decimals has.</summary>
    private static decimal? Plain(Money? money) => money?.Amount / 1.0000000000000000000000000000m;

    private static RouteInfo Describe(Route route)
    {
        var gaps = route.Cost?.Items.Where(i => i.Gap != CostGap.None).Select(i => i.How).Distinct().ToList() ?? [];
        return new RouteInfo(
            route.Name, route.IsPossible, route.Reason, route.Seconds is { } s ? Math.Round(s, 1) : null,
            route.IsMeasured, Plain(route.Cost?.Known), gaps.Count > 0 ? string.Join("; ", gaps) : null,
            [.. route.Cost?.Items.Select(i => new CostInfo(i.What, i.Payer, Plain(i.Amount), i.How)) ?? []],
            route.OwnerAgentBytes, route.YourAgentBytes, route.OtherAgentsBytes, route.Sources,
            [.. route.Needs.Select(n => new NeedInfo(n.Need, n.WhyNot is null, n.WhyNot))]);
    }
}
