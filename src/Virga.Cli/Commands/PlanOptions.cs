using System.CommandLine;
using Virga.Agent.Control;

namespace Virga.Cli.Commands;

/// <summary>What a user wishes of a plan: the same options for <c>plan</c> and <c>get</c>.</summary>
internal sealed class PlanOptions
{
    private readonly Option<string> prefer = new("--prefer")
    {
        HelpName = "cheap|fast",
        Description = "what matters more (default: time and money are weighed)",
        DefaultValueFactory = _ => PlanRequest.Balanced,
    };

    private readonly Option<string?> maxCost = new("--max-cost")
    {
        HelpName = "AMOUNT",
        Description = "what it may cost at most, such as 0.25; nothing is moved when no way is as cheap",
    };

    private readonly Option<bool> noRelay = new("--no-relay")
    {
        Description = "nothing may pass through a relay",
    };

    private readonly Option<string> check = new("--check")
    {
        HelpName = "service|sample|full",
        Description = "how copies made inside a service are checked (default: service)",
        DefaultValueFactory = _ => "service",
    };

    private readonly Option<bool> noCopy = new("--no-copy")
    {
        Description = "have no copies made inside a service: every byte comes through this agent, verified",
    };

    public PlanOptions()
    {
        prefer.AcceptOnlyFromAmong("cheap", "fast", PlanRequest.Balanced);
        check.AcceptOnlyFromAmong("service", "sample", "full");
    }

    public void AddTo(Command command)
    {
        command.Add(prefer);
        command.Add(maxCost);
        command.Add(noRelay);
        command.Add(check);
        command.Add(noCopy);
    }

    public string Prefer(ParseResult parsed) => parsed.GetValue(prefer)!;

    public string? MaxCost(ParseResult parsed) => parsed.GetValue(maxCost);

    public bool NoRelay(ParseResult parsed) => parsed.GetValue(noRelay);

    public string Check(ParseResult parsed) => parsed.GetValue(check)!;

    public bool Copy(ParseResult parsed) => !parsed.GetValue(noCopy);
}
