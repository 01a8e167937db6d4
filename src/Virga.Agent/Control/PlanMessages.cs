namespace Virga.Agent.Control;

/// <summary>What a plan is asked for; nothing is moved.</summary>
/// <param name="Path">Folder in the account.</param>
/// <param name="Prefer">cheap, fast or balanced.</param>
/// <param name="MaxCost">An amount such as 0.25, in the currency of the prices; null: no bound.</param>
/// <param name="Check">service, sample or full: how copies made inside a service are checked.</param>
/// <param name="Copy">Whether the service may copy, where both accounts are at one.</param>
/// <param name="Select">As in <see cref="TransferRequest"/>, like the numbers.</param>
public sealed record PlanRequest(
    string Link, string Account, string Path, string Prefer = PlanRequest.Balanced, string? MaxCost = null,
    bool NoRelay = false, string Check = "service", bool Copy = true, IReadOnlyList<string>? Select = null,
    string? Only = null)
{
    public const string Balanced = "balanced";
}

/// <summary>Something that a route needs. Why: what is missing; null when it is there.</summary>
public sealed record NeedInfo(string Need, bool Met, string? Why);

/// <summary>Something that costs money. Amount: null when it isn't known.</summary>
/// <param name="What">egress, ingress, reads, writes, copies, copied or agent.</param>
/// <param name="Payer">owner, you or others.</param>
public sealed record CostInfo(string What, string Payer, decimal? Amount, string How);

/// <summary>One way to move a share.</summary>
/// <param name="Route">provider-copy, pull-from-url, direct, swarm, agent or relay.</param>
/// <param name="Seconds">Null where nobody can say.</param>
/// <param name="Measured">Whether the seconds come from earlier transfers on this way.</param>
/// <param name="Cost">What is known of it, for all together; null where nothing is.</param>
/// <param name="Unknown">What of the cost is not known; null when all of it is.</param>
/// <param name="Sources">Agents or the storage that it reads from.</param>
public sealed record RouteInfo(
    string Route, bool Possible, string Reason, double? Seconds, bool Measured, decimal? Cost, string? Unknown,
    IReadOnlyList<CostInfo> Costs, long OwnerAgentBytes, long YourAgentBytes, long OtherAgentsBytes,
    IReadOnlyList<string> Sources, IReadOnlyList<NeedInfo> Needs);

/// <summary>A plan: the chosen route first, the others in order of merit.</summary>
/// <param name="Chosen">Null when no route will do; Problem says why.</param>
/// <param name="Bytes">Plain bytes that are still to be moved.</param>
public sealed record PlanInfo(
    string InfoHash, string Account, string Path, int Files, long Bytes, long LargestBytes, string Prefer,
    string? MaxCost, bool NoRelay, string Currency, string? Chosen, ControlError? Problem,
    IReadOnlyList<RouteInfo> Routes);

/// <summary>What a transfer has cost so far, by the prices of its plan.</summary>
/// <param name="Saved">Against the way through the owner's agent; negative when that would have been cheaper.</param>
/// <param name="Bytes">Content bytes by route.</param>
public sealed record SpentInfo(
    string Currency, decimal Spent, decimal Saved, IReadOnlyDictionary<string, long> Bytes);

/// <param name="Amount">In the currency of the list.</param>
/// <param name="Per">What it is for: 1 GB (10^9 bytes), 1,000 calls, an hour.</param>
/// <param name="Date">When it held; null where a file of one's own gives none.</param>
/// <param name="IsOwn">Whether it stands in the user's own file.</param>
public sealed record FigureInfo(
    string Name, decimal Amount, string Per, DateOnly? Date, string Source, string? Note, bool IsOwn = false);

/// <summary>A service and its prices. What is missing among the figures is not known.</summary>
/// <param name="Accounts">This agent's accounts that are there.</param>
public sealed record ServiceInfo(
    string Service, string Name, IReadOnlyList<string> Hosts, IReadOnlyList<string> Accounts,
    IReadOnlyList<FigureInfo> Figures, IReadOnlyList<string> Unknown);

/// <summary>Changes one figure of the user's own prices.</summary>
/// <param name="Service">Null for those that belong to none.</param>
/// <param name="Name">Of the figure: egressPerGB, hourIsWorth ...</param>
/// <param name="Amount">In the currency of the list; null takes one's own figure away.</param>
/// <param name="IsUnknown">Without an amount: it is not known, whatever the shipped prices say.</param>
public sealed record PriceChange(string? Service, string Name, decimal? Amount, bool IsUnknown = false);

/// <summary>Changes the user's own prices: all of it, or nothing.</summary>
public sealed record PricesRequest(IReadOnlyList<PriceChange> Changes);

/// <summary>The prices in use.</summary>
/// <param name="File">Where one's own would be, or are.</param>
/// <param name="HasFile">Whether there are any.</param>
public sealed record PricesInfo(
    string Currency, string File, bool HasFile, IReadOnlyList<FigureInfo> Figures, IReadOnlyList<ServiceInfo> Services);
